//! Finds the line that ends a UDF.

use std::time::Duration;

use bytes::Bytes;

use super::event;
use crate::udf::Suspect;

/// The number of ends in the same stretch of input after which the stretch is searched.
const BEFORE_SEARCH: u32 = 3;

/// The number of ends without progress after which the driver gives up. A search costs six, so a few
/// accidents do not end it.
const LIMIT: u32 = 12;

/// The pauses before the UDF is started again.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// The end of a UDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Death {
    /// The reason.
    pub(super) why: String,
    /// The input up to this sequence was handled by the UDF that has ended.
    pub(super) done: u64,
    /// The input up to this sequence was handed to it.
    pub(super) fed: u64,
    /// The sequence of the message that the UDF was handling, if it got one message at a time.
    pub(super) message: Option<u64>,
    /// The line that the UDF was handling, if it got one line at a time.
    pub(super) line: Option<Suspect>,
}

/// What follows from the end of a UDF.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The UDF is started again.
    Restart(Duration),
    /// This line ends it each time.
    Poison { seq: u64, line: u32, payload: Bytes },
    /// There were too many ends without progress.
    GiveUp(u32),
}

/// The search for the line that ends a UDF.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The furthest position that a UDF has reached.
    reached: u64,
    /// The ends since then.
    deaths: u32,
    /// While a search is on: up to where the input is suspect.
    until: Option<u64>,
    /// The message whose lines are handed over one by one.
    message: Option<u64>,
    /// The line that has ended the UDF once.
    suspect: Option<(u64, u32)>,
}

impl Search {
    /// Notes that the UDF has handled the input up to `done`.
    pub(super) fn done(&mut self, done: u64) {
        if done > self.reached {
            self.reached = done;
            self.deaths = 0;
        }
        if self.until.is_some_and(|until| done >= until) {
            (self.until, self.message, self.suspect) = (None, None, None);
        }
    }

    /// Returns whether the UDF gets this message alone.
    pub(super) fn by_message(&self, message: u64) -> bool {
        self.until.is_some_and(|until| message <= until) && message > self.reached
    }

    /// Returns the position behind which the input is suspect. 0 without a search.
    pub(super) fn begin(&self) -> u64 {
        self.until.map_or(0, |_| self.reached)
    }

    /// Returns whether the UDF gets this message one line at a time.
    pub(super) fn by_line(&self, message: u64) -> bool {
        self.message == Some(message)
    }

    pub(super) fn stage(&self) -> event::Search {
        match (self.until, self.message) {
            (None, _) => event::Search::Chunks,
            (_, None) => event::Search::Messages,
            _ => event::Search::Lines,
        }
    }

    /// Decides what follows from the end of a UDF.
    pub(super) fn died(&mut self, death: &Death) -> Next {
        self.done(death.done);
        self.deaths += 1;
        if self.deaths >= LIMIT {
            return Next::GiveUp(self.deaths);
        }
        match (death.message, &death.line) {
            (Some(seq), Some(Suspect { line, payload })) if self.by_line(seq) => {
                if self.suspect == Some((seq, *line)) {
                    self.suspect = None;
                    self.deaths = 0;
                    return Next::Poison { seq, line: *line, payload: payload.clone() };
                }
                self.suspect = Some((seq, *line));
            }
            (Some(seq), None) => self.message = Some(seq),
            _ if self.deaths >= BEFORE_SEARCH => {
                self.until = self.until.max(Some(death.fed));
            }
            _ => {}
        }
        let pause = (self.deaths as usize - 1).min(PAUSES.len() - 1);
        Next::Restart(PAUSES[pause])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(done: u64, fed: u64) -> Death {
        Death { why: "it crashed".to_owned(), done, fed, message: None, line: None }
    }

    #[test]
    fn a_line_is_blamed_when_it_has_ended_the_udf_twice_alone() {
        let mut search = Search::default();
        for pause in &PAUSES[..3] {
            assert!(!search.by_message(8));
            assert_eq!(search.died(&death(7, 20)), Next::Restart(*pause));
        }
        assert_eq!(search.stage(), event::Search::Messages);
        assert!(!search.by_message(7), "it was handled before");
        assert!(search.by_message(8) && search.by_message(20) && !search.by_message(21));
        search.done(9);
        let by_message = Death { message: Some(11), ..death(9, 11) };
        assert!(matches!(search.died(&by_message), Next::Restart(_)));
        assert!(search.by_line(11) && !search.by_line(12));
        let line = |line| Death {
            line: Some(Suspect { line, payload: Bytes::from_static(b"m f=1") }),
            ..by_message.clone()
        };
        assert!(matches!(search.died(&line(4)), Next::Restart(_)));
        // An accident at another line.
        assert!(matches!(search.died(&line(2)), Next::Restart(_)));
        assert!(matches!(search.died(&line(4)), Next::Restart(_)));
        let poison = Next::Poison { seq: 11, line: 4, payload: Bytes::from_static(b"m f=1") };
        assert_eq!(search.died(&line(4)), poison);
        search.done(20);
        assert_eq!(search.stage(), event::Search::Chunks);
    }

    #[test]
    fn ends_without_progress_are_limited() {
        let mut search = Search::default();
        for _ in 1..LIMIT {
            assert!(matches!(search.died(&death(7, 20)), Next::Restart(_)));
        }
        assert_eq!(search.died(&death(7, 20)), Next::GiveUp(LIMIT));
        search.done(8);
        assert!(matches!(search.died(&death(8, 20)), Next::Restart(_)));
    }
}
