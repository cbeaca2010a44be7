//! What has passed through connections, counted: for the log at their end, and for whoever watches.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::link::{Link, lock};
use crate::sync::Mutex;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Count {
    PointsIn,
    PointsOut,
    PointsDropped,
    BatchesIn,
    BatchesOut,
    BytesIn,
    BytesOut,
    BusyNanos,
    Signs,
    Errors,
}

/// Each count: its name in the log, its name as a metric, and what it means.
const COUNTS: [(Count, &str, &str, &str); 10] = {
    use Count::*;
    [
        (PointsIn, "points_in", "udf_points_received_total", "Points received from Kapacitor."),
        (PointsOut, "points_out", "udf_points_sent_total", "Points sent to Kapacitor."),
        (
            PointsDropped,
            "points_dropped",
            "udf_points_dropped_total",
            "Points not sent: skipped for a missing field, or unfit for Kapacitor.",
        ),
        (BatchesIn, "batches_in", "udf_batches_received_total", "Batches received from Kapacitor."),
        (BatchesOut, "batches_out", "udf_batches_sent_total", "Batches sent to Kapacitor."),
        (BytesIn, "bytes_in", "udf_bytes_received_total", "Bytes of requests received."),
        (BytesOut, "bytes_out", "udf_bytes_sent_total", "Bytes of responses sent."),
        (BusyNanos, "busy", "udf_busy_seconds_total", "Time spent in handlers and in writing."),
        (
            Signs,
            "keepalives_while_busy",
            "udf_keepalives_while_busy_total",
            "Keepalives sent on behalf of a handler that was busy.",
        ),
        (Errors, "errors", "udf_errors_total", "Connections that ended with an error."),
    ]
};

/// The counts of one connection, which others may read at any time.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; COUNTS.len()]);

impl Counters {
    #[inline]
    pub(crate) fn add(&self, count: Count, more: u64) {
        self.0[count as usize].fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals(std::array::from_fn(|count| self.0[count].load(Ordering::Relaxed)))
    }
}

/// Counts that were read at some time, of one connection or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals([u64; COUNTS.len()]);

impl Totals {
    fn add(&mut self, other: Totals) {
        for (total, other) in self.0.iter_mut().zip(other.0) {
            *total += other;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (count, name, ..)) in COUNTS.into_iter().enumerate() {
            let separator = if place == 0 { "" } else { " " };
            let value = self.0[count as usize];
            match count {
                Count::BusyNanos => {
                    write!(
                        f,
                        "{separator}{name}={:.3}s",
                        Duration::from_nanos(value).as_secs_f64()
                    )?;
                }
                _ => write!(f, "{separator}{name}={value}")?,
            }
        }
        Ok(())
    }
}

/// The most tasks and nodes without an open connection that are shown with counts of their own.
const MOST_ENDED: usize = 100;

/// The task and node under which the others of them are added up.
const OTHERS: &str = "_others";

/// The counts of all connections of a server, by task and node.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<Connections>>);

#[derive(Default)]
struct Connections {
    open: Vec<Arc<Link>>,
    accepted: u64,
    /// What connections that have ended had counted, the latest to end last.
    ended: Vec<((String, String), Totals)>,
    /// The same of those that ended too long ago to be kept apart.
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
    /// Nothing counted yet.
    pub fn new() -> Self {
        Metrics::default()
    }

    /// Counts a connection in, until what is returned is dropped.
    pub(crate) fn open(&self, link: Arc<Link>) -> Counted {
        let mut connections = lock(&self.0);
        connections.accepted += 1;
        connections.open.push(Arc::clone(&link));
        Counted { metrics: self.clone(), link }
    }

    /// The counts in the text format of Prometheus.
    ///
    /// Each is given for each task and node; connections without an Init, on which Kapacitor asks for Info, have
    /// empty names. Of tasks and nodes whose connections have all ended, the latest 100 are given; the others are
    /// added up under the name `_others`.
    pub fn to_prometheus(&self) -> String {
        let (open, accepted, totals) = {
            let connections = lock(&self.0);
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
        };
        let mut text = String::new();
        let describe = |text: &mut String, name: &str, kind: &str, help: &str| {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
                .expect("a string takes all");
        };
        for (count, _, name, help) in COUNTS {
            describe(&mut text, name, "counter", help);
            for ((task, node), totals) in &totals {
                let value = totals.0[count as usize];
                let value = match count {
                    Count::BusyNanos => Duration::from_nanos(value).as_secs_f64().to_string(),
                    _ => value.to_string(),
                };
                writeln!(
                    text,
                    "{name}{{task=\"{}\",node=\"{}\"}} {value}",
                    Label(task),
                    Label(node)
                )
                .expect("a string takes all");
            }
        }
        let name = "udf_connections_total";
        describe(&mut text, name, "counter", "Connections accepted.");
        text += &format!("{name} {accepted}\n");
        let name = "udf_connections_open";
        describe(&mut text, name, "gauge", "Connections that are open.");
        text += &format!("{name} {open}\n");
        text
    }
}

/// A connection that is open, for its metrics.
pub(crate) struct Counted {
    metrics: Metrics,
    link: Arc<Link>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut connections = lock(&self.metrics.0);
        connections.open.retain(|open| !Arc::ptr_eq(open, &self.link));
        let (task, node) = self.link.pulse.task();
        connections.end((task.to_owned(), node.to_owned()), self.link.counters.totals());
    }
}

/// The value of a label, escaped as Prometheus wants it.
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

    #[test]
    fn open_and_ended_connections_add_up_by_task() {
        let metrics = Metrics::new();
        let connection = |task: &str, points| {
            let link = Arc::new(Link::new(Box::new(std::io::sink())));
            link.pulse.name_task(task, "n\"1");
            link.counters.add(Count::PointsIn, points);
            link.counters.add(Count::BusyNanos, 1_500_000_000);
            metrics.open(link)
        };
        drop(connection("a", 2));
        let _open = (connection("a", 3), connection("b", 5));
        let text = metrics.to_prometheus();
        for line in [
            "# TYPE udf_points_received_total counter",
            r#"udf_points_received_total{task="a",node="n\"1"} 5"#,
            r#"udf_points_received_total{task="b",node="n\"1"} 5"#,
            r#"udf_busy_seconds_total{task="a",node="n\"1"} 3"#,
            "udf_connections_total 3",
            "udf_connections_open 2",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn ended_tasks_take_a_bounded_place_and_none_of_their_counts_is_lost() {
        let metrics = Metrics::new();
        for task in 0..500 {
            let link = Arc::new(Link::new(Box::new(std::io::sink())));
            link.pulse.name_task(&format!("task{task}"), "node");
            link.counters.add(Count::PointsIn, 1);
            drop(metrics.open(link));
        }
        let text = metrics.to_prometheus();
        let counts = text.lines().filter_map(|line| {
            line.strip_prefix("udf_points_received_total{task=\"")?.split_once("\"")
        });
        let counts: Vec<_> = counts.collect();
        assert_eq!(counts.len(), MOST_ENDED + 1);
        let sum: u64 = counts
            .iter()
            .filter_map(|(_, rest)| rest.rsplit(' ').next()?.parse::<u64>().ok())
            .sum();
        assert_eq!(sum, 500);
        let is_there = |task: &str| counts.iter().any(|(found, _)| *found == task);
        assert!(is_there("task499") && is_there("task400") && !is_there("task399"), "{text}");
    }

    #[test]
    fn the_counts_stand_at_their_places() {
        for (place, (count, ..)) in COUNTS.into_iter().enumerate() {
            assert_eq!(place, count as usize);
        }
        let counters = Counters::default();
        counters.add(Count::PointsOut, 7);
        let text = counters.totals().to_string();
        assert!(text.starts_with("points_in=0 points_out=7 points_dropped=0"), "{text}");
    }
}
