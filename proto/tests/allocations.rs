//! Reading, editing and sending points allocates nothing once buffers have grown. Buffers shrink
//! after very large points.

mod common;

use std::convert::Infallible;
use std::hint::black_box;

use common::{BYTES, VARINT, record, varint};
use prost::Message as _;
use udf_proto::frame::FrameReader;
use udf_proto::point::{EditScratch, PointEdit, PointIndex, PointSink, Problem};
use udf_proto::request::{self, Incoming};
use udf_proto::{Point, PointBuf, Points, messages, response};

#[derive(Default)]
struct Sink {
    scratch: EditScratch,
    out: Vec<u8>,
}

impl PointSink for Sink {
    type Error = Infallible;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.scratch
    }

    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Infallible> {
        response::append_edited(base, &mut self.scratch, &mut self.out);
        Ok(())
    }
}

/// Returns a point of the usual size. `suffix` ends the values of its tags.
fn message(suffix: &str) -> messages::Point {
    let mut message = messages::Point {
        time: 1_700_000_000_000_000_000,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: format!("host=a{suffix}"),
        dimensions: vec!["host".into()],
        ..Default::default()
    };
    for tag in ["host", "cpu", "rack"] {
        message.tags.insert(tag.into(), format!("a{suffix}"));
    }
    for field in ["usage_user", "usage_system", "usage_idle", "usage_iowait", "usage_irq"] {
        message.fields_double.insert(field.into(), 12.5);
    }
    message.fields_int.insert("n".into(), 300);
    message.fields_string.insert("state".into(), suffix.repeat(100));
    message
}

/// Returns the frames of a stream with ASCII, other text, and unknown members.
fn stream() -> Vec<u8> {
    let mut frames = Vec::new();
    for suffix in ["", "x", "größe"] {
        let body = message(suffix).encode_to_vec();
        for extra in [Vec::new(), record(30, BYTES, b"news", 0)] {
            let frame = [record(17, BYTES, &body, 0), extra].concat();
            frames.extend(varint(frame.len() as u64, 0));
            frames.extend(frame);
        }
    }
    frames
}

fn look_and_edit(point: Point<'_>, sink: &mut Sink, points: &mut Points) {
    black_box((point.time(), point.name(), point.group(), point.by_name()));
    black_box((point.tag("host"), point.tag("none"), point.number("usage_idle").ok()));
    black_box((point.field("none"), point.int("n").ok(), point.string("state").ok()));
    point.dimensions().for_each(|dimension| _ = black_box(dimension));
    point.tags().for_each(|tag| _ = black_box(tag));
    point.fields().for_each(|field| _ = black_box(field));
    points.push(&point);

    response::append_point(point, &mut sink.out);
    let Ok(()) = PointEdit::new(sink, point).only_field("avg", 0.5).send();
    let Ok(()) = PointEdit::new(sink, point).field("n", "text").field("n", 7).time(3).send();
    let Ok(()) = PointEdit::new(sink, point).remove_field("n").tag("host", "b").send();
    let Ok(()) = PointEdit::new(sink, point).keep_fields(&["n"]).keep_tags(&["host"]).send();
    let Ok(()) = PointEdit::build(sink, "m").field("a", 1).tag("t", "v").dimension("t").send();
}

#[test]
fn a_warm_stream_allocates_nothing() {
    let bytes = stream().repeat(100);
    let mut reader = FrameReader::new(&bytes[..]);
    let (mut index, mut spare) = (PointIndex::new(), Vec::new());
    let (mut sink, mut points) = (Sink::default(), Points::new());
    let mut seen = 0;
    let mut run = |count: usize| {
        points.clear();
        sink.out.clear();
        for _ in 0..count {
            let frame = reader.next_frame().unwrap().expect("there are enough");
            match request::decode(frame, &mut index, &mut spare) {
                Ok(Incoming::Point(point)) => look_and_edit(point, &mut sink, &mut points),
                other => panic!("{other:?}"),
            }
            seen += 1;
        }
    };
    // By then, the buffer of the reader has the size for a busy stream.
    run(480);
    let info = allocation_counter::measure(|| run(48));
    assert_eq!(info.count_total, 0, "{info:?}");
    assert_eq!(seen, 528);
    assert_eq!(points.len(), 48);
}

/// Returns a point with `dimensions` dimensions of two bytes each.
fn giant(dimensions: usize) -> Vec<u8> {
    record(6, BYTES, &[], 0).repeat(dimensions)
}

#[test]
fn tables_of_a_giant_point_are_given_back() {
    let (giant, small) = (giant(1 << 16), message("").encode_to_vec());
    let mut index = PointIndex::new();
    let info = allocation_counter::measure(|| {
        assert_eq!(index.parse(&giant).unwrap().dimensions().count(), 1 << 16);
        index.parse(&small).unwrap();
    });
    assert!(info.bytes_max >= 1 << 20, "{info:?}");
    assert!(info.bytes_current < 128 << 10, "{info:?}");
}

#[test]
fn room_for_merging_giant_points_is_given_back() {
    let database = record(3, BYTES, &vec![b'x'; 1 << 20], 0);
    let part = record(17, BYTES, &database, 0);
    let (mut index, mut spare) = (PointIndex::new(), Vec::new());
    let mut merge = |parts: &[u8]| {
        let point = request::decode(parts, &mut index, &mut spare);
        assert!(matches!(point, Ok(Incoming::Point(_))), "{point:?}");
    };
    let info = allocation_counter::measure(|| {
        merge(&part.repeat(2));
        merge(&record(17, BYTES, &[], 0).repeat(2));
    });
    assert!(info.bytes_current < 256 << 10, "{info:?}");
}

#[test]
fn edits_of_a_giant_point_are_given_back() {
    let (giant, small) = ("x".repeat(10 << 20), PointBuf::from(message("")));
    let mut sink = Sink::default();
    let info = allocation_counter::measure(|| {
        let Ok(()) = PointEdit::new(&mut sink, small.as_point()).field("state", &giant).send();
        sink.out = Vec::new();
        let Ok(()) = PointEdit::new(&mut sink, small.as_point()).field("state", "idle").send();
    });
    assert!(info.bytes_max > 10 << 20, "{info:?}");
    assert!(info.bytes_current < 256 << 10, "{info:?}");
}

#[test]
fn a_table_takes_no_more_than_65_536_entries() {
    let info = allocation_counter::measure(|| {
        for more in [
            giant(3),
            record(9, BYTES, &[], 0),
            record(7, BYTES, &[0x0a, 0, 0x12, 0], 0),
            // Members of other kinds do not count. The record after them does.
            [record(11, VARINT, &[1], 0), giant(1)].concat(),
        ] {
            let bytes = [giant(1 << 16), more].concat();
            let error = PointIndex::new().parse(&bytes).expect_err("that is too many");
            assert_eq!(error.problem, Problem::TooManyEntries);
            assert!(error.offset >= 2 << 16);
        }
        let bytes = [giant(1 << 16), record(11, VARINT, &[1], 0)].concat();
        assert!(PointIndex::new().parse(&bytes).unwrap().by_name());
    });
    // A table of 1 MiB, and for a moment also the table of half the size that it replaces.
    assert!(info.bytes_max < 5 << 19, "{info:?}");
}
