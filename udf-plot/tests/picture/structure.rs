//! Which series and panels a picture has.

use udf_plot::{Data, Groups, Look, Picture, Theme};

use crate::gallery::everything;
use crate::shown::{Made, NOON, SECOND, point, shown};

/// Returns a picture of one group: each point of the input, and of the output, in turns.
fn picture_of(
    texts: &[&str],
    count: i64,
    input: impl Fn(i64) -> Vec<(&'static str, f64)>,
    output: impl Fn(i64) -> Vec<(&'static str, f64)>,
) -> Picture {
    let mut made = Made::new(Groups::default(), &[], texts);
    for step in 0..count {
        made.input(point("a", NOON + step * SECOND, &input(step)));
        let output = output(step);
        if !output.is_empty() {
            made.output(point("a", NOON + step * SECOND, &output));
        }
    }
    made.picture()
}

fn wave(step: i64) -> f64 {
    (step % 10) as f64
}

#[test]
fn bands_flags_gaps_and_ranges_have_their_places() {
    let expected = "\
[host=web00] usage, mean, usage_lower, usage_upper 0..104.671
  usage_lower to usage_upper (output): band [(200, 200), (310, 310)]
  usage (input): line [200, 310]
  mean (output): line [200, 310]
  anomaly is true (output): marks 100.036 94.359 75.523
[host=web00] score 0..0.026
  score (output): line [200, 310]
";
    assert_eq!(shown(&everything(1)), expected);
}

#[test]
fn the_drawing_has_a_title_a_legend_axes_and_labels() {
    let svg = everything(1).svg(&Look { theme: Theme::Light, ..Look::default() });
    let texts = svg.split("<text").skip(1).filter_map(|text| text.lines().nth(1));
    let expected = "made|510 points in, 510 out|\
        usage (input)|mean (output)|score (output)|usage_lower to usage_upper (output)|\
        anomaly is true (output)|host=web00|\
        usage, mean, usage_lower, usage_upper|0|20|40|60|80|100|\
        score|0|0.005|0.010|0.015|0.020|0.025|\
        12:00|12:01|12:02|12:03|12:04|12:05|12:06|12:07|12:08|12:09|\
        time: 2026-03-01 12:00:00 to 12:09:59, UTC";
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    assert_eq!(texts.join("|"), expected);
    // The band is two polygons, because of the gap. Three points and the legend are circles.
    assert_eq!((svg.matches("<polygon").count(), svg.matches("<circle").count()), (2, 4));
}

/// Returns the labels below the plots: their texts, and about where their left and right edges are, in
/// pixels.
fn labels_below(svg: &str) -> Vec<(String, f64, f64)> {
    let mut labels = Vec::new();
    for text in svg.split("<text ").skip(1) {
        let attribute = |name: &str| text.split(&format!("{name}=\"")).nth(1)?.split('"').next();
        let number = |name: &str| attribute(name)?.parse::<f64>().ok();
        // Only these texts are centered and horizontal.
        if attribute("text-anchor") != Some("middle") || attribute("transform").is_some() {
            continue;
        }
        let label = text.lines().nth(1).expect("a text has a line").to_owned();
        let half = label.len() as f64 * 11.0 * 0.56 / 2.0;
        let middle = number("x").expect("a text has a place") / 4.0;
        labels.push((label, middle - half, middle + half));
    }
    labels
}

#[test]
fn the_label_at_the_end_of_the_time_axis_is_within_the_picture() {
    for (seconds, columns) in [(30, 1), (60, 1), (50, 2), (3600, 1), (300, 3)] {
        let mut made = Made::new(Groups::First(24), &[], &[]);
        for group in 0..[1, 5, 12][columns - 1] {
            for step in 0..=10 {
                let time = NOON + step * seconds * SECOND / 10;
                made.input(point(&format!("h{group:02}"), time, &[("x", wave(step))]));
            }
        }
        let picture = made.picture();
        for width in [280, 340, 640, 960, 1300] {
            let labels = labels_below(&picture.svg(&Look { width, theme: Theme::Light }));
            let noon = labels.iter().filter(|(label, ..)| label.starts_with("12:00")).count();
            assert!(noon > 0, "{labels:?}");
            for (label, left, right) in labels {
                assert!(0.0 < left && right < f64::from(width), "{width}: {label} {left} {right}");
            }
        }
    }
}

#[test]
fn the_field_that_an_option_names_is_beside_the_output() {
    let input = |step| vec![("idle", 1.0), ("usage", wave(step)), ("nice", 0.0)];
    let picture = picture_of(&["usage", "avg"], 20, input, |step| vec![("avg", wave(step) / 2.0)]);
    let expected = "\
[host=a] usage, avg 0..9.45
  usage (input): line [20]
  avg (output): line [20]
";
    assert_eq!(shown(&picture), expected);
}

#[test]
fn without_such_an_option_the_input_has_the_names_of_the_output() {
    let input = |step| vec![("a", 1.0), ("b", wave(step))];
    let picture = picture_of(&[], 20, input, |step| vec![("b", wave(step) + 1.0)]);
    let expected = "\
[host=a] b 0..10.5
  b (input): line [20]
  b (output): line [20]
note: 1 of 2 input fields; --plot-fields selects others
";
    assert_eq!(shown(&picture), expected);
}

#[test]
fn fields_that_the_udf_carries_along_are_left_out() {
    let input = |step| vec![("a", wave(step)), ("b", 7.0)];
    let output = |step| vec![("a", wave(step)), ("b", 7.0), ("double", 2.0 * wave(step))];
    let expected = "\
[host=a] a, double 0..18.9
  a (input): line [20]
  double (output): line [20]
";
    assert_eq!(shown(&picture_of(&["a"], 20, input, output)), expected);
}

#[test]
fn points_that_the_udf_selects_are_marks_on_the_input() {
    let input = |step| vec![("a", wave(step)), ("b", 7.0)];
    let picture = picture_of(&["a"], 20, input, |step| match step % 10 {
        9 => vec![("a", 9.0), ("b", 7.0)],
        _ => Vec::new(),
    });
    let expected = "\
[host=a] a 0..9.45
  a (input): line [20]
  a: points that came back: marks 9 9
";
    assert_eq!(shown(&picture), expected);
    // A UDF that drops a few points is a line, and its gaps are narrow.
    let dropped = |step| if step == 5 { Vec::new() } else { vec![("a", wave(step)), ("b", 7.0)] };
    let picture = picture_of(&["a"], 20, input, dropped);
    assert!(shown(&picture).contains("a (output): line [19]"), "{}", shown(&picture));
}

#[test]
fn groups_have_the_same_range_unless_it_hides_one_of_them() {
    let picture = |factor: f64| {
        let mut made = Made::new(Groups::default(), &[], &[]);
        for step in 0..20 {
            made.input(point("a", NOON + step * SECOND, &[("x", wave(step))]));
            made.input(point("b", NOON + step * SECOND, &[("x", factor * wave(step))]));
        }
        made.picture().panels.iter().map(|panel| panel.values).collect::<Vec<_>>()
    };
    assert_eq!(picture(2.0), [(0.0, 18.9), (0.0, 18.9)]);
    assert_eq!(picture(100.0), [(0.0, 9.45), (0.0, 945.0)]);
}

#[test]
fn the_first_groups_by_name_are_drawn_whole() {
    let mut made = Made::new(Groups::First(2), &[], &[]);
    for step in 0..10 {
        for host in ["d", "c", "b", "a"] {
            made.input(point(host, NOON + step * SECOND, &[("x", wave(step))]));
        }
    }
    let expected = "\
[host=a] x 0..9.45
  x (input): line [10]
[host=b] x 0..9.45
  x (input): line [10]
note: the first 2 by name, of 4 groups; --plot-groups selects others
note: no point came back
";
    assert_eq!(shown(&made.picture()), expected);
}

#[test]
fn named_groups_and_fields_are_drawn_in_their_order() {
    let groups = Groups::Named(vec!["host=c".to_owned(), "host=a".to_owned(), "host=x".to_owned()]);
    let mut made = Made::new(groups, &["b", "usgae"], &["a"]);
    for step in 0..10 {
        for host in ["a", "b", "c"] {
            let fields = [("a", 1.0), ("b", wave(step)), ("usage", 3.0)];
            made.input(point(host, NOON + step * SECOND, &fields));
            made.output(point(host, NOON + step * SECOND, &fields));
        }
    }
    let expected = "\
[host=c] b 0..9.45
  b (input): line [10]
[host=a] b 0..9.45
  b (input): line [10]
note: no point has the group `host=x`
note: no point has a number in the field `usgae`; did you mean `usage`?
note: the output has the same values as the input
";
    assert_eq!(shown(&made.picture()), expected);
}

#[test]
fn every_extreme_of_a_million_points_is_drawn() {
    let mut made = Made::new(Groups::default(), &[], &[]);
    let spikes = [3, 77_777, 500_000, 999_998];
    for step in 0..1_000_000 {
        let value = if spikes.contains(&step) { 100.0 } else { wave(step) };
        made.input(point("", NOON + step * SECOND, &[("x", value)]));
    }
    let picture = made.picture();
    let [series] = &picture.panels[0].series[..] else { panic!("one series") };
    let found: Vec<_> = series.data.samples().filter(|sample| sample.value == 100.0).collect();
    let times: Vec<_> = found.iter().map(|sample| (sample.time - NOON) / SECOND).collect();
    assert_eq!(times, spikes);
    let Data::Line(runs) = &series.data else { panic!("a line") };
    assert_eq!(runs.len(), 1);
    assert!(runs[0].len() <= 16_384, "{}", runs[0].len());
    // In the drawing, each pixel column has its extremes, and not all points.
    let svg = picture.svg(&Default::default());
    assert!(svg.len() < 100_000, "{}", svg.len());
}

#[test]
fn the_title_hides_secrets() {
    let settings = udf_plot::Settings {
        name: "made".to_owned(),
        secrets: vec!["token".to_owned()],
        ..udf_plot::Settings::default()
    };
    let options = ["size=10", "token=abc", "token", "toke=n"].map(str::to_owned);
    let track = || udf_plot::Track::new(&settings, &[]);
    let picture = Picture::new(&settings, &options, track(), track());
    assert_eq!(picture.title, "made size=10 token=*** token toke=n");
}

#[test]
fn pictures_that_are_compared_have_the_same_axes() {
    let input = |step| vec![("x", wave(step))];
    let mut one = picture_of(&["x"], 20, input, |step| vec![("y", 2.0 * wave(step))]);
    let mut two = picture_of(&["x"], 30, input, |step| vec![("y", wave(step) / 2.0)]);
    one.share_axes(&mut two);
    assert_eq!(one.times, two.times);
    assert_eq!(one.panels[0].values, two.panels[0].values);
    assert_eq!((one.panels[0].values, one.times.unwrap().1), ((0.0, 18.9), NOON + 29 * SECOND));
}
