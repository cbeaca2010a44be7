//! Which workers live.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DEAD_AFTER, FORGOTTEN_AFTER};

/// The workers that were seen, with the time of their last change. Only the clock of this machine
/// counts, and that of the server for a worker that is seen for the first time: after a crash, a
/// server can bring back the keys of workers that have left long ago.
#[derive(Debug, Default)]
pub struct Members {
    seen: BTreeMap<String, Change>,
}

/// The key of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign<'a> {
    /// The name of the worker.
    pub worker: &'a str,
    /// The revision of the key.
    pub revision: u64,
    /// How much older the key is than the newest one, by the clock of the server.
    pub age: Duration,
    /// Whether the worker gives everything up, to end.
    pub is_leaving: bool,
}

#[derive(Debug)]
struct Change {
    revision: u64,
    at: Duration,
    /// The age of the key at that time.
    age: Duration,
    is_leaving: bool,
}

impl Members {
    /// Notes the keys of the workers.
    pub fn observe<'a>(&mut self, now: Duration, signs: impl IntoIterator<Item = Sign<'a>>) {
        let mut seen = BTreeMap::new();
        for Sign { worker, revision, age, is_leaving } in signs {
            let change = match self.seen.get(worker) {
                // The revision of a server that lags behind is no sign of life.
                Some(before) if before.revision >= revision => {
                    Change { revision: before.revision, is_leaving, ..*before }
                }
                Some(_) => Change { revision, at: now, age: Duration::ZERO, is_leaving },
                None => Change { revision, at: now, age, is_leaving },
            };
            seen.insert(worker.to_owned(), change);
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
        let is_old = move |change: &Change| change.silence(now) >= FORGOTTEN_AFTER;
        self.seen
            .iter()
            .filter(move |(_, change)| is_old(change))
            .map(|(worker, _)| worker.as_str())
    }
}

impl Change {
    fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.at) + self.age
    }

    fn lives(&self, now: Duration) -> bool {
        self.silence(now) < DEAD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(worker: &str, revision: u64, age: u64, is_leaving: bool) -> Sign<'_> {
        Sign { worker, revision, age: Duration::from_secs(age), is_leaving }
    }

    #[test]
    fn a_worker_lives_while_its_key_changes() {
        let mut members = Members::default();
        let at = Duration::from_secs;
        members.observe(at(100), [sign("a", 1, 0, false), sign("b", 2, 0, true)]);
        assert_eq!(members.staying(at(104)), ["a"]);
        assert!(members.lives("b", at(104)) && !members.lives("c", at(104)));
        members.observe(at(104), [sign("a", 3, 0, false), sign("b", 2, 4, false)]);
        assert_eq!(members.staying(at(105)), ["a"]);
        // An older revision comes from a server that lags behind.
        members.observe(at(108), [sign("a", 1, 0, false)]);
        assert_eq!(members.staying(at(108)), ["a"]);
        assert_eq!(members.staying(at(109)), [] as [&str; 0]);
        assert_eq!(members.forgotten(at(163)).count(), 0);
        assert_eq!(members.forgotten(at(164)).collect::<Vec<_>>(), ["a"]);
        members.observe(at(170), [sign("a", 9, 0, false)]);
        assert_eq!(members.staying(at(170)), ["a"]);
        members.observe(at(171), []);
        assert!(!members.lives("a", at(171)));
    }

    #[test]
    fn an_old_key_that_appears_is_no_sign_of_life() {
        let mut members = Members::default();
        let at = Duration::from_secs;
        members.observe(at(1), [sign("me", 9, 0, false), sign("old", 2, 70, false)]);
        assert_eq!(members.staying(at(1)), ["me"]);
        assert_eq!(members.forgotten(at(1)).collect::<Vec<_>>(), ["old"]);
        // Late by a beat or two, and from then on by its own changes.
        members.observe(at(2), [sign("late", 3, 2, false)]);
        assert!(members.lives("late", at(4)) && !members.lives("late", at(5)));
        members.observe(at(6), [sign("late", 4, 9, false)]);
        assert!(members.lives("late", at(10)));
    }
}
