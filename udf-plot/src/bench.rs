//! Draws measurements of a UDF beside those of an echo: throughput as bars, round trips as lines.

use crate::chart::{Chart, Tick};
use crate::fit::{shortened, text_width};
use crate::paper::{LINE, MARGIN, PX, Paper};
use crate::pen::{Ink, Pen};
use crate::range::Range;
use crate::settings::Look;
use crate::theme::Role;
use crate::words::number;

/// Measurements of a UDF with several settings.
///
/// ```
/// use udf_plot::{Look, Measured, Measurements, Run};
///
/// let run = |points_per_second, round_trips: &[(f64, f64)]| Run {
///     points_per_second,
///     round_trips: round_trips.to_vec(),
/// };
/// let measurements = Measurements {
///     title: "mirror over pipes".to_owned(),
///     subtitle: "a stream of points of 262 bytes".to_owned(),
///     round_trip: "a point, until it is answered".to_owned(),
///     settings: vec![Measured {
///         name: "large writes, 1 connection".to_owned(),
///         udf: run(3e6, &[(0.0, 5.0), (0.5, 15.0), (0.99, 28.0), (1.0, 3300.0)]),
///         echo: run(6e6, &[(0.0, 2.0), (0.5, 5.0), (0.99, 9.0), (1.0, 900.0)]),
///         ratio: 0.5,
///     }],
/// };
/// assert!(measurements.svg(&Look::default()).contains("3,000,000 points/s, 50 % of the echo"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Measurements {
    /// The UDF and its transport.
    pub title: String,
    /// The points, and the number of rounds.
    pub subtitle: String,
    /// The definition of a round trip, such as `a point, until it is answered`.
    pub round_trip: String,
    /// The measurements of each setting.
    pub settings: Vec<Measured>,
}

/// The measurements of one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The name of the setting.
    pub name: String,
    /// The UDF.
    pub udf: Run,
    /// The echo.
    pub echo: Run,
    /// The throughput of the UDF divided by that of the echo.
    pub ratio: f64,
}

/// The measurements of a UDF or of an echo.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The throughput.
    pub points_per_second: f64,
    /// The round trips: shares from 0 to 1, and the microseconds within which that share of all
    /// round trips was made. Both grow.
    pub round_trips: Vec<(f64, f64)>,
}

/// The height of a bar and of a chart, in pixels.
const BAR: i32 = 15;
const CHART: i32 = 300;

/// The opacity of an echo.
const PALE: f64 = 0.4;

/// The shares with a label: each has ten times fewer round trips behind it.
const SHARES: [(f64, &str); 7] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

impl Measurements {
    /// Returns the picture as an SVG document, without scripts and without references.
    pub fn svg(&self, look: &Look) -> String {
        let paper = Paper::new(look, &self.title, &self.subtitle);
        let sheet = Sheet { measurements: self, paper };
        sheet.paper.document(sheet.trips_top() + CHART + 2 * LINE + MARGIN, &|pen| sheet.draw(pen))
    }
}

struct Sheet<'m> {
    measurements: &'m Measurements,
    paper: Paper,
}

impl Sheet<'_> {
    /// Returns the first line of the section about round trips.
    fn trips_top(&self) -> i32 {
        let settings = self.measurements.settings.len() as i32;
        self.paper.top() + LINE + 8 + settings * (LINE + 2 * BAR + 14) + 8
    }

    fn draw(&self, pen: &mut Pen<'_>) {
        let heading = "Throughput, beside an echo of raw bytes (pale)";
        self.paper.text(pen, heading, (MARGIN, self.paper.top() + 4), (13, Role::Text, true));
        let mut y = self.paper.top() + LINE + 8;
        for (place, setting) in self.measurements.settings.iter().enumerate() {
            self.paper.text(pen, &setting.name, (MARGIN, y), (12, Role::Text, false));
            y += LINE;
            let rate =
                |run: &Run| format!("{} points/s", number(run.points_per_second.round() as u64));
            let udf = format!("{}, {:.0} % of the echo", rate(&setting.udf), 100.0 * setting.ratio);
            self.bar(pen, y, &setting.udf, self.ink(place, 1.0), &udf);
            let echo = format!("echo: {}", rate(&setting.echo));
            self.bar(pen, y + BAR + 2, &setting.echo, self.ink(place, PALE), &echo);
            y += 2 * BAR + 14;
        }
        self.round_trips(pen);
    }

    fn ink(&self, place: usize, opacity: f64) -> Ink {
        self.paper.ink(Role::Output(place)).opacity(opacity)
    }

    /// Draws a bar with its label, inside of it if there is no room behind it.
    fn bar(&self, pen: &mut Pen<'_>, y: i32, run: &Run, ink: Ink, label: &str) {
        let settings = self.measurements.settings.iter();
        let rates = settings.flat_map(|s| [s.udf.points_per_second, s.echo.points_per_second]);
        let most = rates.fold(1.0, f64::max);
        let room = self.paper.inner() * 3 / 5;
        let width =
            (f64::from(room) * run.points_per_second / most).round().clamp(1.0, f64::from(room));
        let (left, right) = (MARGIN * PX, MARGIN * PX + (width * f64::from(PX)) as i32);
        pen.rectangle((left, y * PX), (right, (y + BAR) * PX), ink);
        let x = MARGIN + width as i32 + 8;
        let label = shortened(label, self.paper.width - MARGIN - x, 12);
        self.paper.text(pen, &label, (x, y + 2), (12, Role::Muted, false))
    }

    /// Returns the end of the axis of shares: a bit behind the last round trip but one.
    fn most_nines(&self) -> f64 {
        let runs = self.measurements.settings.iter().flat_map(|s| [&s.udf, &s.echo]);
        let shares = runs.flat_map(|run| &run.round_trips).map(|(share, _)| *share);
        shares.filter(|share| *share < 1.0).map(nines).fold(1.0, f64::max) + 0.2
    }

    fn round_trips(&self, pen: &mut Pen<'_>) {
        let top = self.trips_top();
        let heading = format!("Round trips of {}", self.measurements.round_trip);
        let heading = shortened(&heading, self.paper.inner(), 14);
        self.paper.text(pen, &heading, (MARGIN, top), (13, Role::Text, true));
        let runs = self.measurements.settings.iter().flat_map(|s| [&s.udf, &s.echo]);
        let times =
            runs.flat_map(|run| &run.round_trips).map(|(_, micros)| micros.max(0.1).log10());
        let Some(range) = Range::of(times) else {
            return self.paper.text(
                pen,
                "there are none",
                (MARGIN, top + LINE),
                (12, Role::Muted, false),
            );
        };
        let range =
            Range { low: range.low.floor(), high: range.high.ceil().max(range.low.floor() + 1.0) };
        let labels = text_width("100 µs", 11) + 30;
        let place = (MARGIN, top + LINE + 4);
        let size = (self.paper.inner(), CHART + LINE);
        let chart = Chart::new(place, size, labels, 2 * LINE + 4);
        let all = Range { low: 0.0, high: self.most_nines() };
        let shown = SHARES.iter().filter(|(share, _)| nines(*share) <= all.high);
        let shares: Vec<Tick<'_>> =
            shown.map(|(share, label)| (all.share(nines(*share)), *label)).collect();
        let decades = range.low as i32..=range.high as i32;
        let decades: Vec<_> =
            decades.map(|power| (range.share(f64::from(power)), duration(power))).collect();
        let times: Vec<Tick<'_>> =
            decades.iter().map(|(share, label)| (*share, label.as_str())).collect();
        let name = "share of the round trips that are as fast, or faster";
        chart.axes(pen, &self.paper, ("time", Some(name)), &shares, &times);
        for (place, setting) in self.measurements.settings.iter().enumerate() {
            for (run, opacity) in [(&setting.echo, PALE), (&setting.udf, 1.0)] {
                let line = run.round_trips.iter().map(|(share, micros)| {
                    let time = range.share(micros.max(0.1).log10());
                    chart.place(all.share(nines(*share)), time)
                });
                pen.path(&line.collect::<Vec<_>>(), self.ink(place, opacity).width(7));
            }
        }
    }
}

/// Returns the place of a share: each nine behind the point is as wide as the one before.
fn nines(share: f64) -> f64 {
    -(1.0 - share).max(1e-6).log10()
}

/// Returns a power of ten of microseconds as text.
fn duration(power: i32) -> String {
    let (power, unit) = match power {
        ..0 => (power + 3, "ns"),
        0..3 => (power, "µs"),
        3..6 => (power - 3, "ms"),
        _ => (power - 6, "s"),
    };
    format!("{} {unit}", 10_i64.pow(power.clamp(0, 18).unsigned_abs()))
}
