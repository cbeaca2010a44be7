//! Lets a message that repeats through now and then, and counts those in between.

use std::fmt;
use std::time::{Duration, Instant};

/// The least time between two messages of the same kind.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    logged: Option<Instant>,
    held_back: u64,
}

impl RateLimit {
    /// If it is time for a message, how many were held back, to be shown behind it.
    pub(crate) fn pass(&mut self) -> Option<HeldBack> {
        if self.logged.is_some_and(|logged| logged.elapsed() < EVERY) {
            self.held_back += 1;
            return None;
        }
        self.logged = Some(Instant::now());
        Some(HeldBack(std::mem::take(&mut self.held_back)))
    }

    /// How many were held back since the last message, once there will be no other.
    pub(crate) fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

/// How many messages were held back; nothing when none was.
pub(crate) struct HeldBack(u64);

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            more => write!(f, " ({more} more since the last warning)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_passes_and_the_others_are_counted() {
        let mut limit = RateLimit::default();
        assert_eq!(limit.pass().map(|held| held.to_string()).as_deref(), Some(""));
        assert!(limit.pass().is_none() && limit.pass().is_none());
        limit.logged = limit.logged.and_then(|logged| logged.checked_sub(EVERY));
        let held = limit.pass().map(|held| held.to_string());
        assert_eq!(held.as_deref(), Some(" (2 more since the last warning)"));
        assert!(limit.pass().is_none());
        assert_eq!((limit.rest(), limit.rest()), (1, 0));
    }
}
