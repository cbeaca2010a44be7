//! Points that are written as lines without an index, compared with the general way.

use proptest::prelude::*;
use udf_proto::point::PointIndex;
use udf_proto::{PointBuf, messages};
use udf_text::line_protocol::{MAX_TIME, MIN_TIME, append_encoded, append_point};

const BEFORE: &[u8] = b"before\n";

/// Writes a point both ways. Returns the line, or none if it takes the general way.
fn line(point: &[u8]) -> Option<String> {
    let (mut quick, mut general) = (BEFORE.to_vec(), BEFORE.to_vec());
    let is_taken = append_encoded(point, &mut quick);
    let mut index = PointIndex::new();
    let generally = index
        .parse(point)
        .map_err(|error| error.to_string())
        .and_then(|point| append_point(point, &mut general).map_err(|error| error.to_string()));
    if !is_taken {
        assert_eq!(quick, BEFORE, "bytes of a refused point remain");
        return None;
    }
    assert_eq!(generally, Ok(()), "written: {:?}", String::from_utf8_lossy(&quick));
    assert_eq!(String::from_utf8_lossy(&quick), String::from_utf8_lossy(&general));
    Some(String::from_utf8(quick[BEFORE.len()..].to_vec()).expect("a line is text"))
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The value of a record.
#[derive(Debug, Clone)]
enum Value {
    Number(u64),
    Float(f64),
    Text(Vec<u8>),
    /// The name and the value of an entry of a map.
    Entry(Vec<u8>, Box<Value>),
}

fn record(member: u8, value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(value) => {
            out.push(member << 3);
            varint(*value, out);
        }
        Value::Float(value) => {
            out.push(member << 3 | 1);
            out.extend(value.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(member << 3 | 2);
            varint(text.len() as u64, out);
            out.extend(text);
        }
        Value::Entry(name, value) => {
            let mut entry = Vec::new();
            record(1, &Value::Text(name.clone()), &mut entry);
            record(2, value, &mut entry);
            record(member, &Value::Text(entry), out);
        }
    }
}

fn encoded(records: &[(u8, Value)]) -> Vec<u8> {
    let mut out = Vec::new();
    records.iter().for_each(|(member, value)| record(*member, value, &mut out));
    out
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn entry(name: &str, value: Value) -> Value {
    Value::Entry(name.into(), Box::new(value))
}

fn float(name: &str, value: f64) -> (u8, Value) {
    (8, entry(name, Value::Float(value)))
}

fn tag(name: &str, value: &str) -> (u8, Value) {
    (7, entry(name, text(value)))
}

fn name(name: &str) -> (u8, Value) {
    (2, text(name))
}

#[test]
fn a_usual_point_is_written() {
    let mut message = messages::Point {
        time: 1_700_000_000_000_000_000,
        name: "cpu".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: "cpu\nhost=a,zone=a zone with a name of more than 128 bytes".repeat(3),
        dimensions: vec!["host".into(), "zone".into()],
        by_name: true,
        ..Default::default()
    };
    message.tags.insert("host".into(), "a".into());
    message.tags.insert("zone of a rather long name".replace(' ', "_"), "straße".into());
    message.fields_double.insert("usage".into(), 12.345678901234567);
    message.fields_double.insert("tiny".into(), -1e-300);
    message.fields_int.insert("n".into(), i64::MIN);
    message.fields_string.insert("said".into(), "\"a, b = c\\\" \n".into());
    message.fields_string.insert("story".into(), "µ ".repeat(200));
    message.fields_bool.insert("up".into(), true);
    let written = line(PointBuf::from(message).as_point().as_bytes()).expect("it is usual");
    let expected = "cpu,host=a,zone_of_a_rather_long_name=straße tiny=-1e-300,\
                    usage=12.345678901234567,n=-9223372036854775808i,\
                    said=\"\\\"a, b = c\\\\\\\" \n\",story=\"";
    assert_eq!(written, format!("{expected}{}\",up=true 1700000000000000000\n", "µ ".repeat(200)));
}

#[test]
fn names_and_texts_are_written_at_every_length() {
    for length in 1..300 {
        let long = "abcdefghij".repeat(30);
        let long = &long[300 - length..];
        let whole = encoded(&[name(long), tag(long, long), float(long, 1.5)]);
        assert_eq!(line(&whole), Some(format!("{long},{long}={long} {long}=1.5 0\n")));
        let whole = encoded(&[name("m"), (10, entry("s", text(long)))]);
        assert_eq!(line(&whole), Some(format!("m s=\"{long}\" 0\n")));
    }
}

#[test]
fn parts_come_in_the_order_of_a_line() {
    // An edit appends what it sets, so that tags and the name come behind fields.
    let parts = [
        float("a", 1.0),
        (10, entry("s", text(", = "))),
        tag("host", "a"),
        float("b", 2.0),
        tag("zone", "b"),
        name("cpu"),
        (12, entry("up", Value::Number(7))),
        (1, Value::Number(9)),
    ];
    assert_eq!(
        line(&encoded(&parts)).as_deref(),
        Some("cpu,host=a,zone=b a=1.0,s=\", = \",b=2.0,up=true 9\n")
    );
    // A separator within a late part is not overlooked.
    for unusual in [tag("host", "a b"), tag("ho=st", "a"), name("c,pu")] {
        let mut parts = parts.to_vec();
        let at = parts.iter().position(|(member, _)| *member == unusual.0).expect("there is one");
        parts[at] = unusual;
        assert_eq!(line(&encoded(&parts)), None, "{parts:?}");
    }
}

#[test]
fn a_point_of_many_fields_is_written() {
    let mut parts = vec![name("m")];
    let mut expected = "m".to_owned();
    for number in 0..128 {
        parts.push(float(&format!("field_with_a_number_{number:03}"), 0.5));
        expected += if number == 0 { " " } else { "," };
        expected += &format!("field_with_a_number_{number:03}=0.5");
    }
    assert_eq!(line(&encoded(&parts)), Some(expected + " 0\n"));
    parts.push(float("another", 1.0));
    assert_eq!(line(&encoded(&parts)), None);
}

#[test]
fn a_repeated_name_takes_the_general_way() {
    for repeated in ["a", "sixteen_bytes_it", "a_name_of_more_than_sixteen_bytes"] {
        // The last one may be so near to the end that no chunk of bytes can be read.
        let points = [
            vec![name("m"), float(repeated, 1.0), float(repeated, 2.0)],
            vec![name("m"), tag(repeated, "a"), float("f", 1.0), tag(repeated, "b")],
            vec![
                name("m"),
                (9, entry(repeated, Value::Number(1))),
                float("f", 1.0),
                (9, entry(repeated, Value::Number(1))),
            ],
            vec![name("m"), name("n"), float("f", 1.0)],
        ];
        for point in points {
            assert_eq!(line(&encoded(&point)), None, "{point:?}");
        }
        // In maps of different types, both are fields.
        let both = [name("m"), float(repeated, 1.0), (9, entry(repeated, Value::Number(1)))];
        assert_eq!(line(&encoded(&both)), Some(format!("m {repeated}=1.0,{repeated}=1i 0\n")));
    }
}

#[test]
fn a_point_without_a_line_takes_the_general_way() {
    let point = |time: i64, parts: &[(u8, Value)]| {
        let mut point = encoded(parts);
        record(1, &Value::Number(time as u64), &mut point);
        line(&point)
    };
    let one = float("f", 1.0);
    for time in [MIN_TIME, MAX_TIME] {
        assert_eq!(point(time, &[name("m"), one.clone()]), Some(format!("m f=1.0 {time}\n")));
    }
    for time in [MIN_TIME - 1, MAX_TIME + 1] {
        assert_eq!(point(time, &[name("m"), one.clone()]), None);
    }
    for unusual in ["#m", "\tm", "\0m", "m\\", "m\n", "m,", ""] {
        assert_eq!(point(0, &[name(unusual), one.clone()]), None, "{unusual:?}");
    }
    for unusual in ["\tf", "\0f", "f\\", "f=", ""] {
        assert_eq!(point(0, &[name("m"), float(unusual, 1.0)]), None, "{unusual:?}");
    }
    for unusual in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(point(0, &[name("m"), one.clone(), float("g", unusual)]), None);
    }
    for (tag_name, value) in [("t", ""), ("", "v"), ("t", "v ")] {
        assert_eq!(point(0, &[name("m"), tag(tag_name, value), one.clone()]), None);
    }
    assert_eq!(point(0, &[name("m"), tag("t", "v")]), None);
    assert_eq!(point(0, std::slice::from_ref(&one)), None);
    let long = "x".repeat(8 << 10);
    assert_eq!(point(0, &[name("m"), (10, entry("s", text(&long)))]), None);
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-z_]{1,24}".prop_map(String::into_bytes),
        2 => "[ab]{1,2}".prop_map(String::into_bytes),
        1 => "[ab]{15,17}".prop_map(String::into_bytes),
        1 => "[ab ,=\"\\\\#é\n\t\0]{0,12}".prop_map(String::into_bytes),
        1 => "é{0,200}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ]
}

fn any_text() -> impl Strategy<Value = Value> {
    any_name().prop_map(Value::Text)
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1e3..1e3, Just(f64::NAN), (-999..999).prop_map(f64::from)]
}

fn any_record() -> impl Strategy<Value = (u8, Value)> {
    let number = || prop_oneof![any::<u64>(), 0..3_u64];
    let entry = |value: BoxedStrategy<Value>| {
        (any_name(), value).prop_map(|(name, value)| Value::Entry(name, Box::new(value)))
    };
    prop_oneof![
        2 => (Just(7), entry(any_text().boxed())),
        3 => (Just(8), entry(any_float().prop_map(Value::Float).boxed())),
        2 => (Just(9), entry(number().prop_map(Value::Number).boxed())),
        2 => (Just(10), entry(any_text().boxed())),
        2 => (Just(12), entry(number().prop_map(Value::Number).boxed())),
        1 => (3..7_u8, any_text()),
        1 => (Just(11), number().prop_map(Value::Number)),
    ]
}

/// The usual parts of a point. Each may be somewhere else.
fn point() -> impl Strategy<Value = Vec<(u8, Value)>> {
    let time = prop_oneof![(MIN_TIME..=MAX_TIME), any::<i64>()];
    let time = time.prop_map(|time| (1, Value::Number(time as u64)));
    let head = (time, (Just(2), any_text())).prop_map(|(time, name)| vec![time, name]);
    (head, proptest::collection::vec(any_record(), 0..12), any::<bool>(), any::<u64>()).prop_map(
        |(mut parts, others, is_sorted, mut random)| {
            parts.extend(others);
            parts.sort_by_key(|(member, _)| *member);
            for at in 1..if is_sorted { 0 } else { parts.len() } {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                parts.swap(at, (random >> 33) as usize % (at + 1));
            }
            parts
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1024, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn any_parts_are_written_as_the_general_way_does(parts in point()) {
        line(&encoded(&parts));
    }

    #[test]
    fn broken_points_are_written_as_the_general_way_does(
        parts in point(),
        at in any::<proptest::sample::Index>(),
        byte in prop_oneof![any::<u8>(), Just(0x80), Just(0x0a), Just(0x12)],
        how in 0..4,
    ) {
        let mut point = encoded(&parts);
        let at = at.index(point.len());
        match how {
            0 => point[at] = byte,
            1 => point[at] = point[at].wrapping_add(1),
            2 => drop(point.remove(at)),
            _ => point.insert(at, byte),
        }
        line(&point);
    }
}
