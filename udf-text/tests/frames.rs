//! Frames contain the points that messages contain, whichever parser has read them.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use udf_proto::PointBuf;
use udf_proto::point::{FieldValue, PointIndex};
use udf_proto::request;
use udf_text::line_protocol::{Grouping, LineProblem, LineReader, MAX_KEY, Precision};

/// Everything that a line decides. Floats are bits: -0.0 is not 0.0.
#[derive(Debug, PartialEq)]
struct Parts {
    time: i64,
    /// The name, the database, the retention policy and the group.
    texts: [String; 4],
    by_name: bool,
    dimensions: Vec<String>,
    tags: Vec<(String, String)>,
    /// Sorted, with the type and the bits of the value.
    fields: Vec<(String, String)>,
}

fn parts(bytes: &[u8]) -> Parts {
    let mut index = PointIndex::new();
    let point = index.parse(bytes).unwrap();
    let texts = [point.name(), point.database(), point.retention_policy(), point.group()];
    let mut fields = Vec::new();
    for (name, value) in point.fields() {
        let value = match value {
            FieldValue::Float(value) => format!("float {:x}", value.to_bits()),
            other => format!("{other:?}"),
        };
        fields.push((name.to_owned(), value));
    }
    fields.sort();
    Parts {
        time: point.time(),
        texts: texts.map(str::to_owned),
        by_name: point.by_name(),
        dimensions: point.dimensions().map(str::to_owned).collect(),
        tags: point.tags().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        fields,
    }
}

type Read = Vec<Result<Parts, String>>;

/// Reads a text as frames and as messages. `set` makes the settings.
fn both<'a>(
    text: &'a [u8],
    grouping: &Grouping,
    set: impl Fn(LineReader<&'a [u8]>) -> LineReader<&'a [u8]>,
) -> [Read; 2] {
    let reader = || set(LineReader::new(text, grouping.clone()));
    let (mut frames, mut messages) = (reader(), reader());
    let mut out = Vec::new();
    let mut reads = [Vec::new(), Vec::new()];
    loop {
        let start = out.len();
        let read = match frames.next_frame(&mut out) {
            Ok(None) => {
                assert!(messages.next_message().unwrap().is_none());
                return reads;
            }
            // The other way skips a line that has lost all of its fields.
            Ok(Some(line)) if line.point.is_empty() => {
                assert_eq!(out.len(), start);
                continue;
            }
            Ok(Some(line)) => {
                let point = &out[line.point.clone()];
                let parts = parts(point);
                assert_eq!(parts.time, line.time);
                // The frame is one of a request, with nothing but the point.
                let (length, head) = varint(&out[start..]);
                let frame = &out[start + head..];
                assert_eq!(frame.len() as u64, length);
                assert_eq!(request::point_bytes(frame), Some(point));
                Ok(parts)
            }
            Err(error) => {
                assert_eq!(out.len(), start, "a part of a refused line is there");
                Err(error.to_string())
            }
        };
        reads[0].push(read);
        reads[1].push(match messages.next_message() {
            Ok(point) => {
                Ok(parts(PointBuf::from(point.expect("there is a line")).as_point().as_bytes()))
            }
            Err(error) => Err(error.to_string()),
        });
        assert_eq!((frames.line(), frames.bytes()), (messages.line(), messages.bytes()));
        assert_eq!(frames.raw(), messages.raw());
        assert_eq!(frames.dropped_fields(), messages.dropped_fields());
        assert_eq!(frames.likely_precision(), messages.likely_precision());
    }
}

fn varint(bytes: &[u8]) -> (u64, usize) {
    let (mut value, mut at) = (0, 0);
    loop {
        value |= u64::from(bytes[at] & 0x7f) << (7 * at);
        at += 1;
        if bytes[at - 1] < 0x80 {
            return (value, at);
        }
    }
}

fn groupings() -> [Grouping; 5] {
    [
        Grouping::none(),
        Grouping::none().by_name(true),
        Grouping::by(["host", "cpu", "zone"]),
        Grouping::by_all_tags(),
        Grouping::by_all_tags().by_name(true),
    ]
}

/// Asserts that both ways agree. Returns the points or errors.
fn agree<'a>(text: &'a [u8], set: impl Fn(LineReader<&'a [u8]>) -> LineReader<&'a [u8]>) -> Read {
    let mut last = Vec::new();
    for grouping in groupings() {
        let [frames, messages] = both(text, &grouping, &set);
        assert_eq!(frames, messages, "{:?} by {grouping:?}", String::from_utf8_lossy(text));
        last = frames;
    }
    last
}

#[test]
fn every_kind_of_value_and_escape_is_the_same_in_a_frame() {
    let words = "0 -0 0.0 -0.0 1 -1.5 5. .5 -.5 . - -. +1 1e300 1e-400 1e400 1.5E+3 1e inf NaN -inf -NaN 0x1 1_0 \
        00012.500 9007199254740992 9007199254740993 9007199254740993.0 12.345678901234567 \
        123456789012345678901234567890 0.00000000000000000000000000000000000001 \
        0.1234567890123456789 1844674407370955161.5 18446744073709551615.5 42.320917087271326 \
        0i -0i 5i -5i 9223372036854775807i 9223372036854775808i -9223372036854775808i \
        -9223372036854775809i 00000000000000000000005i 5u -5u -0u 9223372036854775807u \
        9223372036854775808u 18446744073709551615u 18446744073709551616u i u -i 5.i 5.0i 5ii 5i5 \
        t T true True TRUE tRUE f F false False FALSE truex x é";
    let texts = [
        "",
        "\"\"",
        "\"a\"",
        "\"a, b=c\"",
        "\"a\\\"b\"",
        "\"a\\\\\"",
        "\"a\\b\"",
        "\"a\\\\\\\"b\"",
        "\"a\"b",
        "\"a\"b5",
        "\"a",
        "\"é\"",
        "\"a\\",
        "\"\\\"",
        "\"a\nb\"",
        "\"a\\\nb\"",
        "\"a\\\\\nb\"",
    ];
    let values = words.split_whitespace().chain(texts);
    for value in values {
        for text in [
            format!("m x={value}"),
            format!("m x={value} 5"),
            format!("m,host=a x={value},y=1 5\nm z=2"),
            format!("m y=1,x={value}\r\n"),
        ] {
            agree(text.as_bytes(), |lines| lines);
            agree(text.as_bytes(), LineReader::drop_unfit);
        }
    }
}

#[test]
fn every_kind_of_key_is_the_same_in_a_frame() {
    let long = "v".repeat(200);
    let (long_key, long_field) = (format!("m,host={long}"), format!("{long}=\"{long}\""));
    let keys = [
        "m",
        "",
        "#m",
        "m\\ n",
        "m\\,n",
        "m\\=n",
        "m\\\\ n",
        "m\\",
        "m\"n",
        "\"m\"",
        "m=n",
        "é",
        "m,host=a",
        "m,cpu=b,host=a",
        "m,host=a,cpu=b",
        "m,host=a,host=b",
        "m,host=a,host=a",
        "m,host=",
        "m,=a",
        "m,host",
        "m,",
        "m,,host=a",
        "m,host=a,",
        "m,host==a",
        "m,host=a=b",
        "m,host=\\=a",
        "m,host=a\\ b",
        "m,host=a\\,b,zone=c\\=d",
        "m,h\\ost=a",
        "m,host=a\\",
        "m,host=a\\\\,zone=b",
        "m,host=a\\\\ b",
        "m,a\\ b=1,a!=2",
        "m,a!=1,a\\ b=2",
        "m,host=\"a",
        "m,host=\"a b\"",
        "m,host=é,zone=ü",
        "m\t,host=a\t",
        "\u{feff}m",
        "  m",
        "\0m",
        "\tm",
    ];
    let fields = [
        "x=1",
        "x=1,x=2",
        "x=1,y=2,x=3i",
        "x=1,",
        ",x=1",
        "x",
        "=1",
        "x y=1",
        "x\\ y=1",
        "x\\=1",
        "x\\\\=1",
        "x\\\\ y=1",
        "\\x=1",
        "x=1,\"y=2",
        "x\"=\"a\"",
        "x=\"a\"\"",
        "\tx=1",
        " x=1",
        "\0x=1",
        "é=1",
        "x=1,ab=2,ba=3,abc=4,acb=5",
    ];
    let ends = ["", " 5", "  5", " \t5 ", " 5 6", " x", " -5", " 5\\", "\\", " +5", " 5i"];
    let (keys, fields) = (
        keys.into_iter().chain([&*long_key]).collect::<Vec<_>>(),
        fields.into_iter().chain([&*long_field]).collect::<Vec<_>>(),
    );
    let mut lines = Vec::new();
    for key in &keys {
        lines.extend(fields.iter().map(|field| format!("{key} {field} 5")));
        lines.extend(ends.map(|end| format!("{key} x=1{end}")));
    }
    for field in fields {
        lines.extend(ends.map(|end| format!("m,host=a {field}{end}")));
    }
    for line in lines {
        // The second time, the key is known.
        agree(format!("{line}\nm y=1i 7\n{line}\r\n").as_bytes(), |lines| lines);
    }
}

#[test]
fn every_length_is_the_same_in_a_frame() {
    for length in (1..300).chain([16_300, 16_369, 16_370, 16_384, 20_000, MAX_KEY - 9, MAX_KEY]) {
        let text = "v".repeat(length);
        agree(format!("m,host={text} x=1 1").as_bytes(), |lines| lines);
        agree(format!("m {text}=\"{text}\" 1").as_bytes(), |lines| lines);
    }
    // The last field has a name that a field before it may have.
    for fields in [10, 100, 250, 255, 256, 257, 300] {
        for last in ["field_0", "field_9", "other"] {
            let names = (0..fields).map(|field| format!("field_{field}=1,")).collect::<String>();
            agree(format!("m {names}{last}=5i 1").as_bytes(), |lines| lines);
        }
    }
}

#[test]
fn every_time_is_the_same_in_a_frame() {
    for time in [
        "0",
        "-1",
        "1700000000",
        "1700000000000000001",
        "9223372036854775806",
        "9223372036854775807",
        "-9223372036854775806",
        "-9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "00000000000000000000001",
        "-",
        "1.0",
        "1e3",
    ] {
        for unit in ["ns", "u", "ms", "s", "m", "h"] {
            let unit = Precision::parse(unit);
            let text = format!("m x=1\nm x=1 {time}\nm x=2\nm x=3 x\nm x=4");
            agree(text.as_bytes(), |lines| lines.precision(unit));
            agree(text.as_bytes(), |lines| lines);
            agree(text.as_bytes(), |lines| lines.clock(|| 77));
        }
    }
}

#[test]
fn statements_without_an_end_are_one_error() {
    let mut lines = LineReader::new(&b"m x=1 1\n# DDL\nCREATE DATABASE x\n"[..], Grouping::none());
    let mut frames = Vec::new();
    assert!(lines.next_frame(&mut frames).unwrap().is_some());
    let error = lines.next_frame(&mut frames).unwrap_err();
    assert!(matches!(error.problem, LineProblem::NoDml { line: 2 }), "{error}");
    assert!(lines.next_frame(&mut frames).unwrap().is_none());
}

#[test]
fn sources_and_recordings_are_the_same_in_frames() {
    let export = "m x=1 1\n# CONTEXT-DATABASE: db\nm x=2 2\n# CONTEXT-RETENTION-POLICY: rp\n\
                  m x=3 3\n# DDL\nCREATE DATABASE x\n# DML\n# CONTEXT-DATABASE: other\nm x=4 4\n";
    for read in agree(export.as_bytes(), |lines| lines.source("mine", "week")) {
        read.unwrap();
    }
    let recording = "db\nrp\nm,host=a x=1i 1\ndb\nrp\n#m x=1 4\nother\nrp\nm x=\"a\nb\" 2\nother\nweek\nm x=oops 3\n";
    agree(recording.as_bytes(), LineReader::recordings);
    agree(recording.as_bytes(), |lines| lines.recordings().precision(Precision::Seconds));
    agree(b"not a line\nm x=1 1\n", LineReader::recordings);
    agree(b"m x=1 1\nm x=\"\xff\" 2\nm,t=\xff x=1 2\nm x=3 3\n\xff", |lines| lines);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_lines_are_the_same_in_frames(
        text in "(m|,host=a|,cpu=b| |,|x=|y=|1|-0.0|2i|5u|t|\"|\"a\"|\\\\|=|é| 1700000000000000000|\n|#|\r|\t){0,16}",
    ) {
        agree(text.as_bytes(), LineReader::drop_unfit);
    }

    #[test]
    fn lines_of_programs_are_the_same_in_frames(
        rows in prop::collection::vec(line(), 1..8),
    ) {
        let text = rows.concat();
        for read in agree(text.as_bytes(), |lines| lines) {
            read.unwrap();
        }
    }

    #[test]
    fn decimals_are_the_same_in_frames(text in "-?[0-9]{0,20}(\\.[0-9]{0,24})?(e-?[0-9]{1,3})?") {
        agree(format!("m x={text} 1").as_bytes(), |lines| lines);
    }
}

/// Returns a line as Telegraf writes it.
fn line() -> impl Strategy<Value = String> {
    let name = "([a-z_]|\\\\ |\\\\,|\\\\=|é){1,12}";
    let value = prop_oneof![
        any::<f64>()
            .prop_filter("is written", |value| value.is_finite())
            .prop_map(|x| format!("{x}")),
        any::<f32>()
            .prop_filter("is written", |value| value.is_finite())
            .prop_map(|x| format!("{x}")),
        any::<i64>().prop_map(|x| format!("{x}i")),
        (0..=i64::MAX).prop_map(|x| format!("{x}u")),
        any::<bool>().prop_map(|x| format!("{x}")),
        "([a-z ,=é\n]|\\\\\\\\|\\\\\"){0,20}".prop_map(|text| format!("\"{text}\"")),
    ];
    (
        "[a-z]{1,8}",
        prop::collection::btree_map(name, name, 0..5),
        prop::collection::vec(("[a-z_]{1,10}", value), 1..8),
        prop::option::of(1_600_000_000_000_000_000..1_800_000_000_000_000_000_i64),
    )
        .prop_map(|(measurement, tags, fields, time)| {
            let tags = tags.iter().map(|(name, value)| format!(",{name}={value}"));
            let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
            let time = time.map_or(String::new(), |time| format!(" {time}"));
            let fields = fields.collect::<Vec<_>>().join(",");
            format!("{measurement}{} {fields}{time}\n", tags.collect::<String>())
        })
}
