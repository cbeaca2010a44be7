//! The agent: its output is valid for any input.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message as _;
use udf_proto::frame::{self, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, InfoRequest, InitRequest, KeepaliveRequest, Request, Response,
    RestoreRequest, SnapshotRequest,
};
use udf_proto::{EdgeType, Init};
use udf_runtime::{Agent, AgentError, Edge, Handler, UdfHandler};

use super::udfs::{Copies, Counts, Means, Pairs};
use super::{Pieces, points, within};
use crate::Trace;

/// The limit for frames.
const LIMIT: usize = 4 << 10;

fn frames(messages: Vec<Ask>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        frame::append(&Request { message: Some(message) }, &mut bytes);
    }
    bytes
}

fn init() -> Ask {
    Ask::Init(InitRequest::from(Init {
        task_id: "task".into(),
        node_id: "node".into(),
        ..Default::default()
    }))
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let point = |time| Ask::Point(points::message(time));
    let begin = || Ask::Begin(BeginBatch { name: "cpu".into(), size: 2, ..Default::default() });
    let end = || Ask::End(EndBatch { name: "cpu".into(), tmax: 9, ..Default::default() });
    let requests = || {
        vec![
            Ask::Info(InfoRequest {}),
            Ask::Keepalive(KeepaliveRequest { time: 5 }),
            Ask::Snapshot(SnapshotRequest {}),
            Ask::Restore(RestoreRequest { snapshot: b"KUDF".to_vec() }),
        ]
    };
    let stream = || vec![point(1), point(2), point(3)];
    let batch = || vec![begin(), point(1), point(2), end(), begin(), end()];
    let mut seeds = Vec::new();
    for how in 0..8 {
        let mut messages = if how < 4 { Vec::new() } else { vec![init()] };
        messages.extend(requests());
        // Bit 0 selects batches.
        messages.extend(if how % 2 == 0 { stream() } else { batch() });
        messages.extend(requests());
        seeds.push([&[how, how * 3][..], &frames(messages)].concat());
    }
    seeds
}

/// Returns the snapshot of a UDF that has received points.
pub(super) fn snapshot_of_means() -> Vec<u8> {
    let mut messages = vec![init()];
    messages.extend((0..20).map(|time| Ask::Point(points::message(time))));
    messages.push(Ask::Snapshot(SnapshotRequest {}));
    let (input, written) = (io::Cursor::new(frames(messages)), Written::default());
    let agent = Agent::new(input, written.clone(), UdfHandler::<Means>::new());
    agent.run().expect("the requests are valid");
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    match answers(&written).pop() {
        Some(Answer::Snapshot(snapshot)) => snapshot.snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

/// A writer whose bytes outlive it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let [how, piece, rest @ ..] = input else { return };
    // Some inputs start with an Init.
    let mut bytes = if how & 4 == 0 { frames(vec![init()]) } else { Vec::new() };
    bytes.extend_from_slice(rest);
    match how & 3 {
        0 => serve(UdfHandler::<Means>::new(), &bytes, *piece, trace),
        1 => serve(UdfHandler::<Copies>::new(), &bytes, *piece, trace),
        2 => serve(UdfHandler::<Pairs>::new(), &bytes, *piece, trace),
        _ => serve(UdfHandler::<Counts>::new(), &bytes, *piece, trace),
    }
}

fn serve<H: Handler>(handler: H, bytes: &[u8], piece: u8, trace: &mut Trace) {
    let written = Written::default();
    let mut result = Ok(());
    within((2 << 20) + 400 * bytes.len() as u64, || {
        let agent = Agent::new(Pieces::new(bytes, piece), written.clone(), handler);
        result = agent.frame_limit(LIMIT).run();
    });
    let written = written.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut answers = answers(&written);
    match &result {
        Ok(()) => {}
        Err(error) => {
            assert!(!matches!(error, AgentError::Panicked { .. }), "{error}");
            match answers.pop() {
                Some(Answer::Error(told)) => assert_eq!(told.error, error.to_string()),
                other => panic!("{error} was not reported, but {other:?}"),
            }
            trace.see_text(&error.to_string());
        }
    }
    balanced(H::Provides::TYPE, &answers, trace);
    let (asked, answered) = (asked(bytes), kinds(&answers));
    assert!(asked.starts_with(&answered), "{asked:?} was answered with {answered:?}");
    assert!(result.is_err() || asked == answered, "{asked:?} was answered with {answered:?}");
    trace.see_size("answers", answered.len());
}

/// Decodes the responses. Every response must be complete and of a known kind.
fn answers(written: &[u8]) -> Vec<Answer> {
    let mut reader = FrameReader::new(written);
    let mut answers = Vec::new();
    while let Some(frame) = reader.next_frame().expect("frames are written whole") {
        let response = Response::decode(frame).expect("a frame is a response");
        answers.push(response.message.expect("a response says something"));
    }
    answers
}

/// Checks that the output contains nothing that crashes Kapacitor.
fn balanced(provides: EdgeType, answers: &[Answer], trace: &mut Trace) {
    let mut open = None;
    for answer in answers {
        match (answer, &mut open) {
            (Answer::Begin(begin), None) => {
                assert_eq!(provides, EdgeType::Batch);
                open = Some((begin.size, 0));
            }
            (Answer::Point(_), None) => assert_eq!(provides, EdgeType::Stream),
            (Answer::Point(_), Some((_, points))) => *points += 1,
            (Answer::End(_), Some((size, points))) => {
                assert_eq!(size, points, "the size of a batch is not its number of points");
                trace.see_size("batch", *points as usize);
                open = None;
            }
            (Answer::Begin(_) | Answer::End(_), _) => panic!("batches that are not balanced"),
            (other, Some(_)) => panic!("{other:?} within a batch"),
            (Answer::Error(error), None) => panic!("an error that is not the last: {error:?}"),
            (Answer::Restore(restore), None) => trace.see_text(&restore.error),
            (Answer::Init(init), None) => trace.see_text(&init.error),
            _ => {}
        }
    }
    assert_eq!(open, None, "a batch has no end");
}

/// A request that needs a response, with its expected content.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Info,
    Init,
    Keepalive(i64),
    Snapshot,
    Restore,
}

fn asked(bytes: &[u8]) -> Vec<Kind> {
    let mut reader = FrameReader::new(bytes).limit(LIMIT);
    let mut asked = Vec::new();
    while let Ok(Some(frame)) = reader.next_frame() {
        asked.extend(match Request::decode(frame).ok().and_then(|request| request.message) {
            Some(Ask::Info(_)) => Some(Kind::Info),
            Some(Ask::Init(_)) => Some(Kind::Init),
            Some(Ask::Keepalive(keepalive)) => Some(Kind::Keepalive(keepalive.time)),
            Some(Ask::Snapshot(_)) => Some(Kind::Snapshot),
            Some(Ask::Restore(_)) => Some(Kind::Restore),
            _ => None,
        });
    }
    asked
}

fn kinds(answers: &[Answer]) -> Vec<Kind> {
    let kind = |answer: &Answer| match answer {
        Answer::Info(_) => Some(Kind::Info),
        Answer::Init(_) => Some(Kind::Init),
        Answer::Keepalive(keepalive) => Some(Kind::Keepalive(keepalive.time)),
        Answer::Snapshot(_) => Some(Kind::Snapshot),
        Answer::Restore(_) => Some(Kind::Restore),
        _ => None,
    };
    answers.iter().filter_map(kind).collect()
}
