//! The output that was passed on since the last checkpoint. A restarted worker repeats it, and the
//! repetition is left out.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

/// The maximum distance at which output that is missing from a repetition is looked for.
const AHEAD: usize = 1024;

/// The outputs that were passed on since the last checkpoint, by their hashes. An output is a point
/// of a stream, or a whole batch.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    passed: VecDeque<u64>,
    /// The number of entries that the present worker has repeated or overtaken. All of them, except
    /// after a restart.
    repeated: usize,
    /// The entries that were overtaken. The output of a timer may come at another place each time.
    overtaken: VecDeque<u64>,
    /// Unknown outputs of a repetition, which wait for its end. Only then is it clear whether the
    /// worker repeats itself.
    unknown: VecDeque<Vec<u8>>,
    unknown_bytes: usize,
    /// The number of known outputs since the restart.
    known: u64,
    /// Whether any worker has repeated an output. The UDF then repeats what follows from input.
    has_repeated: bool,
    /// Whether the worker has sent other output than before.
    differs: bool,
    hasher: DefaultHashBuilder,
    /// Whether output that was not passed on before is passed on at once, wherever it stands.
    at_least_once: bool,
}

/// What happens to an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is new.
    Pass,
    /// It was passed on before, or waits for the end of the repetition.
    Keep,
}

/// A repetition that has ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Repetition {
    /// The number of outputs that were passed on before.
    pub(super) known: u64,
    /// Whether the worker has sent other output than before.
    pub(super) differs: bool,
    /// New outputs, which are passed on now.
    pub(super) new: VecDeque<Vec<u8>>,
}

impl Ledger {
    pub(super) fn new(at_least_once: bool) -> Self {
        Ledger { at_least_once, ..Ledger::default() }
    }

    /// Returns the approximate memory of the ledger.
    pub(super) fn bytes(&self) -> usize {
        self.passed.len() * size_of::<u64>() + self.unknown_bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passed.is_empty()
    }

    /// Decides about the next output of the worker.
    ///
    /// A worker repeats its output in order, but for that of timers and of other threads: an output
    /// may overtake others.
    pub(super) fn decide(&mut self, output: &[u8]) -> Fate {
        let hash = self.hasher.hash_one(output);
        let is_repeated = self.repeated == self.passed.len() && self.overtaken.is_empty();
        if is_repeated && self.unknown.is_empty() {
            self.passed.push_back(hash);
            self.repeated += 1;
            return Fate::Pass;
        }
        if self.find(hash) {
            self.known += 1;
            self.has_repeated = true;
            return Fate::Keep;
        }
        self.differs = true;
        if self.at_least_once {
            self.passed.insert(self.repeated, hash);
            self.repeated += 1;
            return Fate::Pass;
        }
        self.unknown_bytes += output.len();
        self.unknown.push_back(output.to_vec());
        Fate::Keep
    }

    /// Returns whether an entry is repeated now: one of the next, or else one that was overtaken.
    fn find(&mut self, hash: u64) -> bool {
        let rest = self.passed.range(self.repeated..).take(AHEAD);
        if let Some(ahead) = rest.into_iter().position(|known| *known == hash) {
            self.differs |= ahead > 0;
            let overtaken = self.passed.range(self.repeated..self.repeated + ahead);
            self.overtaken.extend(overtaken);
            self.repeated += ahead + 1;
            return true;
        }
        let overtaken = self.overtaken.iter().position(|known| *known == hash);
        overtaken.and_then(|at| self.overtaken.remove(at)).is_some()
    }

    /// Forgets the outputs from before a checkpoint.
    pub(super) fn clear(&mut self) {
        self.passed.clear();
        self.passed.shrink_to(1 << 12);
        self.overtaken.clear();
        self.repeated = 0;
    }

    /// Begins a repetition by a new worker.
    pub(super) fn rewind(&mut self) {
        (self.repeated, self.known, self.differs) = (0, 0, false);
        self.overtaken.clear();
        self.unknown = VecDeque::new();
        self.unknown_bytes = 0;
    }

    /// Ends the repetition: the worker has handled all input that the last one may have handled.
    ///
    /// Unknown outputs are new: they follow from new input, or come from timers. But if no worker has
    /// ever repeated an output, the UDF does not repeat itself, or all of its output comes from
    /// timers. Then as many unknown outputs are left out as there are entries.
    pub(super) fn settle(&mut self) -> Repetition {
        let missing = self.passed.len() - self.repeated + self.overtaken.len();
        self.overtaken = VecDeque::new();
        let differs = self.differs || missing > 0;
        if !self.has_repeated && missing > 0 {
            // The next worker begins with the same state as this one, and repeats its output.
            self.passed.clear();
            for output in self.unknown.drain(..missing.min(self.unknown.len())) {
                self.passed.push_back(self.hasher.hash_one(&output[..]));
            }
        }
        for output in &self.unknown {
            self.passed.push_back(self.hasher.hash_one(&output[..]));
        }
        self.repeated = self.passed.len();
        self.differs = false;
        self.unknown_bytes = 0;
        let new = std::mem::take(&mut self.unknown);
        Repetition { known: std::mem::take(&mut self.known), differs, new }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `first`, restarts, and sends `second`. Returns everything that was passed on, and
    /// whether the repetition differed.
    fn passed(at_least_once: bool, first: &str, second: &str) -> (String, bool) {
        let mut ledger = Ledger::new(at_least_once);
        let mut passed = Vec::new();
        for (place, outputs) in [first, second].into_iter().enumerate() {
            if place > 0 {
                ledger.rewind();
            }
            for output in outputs.bytes() {
                if ledger.decide(&[output]) == Fate::Pass {
                    passed.push(output);
                }
            }
        }
        let Repetition { differs, new, .. } = ledger.settle();
        passed.extend(new.into_iter().flatten());
        (String::from_utf8(passed).expect("outputs are letters"), differs)
    }

    #[test]
    fn a_repetition_is_left_out() {
        for at_least_once in [false, true] {
            let passed = |first, second| passed(at_least_once, first, second);
            assert_eq!(passed("", "abc"), ("abc".to_owned(), false));
            assert_eq!(passed("abc", "abcde"), ("abcde".to_owned(), false));
            assert_eq!(passed("aaab", "aaabb"), ("aaabb".to_owned(), false));
            assert_eq!(passed("abc", "ab"), ("abc".to_owned(), true));
        }
    }

    #[test]
    fn output_of_timers_neither_hides_nor_doubles_other_output() {
        // T and U come from timers.
        assert_eq!(passed(false, "abTc", "abcde"), ("abTcde".to_owned(), true));
        assert_eq!(passed(false, "abT", "abcd"), ("abTcd".to_owned(), true));
        assert_eq!(passed(false, "abTc", "aUbcd"), ("abTcUd".to_owned(), true));
        assert_eq!(passed(false, "ab", "aUbcUd"), ("abUcUd".to_owned(), true));
        // T comes behind new output in the repetition.
        assert_eq!(passed(false, "abTU", "abTcUd"), ("abTUcd".to_owned(), true));
        assert_eq!(passed(false, "abcTd", "aTbcde"), ("abcTde".to_owned(), true));
        assert_eq!(passed(false, "abT", "aTbc"), ("abTc".to_owned(), true));
        assert_eq!(passed(false, "aTUTU", "aVbcd"), ("aTUTUVbcd".to_owned(), true));
        assert_eq!(passed(true, "abTc", "aUbcd"), ("abTcUd".to_owned(), true));
    }

    #[test]
    fn output_that_is_never_repeated_is_lost_or_doubled() {
        assert_eq!(passed(false, "abc", "xyzde"), ("abcde".to_owned(), true));
        assert_eq!(passed(true, "abc", "xyzde"), ("abcxyzde".to_owned(), true));
    }

    #[test]
    fn a_second_restart_leaves_out_what_the_first_had_not_reached() {
        let mut ledger = Ledger::new(false);
        for output in ["a", "b", "c"] {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Pass);
        }
        ledger.rewind();
        assert_eq!(ledger.decide(b"a"), Fate::Keep);
        ledger.rewind();
        for output in ["a", "b", "c"] {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Keep, "{output}");
        }
        assert_eq!(ledger.decide(b"d"), Fate::Pass);
        assert_eq!(ledger.settle(), Repetition { known: 3, ..Repetition::default() });
        ledger.clear();
        ledger.rewind();
        assert_eq!(ledger.decide(b"a"), Fate::Pass);
    }

    #[test]
    fn a_udf_that_has_repeated_output_loses_none_behind_a_timer() {
        let mut ledger = Ledger::new(false);
        ledger.decide(b"a");
        ledger.rewind();
        ledger.decide(b"a");
        ledger.settle();
        ledger.clear();
        // Since the last checkpoint, only a timer has sent output.
        ledger.decide(b"T");
        ledger.rewind();
        assert_eq!(ledger.decide(b"b"), Fate::Keep);
        assert_eq!(ledger.settle().new, [b"b"]);
    }
}
