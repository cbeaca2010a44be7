//! Which requests are due, in any order of requests, answers and deaths.

use proptest::prelude::*;
use udf_proto::messages::{BeginBatch, EndBatch, InitRequest, Point};

use super::*;

fn frame_of(message: request::Message) -> Vec<u8> {
    let mut frame = Vec::new();
    append(message, &mut frame);
    let (_, body) = frame.split_first().expect("a frame has a length");
    body.to_vec()
}

#[test]
fn a_frame_is_classified() {
    let init = InitRequest { task_id: "t".to_owned(), node_id: "n".to_owned(), options: vec![] };
    let (task, node) = (init.task_id.clone(), init.node_id.clone());
    let kept = KeepaliveRequest { time: 7 };
    let restored = RestoreRequest { snapshot: vec![1, 2] };
    for (message, expected) in [
        (request::Message::Info(InfoRequest {}), Input::Ask(Ask::Info)),
        (request::Message::Init(init), Input::Init { task, node }),
        (request::Message::Keepalive(kept), Input::Ask(Ask::Keepalive(7))),
        (request::Message::Snapshot(SnapshotRequest {}), Input::Ask(Ask::Snapshot)),
        (request::Message::Restore(restored), Input::Restore { snapshot: vec![1, 2] }),
        (request::Message::Begin(BeginBatch::default()), Input::Begin),
        (request::Message::Point(Point::default()), Input::Point),
        (request::Message::End(EndBatch::default()), Input::End),
    ] {
        assert_eq!(classify(&frame_of(message)), expected);
    }
    // Members of a newer Kapacitor come first, or alone.
    let newer = [0xf8, 0x07, 1];
    let point = [&newer[..], &frame_of(request::Message::Point(Point::default()))].concat();
    assert_eq!(classify(&point), Input::Point);
    for other in [&[][..], &newer, &[0xff; 3], &[0x2a, 0x7f]] {
        assert_eq!(classify(other), Input::Other, "{other:?}");
    }
}

#[derive(Debug, Clone)]
enum Act {
    /// Kapacitor asks for a snapshot, or for a sign of life at this time.
    Ask(Option<i64>),
    /// The front asks for a snapshot.
    Own,
    /// The worker answers the next snapshot request, or one of the keepalives.
    Answer(Option<prop::sample::Index>),
    Death,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop::option::of(1..9_i64).prop_map(Act::Ask),
        1 => Just(Act::Own),
        4 => prop::option::of(any::<prop::sample::Index>()).prop_map(Act::Answer),
        1 => Just(Act::Death),
    ]
}

/// A request as the test knows it.
#[derive(Debug)]
struct Known {
    end: u64,
    ask: Ask,
    is_own: bool,
    is_passed: bool,
    is_answered: bool,
}

proptest! {
    #[test]
    fn each_request_is_answered_once(acts in prop::collection::vec(act(), 1..80)) {
        let mut requests = Requests::default();
        let mut known: Vec<Known> = Vec::new();
        let (mut end, mut base) = (0, 0);
        let add = |requests: &mut Requests, known: &mut Vec<Known>, end, ask, is_own| {
            requests.add(end, ask, is_own);
            known.push(Known { end, ask, is_own, is_passed: false, is_answered: false });
        };
        for act in acts {
            match act {
                Act::Ask(time) => {
                    end += 10;
                    add(&mut requests, &mut known, end, time.map_or(Ask::Snapshot, Ask::Keepalive), false);
                }
                Act::Own => add(&mut requests, &mut known, end, Ask::Snapshot, true),
                Act::Answer(which) => {
                    let is_of_kind = |one: &Known| (one.ask == Ask::Snapshot) == which.is_none();
                    let due = known.iter_mut().filter(|one| !one.is_answered && is_of_kind(one));
                    let mut due = due.collect::<Vec<_>>();
                    let Some(at) = (!due.is_empty()).then(|| which.map_or(0, |at| at.index(due.len())))
                    else {
                        let ask = which.map_or(Ask::Snapshot, |_| Ask::Keepalive(10));
                        prop_assert!(matches!(requests.answer(ask, true, |_| true), Err(None)));
                        continue;
                    };
                    // Of keepalives with the same time, the first is answered.
                    let ask = due[at].ask;
                    let one = due.iter_mut().find(|one| one.ask == ask).expect("it is due");
                    let answered = requests.answer(ask, true, |_| true).expect("it is due");
                    prop_assert_eq!((answered.end, answered.is_own), (one.end, one.is_own));
                    prop_assert_eq!(answered.is_passed, one.is_passed, "{:?}", one);
                    (one.is_passed, one.is_answered) = (true, true);
                    if ask == Ask::Snapshot {
                        base = one.end;
                        requests.drop_before(base);
                        known.retain(|one| one.end > base || !one.is_answered);
                    }
                }
                Act::Death => {
                    requests.rewind(base);
                    // A keepalive from before the checkpoint is never sent again.
                    known.retain(|one| !one.is_own && one.end > base);
                    known.iter_mut().for_each(|one| one.is_answered = false);
                }
            }
            for position in [base, base + 10, end] {
                let is_due = |one: &Known| !one.is_answered && one.end <= position;
                prop_assert_eq!(requests.are_due(position), known.iter().any(is_due));
            }
            let snapshot = known.iter().find(|one| !one.is_answered && one.ask == Ask::Snapshot);
            prop_assert_eq!(requests.next(Ask::Snapshot), snapshot.map(|one| one.end));
        }
    }
}

#[test]
fn an_answer_out_of_order_names_what_was_due() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Info, false);
    requests.add(20, Ask::Init, false);
    assert_eq!(requests.answer(Ask::Init, true, |_| true).err(), Some(Some(Ask::Info)));
    assert_eq!(requests.answer(Ask::Keepalive(7), true, |_| true).err(), Some(None));
    assert!(requests.answer(Ask::Info, true, |_| true).is_ok());
    assert!(requests.answer(Ask::Init, false, |_| true).is_ok());
    requests.rewind(0);
    assert!(
        requests
            .answer(Ask::Info, true, |_| true)
            .is_ok_and(|info| info.is_passed && info.was_accepted)
    );
    // It was refused before, too.
    let init = requests.answer(Ask::Init, false, |_| true).expect("it is due");
    assert!(init.is_passed && !init.was_accepted);
}

#[test]
fn a_keepalive_may_be_answered_without_its_time() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Snapshot, false);
    requests.add(20, Ask::Keepalive(7), false);
    assert!(requests.answer(Ask::Keepalive(0), true, |_| true).is_ok());
    assert_eq!(requests.answer(Ask::Keepalive(0), true, |_| true).err(), Some(None));
    assert!(requests.are_due(10));
}

#[test]
fn a_keepalive_from_before_the_checkpoint_is_not_due_again() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Keepalive(7), false);
    requests.add(20, Ask::Snapshot, false);
    assert!(requests.answer(Ask::Snapshot, true, |_| true).is_ok());
    requests.drop_before(20);
    assert!(requests.are_due(20), "the worker still answers it");
    requests.rewind(20);
    assert!(!requests.are_due(20));
}

#[test]
fn a_request_of_the_front_keeps_its_place() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Info, false);
    requests.add(30, Ask::Snapshot, false);
    requests.add(10, Ask::Snapshot, true);
    assert!(requests.answer(Ask::Info, true, |_| true).is_ok());
    assert!(requests.answer(Ask::Snapshot, true, |_| true).is_ok_and(|first| first.is_own));
    assert!(requests.answer(Ask::Snapshot, true, |_| true).is_ok_and(|second| !second.is_own));
}

#[test]
fn a_request_that_was_not_sent_is_not_due() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Snapshot, false);
    requests.add(20, Ask::Snapshot, false);
    let mut answer = |sent| requests.answer(Ask::Snapshot, true, |request| request.end <= sent);
    assert_eq!(answer(9).err(), Some(None));
    assert!(answer(10).is_ok_and(|first| first.end == 10));
    assert_eq!(answer(19).err(), Some(None), "the first one was answered already");
    assert!(answer(20).is_ok_and(|second| second.end == 20));
}

#[test]
fn a_restore_of_the_front_is_due_again() {
    let mut requests = Requests::default();
    requests.add(10, Ask::Snapshot, false);
    requests.add(10, Ask::Restore, true);
    for _ in 0..2 {
        // A checkpoint before the Restore, whose place is its own.
        requests.rewind(10);
        assert!(requests.are_due(10));
        assert!(requests.answer(Ask::Restore, true, |_| true).is_ok_and(|restore| restore.is_own));
    }
    requests.rewind(11);
    assert_eq!(
        requests.answer(Ask::Restore, true, |_| true).err(),
        Some(None),
        "a later state has it"
    );
}
