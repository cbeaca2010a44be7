//! Decides what happens when a worker has died.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::settings::Settings;

/// The number of deaths in the same stretch of input after which the input is searched for the part
/// that kills the worker.
pub(crate) const BEFORE_SEARCH: usize = 3;

/// The number of further deaths that a search may cost: one that makes a part of the input suspect,
/// and another accident. The one that proves the suspicion is not counted.
const IN_SEARCH: usize = 2;

/// The pauses before a restart. A death after a long time without one has no pause.
const PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// The deaths of the workers of a connection.
#[derive(Debug)]
pub(super) struct Deaths {
    restarts: usize,
    window: Duration,
    recent: VecDeque<Instant>,
    /// The number of deaths since a worker has handled the same input.
    in_stretch: usize,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A new worker starts after a pause.
    Restart(Duration),
    /// A new worker gets the input since the last checkpoint in parts.
    Search(Duration),
    /// There were too many deaths.
    GiveUp,
}

impl Deaths {
    pub(super) fn new(settings: &Settings) -> Self {
        Deaths {
            restarts: settings.restarts,
            window: settings.restart_window,
            recent: VecDeque::new(),
            in_stretch: 0,
        }
    }

    /// Notes a death, and returns what happens next. `has_data` if data has come since the last
    /// checkpoint, and `is_searching` if the worker got the input in parts: a checkpoint of such a
    /// part ends the stretch, but not the search.
    pub(super) fn note(&mut self, now: Instant, has_data: bool, is_searching: bool) -> Next {
        self.recent.retain(|death| now.duration_since(*death) < self.window);
        self.recent.push_back(now);
        self.in_stretch += 1;
        let is_in_search = self.in_stretch > BEFORE_SEARCH && has_data || is_searching;
        let in_search = if is_in_search { IN_SEARCH } else { 0 };
        if self.recent.len() > self.restarts + in_search {
            return Next::GiveUp;
        }
        let pause = PAUSES[(self.in_stretch - 1).min(PAUSES.len() - 1)];
        if self.in_stretch >= BEFORE_SEARCH && has_data || is_searching {
            Next::Search(pause)
        } else {
            Next::Restart(pause)
        }
    }

    /// Notes that a worker has handled the input of the last deaths.
    pub(super) fn end_stretch(&mut self) {
        self.in_stretch = 0;
    }

    /// Forgets deaths whose cause was found.
    pub(super) fn forget(&mut self) {
        self.recent.clear();
        self.in_stretch = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_deaths_in_a_short_time_are_the_end() {
        let settings = Settings { restarts: 2, ..Settings::default() };
        let mut deaths = Deaths::new(&settings);
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(deaths.note(at(0), true, false), Next::Restart(PAUSES[0]));
        assert_eq!(deaths.note(at(59), true, false), Next::Restart(PAUSES[1]));
        deaths.end_stretch();
        // The first one was long ago.
        assert_eq!(deaths.note(at(61), true, false), Next::Restart(PAUSES[0]));
        assert_eq!(deaths.note(at(62), true, false), Next::GiveUp);
    }

    #[test]
    fn deaths_in_the_same_stretch_of_input_are_searched_for_their_cause() {
        let settings = Settings { restarts: 100, ..Settings::default() };
        let mut deaths = Deaths::new(&settings);
        let now = Instant::now();
        deaths.note(now, true, false);
        deaths.end_stretch();
        assert_eq!(deaths.note(now, true, false), Next::Restart(PAUSES[0]));
        assert_eq!(deaths.note(now, true, false), Next::Restart(PAUSES[1]));
        assert_eq!(deaths.note(now, false, false), Next::Restart(PAUSES[2]), "without data");
        assert_eq!(deaths.note(now, true, false), Next::Search(PAUSES[3]));
        deaths.forget();
        assert_eq!(deaths.note(now, true, false), Next::Restart(PAUSES[0]));
    }

    #[test]
    fn a_checkpoint_within_a_search_does_not_end_its_deaths() {
        let settings = Settings { restarts: 3, ..Settings::default() };
        let mut deaths = Deaths::new(&settings);
        let now = Instant::now();
        for _ in 1..BEFORE_SEARCH {
            deaths.note(now, true, false);
        }
        assert!(matches!(deaths.note(now, true, false), Next::Search(_)));
        // A part was harmless, and Kapacitor's snapshot behind it was a checkpoint.
        deaths.end_stretch();
        assert!(matches!(deaths.note(now, true, true), Next::Search(_)), "it makes a part suspect");
        assert!(matches!(deaths.note(now, true, true), Next::Search(_)), "an accident");
        assert_eq!(deaths.note(now, true, true), Next::GiveUp);
    }
}
