//! Counts the traffic of one connection, for the log line at its end and for the metrics of the
//! process.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
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
}

/// Each count with its name in the log, its metric name and its help text.
pub(crate) const COUNTS: [(Count, &str, &str, &str); 10] = {
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

/// The counts of one connection. Other threads may read them at any time.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; COUNTS.len()]);

impl Counters {
    #[inline]
    pub(crate) fn add(&self, count: Count, more: u64) {
        // Relaxed order suffices: no other memory depends on a count.
        self.0[count as usize].fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals(std::array::from_fn(|count| self.0[count].load(Ordering::Relaxed)))
    }
}

/// A snapshot of the counts of one or more connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals([u64; COUNTS.len()]);

impl Totals {
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    pub(crate) fn add(&mut self, other: Totals) {
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
    }
}
