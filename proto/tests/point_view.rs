//! The view of a point and prost agree on the same bytes, or both refuse them.

mod common;

use std::time::{Duration, Instant};

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use udf_proto::point::{PointIndex, Problem};
use udf_proto::{PointBuf, messages};

proptest! {
    #![proptest_config(config())]

    #[test]
    fn points_of_a_sane_encoder(messages in vec(message(), 1..4)) {
        // All points share one index: no point may affect the next.
        let mut index = PointIndex::new();
        for message in messages {
            prop_assert!(agrees(&mut index, &message.encode_to_vec()).is_some());
        }
    }

    #[test]
    fn points_of_an_adversarial_encoder(points in vec(records(), 1..3)) {
        let mut index = PointIndex::new();
        for records in points {
            let bytes = concat(&records);
            prop_assert!(agrees(&mut index, &bytes).is_some(), "prost refuses {:02x?}", bytes);
            // The order is the order on the wire, of the last entry per name.
            let mut order = Vec::new();
            for entry in records.iter().filter_map(|record| record.entry.as_ref()) {
                order.retain(|earlier| *earlier != entry);
                order.push(entry);
            }
            let point = index.parse(&bytes).unwrap();
            let of = |tags: bool| {
                order.iter().filter(move |entry| (entry.0 == 7) == tags).map(|entry| entry.1.as_str())
            };
            prop_assert!(point.tags().map(|(name, _)| name).eq(of(true)));
            prop_assert!(point.fields().map(|(name, _)| name).eq(of(false)));
        }
    }

    #[test]
    fn damaged_points(records in records(), damage in damage()) {
        agrees(&mut PointIndex::new(), &damaged(concat(&records), &damage));
    }

    #[test]
    fn damaged_points_of_a_sane_encoder(message in message(), damage in damage()) {
        agrees(&mut PointIndex::new(), &damaged(message.encode_to_vec(), &damage));
    }

    #[test]
    fn points_cut_anywhere(records in vec(any_record(), 0..6)) {
        let bytes = concat(&records);
        let mut index = PointIndex::new();
        for end in 0..bytes.len() {
            agrees(&mut index, &bytes[..end]);
        }
    }

    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..64)) {
        agrees(&mut PointIndex::new(), &bytes);
    }

    #[test]
    fn bytes_that_begin_like_a_record(
        parts in vec((1..14u32, 0..8u32, vec(prop_oneof![0..20u8, any::<u8>()], 0..12)), 0..6)
    ) {
        let parts = parts.iter().map(|(member, wire_type, bytes)| {
            record(*member, *wire_type, bytes, 0)
        });
        agrees(&mut PointIndex::new(), &parts.collect::<Vec<_>>().concat());
    }
}

fn refused(bytes: &[u8]) -> (Problem, &'static str, usize) {
    let error = PointIndex::new().parse(bytes).expect_err("the bytes are not a point");
    (error.problem, error.member.unwrap_or("none"), error.offset)
}

#[test]
fn refusals_name_the_place() {
    let time = record(1, VARINT, &[7], 0);
    let after = |bytes: Vec<u8>| refused(&[time.clone(), bytes].concat());
    assert_eq!(after(record(2, BYTES, b"\xff", 0)), (Problem::NotUtf8, "name", 2));
    assert_eq!(after(record(2, BYTES, b"\xc3", 0)), (Problem::NotUtf8, "name", 2));
    assert_eq!(after(record(3, VARINT, &[1], 0)), (Problem::WrongType, "database", 2));
    assert_eq!(after(record(7, VARINT, &[0], 0)), (Problem::WrongType, "tags", 2));
    assert_eq!(after(vec![4 << 3 | 2, 5, b'x']), (Problem::Cut, "retentionPolicy", 2));
    assert_eq!(after(vec![1 << 3, 0x80]), (Problem::Cut, "time", 2));
    assert_eq!(after([vec![9 << 3 | 2, 11], vec![0xff; 11]].concat()).0, Problem::BadVarint);
    assert_eq!(after(vec![0]), (Problem::BadKey, "none", 2));
    // Truncated to 32 bits, the number would be 1.
    let long_key = varint(1 << 32 | 8, 0);
    assert_eq!(after([long_key, vec![7]].concat()).0, Problem::BadKey);
    assert_eq!(after(vec![1 << 3 | 6]).0, Problem::BadKey);
    assert_eq!(after(record(14, 4, &[], 0)), (Problem::BadGroup, "none", 2));
    let entry = [record(1, BYTES, b"x", 0), record(2, VARINT, &[1], 0)].concat();
    assert_eq!(after(record(8, BYTES, &entry, 0)), (Problem::WrongType, "fieldsDouble", 2));

    // Text is checked for runs of records, but the error names the malformed record.
    let run = [
        record(2, BYTES, "größe".as_bytes(), 0),
        record(3, BYTES, b"telegraf", 0),
        record(6, BYTES, b"ho\xffst", 0),
        record(6, BYTES, b"host", 0),
    ];
    let offset = run[0].len() + run[1].len();
    assert_eq!(refused(&run.concat()), (Problem::NotUtf8, "dimensions", offset));
}

#[test]
fn characters_do_not_continue_in_the_next_string() {
    // Adjacent, the halves of `é` are UTF-8. Each half alone is not.
    let mut split = record(2, BYTES, b"caf\xc3", 0);
    split.extend(record(3, BYTES, b"\xa9", 0));
    assert_eq!(refused(&split).0, Problem::NotUtf8);
    let entry = [record(1, BYTES, b"\xc3", 0), record(2, BYTES, b"\xa9", 0)].concat();
    assert_eq!(refused(&record(7, BYTES, &entry, 0)).0, Problem::NotUtf8);
}

#[test]
fn groups_nest_as_deep_as_in_prost() {
    for (wrap, deepest) in [(false, 100), (true, 99)] {
        for depth in 95..105 {
            let group = [record(15, 3, &[], 0).repeat(depth), record(15, 4, &[], 0).repeat(depth)];
            let mut bytes = group.concat();
            if wrap {
                bytes = record(7, BYTES, &bytes, 0);
            }
            let taken = agrees(&mut PointIndex::new(), &bytes).is_some();
            assert_eq!(taken, depth <= deepest, "{depth} levels");
        }
    }
}

const MEMBERS: [&str; 4] = ["name", "database", "retentionPolicy", "group"];

#[test]
fn text_that_is_not_utf8_is_refused_wherever_it_stands() {
    let bad = b"a\xffb";
    for pad in [0, 1] {
        for member in 2..=6 {
            assert_eq!(refused(&record(member, BYTES, bad, pad)).0, Problem::NotUtf8);
        }
        // Also in a string that a later one replaces.
        for member in 2..=5 {
            for later in [0, 1] {
                let again = record(member, BYTES, b"good", later);
                let both = [record(member, BYTES, bad, pad), again].concat();
                assert_eq!(refused(&both), (Problem::NotUtf8, MEMBERS[member as usize - 2], 0));
            }
        }
        for (map, value) in [
            (7, record(2, BYTES, b"v", pad)),
            (8, record(2, FIXED64, &[0; 8], pad)),
            (9, record(2, VARINT, &[1], pad)),
            (10, record(2, BYTES, b"v", pad)),
            (12, record(2, VARINT, &[1], pad)),
        ] {
            let entry = [record(1, BYTES, bad, pad), value].concat();
            assert_eq!(refused(&record(map, BYTES, &entry, pad)).0, Problem::NotUtf8, "{map}");
        }
        for map in [7, 10] {
            let entry = [record(1, BYTES, b"k", pad), record(2, BYTES, bad, pad)].concat();
            assert_eq!(refused(&record(map, BYTES, &entry, pad)).0, Problem::NotUtf8, "{map}");
        }
    }
}

#[test]
fn the_fields_of_a_huge_point_are_read_in_linear_time() {
    const NAMES: u64 = 30_000;
    let mut bytes = Vec::new();
    for n in 0..2 * NAMES {
        let key = record(1, BYTES, format!("{:06}", n % NAMES).as_bytes(), 0);
        let entry = [key, record(2, VARINT, &varint(n, 0), 0)].concat();
        bytes.extend(record(9, BYTES, &entry, 0));
    }
    let point = point(bytes);
    let start = Instant::now();
    let fields = point.as_point().fields().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(fields.len() as u64, NAMES);
    assert!(fields.is_sorted());
    // The table of names takes less than a second.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(point.as_point().int("029999").unwrap(), 59_999);
    assert_eq!(point.as_point().int("000000").unwrap(), 30_000);
}

#[test]
fn a_point_of_a_message_keeps_the_sign_of_zero() {
    let message = messages::Point {
        name: "m".into(),
        fields_double: [("a".to_owned(), -0.0), ("b".to_owned(), 0.0)].into(),
        fields_int: [("c".to_owned(), 1)].into(),
        by_name: true,
        ..Default::default()
    };
    let point = PointBuf::from(message.clone());
    let point = point.as_point();
    assert!(point.float("a").is_ok_and(|value| value == 0.0 && value.is_sign_negative()));
    assert!(point.float("b").is_ok_and(|value| value == 0.0 && value.is_sign_positive()));
    assert_eq!(point.fields().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(messages::Point::from(point), message);
}

#[test]
fn the_last_entry_of_a_name_counts_among_any_number_of_entries() {
    let mut index = PointIndex::new();
    for count in 1..200_usize {
        for repeated in [0, count / 2, count - 1] {
            // A name of each length, beside one that differs in its last byte only.
            let name = |at: usize| format!("{}{}", "x".repeat(at / 2), at % 2);
            let mut bytes = Vec::new();
            for at in (0..count).chain([repeated]) {
                let tag = messages::Point {
                    tags: [(name(at), "a".to_owned())].into(),
                    fields_int: [(name(at), 1)].into(),
                    ..Default::default()
                };
                tag.encode(&mut bytes).unwrap();
            }
            let point = index.parse(&bytes).unwrap();
            let expected = (0..count).filter(|at| *at != repeated).chain([repeated]).map(name);
            let expected = expected.collect::<Vec<_>>();
            assert!(point.tags().map(|(name, _)| name).eq(expected.iter()), "{count}, {repeated}");
            assert!(
                point.fields().map(|(name, _)| name).eq(expected.iter()),
                "{count}, {repeated}"
            );
        }
    }
}
