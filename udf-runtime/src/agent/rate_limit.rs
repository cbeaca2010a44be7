//! Limits the rate of a repeated message, and counts the messages in between.

use std::fmt;
use std::time::{Duration, Instant};

/// The minimum time between two messages of the same kind.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    logged: Option<Instant>,
    held_back: u64,
}

impl RateLimit {
    /// Returns the number of suppressed messages, if a message is due. Append the number to the
    /// message.
    pub(crate) fn pass(&mut self) -> Option<HeldBack> {
        if self.logged.is_some_and(|logged| logged.elapsed() < EVERY) {
            self.held_back += 1;
            return None;
        }
        self.logged = Some(Instant::now());
        Some(HeldBack(std::mem::take(&mut self.held_back)))
    }

    /// Returns the number of messages suppressed since the last one. Call this when no other
    /// message follows.
    pub(crate) fn rest(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

/// A number of suppressed messages. Displays nothing if the number is zero.
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
