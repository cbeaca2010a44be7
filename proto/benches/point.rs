//! Measures reading, editing and writing points: ratios to prost, and times by size.
//!
//! `cargo bench -p kapacitor-udf-proto --bench point` prints the ratios, and then times by
//! criterion. With `-- --short`, it prints quick ratios only, and fails if a ratio is below half of
//! its target.

#[path = "common/ratio.rs"]
mod ratio;
#[path = "common/sample.rs"]
mod sample;

use std::convert::Infallible;
use std::hint::black_box;
use std::process::ExitCode;

use criterion::{BenchmarkId, Criterion, Throughput};
use prost::Message as _;
use ratio::{Effort, Row, Verdicts};
use sample::{Inside, MapEnvelope, MapPoint, REFERENCE, Shape};
use udf_proto::point::{EditScratch, PointEdit, PointIndex, PointSink};
use udf_proto::request::{self, Incoming};
use udf_proto::{Point, response};

/// Collects frames, as an agent does.
#[derive(Default)]
struct Out {
    scratch: EditScratch,
    bytes: Vec<u8>,
}

impl PointSink for Out {
    type Error = Infallible;

    fn scratch(&mut self) -> &mut EditScratch {
        &mut self.scratch
    }

    fn accept(&mut self, base: Option<Point<'_>>) -> Result<(), Infallible> {
        response::append_edited(base, &mut self.scratch, &mut self.bytes);
        Ok(())
    }
}

fn main() -> ExitCode {
    let args = std::env::args().collect::<Vec<_>>();
    let has = |arg: &str| args.iter().any(|other| other == arg);
    let short = has("--short");
    let mut verdicts = Verdicts::default();
    // Without `--bench`, as a test, criterion only checks that everything runs.
    if has("--bench") {
        ratios(if short { Effort::SHORT } else { Effort::FULL }, &mut verdicts);
    }
    if !short {
        let mut criterion = Criterion::default().configure_from_args();
        by_size(&mut criterion);
        by_text(&mut criterion);
        edits(&mut criterion);
        criterion.final_summary();
    }
    verdicts.exit_code()
}

fn ratios(effort: Effort, verdicts: &mut Verdicts) {
    let bodies = sample::bodies(REFERENCE);
    let frames = sample::requests(&bodies);
    let bytes = frames.iter().map(|frame| frame.len() + 2).sum::<usize>();
    println!("The reference point has {} bytes with its frame.", bytes / frames.len());

    let mut index = PointIndex::new();
    verdicts.measure(
        Row { name: "index and validate, to prost's decode", reach: 12.0, beyond: 16.0 },
        effort,
        bodies.len(),
        || {
            for body in &bodies {
                black_box(MapPoint::decode(black_box(&body[..])).expect("a point"));
            }
        },
        || {
            for body in &bodies {
                black_box(index.parse(black_box(body)).expect("a point"));
            }
        },
    );

    let (mut index, mut spare, mut out) = (PointIndex::new(), Vec::new(), Out::default());
    let mut encoded = Vec::new();
    let decoded = |frame: &[u8]| match MapEnvelope::decode(frame).expect("a request").inside {
        Some(Inside::Point(point)) => point,
        None => panic!("it has a point"),
    };
    verdicts.measure(
        Row { name: "index, replace the fields, encode, to prost's", reach: 10.0, beyond: 15.0 },
        effort,
        frames.len(),
        || {
            encoded.clear();
            for frame in &frames {
                let mut point = decoded(black_box(frame));
                point.fields_double.clear();
                point.fields_int.clear();
                point.fields_double.insert("avg".to_owned(), 0.5);
                let response = MapEnvelope { inside: Some(Inside::Point(point)) };
                response.encode_length_delimited(&mut encoded).expect("a Vec has room");
            }
            black_box(&encoded);
        },
        || {
            out.bytes.clear();
            for frame in &frames {
                let Ok(Incoming::Point(point)) =
                    request::decode(black_box(frame), &mut index, &mut spare)
                else {
                    panic!("it has a point");
                };
                let Ok(()) = PointEdit::new(&mut out, point).only_field("avg", 0.5).send();
            }
            black_box(&out.bytes);
        },
    );
}

fn by_size(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse by fields");
    for doubles in [2, 5, 10, 20, 50, 100, 300] {
        let shape = Shape { doubles, ints: 0, ..REFERENCE };
        parse(&mut group, doubles.to_string(), shape);
    }
    group.finish();
    let mut group = criterion.benchmark_group("parse by integers");
    for ints in [2, 5, 10, 50] {
        parse(&mut group, ints.to_string(), Shape { doubles: 0, ints, ..REFERENCE });
    }
    group.finish();
}

fn by_text(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse by text");
    for (name, tag_suffix, text) in [
        ("ascii", "", 0),
        ("ascii of twice the length", "-west-oh", 0),
        ("not ascii", "-größe", 0),
        ("a string of 100", "", 100),
        ("a string of 1,000", "", 1000),
        ("a string of 100,000", "", 100_000),
    ] {
        parse(&mut group, name.to_owned(), Shape { tag_suffix, text, ..REFERENCE });
    }
    group.finish();
}

fn parse(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: String,
    shape: Shape,
) {
    let bodies = sample::bodies(shape);
    let mut index = PointIndex::new();
    group.throughput(Throughput::Elements(bodies.len() as u64));
    group.bench_with_input(BenchmarkId::from_parameter(name), &bodies, |bencher, bodies| {
        bencher.iter(|| {
            for body in bodies {
                black_box(index.parse(black_box(body)).expect("a point"));
            }
        });
    });
}

type Step = Box<dyn FnMut(Point<'_>, &mut Out)>;

fn edits(criterion: &mut Criterion) {
    let bodies = sample::bodies(REFERENCE);
    let mut group = criterion.benchmark_group("point");
    group.throughput(Throughput::Elements(bodies.len() as u64));
    let mut each = |name: &str, mut run: Step| {
        let (mut index, mut out) = (PointIndex::new(), Out::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.bytes.clear();
                for body in &bodies {
                    run(index.parse(black_box(body)).expect("a point"), &mut out);
                }
                black_box(&out.bytes);
            });
        });
    };
    each("pass on", Box::new(|point, out| response::append_point(point, &mut out.bytes)));
    each(
        "look up a tag and two fields",
        Box::new(|point, _| {
            black_box(point.tag("host"));
            black_box(point.number("usage_idle").is_ok());
            black_box(point.number("usage_user").is_ok());
        }),
    );
    each(
        "walk tags and fields",
        Box::new(|point, _| {
            point.tags().for_each(|tag| _ = black_box(tag));
            point.fields().for_each(|field| _ = black_box(field));
        }),
    );
    each(
        "only one field",
        Box::new(|point, out| {
            let Ok(()) = PointEdit::new(out, point).only_field("avg", 0.5).send();
        }),
    );
    each(
        "add a field",
        Box::new(|point, out| {
            let Ok(()) = PointEdit::new(out, point).field("avg", 0.5).send();
        }),
    );
    each(
        "replace a field and the time",
        Box::new(|point, out| {
            let Ok(()) = PointEdit::new(out, point).field("usage_idle", 0.5).time(7).send();
        }),
    );
    each(
        "keep a field and a tag",
        Box::new(|point, out| {
            let edit = PointEdit::new(out, point).keep_fields(&["usage_idle"]);
            let Ok(()) = edit.keep_tags(&["host"]).send();
        }),
    );
    each("keep a copy", {
        let mut points = udf_proto::Points::new();
        Box::new(move |point, _| {
            if points.len() == 1000 {
                points.clear();
            }
            points.push(&point);
        })
    });
    group.finish();
}
