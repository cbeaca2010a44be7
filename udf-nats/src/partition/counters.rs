//! The counts of a partition, for metrics and the status.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The counts of a partition since its worker has claimed it. Shared with other threads.
        #[derive(Debug, Default)]
        #[non_exhaustive]
        pub struct Counters {
            $($(#[$doc])* pub $name: Count,)*
        }
    };
}

counters! {
    /// The sequence up to which the output is in the log.
    position,
    /// The sequence of the last message that was read.
    read,
    /// The sequence of the stored snapshot.
    stored,
    /// The length of the stored state in bytes.
    state_bytes,
    /// The messages that the UDF has handled, without those of replays.
    messages_in,
    /// The lines that the UDF has handled, without those of replays.
    lines_in,
    /// The lines that are in the output.
    lines_out,
    /// The messages that are in the output.
    messages_out,
    /// The lines that were skipped, because they are not valid.
    invalid,
    /// The points of the UDF that line protocol cannot represent, and lines that are too long.
    unwritable,
    /// The lines that were left out because they end the UDF.
    poison,
    /// The ends of the UDF.
    deaths,
    /// How often another worker was faster.
    fenced,
}

/// A number that other threads can read.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Returns the number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only one thread writes.
    pub(crate) fn add(&self, number: u64) {
        self.0.store(self.get() + number, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, number: u64) {
        self.0.store(number, Ordering::Relaxed);
    }
}
