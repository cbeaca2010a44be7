//! Answers that are used again for a while, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The memory that an entry has beside its address and its answer.
const ENTRY: usize = 128;

/// Answers by their addresses. Several threads may ask at the same time.
#[derive(Debug)]
pub(super) struct Answers<T> {
    kept: Mutex<Kept<T>>,
    /// Some address is no longer being asked.
    done: Condvar,
}

/// How much memory the answers may have.
pub(super) struct Limits<T> {
    pub(super) bytes: usize,
    /// Returns the size of an answer.
    pub(super) size: fn(&T) -> usize,
}

#[derive(Debug)]
struct Kept<T> {
    /// The addresses that are being asked.
    asked: HashSet<String>,
    /// The answers that arrived since the memory was half full.
    new: HashMap<String, (Instant, T)>,
    /// The answers from before that. They are dropped when the memory is half full again.
    old: HashMap<String, (Instant, T)>,
    /// The size of the new answers.
    bytes: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { asked: HashSet::new(), new: HashMap::new(), old: HashMap::new(), bytes: 0 }
    }
}

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Answers { kept: Mutex::default(), done: Condvar::new() }
    }
}

impl<T: Clone> Answers<T> {
    /// Returns the answer of an address. Calls `ask` if none is kept that is younger than its `age`.
    /// Other threads that need the same answer wait for it.
    pub(super) fn of(
        &self,
        address: &str,
        limits: &Limits<T>,
        age: impl Fn(&T) -> Duration,
        ask: impl FnOnce() -> T,
    ) -> T {
        let mut kept = self.lock();
        loop {
            if let Some(answer) = kept.get(address, &age) {
                return answer;
            }
            if kept.asked.insert(address.to_owned()) {
                break;
            }
            kept = self.done.wait(kept).unwrap_or_else(PoisonError::into_inner);
        }
        drop(kept);
        let asking = Asking { answers: self, address };
        let answer = ask();
        self.lock().insert(address, answer.clone(), limits);
        drop(asking);
        answer
    }
}

impl<T> Answers<T> {
    /// The lock is never held during a look-up.
    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address that is being asked. Other threads wait until it is dropped, also by a panic.
struct Asking<'a, T> {
    answers: &'a Answers<T>,
    address: &'a str,
}

impl<T> Drop for Asking<'_, T> {
    fn drop(&mut self) {
        self.answers.lock().asked.remove(self.address);
        self.answers.done.notify_all();
    }
}

impl<T: Clone> Kept<T> {
    fn get(&self, address: &str, age: impl Fn(&T) -> Duration) -> Option<T> {
        let (at, answer) = self.new.get(address).or_else(|| self.old.get(address))?;
        (at.elapsed() < age(answer)).then(|| answer.clone())
    }

    fn insert(&mut self, address: &str, answer: T, limits: &Limits<T>) {
        let size = |answer: &T| address.len() + ENTRY + (limits.size)(answer);
        self.bytes += size(&answer);
        if let Some((_, before)) = self.new.insert(address.to_owned(), (Instant::now(), answer)) {
            self.bytes -= size(&before);
        }
        if self.bytes > limits.bytes / 2 {
            self.old = mem::take(&mut self.new);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const LIMITS: Limits<String> = Limits { bytes: 2000, size: String::len };

    fn hour(_: &String) -> Duration {
        Duration::from_secs(3600)
    }

    #[test]
    fn the_memory_is_bounded_and_the_newest_answers_are_kept() {
        let answers = Answers::default();
        for number in 0..1000 {
            let address = format!("a{number}");
            let answer = "x".repeat(number % 100);
            assert_eq!(answers.of(&address, &LIMITS, hour, || answer.clone()), answer);
            let kept = answers.lock();
            let all = kept.new.iter().chain(&kept.old);
            let bytes: usize = all.map(|(key, (_, value))| key.len() + value.len() + ENTRY).sum();
            // An answer may be beyond each half.
            assert!(bytes <= 2000 + 2 * (100 + 4 + ENTRY), "{bytes}");
            drop(kept);
            answers.of(&address, &LIMITS, hour, || panic!("the newest answer was dropped"));
        }
        // Equal addresses do not add up.
        for _ in 0..1000 {
            answers.of("b", &LIMITS, |_| Duration::ZERO, String::new);
        }
        assert!(answers.lock().bytes <= 1000);
        assert!(answers.lock().asked.is_empty());
    }

    #[test]
    fn an_answer_is_used_for_its_age() {
        let answers = Answers::default();
        let zero = |_: &String| Duration::ZERO;
        assert_eq!(answers.of("a", &LIMITS, zero, || "1".into()), "1");
        assert_eq!(answers.of("a", &LIMITS, zero, || "2".into()), "2");
        assert_eq!(answers.of("a", &LIMITS, hour, || "3".into()), "2");
    }

    #[test]
    fn threads_that_need_the_same_answer_ask_once() {
        let (answers, asked, all) = (Answers::default(), AtomicUsize::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    all.wait();
                    let ask = || format!("{}", asked.fetch_add(1, Ordering::Relaxed));
                    assert_eq!(answers.of("a", &LIMITS, hour, ask), "0");
                });
            }
        });
    }

    #[test]
    fn a_panic_keeps_no_thread_waiting() {
        let answers = Answers::default();
        thread::scope(|scope| {
            let failing = scope.spawn(|| answers.of("a", &LIMITS, hour, || panic!("on purpose")));
            assert!(failing.join().is_err());
        });
        assert_eq!(answers.of("a", &LIMITS, hour, || "1".into()), "1");
    }
}
