//! The messages to send, encoded: the same messages again and again, with advancing times.

use std::ops::Range;

use udf_proto::EdgeType;
use udf_proto::frame::append;
use udf_proto::messages::Request;
use udf_proto::messages::request::Message as Ask;

use super::Load;
use crate::sample::{START, STEP};

/// The approximate number of points in a block: some hundred KiB, which stay in a cache. With more
/// groups there are more points, since a block has every group.
const POINTS: usize = 2048;

/// The number of bytes sent between two reads of the clock, and the size of a large write.
const PIECE: usize = 64 << 10;

/// Encoded messages.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// The start, the start of the body, and the end of each frame.
    frames: Vec<(usize, usize, usize)>,
    /// The positions and values of the times.
    times: Vec<(usize, i64)>,
    /// Parts of the block. Each ends with a point of a stream, or with a batch.
    pub(super) pieces: Vec<Piece>,
    /// The nanoseconds to add to all times when the messages are sent again.
    span: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Piece {
    frames: Range<usize>,
    pub(super) bytes: Range<usize>,
    pub(super) points: usize,
}

impl Block {
    /// Creates the messages for this load.
    pub(super) fn new(load: &Load) -> Self {
        let groups = load.sample.group_count();
        match load.edge {
            EdgeType::Stream => {
                let points = 0..POINTS.max(groups);
                Block::of(points.map(|at| vec![Ask::Point(load.sample.point(at))]), PIECE)
            }
            EdgeType::Batch => {
                let batches = 0..POINTS.div_ceil(load.batch).max(groups);
                Block::of(batches.map(|number| load.sample.batch(number, load.batch)), PIECE)
            }
        }
    }

    /// Creates the smallest block that gets an answer: a point, or a batch.
    pub(super) fn single(load: &Load) -> Self {
        let part = match load.edge {
            EdgeType::Stream => vec![Ask::Point(load.sample.point(0))],
            EdgeType::Batch => load.sample.batch(0, load.batch),
        };
        Block::of([part], 0)
    }

    /// Never splits a part over two pieces.
    fn of(parts: impl IntoIterator<Item = Vec<Ask>>, piece_bytes: usize) -> Self {
        let mut block = Block {
            bytes: Vec::new(),
            frames: Vec::new(),
            times: Vec::new(),
            pieces: Vec::new(),
            span: 0,
        };
        let mut piece = Piece { frames: 0..0, bytes: 0..0, points: 0 };
        for part in parts {
            for ask in part {
                if let Ask::Point(_) = ask {
                    piece.points += 1;
                    block.span += STEP;
                }
                block.push(ask);
            }
            piece.frames.end = block.frames.len();
            piece.bytes.end = block.bytes.len();
            if piece.bytes.len() >= piece_bytes {
                let next = Piece {
                    frames: piece.frames.end..piece.frames.end,
                    bytes: piece.bytes.end..piece.bytes.end,
                    points: 0,
                };
                block.pieces.push(std::mem::replace(&mut piece, next));
            }
        }
        if piece.points > 0 {
            block.pieces.push(piece);
        }
        block
    }

    fn push(&mut self, ask: Ask) {
        let time = match &ask {
            Ask::Point(point) => Some(point.time),
            Ask::End(end) => Some(end.tmax),
            _ => None,
        };
        let start = self.bytes.len();
        append(&Request { message: Some(ask) }, &mut self.bytes);
        let frame = &self.bytes[start..];
        let length = frame.iter().position(|byte| *byte < 0x80).unwrap_or(0) + 1;
        self.frames.push((start, start + length, self.bytes.len()));
        if let Some(time) = time {
            let encoded = varint(time);
            let at = frame.windows(encoded.len()).position(|window| window == encoded);
            self.times.push((start + at.expect("a message carries its time"), time));
        }
    }

    /// Returns the frames of a piece, each as its length and its body.
    pub(super) fn frames(&self, piece: &Piece) -> impl Iterator<Item = (&[u8], &[u8])> {
        let frames = self.frames[piece.frames.clone()].iter();
        frames.map(|&(start, body, end)| (&self.bytes[start..body], &self.bytes[body..end]))
    }

    /// Advances all times, so that they continue after the last ones.
    pub(super) fn go_on(&mut self) {
        for (at, time) in &mut self.times {
            *time += self.span;
            self.bytes[*at..*at + TIME].copy_from_slice(&varint(*time));
        }
    }

    /// Returns the bytes of a point on the wire, including its share of the begin and end of a
    /// batch.
    pub(super) fn point_bytes(load: &Load) -> usize {
        let block = Block::single(load);
        let points = block.pieces.first().map_or(1, |piece| piece.points);
        block.bytes.len() / points
    }
}

/// The size of a present-day time on the wire, in bytes.
const TIME: usize = 9;

fn varint(time: i64) -> [u8; TIME] {
    debug_assert!((1 << 56..1 << 62).contains(&time) && time >= START, "{time}");
    std::array::from_fn(|i| {
        let more = if i + 1 < TIME { 0x80 } else { 0 };
        (time >> (7 * i)) as u8 & 0x7f | more
    })
}

#[cfg(test)]
mod tests {
    use udf_host::Writes;
    use udf_proto::frame::FrameReader;
    use udf_proto::point::PointIndex;
    use udf_proto::request::{Incoming, decode};

    use super::*;

    fn times(bytes: &[u8]) -> Vec<i64> {
        let (mut frames, mut index, mut spare) =
            (FrameReader::new(bytes), PointIndex::new(), Vec::new());
        let mut times = Vec::new();
        while let Some(frame) = frames.next_frame().unwrap() {
            match decode(frame, &mut index, &mut spare).unwrap() {
                Incoming::Point(point) => times.push(point.time()),
                Incoming::End(end) => times.push(end.tmax),
                _ => {}
            }
        }
        times
    }

    #[test]
    fn times_go_on_and_pieces_are_whole() {
        for edge in [EdgeType::Stream, EdgeType::Batch] {
            let load = Load::new(edge, Writes::Large);
            let mut block = Block::new(&load);
            let mut all = times(&block.bytes);
            block.go_on();
            all.extend(times(&block.bytes));
            assert!(all.is_sorted(), "{edge}");
            assert!(all.len() >= 2 * POINTS);
            let points: usize = block.pieces.iter().map(|piece| piece.points).sum();
            assert!(points >= POINTS);
            let mut joined = Vec::new();
            for piece in &block.pieces {
                for (length, body) in block.frames(piece) {
                    joined.extend_from_slice(length);
                    joined.extend_from_slice(body);
                }
                assert_eq!(piece.bytes.end, joined.len());
            }
            assert_eq!(joined, block.bytes);
        }
    }
}
