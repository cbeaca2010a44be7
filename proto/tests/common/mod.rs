//! Points for property tests in every valid encoding, compared with prost.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use udf_proto::messages;
use udf_proto::point::{FieldValue, PointCheck, PointIndex, Problem};
use udf_proto::{Point, PointBuf};

/// Runs few cases by default. `PROPTEST_CASES` sets another number. A failure is printed in full,
/// and no file is written.
pub(crate) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = std::env::var("PROPTEST_CASES").map_or(100, |_| default.cases);
    ProptestConfig { cases, failure_persistence: None, ..default }
}

pub(crate) const VARINT: u32 = 0;
pub(crate) const FIXED64: u32 = 1;
pub(crate) const BYTES: u32 = 2;
pub(crate) const FIXED32: u32 = 5;

/// The map members of a point: tags, floats, integers, text, booleans.
pub(crate) const MAPS: [u32; 5] = [7, 8, 9, 10, 12];

/// Encodes `value` as a varint with up to `pad` unnecessary bytes.
pub(crate) fn varint(mut value: u64, pad: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    for _ in 0..pad.min(10 - out.len()) {
        let last = out.len() - 1;
        out[last] |= 0x80;
        out.push(0);
    }
    out
}

/// Encodes a record: its key and its value.
pub(crate) fn record(member: u32, wire_type: u32, value: &[u8], pad: usize) -> Vec<u8> {
    // prost reads keys of 32 bits, which have at most five bytes.
    let mut out = varint(u64::from(member << 3 | wire_type), pad.min(1));
    if wire_type == BYTES {
        out.extend(varint(value.len() as u64, pad));
    }
    out.extend_from_slice(value);
    out
}

/// A record of a point, and for an entry of a map its class and name.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) bytes: Vec<u8>,
    pub(crate) entry: Option<(u32, String)>,
}

pub(crate) fn concat(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| record.bytes.clone()).collect()
}

/// Generates few different names, so that names repeat, and any other text.
pub(crate) fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop_oneof![Just(""), Just("a"), Just("b"), Just("cpu"), Just("host"), Just("größe")]
            .prop_map(str::to_owned),
        4 => "[a-z_]{1,12}",
        1 => any::<String>(),
        1 => (120..140usize).prop_map(|length| "x".repeat(length)),
        1 => (60..150usize).prop_map(|length| "é".repeat(length)),
    ]
}

fn pad() -> impl Strategy<Value = usize> {
    prop_oneof![8 => Just(0usize), 1 => 1usize..10]
}

/// Generates the value of an entry of `map`, with its key.
fn value(map: u32) -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![any::<u64>(), 0..300u64];
    match map {
        8 => any::<u64>().prop_map(|bits| record(2, FIXED64, &bits.to_le_bytes(), 0)).boxed(),
        9 | 12 => (number, pad())
            .prop_map(|(number, pad)| record(2, VARINT, &varint(number, pad), pad))
            .boxed(),
        _ => (name(), pad()).prop_map(|(text, pad)| record(2, BYTES, text.as_bytes(), pad)).boxed(),
    }
}

/// Generates an unknown member of any wire type, including nested groups.
fn unknown() -> BoxedStrategy<Vec<u8>> {
    let number = prop_oneof![13..16u32, 16..20u32, Just((1 << 29) - 1)];
    let leaf = (number.clone(), any::<u64>(), vec(any::<u8>(), 0..9), pad(), 0..4).prop_map(
        |(member, bits, bytes, pad, kind)| match kind {
            0 => record(member, VARINT, &varint(bits, pad), pad),
            1 => record(member, FIXED64, &bits.to_le_bytes(), pad),
            2 => record(member, FIXED32, &bits.to_le_bytes()[..4], pad),
            _ => record(member, BYTES, &bytes, pad),
        },
    );
    leaf.prop_recursive(4, 12, 3, move |inner| {
        (number.clone(), vec(inner, 0..4)).prop_map(|(member, inner)| {
            let mut out = record(member, 3, &inner.concat(), 0);
            out.extend(record(member, 4, &[], 0));
            out
        })
    })
    .boxed()
}

/// Generates an entry of a map, in the usual encoding or with repeated and missing parts in any
/// order.
fn entry() -> BoxedStrategy<Record> {
    let make = |map: u32, parts: Vec<(Option<String>, Vec<u8>)>, pad: usize| {
        let name = parts.iter().rev().find_map(|(name, _)| name.clone()).unwrap_or_default();
        let body = parts.into_iter().flat_map(|(_, bytes)| bytes).collect::<Vec<_>>();
        Record { bytes: record(map, BYTES, &body, pad), entry: Some((map, name)) }
    };
    proptest::sample::select(&MAPS[..])
        .prop_flat_map(move |map| {
            let key = |pad| {
                move |name: String| {
                    let bytes = record(1, BYTES, name.as_bytes(), pad);
                    (Some(name), bytes)
                }
            };
            let any_key = (name(), pad()).prop_map(move |(name, pad)| key(pad)(name));
            let any_value = value(map).prop_map(|bytes| (None, bytes));
            let other = unknown().prop_map(|bytes| (None, bytes));
            let usual = (name().prop_map(key(0)), any_value.clone())
                .prop_map(move |(key, value)| make(map, vec![key, value], 0));
            let part = prop_oneof![3 => any_key, 3 => any_value, 1 => other];
            let odd = (vec(part, 0..5), pad()).prop_map(move |(parts, pad)| make(map, parts, pad));
            prop_oneof![4 => usual, 1 => odd]
        })
        .boxed()
}

/// Generates a record of a point that is valid for prost.
pub(crate) fn any_record() -> BoxedStrategy<Record> {
    let plain = |bytes| Record { bytes, entry: None };
    let text = (2..=6u32, name(), pad())
        .prop_map(move |(member, text, pad)| plain(record(member, BYTES, text.as_bytes(), pad)));
    let time = (any::<u64>(), pad())
        .prop_map(move |(time, pad)| plain(record(1, VARINT, &varint(time, pad), pad)));
    let by_name = (0..3u64, pad())
        .prop_map(move |(by_name, pad)| plain(record(11, VARINT, &varint(by_name, pad), pad)));
    prop_oneof![
        3 => text,
        1 => time,
        1 => by_name,
        6 => entry(),
        1 => unknown().prop_map(plain),
    ]
    .boxed()
}

/// Generates the records of a point: usually few, sometimes enough for a table of names.
pub(crate) fn records() -> impl Strategy<Value = Vec<Record>> {
    prop_oneof![6 => vec(any_record(), 0..14), 1 => vec(any_record(), 60..130)]
}

/// Generates a point in the usual encoding.
pub(crate) fn message() -> impl Strategy<Value = messages::Point> {
    let texts = (name(), name(), name(), name());
    let maps = (
        proptest::collection::btree_map(name(), name(), 0..5),
        proptest::collection::btree_map(name(), any::<f64>(), 0..7),
        proptest::collection::btree_map(name(), any::<i64>(), 0..4),
        proptest::collection::btree_map(name(), name(), 0..4),
        proptest::collection::btree_map(name(), any::<bool>(), 0..4),
    );
    (any::<i64>(), texts, vec(name(), 0..4), maps, any::<bool>()).prop_map(
        |(time, texts, dimensions, maps, by_name)| messages::Point {
            time,
            name: texts.0,
            database: texts.1,
            retention_policy: texts.2,
            group: texts.3,
            dimensions,
            tags: maps.0,
            fields_double: maps.1,
            fields_int: maps.2,
            fields_string: maps.3,
            by_name,
            fields_bool: maps.4,
        },
    )
}

/// Generates damage: each change overwrites, inserts, removes or cuts bytes.
pub(crate) fn damage() -> impl Strategy<Value = Vec<(u8, prop::sample::Index, u8)>> {
    // Bytes with a meaning in this format reach more code.
    let byte = prop_oneof![any::<u8>(), 0..0x80u8, Just(0x80), Just(0xff), Just(0x0a), Just(0x12)];
    vec((0..8u8, any::<prop::sample::Index>(), byte), 1..4)
}

pub(crate) fn damaged(mut bytes: Vec<u8>, damage: &[(u8, prop::sample::Index, u8)]) -> Vec<u8> {
    for (kind, place, byte) in damage {
        let at = place.index(bytes.len() + 1);
        match kind {
            0 => bytes.truncate(at),
            1 | 2 => bytes.insert(at, *byte),
            _ if at == bytes.len() => {}
            3 => drop(bytes.remove(at)),
            4 => bytes[at] ^= 1 << (byte % 8),
            5 => bytes[at] = bytes[at].wrapping_add(1),
            _ => bytes[at] = *byte,
        }
    }
    bytes
}

/// Parses `bytes` with both parsers. Either both return the same point, or both refuse.
///
/// The only exception is the wire type of maps, which prost does not check. A check without an index
/// gives the verdict of the index.
pub(crate) fn agrees(index: &mut PointIndex, bytes: &[u8]) -> Option<messages::Point> {
    assert_eq!(PointCheck::new().check(bytes), index.parse(bytes).map(drop), "{bytes:02x?}");
    match (index.parse(bytes), messages::Point::decode(bytes)) {
        (Ok(point), Ok(message)) => {
            same(point, &message);
            same(point.to_buf().as_point(), &message);
            Some(message)
        }
        (Err(error), Ok(_)) => {
            let maps = ["tags", "fieldsDouble", "fieldsInt", "fieldsString", "fieldsBool"];
            assert!(
                error.problem == Problem::WrongType
                    && error.member.is_some_and(|member| maps.contains(&member)),
                "prost takes {bytes:02x?}, we do not: {error}"
            );
            None
        }
        (Ok(point), Err(error)) => panic!("prost refuses {bytes:02x?}: {error}; we take {point:?}"),
        (Err(error), Err(_)) => {
            assert!(error.offset <= bytes.len(), "{error}");
            None
        }
    }
}

/// Checks that every method of a point returns what prost's message contains.
pub(crate) fn same(point: Point<'_>, message: &messages::Point) {
    assert_eq!(point.time(), message.time);
    assert_eq!(point.name(), message.name);
    assert_eq!(point.database(), message.database);
    assert_eq!(point.retention_policy(), message.retention_policy);
    assert_eq!(point.group(), message.group);
    assert_eq!(point.by_name(), message.by_name);
    assert!(point.dimensions().eq(message.dimensions.iter().map(String::as_str)));

    let tags = point.tags().collect::<Vec<_>>();
    let names = tags.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), tags.len(), "a tag comes twice: {tags:?}");
    assert!(names.into_iter().eq(message.tags.keys()));
    for (name, value) in tags {
        assert_eq!(value, message.tags[name]);
        assert_eq!(point.tag(name), Some(value));
    }

    let fields = point.fields().collect::<Vec<_>>();
    let (mut floats, mut ints, mut texts, mut bools) =
        <(Vec<_>, Vec<_>, Vec<_>, Vec<_>)>::default();
    for (name, value) in &fields {
        match *value {
            FieldValue::Float(value) => {
                assert_eq!(value.to_bits(), message.fields_double[*name].to_bits());
                floats.push(*name);
            }
            FieldValue::Int(value) => {
                assert_eq!(value, message.fields_int[*name]);
                ints.push(*name);
            }
            FieldValue::String(value) => {
                assert_eq!(value, message.fields_string[*name]);
                texts.push(*name);
            }
            FieldValue::Bool(value) => {
                assert_eq!(value, message.fields_bool[*name]);
                bools.push(*name);
            }
        }
    }
    for names in [&mut floats, &mut ints, &mut texts, &mut bools] {
        names.sort_unstable();
    }
    assert!(floats.iter().eq(message.fields_double.keys()));
    assert!(ints.iter().eq(message.fields_int.keys()));
    assert!(texts.iter().eq(message.fields_string.keys()));
    assert!(bools.iter().eq(message.fields_bool.keys()));

    for (name, _) in &fields {
        // If several maps contain the name, a look-up returns the last entry on the wire.
        let last = fields.iter().rev().find(|(other, _)| other == name);
        looks_up(point, name, last.map(|(_, value)| *value));
    }
    for absent in ["absent", "a\u{0}", "hos", "hostt"] {
        if fields.iter().all(|(name, _)| *name != absent) {
            looks_up(point, absent, None);
        }
        assert_eq!(point.tag(absent), message.tags.get(absent).map(String::as_str));
    }
}

/// Checks every look-up of `name` against `value`, including the errors.
fn looks_up(point: Point<'_>, name: &str, value: Option<FieldValue<'_>>) {
    let bits = |value: FieldValue<'_>| match value {
        FieldValue::Float(value) => format!("{:x}", value.to_bits()),
        other => format!("{other:?}"),
    };
    assert_eq!(point.field(name).map(bits), value.map(bits));
    let number = value.and_then(FieldValue::number).map(f64::to_bits);
    assert_eq!(point.number(name).ok().map(f64::to_bits), number);
    let (mut float, mut int, mut text, mut boolean) = (None, None, None, None);
    match value {
        Some(FieldValue::Float(value)) => float = Some(value.to_bits()),
        Some(FieldValue::Int(value)) => int = Some(value),
        Some(FieldValue::String(value)) => text = Some(value),
        Some(FieldValue::Bool(value)) => boolean = Some(value),
        None => {}
    }
    assert_eq!(point.float(name).ok().map(f64::to_bits), float);
    assert_eq!(point.int(name).ok(), int);
    assert_eq!(point.string(name).ok(), text);
    assert_eq!(point.bool(name).ok(), boolean);
}

/// Parses bytes that are a valid point.
pub(crate) fn point(bytes: Vec<u8>) -> PointBuf {
    PointBuf::parse(bytes).expect("these bytes are a point")
}
