//! `WholeBatchUdf`: begin, points and end in one call.

use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use udf_proto::frame;
use udf_proto::messages::{self, Request, Response, SnapshotRequest, request, response};
use udf_runtime::testing::{self, WholeBatch};
use udf_runtime::{
    Agent, Batch, BatchView, Emitter, FromPoint, Handler, Point, Result, Stream, UdfHandler,
    WholeBatchUdf, udf,
};

/// Sends one point about each batch.
#[udf(wants = batch, provides = stream)]
struct About {
    #[state]
    batches: i64,
}

impl WholeBatchUdf for About {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        self.batches += 1;
        let values: Vec<f64> = batch.read(|point| point.number("v"))?;
        let host = batch.begin().tags.get("host").map_or("none", String::as_str);
        let about = out.build(&batch.begin().name).tag("host", host);
        let about = about.field("batches", self.batches).field("points", batch.len() as i64);
        Ok(about
            .field("read", values.len() as i64)
            .field("sum", values.iter().fold(0.0, |sum, value| sum + value))
            .send()?)
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.build("finish").field("batches", self.batches).send()?)
    }
}

#[test]
fn each_batch_comes_with_its_begin_its_points_and_its_time() {
    let mut task = testing::udf::<About>().group_by("host").start();
    task.feed("m,host=a v=1 10\nm,host=a v=2i 20\nm,host=b v=9 30");
    task.emits(
        "m,host=a batches=1i,points=2i,read=2i,sum=3 20
         m,host=b batches=2i,points=1i,read=1i,sum=9 30",
    );
    task.feed_batch(&WholeBatch { name: "m".into(), tmax: 60, ..WholeBatch::default() });
    task.emits("m,host=none batches=3i,points=0i,read=0i,sum=0 60");
    task.end();
    task.emits("finish batches=3i");
}

#[test]
fn a_point_that_lacks_the_field_is_left_out_of_a_read() {
    let mut task = testing::udf::<About>().start();
    task.feed("m v=1 1\nm w=2 2\nm v=\"much\" 3\nm v=4 4");
    task.emits("m,host=none batches=1i,points=4i,read=2i,sum=5 4");
}

/// Reads typed points, or a field outside of `read`, or fails.
#[udf(wants = batch, provides = batch)]
struct Reads {
    #[option(flag)]
    outside: bool,
    #[option(flag)]
    other: bool,
}

#[derive(FromPoint)]
struct Cpu<'p> {
    #[field]
    v: f64,
    #[tag]
    cpu: &'p str,
    #[point]
    point: Point<'p>,
}

impl WholeBatchUdf for Reads {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        if self.other && batch.len() > 1 {
            return Err("more than one point".into());
        }
        let mut typed = out.begin(batch.begin());
        for cpu in batch.read(Cpu::from_point)? {
            typed.edit(&cpu.point).field("v", cpu.v + 1.0).tag("of", cpu.cpu).send()?;
        }
        if self.outside {
            for point in batch.points() {
                point.number("v")?;
            }
        }
        Ok(typed.end(batch.tmax())?)
    }
}

#[test]
fn typed_points_are_read() {
    let mut task = testing::udf::<Reads>().start();
    task.feed("m,cpu=a v=1 1\nm v=2 2\nm,cpu=b w=3 3\nm,cpu=c v=4i 4");
    task.emits("m,cpu=a,of=a v=2 1\nm,cpu=c,of=c v=5 4");
}

#[test]
fn a_missing_field_outside_of_a_read_skips_the_batch() {
    let mut task = testing::udf::<Reads>().option("outside").start();
    task.feed("m,cpu=a v=1 1\nm,cpu=a w=1 2");
    // No part of the batch is sent, and the next one is handled.
    task.emits_nothing();
    task.feed("m,cpu=b v=1 3");
    task.emits("m,cpu=b,of=b v=2 3");
}

#[test]
fn any_other_error_fails_the_task() {
    let mut task = testing::udf::<Reads>().option("other").start();
    task.feed("m,cpu=a v=1 1\nm,cpu=a v=1 2");
    assert_eq!(task.failure(), "more than one point");
}

/// Fails because of a missing field.
#[udf(wants = batch, provides = stream, on_missing = fail)]
struct Strict {}

impl WholeBatchUdf for Strict {
    fn batch(&mut self, batch: &BatchView<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        batch.read(|point| point.number("v")).map(drop)
    }
}

#[test]
fn a_missing_field_fails_a_strict_task() {
    let mut task = testing::udf::<Strict>().start();
    task.feed("cpu v=1 1\ncpu w=2 2");
    let failure = task.failure();
    assert!(failure.contains("a point of `cpu` has no field `v`"), "{failure}");
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the answers to these requests, after an Init.
fn answers(requests: Vec<request::Message>) -> Vec<response::Message> {
    let mut input = Vec::new();
    let mut send = |message| frame::append(&Request { message: Some(message) }, &mut input);
    send(request::Message::Init(messages::InitRequest::default()));
    requests.into_iter().for_each(&mut send);
    let output = Output::default();
    let agent = Agent::new(Cursor::new(input), output.clone(), UdfHandler::<About>::new());
    // The error is also in the answers.
    let _ = agent.run();
    let bytes = output.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut reader = frame::FrameReader::new(&bytes[..]);
    let mut answers = Vec::new();
    while let Some(frame) = reader.next_frame().expect("frames are whole") {
        let response: Response = prost::Message::decode(frame).expect("the frame is a response");
        answers.extend(response.message);
    }
    assert!(matches!(answers.remove(0), response::Message::Init(_)));
    answers
}

fn begin() -> request::Message {
    request::Message::Begin(messages::BeginBatch { name: "m".into(), ..Default::default() })
}

fn point(v: f64) -> request::Message {
    let fields_double = [("v".to_owned(), v)].into_iter().collect();
    request::Message::Point(messages::Point { fields_double, ..Default::default() })
}

fn end() -> request::Message {
    request::Message::End(messages::EndBatch { tmax: 5, ..Default::default() })
}

/// Returns the number of batches and the sum in the only point among the answers.
fn batches_and_sum(answers: &[response::Message]) -> (i64, f64) {
    let points = answers.iter().filter_map(|answer| match answer {
        response::Message::Point(point) if point.name == "m" => Some(point),
        _ => None,
    });
    let points: Vec<_> = points.collect();
    assert_eq!(points.len(), 1, "{answers:?}");
    (points[0].fields_int["batches"], points[0].fields_double["sum"])
}

#[test]
fn a_snapshot_within_a_batch_is_of_the_state_before_it() {
    let snapshot = || request::Message::Snapshot(SnapshotRequest {});
    let at_start = answers(vec![snapshot()]);
    let within = answers(vec![begin(), point(1.0), snapshot(), point(2.0), end()]);
    assert_eq!(within[0], at_start[0]);
    assert_eq!(batches_and_sum(&within), (1, 3.0), "the batch itself goes on");
}

#[test]
fn a_restore_within_a_batch_changes_the_state_and_not_the_batch() {
    let saved = answers(vec![begin(), end(), request::Message::Snapshot(SnapshotRequest {})]);
    let Some(response::Message::Snapshot(saved)) =
        saved.iter().find(|answer| matches!(answer, response::Message::Snapshot(_)))
    else {
        panic!("no snapshot: {saved:?}");
    };
    let restore = messages::RestoreRequest { snapshot: saved.snapshot.clone() };
    let restore = request::Message::Restore(restore);
    let within = answers(vec![begin(), point(1.0), restore, point(2.0), end()]);
    assert_eq!(batches_and_sum(&within), (2, 3.0));
}

#[test]
fn a_batch_without_an_end_is_not_handled() {
    // The input ends within the batch.
    let ended = answers(vec![begin(), point(1.0)]);
    let [response::Message::Point(finish)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((finish.name.as_str(), finish.fields_int["batches"]), ("finish", 0));
    // Another batch begins.
    let twice = answers(vec![begin(), point(1.0), begin(), point(2.0), end()]);
    let [response::Message::Error(error)] = &twice[..] else { panic!("{twice:?}") };
    assert!(error.error.contains("the last batch has not ended"), "{}", error.error);
}

#[test]
fn a_handler_drops_a_batch_when_another_one_begins() {
    // No agent checks the order here.
    struct Twice(UdfHandler<About>);

    impl Handler for Twice {
        type Wants = Batch;
        type Provides = Stream;

        fn info(&self) -> std::collections::BTreeMap<String, Vec<udf_runtime::ValueType>> {
            self.0.info()
        }

        fn init(
            &mut self,
            init: udf_runtime::Init,
            remote: &udf_runtime::Remote<Stream>,
        ) -> Result<udf_runtime::Verdict> {
            self.0.init(init, remote)
        }

        fn begin_batch(
            &mut self,
            begin: &udf_runtime::BeginBatch,
            out: &mut Emitter<Stream>,
        ) -> Result<()> {
            let lost = testing::point("", |point| point.field("v", 100.0));
            self.0.begin_batch(begin, out)?;
            self.0.point(&lost.as_point(), out)?;
            self.0.begin_batch(begin, out)
        }

        fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
            self.0.point(point, out)
        }

        fn end_batch(
            &mut self,
            end: &udf_runtime::EndBatch,
            out: &mut Emitter<Stream>,
        ) -> Result<()> {
            self.0.end_batch(end, out)
        }
    }

    let mut task = testing::handler(|| Twice(UdfHandler::new())).start();
    task.feed("m v=1 10");
    task.emits("m,host=none batches=1i,points=1i,read=1i,sum=1 10");
}
