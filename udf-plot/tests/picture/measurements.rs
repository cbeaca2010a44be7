//! Pictures of measurements: a bar and a line for each setting and its echo.

use udf_plot::{Look, Measured, Measurements, Run, Theme};

fn measurements(settings: Vec<Measured>) -> Measurements {
    Measurements {
        title: "mirror over pipes".to_owned(),
        subtitle: "a stream of points of 262 bytes; medians of 5 rounds".to_owned(),
        round_trip: "a point, until it is answered".to_owned(),
        settings,
    }
}

fn run(points_per_second: f64, micros: f64) -> Run {
    let shares = [(0.0, 1.0), (0.5, 2.0), (0.99, 5.0), (0.9995, 400.0), (1.0, 400.0)];
    let round_trips = shares.map(|(share, factor)| (share, micros * factor)).to_vec();
    Run { points_per_second, round_trips }
}

#[test]
fn each_setting_is_beside_its_echo() {
    let setting = |name: &str, rate| Measured {
        name: name.to_owned(),
        udf: run(rate, 6.0),
        echo: run(2.0 * rate, 3.0),
        ratio: 0.5,
    };
    let settings =
        vec![setting("kapacitor writes, 1 connection", 6e5), setting("large writes", 3e6)];
    let svg = measurements(settings).svg(&Look { theme: Theme::Light, ..Look::default() });
    for text in [
        "kapacitor writes, 1 connection",
        "600,000 points/s, 50 % of the echo",
        "echo: 1,200,000 points/s",
        "3,000,000 points/s, 50 % of the echo",
        "Round trips of a point, until it is answered",
        "share of the round trips that are as fast, or faster",
        "99.9 %",
        "1 µs",
        "10 ms",
    ] {
        assert!(svg.contains(&format!("\n{text}\n")), "{text}: {svg}");
    }
    assert!(!svg.contains("99.99 %"), "no round trip is that rare");
    // The background, and two bars for each setting.
    assert_eq!((svg.matches("<rect").count(), svg.matches("#D1480F").count()), (5, 4));
}

#[test]
fn measurements_without_numbers_are_drawn() {
    let nothing = || Run { points_per_second: f64::NAN, round_trips: Vec::new() };
    let setting =
        Measured { name: String::new(), udf: nothing(), echo: nothing(), ratio: f64::NAN };
    assert!(measurements(vec![setting]).svg(&Look::default()).contains("there are none"));
    assert!(
        measurements(Vec::new()).svg(&Look { width: 1, ..Look::default() }).ends_with("</svg>\n")
    );
}
