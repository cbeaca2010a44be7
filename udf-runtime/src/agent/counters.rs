//! Counts the traffic of one connection, for the log line at its end and for the metrics of the
//! process.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// A quantity that is counted.
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
    Restarts,
    Replayed,
    Skipped,
    Upgrades,
    Checkpoints,
}

impl Count {
    /// Returns whether only the front of a supervised UDF has this count.
    pub(crate) fn is_of_supervision(self) -> bool {
        use Count::*;
        matches!(self, Restarts | Replayed | Skipped | Upgrades | Checkpoints)
    }
}

/// Each count with its name in the log, its metric name and its help text.
pub(crate) const COUNTS: [(Count, &str, &str, &str); 15] = {
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
        (Restarts, "restarts", "udf_worker_restarts_total", "Workers that died and were replaced."),
        (
            Replayed,
            "replayed_bytes",
            "udf_worker_replayed_bytes_total",
            "Bytes of input that were sent to a worker again.",
        ),
        (
            Skipped,
            "skipped_inputs",
            "udf_worker_skipped_inputs_total",
            "Points or batches that were left out because they killed the worker repeatedly.",
        ),
        (
            Upgrades,
            "upgrades",
            "udf_worker_upgrades_total",
            "Workers that were replaced by a new version of the program.",
        ),
        (
            Checkpoints,
            "checkpoints",
            "udf_worker_checkpoints_total",
            "Snapshots of a worker that a restart can begin at.",
        ),
    ]
};

/// The counts of one connection. Other threads may read them at any time.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: [AtomicU64; COUNTS.len()],
    is_supervised: AtomicBool,
}

impl Counters {
    /// Shows the counts of supervision, too: the connection is the front of a supervised UDF.
    #[cfg_attr(not(feature = "main"), allow(dead_code, reason = "fronts belong to `main`"))]
    pub(crate) fn supervise(&self) {
        self.is_supervised.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn add(&self, count: Count, more: u64) {
        // Relaxed order suffices: no other memory depends on a count.
        self.counts[count as usize].fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            counts: std::array::from_fn(|count| self.counts[count].load(Ordering::Relaxed)),
            is_supervised: self.is_supervised.load(Ordering::Relaxed),
        }
    }
}

/// A snapshot of the counts of one or more connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    counts: [u64; COUNTS.len()],
    is_supervised: bool,
}

impl Totals {
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// Returns whether the log and the metrics show this count.
    pub(crate) fn shows(&self, count: Count) -> bool {
        self.is_supervised || !count.is_of_supervision()
    }

    pub(crate) fn add(&mut self, other: Totals) {
        for (total, other) in self.counts.iter_mut().zip(other.counts) {
            *total += other;
        }
        self.is_supervised |= other.is_supervised;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = COUNTS.into_iter().filter(|(count, ..)| self.shows(*count));
        for (place, (count, name, ..)) in shown.enumerate() {
            let separator = if place == 0 { "" } else { " " };
            let value = self.get(count);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_stand_at_their_places() {
        for (place, (count, ..)) in COUNTS.into_iter().enumerate() {
            assert_eq!(place, count as usize);
        }
        let counters = Counters::default();
        counters.add(Count::PointsOut, 7);
        let text = counters.totals().to_string();
        assert!(text.starts_with("points_in=0 points_out=7 points_dropped=0"), "{text}");
        assert!(text.ends_with(" errors=0"), "{text}");
    }

    #[test]
    fn only_a_front_shows_the_counts_of_supervision() {
        let counters = Counters::default();
        counters.supervise();
        counters.add(Count::Restarts, 2);
        let mut sum = Totals::default();
        sum.add(counters.totals());
        sum.add(Counters::default().totals());
        let counts =
            " errors=0 restarts=2 replayed_bytes=0 skipped_inputs=0 upgrades=0 checkpoints=0";
        assert!(sum.to_string().ends_with(counts), "{sum}");
    }
}
