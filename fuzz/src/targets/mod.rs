//! The fuzz targets.

mod agent;
mod encode;
mod frames;
mod host;
mod lines;
mod options;
mod points;
mod restore;
mod udfs;
mod written;

use std::io::{self, Cursor, Read};

use crate::{Shape, Target};

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "frames",
        promise: "frames arrive as written, wherever reads split them; memory grows only with received bytes",
        prefix: 2,
        shape: Shape::Frames,
        words: &[],
        seeds: frames::seeds,
        check: frames::check,
    },
    Target {
        name: "points",
        promise: "the view of a point and prost agree, or both refuse the bytes",
        prefix: 0,
        shape: Shape::Message,
        words: &["host", "usage", "cpu", "host=a", "tags"],
        seeds: points::seeds,
        check: points::check,
    },
    Target {
        name: "options",
        promise: "an Init is accepted if its options are in range, or refused in one short line",
        prefix: 0,
        shape: Shape::Message,
        words: options::WORDS,
        seeds: options::seeds,
        check: options::check,
    },
    Target {
        name: "prompt",
        promise: "options as text become values of their types, or are refused",
        prefix: 0,
        shape: Shape::Text,
        words: options::WORDS,
        seeds: options::prompt_seeds,
        check: options::check_prompt,
    },
    Target {
        name: "restore",
        promise: "a snapshot is restored completely, or refused without any change",
        prefix: 1,
        shape: Shape::Bytes,
        words: &["KUDF", "groups", "total", "kept", "averages", "host=a"],
        seeds: restore::seeds,
        check: restore::check,
    },
    Target {
        name: "agent",
        promise: "the output for any input is well-formed and balanced, with one answer per request",
        prefix: 2,
        shape: Shape::Frames,
        words: &["host", "usage", "field", "size", "cpu"],
        seeds: agent::seeds,
        check: agent::check,
    },
    Target {
        name: "host",
        promise: "Kapacitor's side ends for any output of a UDF, with or without an error",
        prefix: 2,
        shape: Shape::Frames,
        words: &["host", "usage", "cpu", "field"],
        seeds: host::seeds,
        check: host::check,
    },
    Target {
        name: "lines",
        promise: "any text is read or refused line by line, and points are written as they were read",
        prefix: 0,
        shape: Shape::Text,
        words: lines::WORDS,
        seeds: lines::seeds,
        check: lines::check,
    },
    Target {
        name: "encode",
        promise: "lines read straight into frames are the points and errors of lines read as messages",
        prefix: 2,
        shape: Shape::Text,
        words: lines::WORDS,
        seeds: encode::seeds,
        check: encode::check,
    },
    Target {
        name: "written",
        promise: "points are written without an index as they are with one",
        prefix: 0,
        shape: Shape::Message,
        words: &[
            "host",
            "usage",
            "cpu",
            "a b",
            "#",
            "\"",
            "\\",
            "name_of_16_bytes",
            "name_of_17_bytes_",
        ],
        seeds: written::seeds,
        check: written::check,
    },
    Target {
        name: "inputs",
        promise: "a replay of any bytes ends, with lines for all points that the UDF returned",
        prefix: 2,
        shape: Shape::Text,
        words: lines::WORDS,
        seeds: lines::input_seeds,
        check: lines::check_input,
    },
];

/// Returns bytes in pieces.
pub(crate) struct Pieces {
    rest: Cursor<Vec<u8>>,
    most: usize,
}

impl Pieces {
    /// Splits `bytes` into pieces of up to `most` bytes. 0 means no split.
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

/// Runs `work` and checks that its memory never exceeds `most` bytes.
pub(crate) fn within(most: u64, work: impl FnOnce()) {
    let used = allocation_counter::measure(work).bytes_max;
    assert!(used <= most, "used {used} bytes of memory, more than {most}");
}
