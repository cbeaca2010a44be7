//! Lines straight to frames, compared with lines read as messages.

use std::collections::BTreeMap;
use std::io::BufReader;

use udf_proto::point::{FieldValue, PointIndex};
use udf_proto::{PointBuf, request};
use udf_text::line_protocol::{Grouping, LineReader, Precision, append_encoded, append_point};

use super::{Pieces, lines};
use crate::Trace;

/// Returns the seeds. The first byte selects the settings, the second how reads are split.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = lines::LINES.iter().copied().chain([
        lines::RECORDING,
        "cpu,cpu=cpu0,host=a usage=12.345678901234567,n=3i,up=true,x=18446744073709551615u 1700000000000000000\n\
         cpu,cpu=cpu0,host=a usage=-0.0,n=3u\n",
    ]);
    let mut seeds = Vec::new();
    for (text, how) in texts.zip([0, 4, 9, 2, 16, 7]) {
        seeds.push([&[how, 0], text.as_bytes()].concat());
        seeds.push([&[how, 5], text.as_bytes()].concat());
    }
    seeds
}

fn grouping(how: u8) -> Grouping {
    let grouping = match how >> 1 & 3 {
        0 => Grouping::none(),
        1 | 2 => Grouping::by(["host", "cpu"]),
        _ => Grouping::by_all_tags(),
    };
    grouping.by_name(how & 1 == 1)
}

/// The parts of a point, with the bits of floats.
type Parts<'a> = (
    i64,
    bool,
    [&'a str; 4],
    Vec<&'a str>,
    Vec<(&'a str, &'a str)>,
    BTreeMap<&'a str, (Option<u64>, FieldValue<'a>)>,
);

fn parts<'a>(index: &'a mut PointIndex, bytes: &'a [u8]) -> Parts<'a> {
    let point = index.parse(bytes).expect("a frame contains a point");
    let bits = |value| match value {
        FieldValue::Float(value) => Some(value.to_bits()),
        _ => None,
    };
    (
        point.time(),
        point.by_name(),
        [point.name(), point.database(), point.retention_policy(), point.group()],
        point.dimensions().collect(),
        point.tags().collect(),
        point.fields().map(|(name, value)| (name, (bits(value), value))).collect(),
    )
}

/// Checks that a point is written without an index as it is with one.
fn same_line(index: &mut PointIndex, bytes: &[u8]) {
    let (mut quick, mut general) = (Vec::new(), Vec::new());
    let point = index.parse(bytes).expect("a frame contains a point");
    let written = append_point(point, &mut general);
    if append_encoded(bytes, &mut quick) {
        assert_eq!(written, Ok(()));
        assert_eq!(String::from_utf8(quick), String::from_utf8(general));
    }
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let [how, piece, input @ ..] = input else { return };
    fn set<R: std::io::BufRead>(how: u8, reader: R) -> LineReader<R> {
        let mut lines = LineReader::new(reader, grouping(how));
        if how & 8 == 8 {
            lines = lines.recordings();
        }
        if how & 16 == 16 {
            lines = lines.precision(Precision::Milliseconds);
        }
        if how & 32 == 32 {
            lines = lines.clock(|| 77);
        }
        if how & 64 == 64 { lines } else { lines.drop_unfit() }
    }
    let mut frames = set(*how, BufReader::with_capacity(64, Pieces::new(input, *piece)));
    let mut messages = set(*how, input);
    let (mut index, mut other) = (PointIndex::new(), PointIndex::new());
    let mut out = Vec::new();
    loop {
        out.clear();
        // A message is never that of a line that has lost all of its fields.
        let read = loop {
            match frames.next_frame(&mut out) {
                Ok(Some(line)) if line.point.is_empty() => assert!(out.is_empty()),
                read => break read,
            }
        };
        let expected = messages.next_message();
        assert_eq!((frames.line(), frames.bytes()), (messages.line(), messages.bytes()));
        assert_eq!(frames.raw(), messages.raw());
        assert_eq!(frames.dropped_fields(), messages.dropped_fields());
        assert_eq!(frames.likely_precision(), messages.likely_precision());
        match (read, expected) {
            (Ok(None), Ok(None)) => break,
            (Ok(Some(line)), Ok(Some(message))) => {
                let expected = PointBuf::from(message);
                let expected = parts(&mut other, expected.as_point().as_bytes());
                let point = &out[line.point.clone()];
                assert_eq!(parts(&mut index, point), expected);
                same_line(&mut index, point);
                assert_eq!(line.time, expected.0);
                // The length of the frame takes one to three bytes.
                assert!(
                    (1..4)
                        .any(|head| out.get(head..).and_then(request::point_bytes) == Some(point))
                );
                trace.see((expected.4.len(), expected.5.len(), line.has_time));
            }
            (Err(read), Err(expected)) => {
                assert_eq!(read.to_string(), expected.to_string());
                assert!(out.is_empty(), "a part of a refused line is there");
                trace.see_text(&read.problem.to_string());
            }
            (read, expected) => panic!("{read:?} instead of {expected:?}"),
        }
        if frames.bytes() == input.len() as u64 {
            break;
        }
    }
}
