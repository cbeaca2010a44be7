//! The cost of decoding a message of any kind is bounded.

mod common;

use common::{BYTES, VARINT, record, varint};
use udf_proto::entries::{Entries, EntriesError, MAX_ENTRIES};
use udf_proto::init::InitError;
use udf_proto::point::PointIndex;
use udf_proto::request::{self, Incoming, RequestError};
use udf_proto::response::{self, ResponseError};

/// The memory that decoding may take in addition to the bytes of the message.
const BOUND: u64 = 24 << 20;

/// Returns an entry of a map with a short, unique name.
fn entry(number: usize, value: &[u8]) -> Vec<u8> {
    let name = format!("{number:x}");
    [record(1, BYTES, name.as_bytes(), 0), value.to_vec()].concat()
}

/// Returns `count` records of a member. `body` returns the body of each by its number. Bodies may
/// repeat where the message is refused.
fn many(member: u32, count: usize, body: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    if count > MAX_ENTRIES {
        return record(member, BYTES, &body(0), 0).repeat(count);
    }
    let mut all = Vec::new();
    for number in 0..count {
        all.extend_from_slice(&record(member, BYTES, &body(number), 0));
    }
    all
}

/// Returns a point that is not read in place, because it follows a message of another kind.
fn point_behind_another(body: &[u8]) -> Vec<u8> {
    [record(4, BYTES, &[], 0), record(17, BYTES, body, 0)].concat()
}

/// Returns requests with `count` entries each, of every kind that has entries.
fn requests(count: usize) -> Vec<(Entries, Vec<u8>)> {
    let call = |body: Vec<u8>| record(2, BYTES, &body, 0);
    let text = record(2, BYTES, b"v", 0);
    let mut requests = vec![
        (Entries::Calls, call(many(1, count, |_| Vec::new()))),
        (Entries::Calls, call(many(1, 1, |_| many(2, count - 1, |_| Vec::new())))),
        (Entries::Calls, call(many(1, count / 2, |_| many(2, 1, |_| Vec::new())))),
        // Messages of the same kind are merged.
        (Entries::Calls, call(many(1, count / 2, |_| Vec::new())).repeat(2)),
        (Entries::BatchTags, record(16, BYTES, &many(3, count, |n| entry(n, &text)), 0)),
        (Entries::BatchTags, record(18, BYTES, &many(4, count, |n| entry(n, &text)), 0)),
        (Entries::PointParts, point_behind_another(&many(6, count, |_| Vec::new()))),
    ];
    for map in common::MAPS {
        let point = many(map, count, |number| entry(number, &[]));
        requests.push((Entries::PointParts, point_behind_another(&point)));
    }
    requests
}

/// Returns the same for responses.
fn responses(count: usize) -> Vec<(Entries, Vec<u8>)> {
    let info = |body: Vec<u8>| record(1, BYTES, &body, 0);
    let option = |types: &[u8]| many(3, 1, |_| entry(0, &record(2, BYTES, types, 0)));
    let numbers = |count: usize| record(1, VARINT, &[1], 0).repeat(count);
    let mut responses = vec![
        (Entries::Options, info(many(3, count, |number| entry(number, &[])))),
        (Entries::Options, info(option(&numbers(count - 1)))),
        (Entries::Options, info(option(&record(1, BYTES, &vec![1; count - 1], 0)))),
    ];
    // Data has the same members in Request and Response, and one table counts both.
    responses.extend(requests(count).into_iter().filter(|(kind, _)| *kind == Entries::BatchTags));
    responses.push((Entries::PointParts, point_behind_another(&many(6, count, |_| Vec::new()))));
    responses
}

/// One entry over the limit is refused before decoding. The maximum costs little.
#[test]
fn requests_take_no_more_than_their_bytes() {
    for (kind, frame) in requests(MAX_ENTRIES + 2) {
        let (mut index, mut spare) = (PointIndex::new(), Vec::new());
        let info = allocation_counter::measure(|| {
            match (kind, request::decode(&frame, &mut index, &mut spare)) {
                (Entries::Calls, Ok(Incoming::Init(Err(InitError::TooManyCalls)))) => {}
                (_, Err(RequestError::Entries(EntriesError::TooMany(found)))) => {
                    assert_eq!(found, kind);
                }
                (_, other) => panic!("{kind:?}: {other:?}"),
            }
        });
        assert_eq!(info.count_total, 0, "{kind:?}: {info:?}");
    }
    for (kind, frame) in requests(MAX_ENTRIES) {
        let (mut index, mut spare) = (PointIndex::new(), Vec::new());
        let info = allocation_counter::measure(|| {
            let decoded = request::decode(&frame, &mut index, &mut spare);
            let is_too_many = matches!(
                decoded,
                Ok(Incoming::Init(Err(InitError::TooManyCalls))) | Err(RequestError::Entries(_))
            );
            assert!(!is_too_many, "{kind:?}: {decoded:?}");
        });
        assert!(info.bytes_max < BOUND + frame.len() as u64, "{kind:?}: {info:?}");
    }
}

#[test]
fn responses_take_no_more_than_their_bytes() {
    for (kind, frame) in responses(MAX_ENTRIES + 2) {
        let info = allocation_counter::measure(|| match response::decode(&frame) {
            Err(ResponseError::Entries(EntriesError::TooMany(found))) => assert_eq!(found, kind),
            other => panic!("{kind:?}: {other:?}"),
        });
        assert_eq!(info.count_total, 0, "{kind:?}: {info:?}");
    }
    for (kind, frame) in responses(MAX_ENTRIES) {
        let info = allocation_counter::measure(|| {
            response::decode(&frame)
                .expect("the message has as many entries as are allowed")
                .expect("a message");
        });
        assert!(info.bytes_max < BOUND + frame.len() as u64, "{kind:?}: {info:?}");
    }
}

/// Text is copied at most once and bytes at most twice, even if a message repeats the member.
#[test]
fn long_texts_take_no_more_than_their_bytes() {
    let text = vec![b'x'; 4 << 20];
    let long = |member| record(member, BYTES, &text, 0);
    let (mut index, mut spare) = (PointIndex::new(), Vec::new());
    for (member, body) in [
        (2, [long(2), long(3)].concat()),
        (
            2,
            many(1, 1, |_| {
                let value = [record(1, VARINT, &[3], 0), long(5)].concat();
                [long(1), record(2, BYTES, &value, 0)].concat()
            }),
        ),
        (5, long(1)),
        (5, long(1).repeat(3)),
        (16, [long(1), long(2)].concat()),
        (18, [long(1), long(2)].concat()),
    ] {
        let frame = record(member, BYTES, &body, 0);
        let info = allocation_counter::measure(|| {
            drop(request::decode(&frame, &mut index, &mut spare));
        });
        assert!(info.bytes_max <= 2 * frame.len() as u64 + (64 << 10), "{member}: {info:?}");
    }
    for (member, number) in [(2, 2), (4, 1), (5, 2), (6, 1)] {
        let frame = record(member, BYTES, &long(number), 0);
        let info = allocation_counter::measure(|| drop(response::decode(&frame)));
        assert!(info.bytes_max <= 2 * frame.len() as u64 + (64 << 10), "{member}: {info:?}");
    }
}

/// prost does not check the wire type of map entries. It would count records as entries that this
/// crate does not.
#[test]
fn entries_cannot_hide_behind_a_wrong_wire_type() {
    let hidden = [varint(u64::from(3u32 << 3 | VARINT), 0), varint(2, 0), vec![0x0a, 0]].concat();
    let frame = record(16, BYTES, &hidden.repeat(10), 0);
    let (mut index, mut spare) = (PointIndex::new(), Vec::new());
    let error =
        request::decode(&frame, &mut index, &mut spare).expect_err("the message is malformed");
    assert_eq!(
        error.to_string(),
        "malformed request: one of the tags of a batch has the wrong wire type"
    );
    let error = response::decode(&frame).expect_err("the message is malformed");
    assert_eq!(error.to_string(), "one of the tags of a batch has the wrong wire type");
}

#[test]
fn the_words_of_refusals() {
    for (kind, text) in [
        (Entries::Calls, "more than 65536 calls of options and arguments"),
        (Entries::Options, "more than 65536 options and types of arguments"),
        (Entries::BatchTags, "more than 65536 tags of a batch"),
        (Entries::PointParts, "more than 65536 dimensions, tags and fields of a point"),
    ] {
        assert_eq!(EntriesError::TooMany(kind).to_string(), text);
    }
    assert_eq!(
        InitError::TooManyCalls.to_string(),
        "too many options: the task has more than 65536 calls and arguments together"
    );
}
