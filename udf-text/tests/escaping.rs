//! Names, tag values and texts are read and written as in InfluxDB 1.x.
//!
//! The expected results come from InfluxDB's own parser, in the version of Kapacitor 1.5.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use influxdb_line_protocol as influx;
use proptest::prelude::*;
use udf_proto::point::FieldValue;
use udf_proto::{PointBuf, messages};
use udf_text::line_protocol::{
    Grouping, LineReader, MAX_KEY, MAX_TIME, MIN_TIME, Precision, append_batch, append_line,
    append_point,
};

fn read(text: &str) -> Result<Vec<PointBuf>, String> {
    let mut lines = LineReader::new(text.as_bytes(), Grouping::none());
    let points = std::iter::from_fn(|| lines.next_point().transpose());
    points.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn one(text: &str) -> PointBuf {
    let mut points = read(text).unwrap();
    assert_eq!(points.len(), 1, "{text}");
    points.remove(0)
}

fn write(point: &PointBuf) -> Result<String, String> {
    let mut out = Vec::new();
    append_point(point.as_point(), &mut out).map_err(|error| {
        assert!(out.is_empty(), "a part of a refused point was written");
        error.to_string()
    })?;
    Ok(String::from_utf8(out).unwrap())
}

/// A place in a line, with functions that write and read a name there.
type Place = (&'static str, fn(&str) -> String, fn(&PointBuf) -> String);

const MEASUREMENT: Place =
    ("measurement", |raw| format!("{raw} x=1i 1\n"), |point| point.as_point().name().to_owned());
const TAG: Place = (
    "name of a tag",
    |raw| format!("m,{raw}=v x=1i 1\n"),
    |point| point.as_point().tags().next().unwrap().0.to_owned(),
);
const VALUE: Place = (
    "value of a tag",
    |raw| format!("m,t={raw} x=1i 1\n"),
    |point| point.as_point().tags().next().unwrap().1.to_owned(),
);
const FIELD: Place = (
    "name of a field",
    |raw| format!("m {raw}=1i 1\n"),
    |point| point.as_point().fields().next().unwrap().0.to_owned(),
);
const TEXT: Place = (
    "text",
    |raw| format!("m x=\"{raw}\" 1\n"),
    |point| point.as_point().string("x").unwrap().to_owned(),
);

/// The raw text, the name, and the places. The writer returns the same raw text.
const ROUND_TRIPS: &[(&str, &str, &[Place])] = &[
    (r"a\ b", "a b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"a\,b", "a,b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"a\=b", "a=b", &[TAG, VALUE, FIELD]),
    ("a=b", "a=b", &[MEASUREMENT, TEXT]),
    ("a\"b", "a\"b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    ("\"a\"", "\"a\"", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r#"a\"b"#, r#"a\"b"#, &[TAG, VALUE]),
    (r#"a\"b"#, r#"a"b"#, &[TEXT]),
    // Backslashes stand for themselves, alone and in pairs.
    (r"a\b", r"a\b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"\\srv\perf", r"\\srv\perf", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"\\srv01\data", r"\\srv01\data", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"a\\\b", r"a\\\b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r"a\\b", r"a\b", &[TEXT]),
    // A byte that needs an escape gets one more backslash.
    (r"C:\\ Users", r"C:\ Users", &[MEASUREMENT, TAG, VALUE]),
    (r"a\\,b", r"a\,b", &[MEASUREMENT, TAG, VALUE]),
    (r"a\\=b", r"a\=b", &[TAG, VALUE, MEASUREMENT]),
    (r"a\\\ b", r"a\\ b", &[MEASUREMENT, TAG, VALUE, FIELD]),
    (r#"a\\"b"#, r#"a\"b"#, &[MEASUREMENT, FIELD]),
    ("a\tb", "a\tb", &[MEASUREMENT, TAG, VALUE, FIELD, TEXT]),
    ("a\nb", "a\nb", &[TEXT]),
    ("a,b = c", "a,b = c", &[TEXT]),
    (r"é\ü", r"é\ü", &[MEASUREMENT, TAG, VALUE, FIELD]),
];

#[test]
fn names_values_and_texts_are_read_and_written_as_influxdb_does() {
    for (raw, meant, places) in ROUND_TRIPS {
        for (place, put, take) in *places {
            let point = one(&put(raw));
            assert_eq!(take(&point), *meant, "the {place} of {}", put(raw));
            assert_eq!(write(&point).unwrap(), put(raw), "the {place} {meant}");
        }
    }
}

/// The same for raw text that the writer writes differently. The third value is the text of the
/// writer.
#[test]
fn needless_backslashes_are_read() {
    for (raw, meant, written, (place, put, take)) in [
        (r"cpu\=load", "cpu=load", "cpu=load", MEASUREMENT),
        (r#"a\"b"#, "a\"b", "a\"b", MEASUREMENT),
        (r#"a\"b"#, "a\"b", "a\"b", FIELD),
        ("=b", "=b", r"\=b", VALUE),
        (r"a\b", r"a\b", r"a\\b", TEXT),
    ] {
        let point = one(&put(raw));
        assert_eq!(take(&point), meant, "the {place} of {}", put(raw));
        assert_eq!(write(&point).unwrap(), put(written));
    }
}

#[test]
fn a_backslash_keeps_a_line_break_in_a_name() {
    let point = one("m,t=a\\\nb x=1 1\n");
    assert_eq!(point.as_point().tag("t"), Some("a\\\nb"));
    assert_eq!(
        write(&point).unwrap_err(),
        "the value of a tag, \"a\\\\\\nb\" has a line break in it"
    );
    // Two backslashes do not keep it. In text, the backslash stands for itself.
    assert!(read("m,t=a\\\\\nm x=1 1\n").is_err());
    assert_eq!(one("m x=\"a\\\nb\" 1\n").as_point().string("x"), Ok("a\\\nb"));
    let error = read("m,path=C:\\\nm,path=D:\\ x=1").unwrap_err();
    assert!(
        error.ends_with("; a backslash at the end of a row joins it with the next one"),
        "{error}"
    );
}

fn field(name: &str) -> PointBuf {
    PointBuf::from(messages::Point {
        name: "m".into(),
        fields_int: [(name.to_owned(), 1)].into(),
        ..Default::default()
    })
}

#[test]
fn what_influxdb_would_read_as_something_else_is_refused() {
    // InfluxDB refuses `a\\ b=1i`, and reads another name from `a\\=b=1i`.
    for name in [r"a\ b", r"a\,b", r"a\=b", r"a\\\ b"] {
        let error = write(&field(name)).unwrap_err();
        assert_eq!(
            error,
            format!("the field {name:?} has a backslash before a blank, a comma or =")
        );
    }
    for line in [r"m a\\ b=1i", r"m a\\=b=1i 1", r"m a\\,b=1i 1", r"m x=1,a\\\\ b=1i"] {
        assert!(read(line).unwrap_err().contains("which InfluxDB cannot read"), "{line}");
    }
    assert_eq!(write(&field("\ta")).unwrap_err(), "the field \"\\ta\" begins with a tab or NUL");
    for name in ["a\\", "\\"] {
        assert!(write(&field(name)).unwrap_err().ends_with("ends with a backslash"));
    }

    let named = |name: &str, text: &str| {
        PointBuf::from(messages::Point {
            name: name.into(),
            fields_string: [("t".to_owned(), text.to_owned())].into(),
            ..Default::default()
        })
    };
    // InfluxDB would read past the line break, or stop before it.
    assert!(write(&named("a\\ b=c\"d", "")).unwrap_err().contains("where its line ends"));
    assert!(write(&named("a\\ b\\,c", "x\ny")).unwrap_err().contains("where its line ends"));
    assert_eq!(write(&named("a\\ b", "x\ny")).unwrap(), "a\\\\ b t=\"x\ny\" 0\n");
}

#[test]
fn times_are_those_that_influxdb_stores() {
    for time in [MIN_TIME, -1, 0, MAX_TIME] {
        let point = one(&format!("m x=1i {time}\n"));
        assert_eq!(point.as_point().time(), time);
        assert_eq!(write(&point).unwrap(), format!("m x=1i {time}\n"));
    }
    let message = |time| messages::Point { time, ..field("x").as_point().into() };
    for time in [i64::MIN, i64::MIN + 1, i64::MAX] {
        let error = read(&format!("m x=1 {time}")).unwrap_err();
        assert!(
            error.starts_with(&format!("line 1: the time {time} is out of range: ")),
            "{error}"
        );
        let error = write(&PointBuf::from(message(time))).unwrap_err();
        assert_eq!(error, format!("its time {time} is outside of the range that InfluxDB stores"));
    }
    for (time, reason) in [
        ("9223372036854775808", "the time 9223372036854775808 is out of range: times are from"),
        ("+3", "`+3` is not a time"),
        ("3.0", "`3.0` is not a time"),
        ("-", "`-` is not a time"),
        ("1e9", "`1e9` is not a time"),
    ] {
        let error = read(&format!("cpu v=1 {time}")).unwrap_err();
        assert!(error.starts_with(&format!("line 1: {reason}")), "{error}");
    }
    assert_eq!(one("m x=1 007").as_point().time(), 7);
}

#[test]
fn times_have_the_precision_that_is_set() {
    let read = |precision, time: &str| {
        let text = format!("m x=1 {time}");
        let lines = LineReader::new(text.as_bytes(), Grouping::none());
        let point = lines.precision(Precision::parse(precision).unwrap()).next_point();
        point.map(|point| point.unwrap().as_point().time()).map_err(|error| error.to_string())
    };
    for (names, nanos) in [
        (&["n", "ns"][..], 1),
        (&["u", "us", "µs"], 1_000),
        (&["ms"], 1_000_000),
        (&["s"], 1_000_000_000),
        (&["m"], 60_000_000_000),
        (&["h"], 3_600_000_000_000),
    ] {
        for name in names {
            assert_eq!(read(name, "-7"), Ok(-7 * nanos));
            assert_eq!(Precision::parse(name).unwrap().nanos(), nanos);
        }
        let unit = Precision::parse(names[0]).unwrap();
        assert_eq!(Precision::parse(&unit.to_string()), Some(unit));
    }
    assert_eq!(read("s", "1439856000"), Ok(1_439_856_000_000_000_000));
    assert_eq!(read("ms", "1439856000000"), Ok(1_439_856_000_000_000_000));
    let error = read("s", "1439856000000000000").unwrap_err();
    assert!(error.contains("is out of range with the precision s: "), "{error}");
}

#[test]
fn numbers_are_those_of_influxdb() {
    for (text, bits) in [
        ("-0.0", (-0.0_f64).to_bits()),
        ("-0", (-0.0_f64).to_bits()),
        ("0", 0),
        ("1.", 1.0_f64.to_bits()),
        (".5", 0.5_f64.to_bits()),
        ("-.5", (-0.5_f64).to_bits()),
        ("1E5", 1e5_f64.to_bits()),
        ("1e+5", 1e5_f64.to_bits()),
        ("1e-400", 0),
        ("00012", 12.0_f64.to_bits()),
    ] {
        let point = one(&format!("m x={text} 1"));
        assert_eq!(point.as_point().float("x").map(f64::to_bits), Ok(bits), "{text}");
    }
    assert_eq!(write(&one("m v=-0.0 1\n")).unwrap(), "m v=-0.0 1\n");
    for text in
        ["+1", "1e", "e5", ".", "-", "--1", "1_0", "0x1", "inf", "nan", "1e999", "1e5i", "+5i"]
    {
        assert!(read(&format!("m x={text} 1")).is_err(), "{text}");
    }
}

#[test]
fn the_measurement_and_tags_have_the_limit_of_influxdb() {
    let line = |length: usize| format!("m,t={} x=1i 1\n", "v".repeat(length - "m,t=".len()));
    let point = one(&line(MAX_KEY));
    assert_eq!(write(&point).unwrap(), line(MAX_KEY));
    let limit = "its measurement and tags are longer than 65535 bytes, which is InfluxDB's limit";
    assert_eq!(read(&line(MAX_KEY + 1)).unwrap_err(), format!("line 1: {limit}"));
    let (value, mut out) = ("v".repeat(MAX_KEY), Vec::new());
    let fields = [("x", FieldValue::Int(1))];
    let error = append_line("m", [("t", &*value)], fields, 1, &mut out).unwrap_err();
    assert_eq!((error.to_string(), out.len()), (limit.to_owned(), 0));
}

#[test]
fn the_comment_of_a_batch_hides_no_line() {
    let comment = |name: &str, value: &str| {
        let mut out = b"m x=1i 1\n".to_vec();
        let written = append_batch(name, [("t", value), ("none", "")], 60, &mut out);
        out.extend_from_slice(b"m x=2i 2\n");
        let out = String::from_utf8(out).unwrap();
        assert_eq!(read(&out).unwrap().len(), 2, "{out}");
        let between = out.strip_prefix("m x=1i 1\n").unwrap().strip_suffix("m x=2i 2\n").unwrap();
        written.map(|()| between.to_owned()).map_err(|error| {
            assert_eq!(between, "", "nothing is left of it");
            error.to_string()
        })
    };
    assert_eq!(comment("m,1", "a b=\"c\""), Ok("# batch m\\,1,t=a\\ b\\=\"c\" 60\n".to_owned()));
    assert!(comment("m\n", "a").is_err());
    assert!(comment("m", "a\\").is_err());
    // InfluxDB would take the quote for the start of a text, with all lines behind it.
    assert!(comment("a=b", "\"c").unwrap_err().contains("cannot tell where its line ends"));
}

/// Generates names, most of which can be written, with all bytes that have a meaning in a line.
fn name() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a\\\\\"=, é][ ,=\"\\\\a\t\r#é]{0,5}[ab=\" ,]").unwrap()
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[ ,=\"\\\\#\n\t\r\0aé']{0,6}").unwrap()
}

fn map<V: std::fmt::Debug>(
    values: impl Strategy<Value = V>,
) -> impl Strategy<Value = BTreeMap<String, V>> {
    proptest::collection::btree_map(name(), values, 0..3)
}

fn point() -> impl Strategy<Value = messages::Point> {
    let floats = any::<f64>().prop_filter("a number", |value| value.is_finite());
    let fields = (map(floats), map(any::<i64>()), map(text()), map(any::<bool>()));
    (name(), MIN_TIME..=MAX_TIME, map(name()), fields).prop_map(
        |(name, time, tags, (fields_double, fields_int, fields_string, fields_bool))| {
            messages::Point {
                name,
                time,
                tags,
                fields_double,
                fields_int,
                fields_string,
                fields_bool,
                ..Default::default()
            }
        },
    )
}

/// The parts of a point that a line contains. Of a field with two types, the value that the reader
/// keeps.
type Parts<'a> = (&'a str, i64, Vec<(&'a str, &'a str)>, BTreeMap<&'a str, FieldValue<'a>>);

fn parts(point: &PointBuf) -> Parts<'_> {
    let point = point.as_point();
    (point.name(), point.time(), point.tags().collect(), point.fields().collect())
}

/// Parses a line with the parser of InfluxDB 3.
fn parts_of_influxdb_3<'a>(line: &'a influx::ParsedLine<'_>) -> Parts<'a> {
    let tags = line.series.tag_set.iter().flatten();
    let fields = line.field_set.iter().map(|(name, value)| {
        let value = match value {
            influx::FieldValue::I64(value) => FieldValue::Int(*value),
            influx::FieldValue::F64(value) => FieldValue::Float(*value),
            influx::FieldValue::String(text) => FieldValue::String(text),
            influx::FieldValue::Boolean(value) => FieldValue::Bool(*value),
            influx::FieldValue::U64(value) => panic!("{value}u was never written"),
        };
        (name.as_str(), value)
    });
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (&line.series.measurement, line.timestamp.unwrap(), tags, fields.collect())
}

/// Returns whether the parsers of InfluxDB 1.x and 3 agree on a name. The documentation of the
/// module lists the differences.
fn is_agreed(name: &str) -> bool {
    !name.contains('\t')
        && !name.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && b"\\\"= ,".contains(&pair[1]))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_point_that_is_written_reads_as_the_same_point(message in point()) {
        let point = PointBuf::from(message.clone());
        match write(&point) {
            Ok(written) => {
                // Between other lines, so that a line that parses as two or as a half is detected.
                let text = format!("m x=1 1\n{written}m x=2 2\n");
                let points = read(&text).unwrap();
                prop_assert_eq!(points.len(), 3, "{}", text);
                prop_assert_eq!(parts(&points[1]), parts(&point), "{}", text);
                let agreed = is_agreed(&message.name)
                    && message.tags.iter().all(|(name, value)| is_agreed(name) && is_agreed(value))
                    && point.as_point().fields().all(|(name, _)| is_agreed(name));
                if agreed {
                    let lines: Vec<_> =
                        influx::parse_lines(&written).collect::<Result<_, _>>().unwrap();
                    prop_assert_eq!(lines.len(), 1, "{}", written);
                    prop_assert!(parts_of_influxdb_3(&lines[0]) == parts(&point), "{written}");
                }
            }
            // All other points can be written.
            Err(why) => prop_assert!(
                why == "it has no field"
                    || why.contains("has a backslash before a blank, a comma or =")
                    || why.contains("where its line ends"),
                "{why}"
            ),
        }
    }

    #[test]
    fn what_is_read_can_be_written_unless_a_name_has_a_line_break(
        text in "([mxe1,= \"\\\\\n\t\r#ti.u-]|x=1|,a=b| |é){0,24} x=1",
    ) {
        let mut lines = LineReader::new(text.as_bytes(), Grouping::none());
        while let Ok(Some(point)) = lines.next_point() {
            match write(&point) {
                Ok(written) => {
                    let again = one(&written);
                    prop_assert_eq!(parts(&again), parts(&point), "{}", text);
                }
                Err(why) => prop_assert!(
                    why.ends_with("has a line break in it") || why.contains("where its line ends"),
                    "{why}"
                ),
            }
        }
    }
}
