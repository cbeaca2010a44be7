//! The targets.

mod agent;
mod frames;
mod host;
mod lines;
mod options;
mod points;
mod restore;
mod udfs;

use std::io::{self, Cursor, Read};

use crate::{Shape, Target};

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames",
        promise: "frames are read as they are written, wherever reads stop; nothing costs memory but what came",
        prefix: 2,
        shape: Shape::Frames,
        words: &[],
        seeds: frames::seeds,
        check: frames::check,
    },
    Target {
        name: "points",
        promise: "the view of a point says what prost says, and refuses what prost refuses",
        prefix: 0,
        shape: Shape::Message,
        words: &["host", "usage", "cpu", "host=a", "tags"],
        seeds: points::seeds,
        check: points::check,
    },
    Target {
        name: "options",
        promise: "any Init is accepted within its ranges, or refused on one short line",
        prefix: 0,
        shape: Shape::Message,
        words: options::WORDS,
        seeds: options::seeds,
        check: options::check,
    },
    Target {
        name: "prompt",
        promise: "options that are typed become values of their types, or are refused",
        prefix: 0,
        shape: Shape::Text,
        words: options::WORDS,
        seeds: options::prompt_seeds,
        check: options::check_prompt,
    },
    Target {
        name: "restore",
        promise: "a snapshot is restored whole, or refused with nothing changed",
        prefix: 1,
        shape: Shape::Bytes,
        words: &["KUDF", "groups", "total", "kept", "averages", "host=a"],
        seeds: restore::seeds,
        check: restore::check,
    },
    Target {
        name: "agent",
        promise: "whatever is read, what is written is well-formed, balanced, and answers each request once",
        prefix: 2,
        shape: Shape::Frames,
        words: &["host", "usage", "field", "size", "cpu"],
        seeds: agent::seeds,
        check: agent::check,
    },
    Target {
        name: "host",
        promise: "whatever a UDF says, Kapacitor's side ends, with an error or without",
        prefix: 2,
        shape: Shape::Frames,
        words: &["host", "usage", "cpu", "field"],
        seeds: host::seeds,
        check: host::check,
    },
    Target {
        name: "lines",
        promise: "any text is read or refused line by line, and what is read is written as it was",
        prefix: 0,
        shape: Shape::Text,
        words: lines::WORDS,
        seeds: lines::seeds,
        check: lines::check,
    },
    Target {
        name: "inputs",
        promise: "a replay of any bytes ends, with lines for all points that came back",
        prefix: 2,
        shape: Shape::Text,
        words: lines::WORDS,
        seeds: lines::input_seeds,
        check: lines::check_input,
    },
];

/// Bytes that are handed out in pieces.
pub(crate) struct Pieces {
    rest: Cursor<Vec<u8>>,
    most: usize,
}

impl Pieces {
    /// In pieces of up to `most` bytes; 0 for all at once.
    pub(crate) fn new(bytes: &[u8], most: u8) -> Self {
        let most = if most == 0 { usize::MAX } else { usize::from(most) };
        Pieces { rest: Cursor::new(bytes.to_vec()), most }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.most.min(buffer.len());
        self.rest.read(&mut buffer[..most])
    }
}

/// Runs `work` and checks that it has never had more than this many bytes at once.
pub(crate) fn within(most: u64, work: impl FnOnce()) {
    let used = allocation_counter::measure(work).bytes_max;
    assert!(used <= most, "{used} bytes of memory, where {most} should do");
}
