//! Responses that Kapacitor does not survive.

use proptest::prelude::*;
use udf_proto::messages::{
    BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitResponse, KeepaliveResponse, Point,
    RestoreResponse, SnapshotResponse,
};
use udf_proto::{EdgeType, ValueType};

use super::*;

fn frame_of(message: Message) -> Vec<u8> {
    let mut frame = Vec::new();
    response::append(message, &mut frame);
    let (length, body) = frame.split_first().expect("a frame has a length");
    assert_eq!(usize::from(*length), body.len());
    body.to_vec()
}

fn begin(size: i64) -> Vec<u8> {
    frame_of(Message::Begin(BeginBatch { size, ..BeginBatch::default() }))
}

fn point() -> Vec<u8> {
    let fields_int = [("value".to_owned(), 7)].into();
    frame_of(Message::Point(Point { name: "m".to_owned(), fields_int, ..Point::default() }))
}

fn end() -> Vec<u8> {
    frame_of(Message::End(EndBatch::default()))
}

/// Returns what the last of the frames is, or what is wrong with one of them.
fn check(provides: EdgeType, frames: &[Vec<u8>]) -> Result<Response, String> {
    let mut checker = Checker::take_over(provides, false);
    let checked = frames.iter().map(|frame| checker.check(frame));
    checked.reduce(|before, next| before.and(next)).expect("there is a frame")
}

#[track_caller]
fn refused(provides: EdgeType, frames: &[Vec<u8>], why: &str) {
    match check(provides, frames) {
        Err(error) => assert!(error.contains(why), "{error}"),
        Ok(response) => panic!("{response:?}"),
    }
}

#[test]
fn whole_responses_pass() {
    use EdgeType::{Batch, Stream};
    assert!(matches!(check(Stream, &[point(), point()]), Ok(Response::Point)));
    let batch = [begin(1), point(), end(), begin(0), end(), begin(MOST_ANNOUNCED)];
    assert!(matches!(check(Batch, &batch), Ok(Response::Begin)));
    assert!(matches!(check(Batch, &batch[..5]), Ok(Response::End)));
    for (message, ask) in [
        (Message::Info(InfoResponse::default()), Ask::Info),
        (Message::Init(InitResponse::default()), Ask::Init),
        (Message::Keepalive(KeepaliveResponse { time: 7 }), Ask::Keepalive(7)),
        (Message::Snapshot(SnapshotResponse::default()), Ask::Snapshot),
        (Message::Restore(RestoreResponse::default()), Ask::Restore),
    ] {
        let checked = check(Stream, &[frame_of(message.clone())]);
        let Ok(Response::Answer(answered, answer)) = checked else { panic!("{checked:?}") };
        assert_eq!((answered, *answer), (ask, message));
    }
    let error = frame_of(Message::Error(ErrorResponse { error: "broken".to_owned() }));
    assert!(matches!(check(Stream, &[error]), Ok(Response::Error(error)) if error == "broken"));
}

#[test]
fn empty_and_unknown_responses_are_refused() {
    for empty in [&[][..], &[0xf8, 0x07, 1]] {
        refused(EdgeType::Stream, &[empty.to_vec()], "empty response");
    }
}

#[test]
fn unbalanced_batches_are_refused() {
    use EdgeType::{Batch, Stream};
    refused(Batch, &[end()], "had not begun");
    refused(Batch, &[begin(0), end(), end()], "had not begun");
    refused(Batch, &[begin(0), begin(0)], "within a batch");
    refused(Batch, &[begin(0), point(), begin(0)], "within a batch");
    refused(Batch, &[point()], "outside of a batch");
    refused(Batch, &[begin(0), end(), point()], "outside of a batch");
    refused(Stream, &[begin(0)], "provides a stream");
    refused(Stream, &[end()], "had not begun");
}

#[test]
fn a_batch_of_an_absurd_size_is_refused() {
    for size in [-1, i64::MIN, MOST_ANNOUNCED + 1, i64::MAX] {
        refused(EdgeType::Batch, &[begin(size)], &format!("size of {size}"));
    }
}

proptest! {
    /// What passes can be decoded by a strict reader, such as Kapacitor's.
    #[test]
    fn a_response_that_passes_is_whole(
        cut in any::<prop::sample::Index>(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut frame = point();
        frame.truncate(cut.index(frame.len() + 1));
        for (at, byte) in flips {
            if let Some(at) = (!frame.is_empty()).then(|| at.index(frame.len())) {
                frame[at] = byte;
            }
        }
        if check(EdgeType::Stream, &[frame.clone()]).is_ok() {
            use prost::Message as _;
            let decoded = udf_proto::messages::Response::decode(&frame[..]);
            prop_assert!(decoded.is_ok_and(|response| response.message.is_some()), "{:?}", frame);
        }
    }

    #[test]
    fn no_bytes_break_the_check(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4)) {
        let _ = check(EdgeType::Batch, &frames);
    }
}

#[test]
fn only_a_worker_with_more_options_can_continue() {
    let options = |names: &[(&str, ValueType)]| {
        names.iter().map(|(name, kind)| ((*name).to_owned(), vec![*kind])).collect()
    };
    let info = |wants, provides, names: &[(&str, ValueType)]| Info {
        wants,
        provides,
        options: options(names),
    };
    let (stream, batch) = (EdgeType::Stream, EdgeType::Batch);
    let (a, b) = (("a", ValueType::Int), ("b", ValueType::String));
    let old = info(stream, batch, &[a]);
    assert_eq!(why_unfit(&old, &info(stream, batch, &[a])), None);
    assert_eq!(why_unfit(&old, &info(stream, batch, &[a, b])), None);
    for (new, why) in [
        (info(batch, batch, &[a]), "reads a BATCH"),
        (info(stream, stream, &[a]), "provides a STREAM"),
        (info(stream, batch, &[]), "has no option `a`"),
        (info(stream, batch, &[b]), "has no option `a`"),
        (info(stream, batch, &[("a", ValueType::String), b]), "`a` have other types"),
    ] {
        let unfit = why_unfit(&old, &new);
        assert!(unfit.as_ref().is_some_and(|unfit| unfit.contains(why)), "{unfit:?}");
    }
}
