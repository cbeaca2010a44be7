//! Targets, and their observations.

use std::hash::{DefaultHasher, Hash, Hasher};

/// One parser of outside input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name on the command line.
    pub name: &'static str,
    /// The promise, for the help text.
    pub promise: &'static str,
    /// The number of bytes at the start of an input that select how the rest is used.
    pub prefix: usize,
    /// The format of the rest.
    pub shape: Shape,
    /// Words that occur in valid inputs.
    pub words: &'static [&'static str],
    /// Returns valid inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Checks the promise. Panics if it is broken.
    pub check: fn(&[u8], &mut Trace),
}

/// The format of an input. Mutants keep the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any bytes.
    Bytes,
    /// Text.
    Text,
    /// One protobuf message.
    Message,
    /// Protobuf messages in frames.
    Frames,
}

/// The observations of a check. Two checks with different observations took different paths.
#[derive(Debug, Default)]
pub struct Trace(Vec<u64>);

impl Trace {
    /// Adds an observation.
    pub fn see(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        self.0.push(hasher.finish());
    }

    /// Adds the magnitude of a number.
    pub fn see_size(&mut self, what: &str, size: usize) {
        self.see((what, size.checked_ilog2()));
    }

    /// Adds the first words of a message without numbers and quoted text.
    pub fn see_text(&mut self, text: &str) {
        let own = text.split(['`', '"', '\'']).step_by(2).flat_map(str::split_whitespace);
        let words = own.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        self.see(words.take(5).collect::<Vec<_>>());
    }

    pub(crate) fn seen(&self) -> &[u64] {
        &self.0
    }
}
