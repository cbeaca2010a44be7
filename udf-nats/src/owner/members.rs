//! Which workers live.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DEAD_AFTER, FORGOTTEN_AFTER};

/// The workers that were seen, with the time of their last change. Only the clock of this machine
/// counts.
#[derive(Debug, Default)]
pub struct Members {
    seen: BTreeMap<String, Change>,
}

#[derive(Debug)]
struct Change {
    revision: u64,
    at: Duration,
    is_leaving: bool,
}

impl Members {
    /// Notes the keys of the workers: their names, the revisions, and whether they leave.
    pub fn observe<'a>(
        &mut self,
        now: Duration,
        workers: impl IntoIterator<Item = (&'a str, u64, bool)>,
    ) {
        let mut seen = BTreeMap::new();
        for (worker, revision, is_leaving) in workers {
            // The revision of a server that lags behind is no sign of life.
            let before = self.seen.get(worker).filter(|change| change.revision >= revision);
            let (revision, at) =
                before.map_or((revision, now), |change| (change.revision, change.at));
            seen.insert(worker.to_owned(), Change { revision, at, is_leaving });
        }
        self.seen = seen;
    }

    /// Returns the workers that live and do not leave, sorted.
    pub fn staying(&self, now: Duration) -> Vec<&str> {
        let staying =
            self.seen.iter().filter(|(_, change)| change.lives(now) && !change.is_leaving);
        staying.map(|(worker, _)| worker.as_str()).collect()
    }

    /// Returns whether a worker lives, even if it is about to leave.
    pub fn lives(&self, worker: &str, now: Duration) -> bool {
        self.seen.get(worker).is_some_and(|change| change.lives(now))
    }

    /// Returns the workers whose keys can be deleted.
    pub fn forgotten(&self, now: Duration) -> impl Iterator<Item = &str> {
        let is_old = move |change: &Change| now.saturating_sub(change.at) >= FORGOTTEN_AFTER;
        self.seen
            .iter()
            .filter(move |(_, change)| is_old(change))
            .map(|(worker, _)| worker.as_str())
    }
}

impl Change {
    fn lives(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) < DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_lives_while_its_key_changes() {
        let mut members = Members::default();
        let at = Duration::from_secs;
        members.observe(at(100), [("a", 1, false), ("b", 2, true)]);
        assert_eq!(members.staying(at(104)), ["a"]);
        assert!(members.lives("b", at(104)) && !members.lives("c", at(104)));
        members.observe(at(104), [("a", 3, false), ("b", 2, false)]);
        assert_eq!(members.staying(at(105)), ["a"]);
        // An older revision comes from a server that lags behind.
        members.observe(at(108), [("a", 1, false)]);
        assert_eq!(members.staying(at(108)), ["a"]);
        assert_eq!(members.staying(at(109)), [] as [&str; 0]);
        assert_eq!(members.forgotten(at(163)).count(), 0);
        assert_eq!(members.forgotten(at(164)).collect::<Vec<_>>(), ["a"]);
        members.observe(at(170), [("a", 9, false)]);
        assert_eq!(members.staying(at(170)), ["a"]);
        members.observe(at(171), []);
        assert!(!members.lives("a", at(171)));
    }
}
