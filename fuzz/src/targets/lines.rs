//! Line protocol, and the other inputs of a replay.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};

use udf_host::replay::Replay;
use udf_host::{Interface, Loopback};
use udf_proto::PointBuf;
use udf_proto::point::FieldValue;
use udf_runtime::{Agent, Udf, UdfHandler};
use udf_text::line_protocol::{Grouping, LineReader, Unwritable, append_point};

use super::Pieces;
use super::udfs::{Counts, Pairs};
use crate::Trace;

pub(super) const WORDS: &[&str] = &[
    "cpu",
    ",host=a",
    " x=1",
    ",y=5i",
    "t=\"",
    "\\ ",
    "\\,",
    "\\=",
    "\\\\",
    "\\\"",
    " -0.0",
    "1e300",
    " 9223372036854775806",
    "\n# DDL\n",
    "\n# DML\n",
    "# CONTEXT-DATABASE: db",
    "\ndb\nrp\n",
    "\u{feff}",
    "{\"name\":\"m\",\"tags\":{\"host\":\"a\"},\"points\":[",
    "{\"fields\":{\"x\":1},\"time\":\"2015-10-30T17:14:12Z\"}",
];

pub(super) const LINES: &[&str] = &[
    "cpu,host=a,cpu=cpu0 usage=1.5,count=3i,up=T,note=\"a, \\\"b\\\"\" 1700000000000000001\n",
    "win,path=\\\\srv\\data,dir=C:\\\\ Users free=10i 1\ncpu\\=load v=-0.0\n",
    "m x=1\n\n# c\n  m,a\\ b=c\\,d e\\=f=\"x\ny\\\\\"  -5  \r\n",
    "\u{feff}# DDL\nCREATE DATABASE x\n# DML\n# CONTEXT-DATABASE: x\nm x=1 10\n",
];

pub(super) const RECORDING: &str = "db\nrp\nm,host=a x=1i 1\ndb\nrp\nm x=2i 2\n";

/// Returns the seeds. The first byte selects whether recordings are read.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts = LINES.iter().map(|text| (0, *text)).chain([(1, RECORDING)]);
    texts.map(|(how, text)| [&[how], text.as_bytes()].concat()).collect()
}

/// The parts of a point that a line contains.
type Parts<'a> = (&'a str, i64, Vec<(&'a str, &'a str)>, BTreeMap<&'a str, FieldValue<'a>>);

fn parts(point: &PointBuf) -> Parts<'_> {
    let point = point.as_point();
    (point.name(), point.time(), point.tags().collect(), point.fields().collect())
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let [how, input @ ..] = input else { return };
    let mut reader = LineReader::new(input, Grouping::by_all_tags());
    if how & 1 == 1 {
        reader = reader.recordings();
    }
    let mut last = 0;
    loop {
        let read = reader.next_point();
        let bytes = reader.bytes();
        match read {
            Ok(None) => break,
            Ok(Some(point)) => {
                again(&point, trace);
                trace.see((point.as_point().tags().count(), point.as_point().fields().count()));
            }
            Err(error) => trace.see_text(&error.problem.to_string()),
        }
        // The line number grows, except for the error of an unfinished `# DDL` at the end.
        assert!(reader.line() > last || bytes == input.len() as u64, "a line is read twice");
        last = reader.line();
        if bytes == input.len() as u64 {
            break;
        }
    }
}

/// Checks that a written point reads as the same point, alone and among others.
fn again(point: &PointBuf, trace: &mut Trace) {
    let mut text = b"m x=1 1\n".to_vec();
    match append_point(point.as_point(), &mut text) {
        Ok(()) => {
            text.extend_from_slice(b"m x=2 2\n");
            let mut lines = LineReader::new(&text[..], Grouping::by_all_tags());
            let mut next = || lines.next_point().expect("written output is a line");
            let [_, again, after, end] = [(); 4].map(|()| next());
            assert_eq!(again.as_ref().map(parts), Some(parts(point)));
            assert!(after.is_some_and(|point| point.as_point().time() == 2) && end.is_none());
        }
        Err(Unwritable::Text { reason, .. }) => {
            assert_eq!(reason, "has a line break in it");
            trace.see(reason);
        }
        Err(Unwritable::Ambiguous) => trace.see("ambiguous"),
        Err(other) => panic!("a point that was read cannot be written: {other}"),
    }
}

/// Returns a zip archive with an uncompressed deflate stream.
fn archive(text: &str) -> Vec<u8> {
    let mut bytes =
        b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\x000\x01".to_vec();
    let length = text.len() as u16;
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(b"PK\x07\x08");
    bytes.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    bytes.extend([0; 8]);
    bytes.extend(b"PK\x01\x02");
    bytes
}

/// Returns an uncompressed gzip file.
fn gzip(text: &str) -> Vec<u8> {
    let mut bytes = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    let length = text.len() as u16;
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.write_all(text.as_bytes()).expect("writing to a vector cannot fail");
    bytes.extend(crc32fast::hash(text.as_bytes()).to_le_bytes());
    bytes.extend(u32::from(length).to_le_bytes());
    bytes
}

pub(super) fn input_seeds() -> Vec<Vec<u8>> {
    let batch = "{\"name\":\"cpu\",\"tmax\":\"2015-10-30T17:14:20Z\",\"tags\":{\"host\":\"a\"},\"points\":[{\"fields\":{\"x\":1.5,\"up\":true,\"why\":\"t\"},\"tags\":null,\"time\":\"2015-10-30T17:14:12.5Z\"}]}\n";
    let mut seeds = Vec::new();
    for (how, input) in (0_u8..).zip([
        archive(batch),
        RECORDING.as_bytes().to_vec(),
        gzip(RECORDING),
        gzip(batch),
        batch.as_bytes().to_vec(),
        LINES.concat().into_bytes(),
    ]) {
        for edge in [0, 1] {
            seeds.push([&[edge, how][..], &input].concat());
        }
    }
    seeds
}

fn udf<T: Udf + 'static>() -> Box<dyn Interface> {
    Box::new(Loopback::new(|reader, writer| {
        Ok(Agent::new(reader, writer, UdfHandler::<T>::new()).run()?)
    }))
}

pub(super) fn check_input(input: &[u8], trace: &mut Trace) {
    let [how, piece, rest @ ..] = input else { return };
    let connect: fn() -> Box<dyn Interface> =
        if how & 1 == 0 { udf::<Pairs> } else { udf::<Counts> };
    let every = (how & 3 == 3).then_some(1_000_000_000);
    let replay = Replay::default().every(every);
    let mut output = Vec::new();
    let bytes = BufReader::with_capacity(64, Pieces::new(rest, *piece));
    let mut last = 0;
    let played = replay.run(&connect, bytes, &mut output, &mut |progress| {
        assert!(progress.bytes >= last && progress.bytes <= rest.len() as u64);
        last = progress.bytes;
    });
    let mut lines = LineReader::new(&output[..], Grouping::none());
    let mut points = 0;
    while lines.next_point().expect("written output is a line").is_some() {
        points += 1;
    }
    match played {
        Ok(summary) => {
            assert_eq!(summary.points_out, points);
            trace.see_size("points", usize::try_from(points).unwrap_or_default());
            trace.see((how & 3, summary.likely_precision.is_some()));
        }
        Err(error) => trace.see_text(&error.to_string()),
    }
}
