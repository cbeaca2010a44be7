//! What a target is, and what it tells of a run.

use std::hash::{DefaultHasher, Hash, Hasher};

/// One thing that reads bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it promises, for the help.
    pub promise: &'static str,
    /// How many bytes at the begin of an input say how the rest is used.
    pub prefix: usize,
    /// What the rest is made of.
    pub shape: Shape,
    /// Words that occur in good inputs.
    pub words: &'static [&'static str],
    /// Good inputs, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Panics when the promise is broken.
    pub check: fn(&[u8], &mut Trace),
}

/// How inputs are changed so that they stay close to good ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Just bytes.
    Bytes,
    /// Text.
    Text,
    /// One protobuf message.
    Message,
    /// Protobuf messages in frames.
    Frames,
}

/// What was seen in a run: two runs that differ in it went different ways.
#[derive(Debug, Default)]
pub struct Trace(Vec<u64>);

impl Trace {
    /// Notes something that was seen.
    pub fn see(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        self.0.push(hasher.finish());
    }

    /// Notes a number by its magnitude.
    pub fn see_size(&mut self, what: &str, size: usize) {
        self.see((what, size.checked_ilog2()));
    }

    /// Notes the first words of a message, without its numbers and what it quotes.
    pub fn see_text(&mut self, text: &str) {
        let own = text.split(['`', '"', '\'']).step_by(2).flat_map(str::split_whitespace);
        let words = own.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        self.see(words.take(5).collect::<Vec<_>>());
    }

    pub(crate) fn seen(&self) -> &[u64] {
        &self.0
    }
}
