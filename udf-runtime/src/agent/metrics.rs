//! The metrics of a process: its open and refused connections, their counts, and its log.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::agent::counters::{COUNTS, Count, Counters, Totals};
use crate::agent::link::Link;
use crate::agent::own_metrics::{Metric, OwnMetrics};
use crate::agent::sync::{Mutex, lock};

/// The maximum number of tasks and nodes without an open connection that keep their own series.
const MOST_ENDED: usize = 100;

/// The task and node of the series that sums up the remaining tasks.
const OTHERS: &str = "_others";

/// The reason why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Refused {
    /// The limit of open connections is reached.
    Limit,
    /// The user is not allowed.
    User,
    /// The handler panicked before the agent started.
    Panic,
    /// No thread could be started.
    Thread,
    /// The process has no descriptors left.
    Descriptors,
}

/// Each reason with the value of its label.
pub(crate) const REASONS: [(Refused, &str); 5] = [
    (Refused::Limit, "limit"),
    (Refused::User, "user"),
    (Refused::Panic, "panic"),
    (Refused::Thread, "thread"),
    (Refused::Descriptors, "descriptors"),
];

/// The counts of all connections of a server, by task and node.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    connections: Mutex<Connections>,
    refused: [AtomicU64; REASONS.len()],
    timed_out: AtomicU64,
    buffered: Arc<AtomicU64>,
    own: OwnMetrics,
}

#[derive(Default)]
struct Connections {
    open: Vec<Arc<Link>>,
    accepted: u64,
    /// The counts of ended connections. The last one ended last.
    ended: Vec<((String, String), Totals)>,
    /// The sum of the ended connections that no longer have their own series.
    others: Totals,
}

impl Connections {
    fn end(&mut self, name: (String, String), totals: Totals) {
        let place = self.ended.iter().position(|(ended, _)| *ended == name);
        let mut sum = place.map(|place| self.ended.remove(place).1).unwrap_or_default();
        sum.add(totals);
        self.ended.push((name, sum));
        if self.ended.len() > MOST_ENDED {
            let (_, oldest) = self.ended.remove(0);
            self.others.add(oldest);
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("open", &self.open.len()).finish_non_exhaustive()
    }
}

impl Metrics {
    /// Creates metrics with all counts at zero.
    pub fn new() -> Self {
        Metrics::default()
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open(&self, link: Arc<Link>) -> Counted {
        let mut connections = lock(&self.0.connections);
        connections.accepted += 1;
        connections.open.push(Arc::clone(&link));
        Counted { metrics: self.clone(), link }
    }

    /// Counts the error of a connection that failed before it had its own counters.
    pub(crate) fn fail(&self) {
        let counters = Counters::default();
        counters.add(Count::Errors, 1);
        let mut connections = lock(&self.0.connections);
        connections.accepted += 1;
        connections.end(Default::default(), counters.totals());
    }

    /// Counts a refused connection.
    pub(crate) fn refused(&self, why: Refused) {
        self.0.refused[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was closed because Init or a large request did not arrive in time.
    pub(crate) fn timed_out(&self) {
        self.0.timed_out.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of bytes that all connections hold for unhandled requests. The buffers
    /// update it.
    pub(crate) fn buffered(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.0.buffered)
    }

    /// Shows a [`Counter`](crate::Counter) or a [`Gauge`](crate::Gauge) of the author, too.
    ///
    /// `main` does this for each metric in `metrics(...)` of `#[udf]`. A metric that is shown
    /// already is not shown twice.
    ///
    /// # Errors
    /// Returns the name if another metric has it: Prometheus would refuse the whole text.
    pub fn show(&self, metric: &'static dyn Metric) -> Result<(), &'static str> {
        self.0.own.show(metric)
    }

    /// Returns the counts in the text format of Prometheus.
    ///
    /// Each task and node has its own series. Connections without an Init, which Kapacitor opens to
    /// ask for Info, have empty names. Of the tasks and nodes without an open connection, the
    /// latest 100 keep their series. The series `_others` sums up the remaining ones. A name of
    /// more than 100 bytes is cut, and control characters are replaced. A changed name ends in a
    /// checksum that distinguishes it from others.
    pub fn to_prometheus(&self) -> String {
        let (open, accepted, totals) = self.totals();
        // All counts share the same labels.
        let series: Vec<_> = totals
            .iter()
            .map(|((task, node), totals)| {
                (format!("task=\"{}\",node=\"{}\"", Label(task), Label(node)), totals)
            })
            .collect();
        let mut text = String::new();
        for (count, _, name, help) in COUNTS {
            let shown = series.iter().filter(|(_, totals)| totals.shows(count));
            if count.is_of_supervision() && shown.clone().next().is_none() {
                continue;
            }
            describe(&mut text, name, "counter", help);
            for (labels, totals) in shown {
                let value = totals.get(count);
                let value = match count {
                    Count::BusyNanos => Duration::from_nanos(value).as_secs_f64().to_string(),
                    _ => value.to_string(),
                };
                write(&mut text, format_args!("{name}{{{labels}}} {value}"));
            }
        }
        single(&mut text, "udf_connections_total", "counter", "Connections accepted.", accepted);
        single(&mut text, "udf_connections_open", "gauge", "Open connections.", open as u64);
        let name = "udf_connections_refused_total";
        describe(&mut text, name, "counter", "Connections refused, by reason.");
        for (why, reason) in REASONS {
            let value = self.0.refused[why as usize].load(Ordering::Relaxed);
            write(&mut text, format_args!("{name}{{reason=\"{reason}\"}} {value}"));
        }
        let singles = [
            (
                "udf_connections_timed_out_total",
                "counter",
                "Connections closed because Init or a large request did not arrive in time.",
                &self.0.timed_out,
            ),
            (
                "udf_buffered_bytes",
                "gauge",
                "Bytes held for requests that are not handled yet.",
                &self.0.buffered,
            ),
        ];
        for (name, kind, help, value) in singles {
            single(&mut text, name, kind, help, value.load(Ordering::Relaxed));
        }
        self.0.own.append(&mut text);
        text
    }

    /// Returns the number of open connections, the number of accepted connections, and the counts
    /// by task and node.
    fn totals(&self) -> (usize, u64, BTreeMap<(String, String), Totals>) {
        let connections = lock(&self.0.connections);
        let mut totals: BTreeMap<_, Totals> = connections.ended.iter().cloned().collect();
        if connections.others != Totals::default() {
            let others = totals.entry((OTHERS.to_owned(), OTHERS.to_owned())).or_default();
            others.add(connections.others);
        }
        for link in &connections.open {
            let (task, node) = link.pulse.task();
            let total = totals.entry((task.to_owned(), node.to_owned())).or_default();
            total.add(link.counters.totals());
        }
        (connections.open.len(), connections.accepted, totals)
    }
}

/// Appends a line.
fn write(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

fn describe(text: &mut String, name: &str, kind: &str, help: &str) {
    write(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn single(text: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    describe(text, name, kind, help);
    write(text, format_args!("{name} {value}"));
}

/// Counts a connection as open, for the metrics.
pub(crate) struct Counted {
    metrics: Metrics,
    link: Arc<Link>,
}

impl Counted {
    pub(crate) fn count(&self, count: Count) {
        self.link.counters.add(count, 1);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut connections = lock(&self.metrics.0.connections);
        connections.open.retain(|open| !Arc::ptr_eq(open, &self.link));
        let (task, node) = self.link.pulse.task();
        connections.end((task.to_owned(), node.to_owned()), self.link.counters.totals());
    }
}

/// The value of a label, escaped for Prometheus.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                _ => f.write_char(char)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(metrics: &Metrics, task: &str, points: u64) -> Counted {
        let link = Arc::new(Link::new(Box::new(std::io::sink())));
        link.pulse.name_task(task, "n\"1");
        link.counters.add(Count::PointsIn, points);
        link.counters.add(Count::BusyNanos, 1_500_000_000);
        metrics.open(link)
    }

    /// Returns the labels and values of the received points.
    fn points(text: &str) -> Vec<(&str, u64)> {
        let series = text.lines().filter_map(|line| {
            let (labels, value) =
                line.strip_prefix("udf_points_received_total{")?.rsplit_once("} ")?;
            Some((labels, value.parse().expect("a count")))
        });
        series.collect()
    }

    #[track_caller]
    fn assert_lines(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|found| found == *line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn open_and_ended_connections_add_up_by_task() {
        let metrics = Metrics::new();
        drop(connection(&metrics, "a", 2));
        let _open = (connection(&metrics, "a", 3), connection(&metrics, "b", 5));
        assert_lines(
            &metrics.to_prometheus(),
            &[
                "# TYPE udf_points_received_total counter",
                r#"udf_points_received_total{task="a",node="n\"1"} 5"#,
                r#"udf_points_received_total{task="b",node="n\"1"} 5"#,
                r#"udf_busy_seconds_total{task="a",node="n\"1"} 3"#,
                "udf_connections_total 3",
                "udf_connections_open 2",
            ],
        );
    }

    #[test]
    fn ended_tasks_take_a_bounded_place_and_none_of_their_counts_is_lost() {
        let metrics = Metrics::new();
        for task in 0..500 {
            drop(connection(&metrics, &format!("task{task}"), 1));
        }
        let text = metrics.to_prometheus();
        let points = points(&text);
        assert_eq!(points.len(), MOST_ENDED + 1);
        assert_eq!(points.iter().map(|(_, value)| value).sum::<u64>(), 500);
        let is_there = |task: &str| {
            points.iter().any(|(labels, _)| labels.starts_with(&format!("task=\"{task}\"")))
        };
        assert!(is_there("task499") && is_there("task400") && !is_there("task399"), "{text}");
        assert!(is_there(OTHERS), "{text}");
    }

    #[test]
    fn refusals_are_counted_by_reason_and_each_reason_is_always_there() {
        let metrics = Metrics::new();
        metrics.refused(Refused::Panic);
        metrics.refused(Refused::Panic);
        metrics.refused(Refused::Descriptors);
        metrics.timed_out();
        metrics.buffered().store(17, Ordering::Relaxed);
        assert_lines(
            &metrics.to_prometheus(),
            &[
                "# TYPE udf_connections_refused_total counter",
                r#"udf_connections_refused_total{reason="limit"} 0"#,
                r#"udf_connections_refused_total{reason="user"} 0"#,
                r#"udf_connections_refused_total{reason="panic"} 2"#,
                r#"udf_connections_refused_total{reason="thread"} 0"#,
                r#"udf_connections_refused_total{reason="descriptors"} 1"#,
                "udf_connections_timed_out_total 1",
                "# TYPE udf_buffered_bytes gauge",
                "udf_buffered_bytes 17",
            ],
        );
        for (place, (why, _)) in REASONS.into_iter().enumerate() {
            assert_eq!(place, why as usize);
        }
    }

    #[test]
    fn long_names_are_cut_and_kept_apart() {
        let metrics = Metrics::new();
        let long = "é".repeat(500_000);
        let open = [
            connection(&metrics, &format!("{long}1"), 1),
            connection(&metrics, &format!("{long}2"), 2),
            connection(&metrics, &format!("{long}2"), 3),
        ];
        let text = metrics.to_prometheus();
        assert!(text.len() < 16 << 10, "{} bytes", text.len());
        let [(first, one), (second, five)] = points(&text)[..] else { panic!("{text}") };
        assert!(first != second && one + five == 6, "{text}");
        assert!(first.starts_with(&format!("task=\"{}~", "é".repeat(50))), "{first}");
        // After their ends, they share one series.
        drop(open);
        let ended = metrics.to_prometheus();
        assert_eq!(points(&ended), points(&text));
        let kept = lock(&metrics.0.connections);
        assert!(kept.ended.iter().all(|((task, _), _)| task.capacity() < 128));
    }

    #[test]
    fn no_name_brings_control_characters_or_another_line() {
        let metrics = Metrics::new();
        let _open = [
            connection(&metrics, "a\u{1b}[2J\u{7f}\u{85}\nb 1\r\t\"\\", 1),
            connection(&metrics, "a\u{1b}[2J\u{7f}\u{85}\nb 2\r\t\"\\", 2),
            connection(&metrics, "数\"\\", 3),
        ];
        let text = metrics.to_prometheus();
        assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{text:?}");
        let points = points(&text);
        assert_eq!(points.len(), 3, "{text}");
        assert!(points.contains(&("task=\"数\\\"\\\\\",node=\"n\\\"1\"", 3)), "{text}");
        assert!(
            points[0].0.starts_with("task=\"a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}b 1"),
            "{text}"
        );
    }
}
