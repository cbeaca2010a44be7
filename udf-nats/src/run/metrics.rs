//! The metrics of a process, for Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::partition::Counters;

/// The counts of one partition.
#[derive(Debug, Default)]
pub struct Counts {
    /// The number of the partition, or `raw` for a splitter.
    label: String,
    /// The counts of the driver.
    pub driver: Counters,
    /// The number of messages that wait on the server.
    pub pending: Arc<AtomicU64>,
    /// How often the partition has stopped for an error.
    stops: AtomicU64,
    /// What fails and is tried again, if something does.
    retrying: Mutex<Option<String>>,
}

impl Counts {
    /// Notes what fails and is tried again, or that nothing does.
    pub fn set_retrying(&self, why: Option<String>) {
        *self.retrying.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Returns what fails and is tried again, if something does.
    pub fn retrying(&self) -> Option<String> {
        self.retrying.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The counts of all partitions that this process runs.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<u32, Arc<Counts>>>>);

type Read = fn(&Counts) -> u64;

/// The name, the type, the help and the value of each metric of a partition.
const PARTITION: [(&str, &str, &str, Read); 16] = [
    ("udf_nats_pending_messages", "gauge", "Messages that wait on the server.", |counts| {
        counts.pending.load(Ordering::Relaxed)
    }),
    ("udf_nats_position", "gauge", "Sequence up to which the output is stored.", |counts| {
        counts.driver.position.get()
    }),
    ("udf_nats_snapshot_position", "gauge", "Sequence of the stored snapshot.", |counts| {
        counts.driver.stored.get()
    }),
    ("udf_nats_snapshot_bytes", "gauge", "Size of the stored snapshot.", |counts| {
        counts.driver.state_bytes.get()
    }),
    ("udf_nats_messages_in_total", "counter", "Messages that were handled.", |counts| {
        counts.driver.messages_in.get()
    }),
    ("udf_nats_lines_in_total", "counter", "Lines that were handled.", |counts| {
        counts.driver.lines_in.get()
    }),
    ("udf_nats_messages_out_total", "counter", "Messages of output that were stored.", |counts| {
        counts.driver.messages_out.get()
    }),
    ("udf_nats_lines_out_total", "counter", "Lines of output that were stored.", |counts| {
        counts.driver.lines_out.get()
    }),
    ("udf_nats_invalid_lines_total", "counter", "Lines that are not valid.", |counts| {
        counts.driver.invalid.get()
    }),
    ("udf_nats_unwritable_points_total", "counter", "Points without a line.", |counts| {
        counts.driver.unwritable.get()
    }),
    ("udf_nats_poison_lines_total", "counter", "Lines that end the UDF.", |counts| {
        counts.driver.poison.get()
    }),
    ("udf_nats_udf_ends_total", "counter", "Unexpected ends of the UDF.", |counts| {
        counts.driver.deaths.get()
    }),
    ("udf_nats_fenced_total", "counter", "Writes that another worker has preceded.", |counts| {
        counts.driver.fenced.get()
    }),
    ("udf_nats_stops_total", "counter", "Stops for an error. It is tried again.", |counts| {
        counts.stops.load(Ordering::Relaxed)
    }),
    ("udf_nats_retrying", "gauge", "1 while something fails and is tried again.", |counts| {
        counts.retrying().is_some().into()
    }),
    ("udf_nats_read_position", "gauge", "Sequence of the last message read.", |counts| {
        counts.driver.read.get()
    }),
];

impl Metrics {
    fn counts(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Arc<Counts>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to show a partition.
    pub(super) fn add(&self, partition: u32, label: String) -> Arc<Counts> {
        let mut all = self.counts();
        let stops = all.get(&partition).map_or(0, |counts| counts.stops.load(Ordering::Relaxed));
        let counts = Arc::new(Counts { label, stops: stops.into(), ..Counts::default() });
        all.insert(partition, Arc::clone(&counts));
        counts
    }

    /// Notes that a partition has stopped for an error. It is still shown.
    pub(super) fn stopped(&self, partition: u32) {
        if let Some(counts) = self.counts().get(&partition) {
            counts.stops.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Shows only these partitions from now on.
    pub(super) fn retain(&self, is_shown: impl Fn(u32) -> bool) {
        self.counts().retain(|partition, _| is_shown(*partition));
    }

    /// Returns the metrics in the text format of Prometheus.
    pub fn to_prometheus(&self) -> String {
        let counts = self.counts();
        let mut text = String::new();
        // Writing to a string does not fail.
        let name = "udf_nats_partitions_owned";
        let _ = writeln!(text, "# HELP {name} Partitions that this process runs.");
        let _ = writeln!(text, "# TYPE {name} gauge\n{name} {}", counts.len());
        for (name, kind, help, read) in PARTITION {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for counts in counts.values() {
                let label = &counts.label;
                let _ = writeln!(text, "{name}{{partition=\"{label}\"}} {}", read(counts));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_owned_partitions_are_shown() {
        let metrics = Metrics::default();
        let counts = metrics.add(3, "3".to_owned());
        metrics.add(11, "11".to_owned());
        counts.pending.store(7, Ordering::Relaxed);
        counts.set_retrying(Some("cannot read the input: no responders".to_owned()));
        let text = metrics.to_prometheus();
        for line in [
            "udf_nats_partitions_owned 2",
            "udf_nats_pending_messages{partition=\"3\"} 7",
            "udf_nats_lines_in_total{partition=\"11\"} 0",
            "udf_nats_retrying{partition=\"3\"} 1",
            "udf_nats_retrying{partition=\"11\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        metrics.stopped(11);
        metrics.add(11, "11".to_owned());
        metrics.retain(|partition| partition != 3);
        let text = metrics.to_prometheus();
        assert!(!text.contains("\"3\""), "{text}");
        assert!(text.contains("udf_nats_stops_total{partition=\"11\"} 1\n"), "{text}");
    }
}
