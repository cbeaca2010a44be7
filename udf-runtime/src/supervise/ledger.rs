//! The output that was passed on since the last checkpoint. A restarted worker repeats it, and the
//! repetition is left out.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

/// The outputs that were passed on since the last checkpoint, by their hashes. An output is a point
/// of a stream, or a whole batch.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    passed: Vec<u64>,
    /// How often the present worker has not repeated an output that was passed on. The order does
    /// not count: the output of a timer may come at another place each time.
    missing: HashMap<u64, u32>,
    /// Whether the present worker handles input again that the last one may have handled.
    is_repeating: bool,
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
        // A restart takes some more for the missing ones, and cannot do without.
        self.passed.len() * size_of::<u64>() + self.unknown_bytes
    }

    /// Decides about the next output of the worker.
    pub(super) fn decide(&mut self, output: &[u8]) -> Fate {
        let hash = self.hasher.hash_one(output);
        if self.missing.is_empty() && self.unknown.is_empty() {
            self.passed.push(hash);
            return Fate::Pass;
        }
        if self.find(hash) {
            if self.is_repeating {
                self.known += 1;
                self.has_repeated = true;
            }
            return Fate::Keep;
        }
        self.differs = true;
        if self.at_least_once || !self.is_repeating {
            self.passed.push(hash);
            return Fate::Pass;
        }
        self.unknown_bytes += output.len();
        self.unknown.push_back(output.to_vec());
        Fate::Keep
    }

    /// Returns whether an output is repeated now.
    fn find(&mut self, hash: u64) -> bool {
        let Some(times) = self.missing.get_mut(&hash) else { return false };
        *times -= 1;
        if *times == 0 {
            self.missing.remove(&hash);
        }
        true
    }

    /// Forgets the outputs from before a checkpoint.
    pub(super) fn clear(&mut self) {
        self.passed.clear();
        self.passed.shrink_to(1 << 12);
        self.missing = HashMap::new();
    }

    /// Forgets the outputs that were passed on, because they are too many. The present worker can
    /// still repeat those of the last one, but no other worker can repeat those of this one.
    pub(super) fn give_up(&mut self) {
        self.passed = Vec::new();
        if !self.is_repeating {
            self.missing = HashMap::new();
        }
    }

    /// Begins with a new worker. It `repeats` output if the last one may have handled input since
    /// the checkpoint. Otherwise, the last one has only sent output of timers since then.
    pub(super) fn rewind(&mut self, repeats: bool) {
        self.is_repeating = repeats;
        (self.known, self.differs) = (0, false);
        self.unknown = VecDeque::new();
        self.unknown_bytes = 0;
        self.missing = HashMap::new();
        for hash in self.passed.iter().filter(|_| repeats || !self.at_least_once) {
            *self.missing.entry(*hash).or_default() += 1;
        }
    }

    /// Ends the repetition: the worker has handled all input that the last one may have handled.
    ///
    /// Outputs that are still missing come from timers. The state of the worker is older than such
    /// an output, so it may still send the same one. This is then left out, up to the next
    /// checkpoint.
    pub(super) fn settle(&mut self) -> Repetition {
        let differs = self.differs || !self.missing.is_empty();
        let new = self.release();
        if self.at_least_once {
            self.missing = HashMap::new();
        }
        // A checkpoint within the repetition settles it, and so does its end, which reports all of it.
        (self.is_repeating, self.differs) = (false, differs);
        Repetition { known: self.known, differs, new }
    }

    /// Returns the unknown outputs that are new: they follow from new input, or come from timers.
    ///
    /// But if no worker has ever repeated an output, the UDF does not repeat itself, or all of its
    /// output comes from timers. Each unknown output then takes the place of a missing one.
    pub(super) fn release(&mut self) -> VecDeque<Vec<u8>> {
        let mut unknown = std::mem::take(&mut self.unknown);
        self.unknown_bytes = 0;
        if !self.has_repeated && !self.missing.is_empty() && !unknown.is_empty() {
            let mut left = unknown.len();
            let mut replaced = HashMap::new();
            for (hash, times) in &mut self.missing {
                let some = (*times as usize).min(left);
                (*times, left) = (*times - some as u32, left - some);
                replaced.insert(*hash, some);
            }
            self.missing.retain(|_, times| *times > 0);
            self.passed.retain(|hash| match replaced.get_mut(hash) {
                Some(times) if *times > 0 => {
                    *times -= 1;
                    false
                }
                _ => true,
            });
            // The next worker begins with the same state as this one, and repeats its output.
            for output in unknown.drain(..unknown.len() - left) {
                self.passed.push(self.hasher.hash_one(&output[..]));
            }
        }
        for output in &unknown {
            self.passed.push(self.hasher.hash_one(&output[..]));
        }
        unknown
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
                ledger.rewind(true);
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
            assert_eq!(passed("abc", "acbde"), ("abcde".to_owned(), false));
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
        assert_eq!(passed(false, "abcTd", "aTbcde"), ("abcTde".to_owned(), false));
        assert_eq!(passed(false, "abT", "aTbc"), ("abTc".to_owned(), false));
        assert_eq!(passed(false, "aTUTU", "aVbcd"), ("aTUTUVbcd".to_owned(), true));
        assert_eq!(passed(true, "abTc", "aUbcd"), ("abTcUd".to_owned(), true));
    }

    #[test]
    fn output_that_is_never_repeated_is_lost_or_doubled() {
        assert_eq!(passed(false, "abc", "xyzde"), ("abcde".to_owned(), true));
        assert_eq!(passed(false, "aab", "xyzde"), ("aabde".to_owned(), true));
        assert_eq!(passed(false, "abc", "x"), ("abc".to_owned(), true));
        assert_eq!(passed(true, "abc", "xyzde"), ("abcxyzde".to_owned(), true));
    }

    #[test]
    fn any_number_of_outputs_of_a_timer_hides_no_other_output() {
        let mut ledger = Ledger::new(false);
        let ticks = (0..5000).map(|tick| format!("T{tick}"));
        let outputs: Vec<_> = (0..9).map(|number| format!("D{number}")).collect();
        let all = [&outputs[..1], &ticks.collect::<Vec<_>>(), &outputs[1..]].concat();
        for output in &all {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Pass);
        }
        ledger.rewind(true);
        for output in &outputs {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Keep, "{output}");
        }
        let repetition = ledger.settle();
        assert_eq!(repetition, Repetition { known: 9, differs: true, ..Repetition::default() });
    }

    #[test]
    fn output_of_a_timer_is_left_out_if_it_comes_behind_the_repetition() {
        for (at_least_once, fate) in [(false, Fate::Keep), (true, Fate::Pass)] {
            let mut ledger = Ledger::new(at_least_once);
            for output in ["a", "T", "T"] {
                ledger.decide(output.as_bytes());
            }
            ledger.rewind(true);
            ledger.decide(b"a");
            ledger.settle();
            assert_eq!(ledger.decide(b"b"), Fate::Pass);
            assert_eq!(ledger.decide(b"T"), fate);
            ledger.clear();
            assert_eq!(ledger.decide(b"T"), Fate::Pass, "it is behind a checkpoint");
        }
    }

    #[test]
    fn without_input_to_repeat_all_other_output_is_new() {
        let mut ledger = Ledger::new(false);
        ledger.decide(b"T");
        ledger.rewind(false);
        for (output, fate) in [("a", Fate::Pass), ("T", Fate::Keep), ("T", Fate::Pass)] {
            assert_eq!(ledger.decide(output.as_bytes()), fate, "{output}");
        }
    }

    #[test]
    fn a_second_restart_leaves_out_what_the_first_had_not_reached() {
        let mut ledger = Ledger::new(false);
        for output in ["a", "b", "c"] {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Pass);
        }
        ledger.rewind(true);
        assert_eq!(ledger.decide(b"a"), Fate::Keep);
        ledger.rewind(true);
        for output in ["a", "b", "c"] {
            assert_eq!(ledger.decide(output.as_bytes()), Fate::Keep, "{output}");
        }
        assert_eq!(ledger.decide(b"d"), Fate::Pass);
        assert_eq!(ledger.settle(), Repetition { known: 3, ..Repetition::default() });
        ledger.clear();
        ledger.rewind(false);
        assert_eq!(ledger.decide(b"a"), Fate::Pass);
    }

    #[test]
    fn output_that_takes_the_place_of_other_output_is_repeated_by_the_next_worker() {
        let mut ledger = Ledger::new(false);
        for output in ["a", "a", "b"] {
            ledger.decide(output.as_bytes());
        }
        for _ in 0..2 {
            ledger.rewind(true);
            for output in ["x", "y", "z", "d"] {
                assert_eq!(ledger.decide(output.as_bytes()), Fate::Keep, "{output}");
            }
            let new = ledger.settle().new;
            assert!(new.is_empty() || new == [b"d"], "{new:?}");
        }
        assert_eq!(ledger.passed.len(), 4);
    }

    #[test]
    fn a_udf_that_has_repeated_output_loses_none_behind_a_timer() {
        let mut ledger = Ledger::new(false);
        ledger.decide(b"a");
        ledger.rewind(true);
        ledger.decide(b"a");
        ledger.settle();
        ledger.clear();
        // Since the last checkpoint, only a timer has sent output.
        ledger.decide(b"T");
        ledger.rewind(true);
        assert_eq!(ledger.decide(b"b"), Fate::Keep);
        assert_eq!(ledger.settle().new, [b"b"]);
    }
}
