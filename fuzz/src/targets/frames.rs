//! Framing: the reader, compared with a simple one that has all bytes at once.

use udf_proto::frame::{FrameError, FrameReader};

use super::{Pieces, within};
use crate::Trace;

pub(super) fn seeds() -> Vec<Vec<u8>> {
    vec![
        vec![0, 0],
        vec![1, 100, 3, b'a', b'b', b'c', 0, 1, b'd'],
        [&[7, 255, 200, 1][..], &[b'x'; 200], &[5, 1, 2]].concat(),
        vec![0, 3, 4, 1, 2, 3, 4],
        vec![3, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
        vec![3, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
    ]
}

/// The end of an input.
#[derive(Debug, PartialEq, Eq, Hash)]
enum End {
    Clean,
    TooLong(u64),
    BadLength,
    Cut(usize, Option<usize>),
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let [piece, limit, rest @ ..] = input else { return };
    let limit = usize::from(*limit) * 17;
    let (expected, end) = plain(rest, limit);
    let (mut frames, mut found) = (0, End::Clean);
    // The buffer of 256 KiB grows only when it is full.
    within((300 << 10) + 4 * rest.len() as u64, || {
        let mut reader = FrameReader::new(Pieces::new(rest, *piece)).limit(limit);
        loop {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(Some(frame), expected.get(frames).map(Vec::as_slice));
                    frames += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    found = match error {
                        FrameError::TooLong { length, .. } => End::TooLong(length),
                        FrameError::BadLength => End::BadLength,
                        FrameError::Cut { read, expected } => End::Cut(read, expected),
                        other => panic!("{other}"),
                    };
                    break;
                }
            }
        }
    });
    assert_eq!((frames, &found), (expected.len(), &end));
    trace.see(std::mem::discriminant(&end));
    trace.see_size("frames", expected.len());
    trace.see_size("longest", expected.iter().map(Vec::len).max().unwrap_or(0));
    if let End::Cut(read, expected) = end {
        trace.see((read == 0, expected.is_some()));
    }
}

/// Splits the input by the definition of the format, without reading ahead.
fn plain(mut rest: &[u8], limit: usize) -> (Vec<Vec<u8>>, End) {
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (mut length, mut bytes) = (0_u128, 0);
        loop {
            let Some(byte) = rest.get(bytes) else { return (frames, End::Cut(0, None)) };
            length |= u128::from(byte & 0x7f) << (7 * bytes);
            bytes += 1;
            if bytes == 10 && (byte & 0x80 != 0 || length > u128::from(u64::MAX)) {
                return (frames, End::BadLength);
            }
            if byte & 0x80 == 0 {
                break;
            }
        }
        let length = length as u64;
        if length > limit as u64 {
            return (frames, End::TooLong(length));
        }
        let length = length as usize;
        rest = &rest[bytes..];
        if rest.len() < length {
            return (frames, End::Cut(rest.len(), Some(length)));
        }
        frames.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    (frames, End::Clean)
}
