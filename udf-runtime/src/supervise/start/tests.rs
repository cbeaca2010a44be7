//! What a worker may answer before it serves.

use udf_proto::messages::{
    BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitResponse, KeepaliveResponse, OptionInfo,
    Point, RestoreResponse, SnapshotResponse, ValueType,
};
use udf_proto::request::{Incoming, decode};
use udf_proto::{frame::FrameReader, point::PointIndex};

use super::*;

fn respond(start: &mut Start, message: Message) -> Result<(), Fault> {
    let mut frame = Vec::new();
    response::append(message, &mut frame);
    start.respond(&frame[1..])
}

fn info(options: &[&str]) -> Message {
    let types = OptionInfo { value_types: vec![ValueType::Int as i32] };
    let options = options.iter().map(|name| ((*name).to_owned(), types.clone())).collect();
    Message::Info(InfoResponse { wants: 0, provides: 0, options })
}

fn known(options: &[&str]) -> Option<Info> {
    let Message::Info(info) = info(options) else { unreachable!("it is an info") };
    Some(info.try_into().expect("the edges are known"))
}

fn init(success: bool) -> Message {
    Message::Init(InitResponse { success, error: "no period".to_owned() })
}

fn restore(success: bool) -> Message {
    Message::Restore(RestoreResponse { success, error: "too old".to_owned() })
}

fn keepalive(time: i64) -> Message {
    Message::Keepalive(KeepaliveResponse { time })
}

fn base() -> Base {
    let mut init = Vec::new();
    crate::supervise::requests::append_info(&mut init);
    Base { position: 7, init: Some(init), snapshot: Some(vec![1, 2]) }
}

/// Returns a worker that restores the base.
fn restoring(window: &[u8]) -> Start {
    let mut start = Start::new(known(&["a"]));
    start.restore(&base(), window);
    start
}

#[track_caller]
fn dies(start: &mut Start, message: Message, why: &str) {
    match respond(start, message) {
        Err(Fault::Death(death)) => assert!(death.contains(why), "{death}"),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn fails(start: &mut Start, message: Message, why: &str) {
    match respond(start, message) {
        Err(Fault::Error(error)) => assert!(error.contains(why), "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Returns the requests that a worker gets, as it takes them byte by byte.
fn taken(start: &mut Start) -> Vec<String> {
    let mut bytes = Vec::new();
    while let Some(byte) = start.unsent().first() {
        bytes.push(*byte);
        start.note_sent(1);
    }
    let mut reader = FrameReader::new(&bytes[..]);
    let mut requests = Vec::new();
    while let Some(frame) = reader.next_frame().expect("frames are whole") {
        requests.push(match decode(frame, &mut PointIndex::new(), &mut Vec::new()) {
            Ok(Incoming::Restore { snapshot }) => format!("Restore {snapshot:?}"),
            Ok(Incoming::Keepalive { time }) => format!("Keepalive {time}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        });
    }
    requests
}

#[test]
fn a_worker_serves_after_all_its_answers() {
    let mut start = Start::new(None);
    assert_eq!(taken(&mut start), ["Info"]);
    assert!(start.is_due() && start.is_done().is_none());
    assert_eq!(respond(&mut start, info(&["a"])), Ok(()));
    assert!(!start.is_due());
    assert!(start.is_done().is_some_and(|info| info.options.contains_key("a")));
    // A worker that waits for an upgrade.
    let mut window = Vec::new();
    append_keepalive(5, &mut window);
    start.restore(&base(), &window);
    let last = format!("Keepalive {BEHIND_WINDOW}");
    assert_eq!(taken(&mut start), ["Info", "Restore [1, 2]", "Keepalive 5", &last]);
    for (message, is_done) in [
        (init(true), false),
        (restore(true), false),
        // Answers and output of the window are left out.
        (keepalive(5), false),
        (Message::Point(Point::default()), false),
        (Message::Begin(BeginBatch::default()), false),
        (Message::End(EndBatch::default()), false),
        (keepalive(BEHIND_WINDOW), true),
    ] {
        assert!(start.is_done().is_none());
        assert_eq!(respond(&mut start, message), Ok(()));
        assert_eq!(start.is_done().is_some(), is_done);
    }
}

#[test]
fn nothing_is_restored_before_the_first_checkpoint() {
    let mut start = Start::new(None);
    start.restore(&Base::default(), &[]);
    assert_eq!(taken(&mut start), ["Info"]);
    assert_eq!(respond(&mut start, info(&[])), Ok(()));
    assert!(start.is_done().is_some());
    start.restore(&Base { snapshot: None, ..base() }, &[]);
    assert_eq!(respond(&mut start, init(true)), Ok(()));
    assert!(start.is_done().is_some(), "there is no snapshot to restore");
}

#[test]
fn a_program_that_cannot_go_on_ends_the_task() {
    assert_eq!(respond(&mut restoring(&[]), info(&["a", "b"])), Ok(()));
    fails(&mut restoring(&[]), info(&["b"]), "has no option `a`");
    let other = InfoResponse { provides: 1, ..InfoResponse::default() };
    fails(&mut restoring(&[]), Message::Info(other), "provides a BATCH");

    let mut start = restoring(&[]);
    assert_eq!(respond(&mut start, info(&["a"])), Ok(()));
    fails(&mut start, init(false), "no period");

    let mut start = restoring(&[]);
    assert_eq!(respond(&mut start, info(&["a"])), Ok(()));
    assert_eq!(respond(&mut start, init(true)), Ok(()));
    fails(&mut start, restore(false), "too old");
}

#[test]
fn a_response_out_of_place_is_a_death() {
    dies(&mut restoring(&[]), init(true), "not asked for");
    dies(&mut restoring(&[]), Message::Point(Point::default()), "not asked for");
    dies(&mut restoring(&[]), Message::Snapshot(SnapshotResponse::default()), "not asked for");
    let unknown = InfoResponse { wants: 9, ..InfoResponse::default() };
    dies(&mut restoring(&[]), Message::Info(unknown), "9");
    let error = ErrorResponse { error: "broken".to_owned() };
    dies(&mut restoring(&[]), Message::Error(error), "broken");
    let mut start = restoring(&[]);
    assert_eq!(respond(&mut start, info(&["a"])), Ok(()));
    dies(&mut start, restore(true), "not asked for");
    dies(&mut start, info(&["a"]), "not asked for");
    let empty = restoring(&[]).respond(&[]);
    assert_eq!(empty, Err(Fault::Death("it sent an empty response".to_owned())));
    assert!(matches!(restoring(&[]).respond(&[0xff; 3]), Err(Fault::Death(_))));
    assert_eq!(respond(&mut restoring(&[]), keepalive(5)), Ok(()), "a sign of life");
}

#[test]
fn a_batch_that_has_begun_is_noted() {
    let mut start = restoring(b"");
    respond(&mut start, info(&["a"])).expect("it is due");
    for (message, is_within_batch) in [
        (Message::Begin(BeginBatch::default()), true),
        (init(true), true),
        (Message::End(EndBatch::default()), false),
        (Message::Begin(BeginBatch::default()), true),
    ] {
        respond(&mut start, message).expect("it is dropped, or due");
        assert_eq!(start.is_within_batch(), is_within_batch);
    }
}
