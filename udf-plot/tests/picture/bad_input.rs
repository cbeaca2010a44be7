//! Input that is empty, extreme, or out of order.

use proptest::prelude::*;
use udf_plot::{Groups, Look, Picture};

use crate::shown::{Made, NOON, SECOND, point, shown};

/// Draws a picture in both forms, at a small and at a usual size.
fn drawn(picture: &Picture) -> String {
    for (columns, rows) in [(0, 0), (80, 24)] {
        for has_color in [false, true] {
            assert!(!picture.text(columns, rows, has_color).is_empty());
        }
    }
    assert!(picture.svg(&Look { width: 1, ..Look::default() }).ends_with("</svg>\n"));
    picture.svg(&Look::default())
}

/// Returns a picture of the values of one field in one group, of the input only.
fn of_values(values: &[(i64, f64)]) -> Picture {
    let mut made = Made::new(Groups::default(), &[], &[]);
    values.iter().for_each(|(time, value)| made.input(point("", *time, &[("x", *value)])));
    made.picture()
}

#[test]
fn an_empty_input_is_a_note() {
    let picture = of_values(&[]);
    assert_eq!(shown(&picture), "note: there are no points in the input\n");
    assert!(drawn(&picture).contains("there are no points in the input"));
}

#[test]
fn one_point_is_a_dot() {
    let picture = of_values(&[(NOON, 5.0)]);
    assert_eq!(
        shown(&picture),
        "[] x 4.75..5.25\n  x (input): line [1]\nnote: no point came back\n"
    );
    let svg = drawn(&picture);
    assert!(svg.contains("<circle") && svg.contains("\n12:00:00\n"), "{svg}");
}

#[test]
fn a_constant_has_an_axis_around_it() {
    for (value, expected) in [(0.0, (-1.0, 1.0)), (-200.0, (-210.0, -190.0))] {
        let picture = of_values(&[(NOON, value), (NOON + SECOND, value)]);
        assert_eq!(picture.panels[0].values, expected);
        drawn(&picture);
    }
}

#[test]
fn the_greatest_floats_have_labels() {
    let picture =
        of_values(&[(NOON, 1e308), (NOON + SECOND, -1e308), (NOON + 2 * SECOND, f64::MAX)]);
    let svg = drawn(&picture);
    assert!(svg.contains("1e308") && svg.contains("-1e308"), "{svg}");
    assert!(!svg.contains("inf") && !svg.contains("NaN"));
}

#[test]
fn values_that_are_not_finite_are_counted() {
    let picture = of_values(&[(NOON, f64::NAN), (NOON + 1, f64::INFINITY), (NOON + 2, 1.0)]);
    assert!(picture.notes.contains(&"2 values are not finite: left out".to_owned()));
    drawn(&picture);
}

#[test]
fn strings_only_are_a_note() {
    let mut made = Made::new(Groups::default(), &[], &[]);
    let mut text = point("a", NOON, &[]);
    text.fields_string.insert("state".to_owned(), "up".to_owned());
    made.input(text.clone());
    text.fields_string.insert("zone".to_owned(), "b<&>\u{1}".to_owned());
    made.output(text);
    let picture = made.picture();
    let expected = "\
note: no field is a number, so there is nothing to draw
note: text cannot be drawn: `zone`
";
    assert_eq!(shown(&picture), expected);
    drawn(&picture);
}

#[test]
fn names_cannot_break_the_document_or_the_terminal() {
    let mut made = Made::new(Groups::default(), &[], &[]);
    made.settings.name = "</svg><script>\u{1b}[31m\u{0}".to_owned();
    made.input(point("<b>&\"'\u{1b}]0;x\u{7}", NOON, &[("<i>\u{0}", 1.0)]));
    let picture = made.picture();
    let svg = drawn(&picture);
    assert!(!svg.contains("<script") && !svg.contains("<b>") && !svg.contains("<i>"), "{svg}");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'));
    assert_eq!(svg.matches("<svg").count(), 1);
    let text = picture.text(80, 24, false);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn times_out_of_order_are_sorted() {
    let shuffled: Vec<_> =
        (0..100).map(|i| (NOON + i * 37 % 100 * SECOND, (i * 37 % 100) as f64)).collect();
    let sorted: Vec<_> = (0..100).map(|i| (NOON + i * SECOND, i as f64)).collect();
    let (one, two) = (of_values(&shuffled), of_values(&sorted));
    assert_eq!(one.panels, two.panels);
    assert_eq!(drawn(&one), drawn(&two));
}

#[test]
fn points_of_the_same_time_have_a_note() {
    let values: Vec<_> = (0..40).map(|i| (NOON + i / 4 * SECOND, i as f64)).collect();
    let note = "several points of a group have the same time: --group-by separates them by tags";
    assert!(of_values(&values).notes.contains(&note.to_owned()));
}

#[test]
fn a_million_groups_are_cheap() {
    let mut made = Made::new(Groups::default(), &[], &[]);
    for group in 0..1_000_000_u64 {
        made.input(point(&format!("{:07}", (group * 7919) % 1_000_000), NOON, &[("x", 1.0)]));
    }
    let picture = made.picture();
    assert_eq!(picture.panels.len(), 6);
    assert_eq!(picture.panels[5].group, "host=0000005");
    let note = "the first 6 by name, of more than 131,078 groups; --plot-groups selects others";
    assert_eq!(picture.notes[0], note);
    drawn(&picture);
}

#[test]
fn times_from_nanoseconds_to_centuries_have_labels() {
    const DAY: i64 = 86_400 * SECOND;
    for (length, ticks, range) in [
        (9, "+2 ns", "time: from 2026-03-01 12:00:00.000000000, UTC"),
        (9_000, "+2 µs", "time: from 2026-03-01 12:00:00.000000, UTC"),
        (9_000_000, "12:00:00.002", "time: from 2026-03-01 12:00:00.000, UTC"),
        (SECOND, "12:00:00.2", "time: from 2026-03-01 12:00:00.000, UTC"),
        (60 * SECOND, "12:00:15", "time: 2026-03-01 12:00:00 to 12:01:00, UTC"),
        (DAY, "Mar 2", "time: 2026-03-01 12:00:00 to 2026-03-02 12:00:00, UTC"),
        (20 * DAY, "Mar 10", "time: 2026-03-01 to 2026-03-21, UTC"),
        (300 * DAY, "Apr 2026", "time: 2026-03-01 to 2026-12-26, UTC"),
        (20 * 365 * DAY, "2030", "time: 2026-03-01 to 2046-02-24, UTC"),
    ] {
        let svg = drawn(&of_values(&[(NOON, 1.0), (NOON + length, 2.0)]));
        assert!(svg.contains(&format!("\n{ticks}\n")), "{length}: {svg}");
        assert!(svg.contains(&format!("\n{range}\n")), "{length}: {svg}");
    }
    let all = drawn(&of_values(&[(i64::MIN, 1.0), (i64::MAX, 2.0)]));
    assert!(
        all.contains("\n1800\n") && all.contains("time: 1677-09-21 to 2262-04-11, UTC"),
        "{all}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_points_are_drawn(values in prop::collection::vec((any::<i64>(), any::<f64>()), 0..40)) {
        drawn(&of_values(&values));
    }

    #[test]
    fn any_close_points_are_drawn(
        start in any::<i64>(),
        values in prop::collection::vec((0..1_000_000_i64, -1e3..1e3), 0..40),
    ) {
        let values: Vec<_> =
            values.into_iter().map(|(time, value)| (start.saturating_add(time), value)).collect();
        drawn(&of_values(&values));
    }
}
