//! The order of input, answers and output, where a worker does what no other test makes it do.

use udf_proto::frame;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, InfoResponse, InitRequest, InitResponse, KeepaliveResponse, Point,
    Request, Response, SnapshotRequest, SnapshotResponse,
};

use super::*;

/// The engine, with a Kapacitor and a worker that do as the test says.
struct Rig(Core);

fn point(name: &str) -> Point {
    Point { name: name.to_owned(), ..Point::default() }
}

fn snapshot(state: &str) -> Answer {
    Answer::Snapshot(SnapshotResponse { snapshot: state.into() })
}

impl Rig {
    /// Begins with an accepted Init.
    fn new(settings: &Settings) -> Self {
        let mut rig = Rig(Core::new(settings));
        rig.read([Ask::Init(InitRequest::default())]);
        rig.feed(usize::MAX);
        rig.says(Answer::Init(InitResponse { success: true, error: String::new() }));
        rig
    }

    /// Kapacitor sends requests.
    fn read(&mut self, asks: impl IntoIterator<Item = Ask>) {
        let mut bytes = Vec::new();
        asks.into_iter().for_each(|ask| frame::append(&Request { message: Some(ask) }, &mut bytes));
        self.0.room()[..bytes.len()].copy_from_slice(&bytes);
        self.0.read(bytes.len(), [1 << 20; 2], |_, _| None).expect("these are frames");
    }

    /// The worker reads up to so many bytes.
    fn feed(&mut self, mut most: usize) {
        loop {
            let bytes = self.0.unsent().len().min(most);
            if bytes == 0 {
                return;
            }
            self.0.note_sent(bytes);
            most -= bytes;
        }
    }

    /// The worker sends a response. Returns the names of the points that Kapacitor gets, and of other
    /// messages.
    fn says(&mut self, answer: Answer) -> Vec<String> {
        self.answers(answer).expect("the response is valid")
    }

    fn answers(&mut self, answer: Answer) -> Result<Vec<String>, Fault> {
        let mut whole = Vec::new();
        frame::append(&Response { message: Some(answer) }, &mut whole);
        let mut reader = frame::FrameReader::new(&whole[..]);
        let body = reader.next_frame().expect("a frame").expect("a frame").to_vec();
        let passes = self.0.respond(&body, &whole)?;
        let mut out = std::mem::take(&mut self.0.talk.out);
        out.extend(if passes { whole } else { vec![] });
        let mut reader = frame::FrameReader::new(&out[..]);
        let mut names = Vec::new();
        while let Some(frame) = reader.next_frame().expect("a frame") {
            let response = <Response as prost::Message>::decode(frame).expect("a response");
            names.push(match response.message.expect("a message") {
                Answer::Point(point) => point.name.split('.').next().unwrap_or_default().to_owned(),
                Answer::Begin(_) => "begin".to_owned(),
                Answer::End(_) => "end".to_owned(),
                Answer::Snapshot(_) => "snapshot".to_owned(),
                _ => "other".to_owned(),
            });
        }
        Ok(names)
    }

    fn emits(&mut self, name: &str) -> Vec<String> {
        self.says(Answer::Point(point(name)))
    }

    /// The worker reads everything. Returns the time of the keepalive that it gets last.
    fn feed_to_keepalive(&mut self) -> i64 {
        let mut last = Vec::new();
        while !self.0.unsent().is_empty() {
            last = self.0.unsent().to_vec();
            self.0.note_sent(last.len());
        }
        let request = <Request as prost::Message>::decode_length_delimited(&last[..]);
        match request.map(|request| request.message) {
            Ok(Some(Ask::Keepalive(keepalive))) => keepalive.time,
            other => panic!("no keepalive: {other:?}"),
        }
    }

    /// A worker dies, and another one takes over.
    fn restart(&mut self, provides: EdgeType) {
        self.restart_within(provides, false);
    }

    /// The new worker may be within a batch whose begin was dropped.
    fn restart_within(&mut self, provides: EdgeType, is_within_batch: bool) {
        let mut info = Info::try_from(InfoResponse::default()).expect("it is valid");
        info.provides = provides;
        self.0.take_over(&info, is_within_batch);
        self.feed(usize::MAX);
    }
}

#[test]
fn an_answer_to_a_request_that_was_not_sent_is_no_checkpoint() {
    let mut rig = Rig::new(&Settings::default());
    let snapshot_request = || Ask::Snapshot(SnapshotRequest {});
    rig.read([snapshot_request()]);
    rig.feed(usize::MAX);
    rig.read([Ask::Point(point("a")), snapshot_request(), Ask::Point(point("b"))]);
    assert_eq!(rig.says(snapshot("1")), ["snapshot"]);
    let position = rig.0.talk.base.position;
    // The second request waits behind the first byte of a point.
    rig.feed(1);
    assert!(rig.says(snapshot("1 again")).is_empty());
    assert_eq!(rig.0.talk.base.position, position);
    assert!(matches!(rig.0.talk.events.last(), Some(Event::Unasked(_))));
    // The front asks as well, between two points.
    rig.feed(usize::MAX);
    assert_eq!(rig.says(snapshot("2")), ["snapshot"]);
    rig.0.request_snapshot();
    let position = rig.0.talk.base.position;
    assert!(rig.says(snapshot("2 again")).is_empty());
    assert_eq!(rig.0.talk.base.position, position);
    rig.feed(usize::MAX);
    assert!(rig.says(snapshot("3")).is_empty());
    assert_eq!(rig.0.talk.base.snapshot.as_deref(), Some(&b"3"[..]));
    assert!(rig.0.talk.base.position > position);
}

#[test]
fn output_of_a_timer_behind_a_checkpoint_hides_no_output_of_the_next_worker() {
    let mut rig = Rig::new(&Settings::default());
    rig.read([Ask::Point(point("a"))]);
    rig.0.request_snapshot();
    rig.feed(usize::MAX);
    assert_eq!(rig.emits("a"), ["a"]);
    rig.says(snapshot("a"));
    assert_eq!(rig.emits("T"), ["T"]);
    // A handover, or a death.
    rig.restart(EdgeType::Stream);
    assert!(!rig.0.talk.is_repeating);
    rig.read([Ask::Point(point("b"))]);
    rig.feed(usize::MAX);
    assert_eq!(rig.emits("b"), ["b"]);
    assert!(rig.emits("T").is_empty(), "its state is from before the timer");
    assert_eq!(rig.emits("c"), ["c"]);
}

#[test]
fn a_repetition_that_is_larger_than_the_memory_is_still_left_out() {
    let mut rig = Rig::new(&Settings { memory: 2000, ..Settings::default() });
    let names = ["a", "b", "c", "d"];
    rig.read(names.map(|name| Ask::Point(point(name))));
    rig.feed(usize::MAX);
    for name in names {
        assert_eq!(rig.emits(name), [name]);
    }
    rig.restart(EdgeType::Stream);
    assert!(rig.emits("a").is_empty());
    let large = |name: &str| format!("{name}.{}", "x".repeat(900));
    assert!(rig.emits(&large("T")).is_empty());
    assert!(rig.emits(&large("U")).is_empty());
    // Unknown output waits for the end of the repetition while there is room.
    assert_eq!(rig.emits(&large("V")), ["T", "U", "V"]);
    for name in ["b", "c", "d"] {
        assert!(rig.emits(name).is_empty(), "{name}");
    }
    assert_eq!(rig.emits("e"), ["e"]);
    assert!(!rig.0.talk.is_unprotected);
}

#[test]
fn a_batch_that_is_larger_than_the_memory_doubles_nothing_of_a_repetition() {
    let mut rig = Rig::new(&Settings { memory: 2000, ..Settings::default() });
    rig.read([Ask::Point(point("a")), Ask::Point(point("b"))]);
    rig.feed(usize::MAX);
    let batch = |rig: &mut Rig, size: usize| {
        let mut got = rig.says(Answer::Begin(BeginBatch::default()));
        for _ in 0..size {
            got.extend(rig.emits(&format!("p.{}", "x".repeat(500))));
        }
        got.extend(rig.says(Answer::End(EndBatch::default())));
        got
    };
    assert_eq!(batch(&mut rig, 1).len(), 3);
    assert_eq!(batch(&mut rig, 2).len(), 4);
    rig.restart(EdgeType::Batch);
    assert_eq!(batch(&mut rig, 9).len(), 11, "it is new");
    assert!(rig.0.talk.is_unprotected);
    assert!(batch(&mut rig, 1).is_empty());
    assert!(batch(&mut rig, 2).is_empty());
}

#[test]
fn the_rest_of_a_batch_from_before_the_handover_is_dropped() {
    let mut rig = Rig::new(&Settings::default());
    rig.0.request_snapshot();
    rig.feed(usize::MAX);
    rig.says(snapshot("empty"));
    rig.restart_within(EdgeType::Batch, true);
    rig.read([Ask::Point(point("a"))]);
    rig.0.request_snapshot();
    rig.feed(usize::MAX);
    assert!(rig.emits("rest").is_empty());
    rig.says(snapshot("within a batch"));
    assert!(rig.0.talk.events.contains(&Event::NoCheckpoint));
    assert!(rig.says(Answer::End(EndBatch::default())).is_empty());
    assert!(rig.says(Answer::Begin(BeginBatch::default())).is_empty());
    assert_eq!(rig.says(Answer::End(EndBatch::default())), ["begin", "end"]);
    assert!(rig.answers(Answer::End(EndBatch::default())).is_err());
}

#[test]
fn a_snapshot_within_a_repetition_that_was_no_checkpoint_is_none_again() {
    let mut rig = Rig::new(&Settings::default());
    let ask = Ask::Snapshot(SnapshotRequest {});
    rig.read([Ask::Point(point("a")), ask, Ask::Point(point("b"))]);
    rig.feed(usize::MAX);
    // A thread of the UDF is within a batch.
    let batch = |rig: &mut Rig| {
        let mut got = rig.says(Answer::Begin(BeginBatch::default()));
        got.extend(rig.emits("a"));
        got.extend(rig.says(Answer::End(EndBatch::default())));
        got
    };
    rig.says(Answer::Begin(BeginBatch::default()));
    assert_eq!(rig.says(snapshot("1")), ["snapshot"]);
    assert_eq!(rig.says(Answer::End(EndBatch::default())), ["begin", "end"]);
    assert_eq!(batch(&mut rig), ["begin", "a", "end"]);
    rig.restart(EdgeType::Batch);
    rig.says(Answer::Init(InitResponse { success: true, error: String::new() }));
    assert!(rig.says(snapshot("1")).is_empty());
    assert!(batch(&mut rig).is_empty(), "Kapacitor has it");
}

#[test]
fn the_input_ends_when_the_worker_has_handled_all_data() {
    let mut rig = Rig::new(&Settings::default());
    assert!(rig.0.may_end_input(), "no data has come");
    rig.read([Ask::Point(point("a"))]);
    assert!(!rig.0.may_end_input(), "the worker has not got it");
    rig.feed(usize::MAX);
    rig.emits("a");
    assert!(!rig.0.may_end_input(), "the worker may not have handled it");
    let time = rig.feed_to_keepalive();
    assert!(rig.0.is_worker_due() && !rig.0.may_end_input());
    assert!(rig.says(Answer::Keepalive(KeepaliveResponse { time })).is_empty());
    assert!(rig.0.may_end_input());
    // Another worker must show it again, behind what it repeats.
    rig.restart(EdgeType::Stream);
    rig.says(Answer::Init(InitResponse { success: true, error: String::new() }));
    assert!(!rig.0.may_end_input());
    rig.emits("a");
    let time = time - 1;
    assert!(rig.says(Answer::Keepalive(KeepaliveResponse { time })).is_empty());
    assert!(rig.0.may_end_input());
    // A checkpoint shows it as well.
    rig.read([Ask::Point(point("b")), Ask::Snapshot(SnapshotRequest {})]);
    rig.feed(usize::MAX);
    rig.says(snapshot("1"));
    assert!(rig.0.may_end_input());
}

#[test]
fn the_input_goes_on_while_a_worker_with_data_has_not_answered_init() {
    let mut rig = Rig(Core::new(&Settings::default()));
    rig.read([Ask::Init(InitRequest::default()), Ask::Point(point("a"))]);
    rig.feed(usize::MAX);
    assert!(!rig.0.may_end_input(), "the worker may exit before it handles the data");
    let time = rig.feed_to_keepalive();
    rig.says(Answer::Init(InitResponse { success: true, error: String::new() }));
    rig.emits("a");
    assert!(rig.0.is_worker_due() && !rig.0.may_end_input());
    rig.says(Answer::Keepalive(KeepaliveResponse { time }));
    assert!(rig.0.may_end_input());
}

#[test]
fn input_is_counted_for_each_worker_that_gets_it_again() {
    let mut rig = Rig::new(&Settings::default());
    rig.read(["a", "b", "c"].map(|name| Ask::Point(point(name))));
    rig.feed(usize::MAX);
    assert_eq!(rig.0.take_repeated(), 0);
    let all = rig.0.sent();
    rig.restart(EdgeType::Stream);
    assert_eq!(rig.0.take_repeated(), all);
    rig.read([Ask::Point(point("d"))]);
    rig.feed(usize::MAX);
    assert_eq!(rig.0.take_repeated(), 0, "it was new");
    // Parts count, and so does what a worker got that died.
    let info = Info::try_from(InfoResponse::default()).expect("it is valid");
    rig.0.take_over(&info, false);
    let first = rig.0.step().expect("there is input").extent;
    rig.feed(usize::MAX);
    assert_eq!(rig.0.take_repeated(), first.bytes());
    rig.0.take_over(&info, false);
    rig.feed(5);
    assert_eq!(rig.0.take_repeated(), 5);
}

#[test]
fn a_worker_that_dies_before_its_input_has_come_hides_no_output_of_the_ones_before() {
    let mut rig = Rig::new(&Settings { at_least_once: true, ..Settings::default() });
    rig.read([Ask::Point(point("a"))]);
    rig.feed(usize::MAX);
    assert_eq!(rig.emits("a"), ["a"]);
    let info = Info::try_from(InfoResponse::default()).expect("it is valid");
    rig.0.take_over(&info, false);
    rig.restart(EdgeType::Stream);
    rig.says(Answer::Init(InitResponse { success: true, error: String::new() }));
    assert!(rig.emits("a").is_empty(), "it is a repetition");
}
