//! Points and lines are converted without loss, and errors name the problem of a line.

#![allow(clippy::unwrap_used)]

use std::io::{BufReader, Cursor, Read};

use proptest::prelude::*;
use udf_proto::point::FieldValue;
use udf_proto::{PointBuf, messages};
use udf_text::line_protocol::{Grouping, LineProblem, LineReader, MAX_LINE, append_point};

fn read(text: &str, grouping: Grouping) -> Vec<PointBuf> {
    let mut lines = LineReader::new(text.as_bytes(), grouping);
    std::iter::from_fn(|| lines.next_point().unwrap()).collect()
}

fn one(text: &str) -> PointBuf {
    let mut points = read(text, Grouping::none());
    assert_eq!(points.len(), 1, "{text}");
    points.remove(0)
}

fn error(text: &str) -> String {
    let mut lines = LineReader::new(text.as_bytes(), Grouping::none());
    loop {
        match lines.next_point() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no line of {text:?} is refused"),
            Err(error) => return error.to_string(),
        }
    }
}

fn write(message: messages::Point) -> Result<String, String> {
    let mut out = Vec::new();
    append_point(PointBuf::from(message).as_point(), &mut out).map_err(|error| {
        assert!(out.is_empty(), "a part of a refused point was written");
        error.to_string()
    })?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_line_is_the_point_that_kapacitor_would_send() {
    let line = "cpu,host=a,cpu=cpu0 idle=98.5,user=3i,free=4u,up=T,note=\"a, \\\"b\\\"\" 1700000000000000001";
    let mut lines =
        LineReader::new(line.as_bytes(), Grouping::parse("host,cpu")).source("metrics", "week");
    let point = lines.next_point().unwrap().unwrap();
    let point = point.as_point();
    assert_eq!(point.name(), "cpu");
    assert_eq!((point.database(), point.retention_policy()), ("metrics", "week"));
    assert_eq!(point.time(), 1_700_000_000_000_000_001);
    assert_eq!(point.group(), "cpu=cpu0,host=a");
    assert_eq!(point.dimensions().collect::<Vec<_>>(), ["cpu", "host"]);
    assert_eq!(point.tags().collect::<Vec<_>>(), [("cpu", "cpu0"), ("host", "a")]);
    assert!(!point.by_name());
    assert_eq!(point.float("idle"), Ok(98.5));
    assert_eq!(point.int("user"), Ok(3));
    assert_eq!(point.int("free"), Ok(4));
    assert_eq!(point.bool("up"), Ok(true));
    assert_eq!(point.string("note"), Ok("a, \"b\""));
    assert!(lines.next_point().unwrap().is_none());
    assert_eq!(lines.bytes(), line.len() as u64);
}

#[test]
fn groups_are_those_of_kapacitor() {
    let group = |grouping: Grouping| {
        let point = read("m,b=2,a=1 x=1 0", grouping).remove(0);
        let dimensions: Vec<_> = point.as_point().dimensions().map(str::to_owned).collect();
        (point.as_point().group().to_owned(), dimensions.join(" "))
    };
    let expect = |group: &str, dimensions: &str| (group.to_owned(), dimensions.to_owned());
    assert_eq!(group(Grouping::none()), expect("", ""));
    assert_eq!(group(Grouping::parse("b,a")), expect("a=1,b=2", "a b"));
    assert_eq!(group(Grouping::parse("*")), expect("a=1,b=2", "a b"));
    // A dimension that is not a tag of the point has an empty value.
    assert_eq!(group(Grouping::parse("c,a")), expect("a=1,c=", "a c"));
    assert_eq!(group(Grouping::none().by_name(true)), expect("m", ""));
    assert_eq!(group(Grouping::parse("a").by_name(true)), expect("m\na=1", "a"));
}

#[test]
fn a_line_without_time_has_the_time_of_the_line_before_it() {
    let points = read("m x=1\nm x=2 50\nm x=3\n\nm x=4\nm x=5 20\nm x=6", Grouping::none());
    let times: Vec<_> = points.iter().map(|point| point.as_point().time()).collect();
    assert_eq!(times, [0, 50, 50, 50, 20, 20]);
}

#[test]
fn blank_lines_comments_and_windows_line_ends_are_no_matter() {
    let text = "\n# a \"comment\n  \t\r\n  m x=\"1\" 1\r\n\r\n   # another\nm x=\"2\"  2  \r\n";
    let points = read(text, Grouping::none());
    let texts: Vec<_> = points.iter().map(|point| point.as_point().string("x").unwrap()).collect();
    assert_eq!(texts, ["1", "2"]);
}

#[test]
fn text_may_span_rows_and_an_error_names_the_first_one() {
    let text = "m x=1 1\nlog line=\"a\nb \\\" c\n\nd\",n=2i 2\n\nm x=oops 3\n";
    let mut lines = LineReader::new(text.as_bytes(), Grouping::none());
    lines.next_point().unwrap().unwrap();
    let log = lines.next_point().unwrap().unwrap();
    assert_eq!(log.as_point().string("line"), Ok("a\nb \" c\n\nd"));
    assert_eq!(log.as_point().int("n"), Ok(2));
    assert_eq!(lines.line(), 2);
    assert_eq!(lines.next_point().unwrap_err().line, 7);
    // The reader continues after an error.
    assert!(lines.next_point().unwrap().is_none());
}

#[test]
fn of_a_field_that_is_named_twice_the_last_counts() {
    let point = one("m x=1,x=2i 0");
    assert_eq!(point.as_point().fields().collect::<Vec<_>>(), [("x", FieldValue::Int(2))]);
}

#[test]
fn what_is_wrong_with_a_line_is_said_in_words() {
    let cases = [
        (
            "cpu",
            "line 1: it has no fields: a blank must follow the measurement and its tags, and then `name=value`",
        ),
        (
            "cpu,host=a",
            "line 1: it has no fields: a blank must follow the measurement and its tags, and then `name=value`",
        ),
        (",host=a x=1", "line 1: it does not begin with the name of a measurement"),
        ("m x=1\n\n# c\n,a x=1", "line 4: it does not begin with the name of a measurement"),
        ("cpu,host x=1", "line 1: `host` is not a tag: write tags as `name=value`"),
        ("cpu,host= x=1", "line 1: the tag `host` has no value; leave it out"),
        ("cpu,=a x=1", "line 1: the tag `=a` has no name"),
        ("cpu,a=1,,b=2 x=1", "line 1: its tags contain an extra comma"),
        ("cpu,a=1,a=2 x=1", "line 1: the tag `a` occurs twice"),
        (
            "cpu,a=1\\",
            "line 1: it has no fields: a blank must follow the measurement and its tags, and then `name=value`; a name or value cannot end with a backslash",
        ),
        (
            "cpu,a=1=2 x=1",
            "line 1: the tag `a=1` contains another `=`; within its value, write `\\=`",
        ),
        (
            "cpu\\ x=1",
            "line 1: it has no fields: a blank must follow the measurement and its tags, and then `name=value`; `\\ ` is a blank within a name or value, which cannot end with a backslash",
        ),
        (
            "m,path=C:\\ x=1 5",
            "line 1: the tag `path=C:\\ x` contains another `=`; within its value, write `\\=`; `\\ ` is a blank within a name or value, which cannot end with a backslash",
        ),
        (
            "cpu,host=server 01 v=1 1",
            "line 1: `01` is not a field: write fields as `name=value`; write `\\ ` for a blank in a tag value",
        ),
        (
            "m,host=\"server 01\" v=1 1",
            "line 1: `01\"` is not a field: write fields as `name=value`; tag values are not quoted: write `\\ ` for a blank in a tag value",
        ),
        (
            "m,host=\"a,b\" v=1 1",
            "line 1: `b\"` is not a tag: write tags as `name=value`; tag values are not quoted: write `\\,` for a comma in a tag value",
        ),
        (
            "cpu a\\\\ b=1",
            "line 1: the name of the field `a\\\\ b` has a backslash before a blank, a comma or `=`, which InfluxDB cannot read",
        ),
        ("cpu 5", "line 1: `5` is not a field: write fields as `name=value`"),
        ("cpu x= 5", "line 1: the field `x` has no value; leave it out"),
        ("cpu =1 5", "line 1: the field `=1` has no name"),
        ("cpu x=1,,y=2", "line 1: its fields contain an extra comma"),
        ("cpu x=1, 5", "line 1: its fields contain an extra comma"),
        (
            "cpu x=abc 5",
            "line 1: `abc` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        (
            "cpu a=1,x=1.2.3",
            "line 1: `1.2.3` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        (
            "cpu x='a'",
            "line 1: `'a'` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        (
            "cpu x=1.5i",
            "line 1: `1.5i` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        (
            "cpu x=NaN",
            "line 1: `NaN` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        ("cpu x=1e999", "line 1: 1e999 of the field `x` does not fit a float"),
        (
            "cpu x=9223372036854775808i",
            "line 1: 9223372036854775808i of the field `x` does not fit: Kapacitor's integers are from -9223372036854775808 to 9223372036854775807",
        ),
        ("cpu x=-1u", "line 1: -1u of the field `x` is unsigned, but below zero"),
        (
            "cpu x=9223372036854775808u",
            "line 1: 9223372036854775808u of the field `x` does not fit: Kapacitor's integers are from -9223372036854775808 to 9223372036854775807",
        ),
        ("cpu x=\"abc 5", "line 1: the field `x` has no closing quote"),
        (
            "cpu x=\"a\"b\" 5",
            "line 1: `b\"` follows the text of the field `x`; write \\\" for a quote within it",
        ),
        (
            "cpu x=1 yesterday",
            "line 1: `yesterday` is not a time: times are integers since the epoch",
        ),
        (
            "cpu x=1 99999999999999999999",
            "line 1: the time 99999999999999999999 is out of range: times are from -9223372036854775806 to 9223372036854775806 nanoseconds since the epoch (the years 1677 to 2262)",
        ),
        ("cpu x=1 +3", "line 1: `+3` is not a time: times are integers since the epoch"),
        (
            "cpu x=+1",
            "line 1: `+1` of the field `x` is not a value: write 1.5, 10i, true or \"text\"",
        ),
        ("cpu x=1 5 6", "line 1: `6` follows the time; to write a blank within a name, use `\\ `"),
        (
            "cpu load x=1 5",
            "line 1: `load` is not a field: write fields as `name=value`; write `\\ ` for a blank in a measurement",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let mut lines = LineReader::new(&b"m x=1 1\nm x=\"\xff\" 2\nm x=3 3"[..], Grouping::none());
    assert!(lines.next_point().unwrap().is_some());
    assert_eq!(lines.next_point().unwrap_err().to_string(), "line 2: it is not valid UTF-8");
    assert_eq!(lines.next_point().unwrap().unwrap().as_point().time(), 3);
}

#[test]
fn a_line_that_never_ends_is_refused_before_it_fills_the_memory() {
    let endless = Cursor::new("m x=1 1\nm x=\"").chain(std::io::repeat(b'x'));
    let mut lines = LineReader::new(BufReader::new(endless), Grouping::none());
    assert!(lines.next_point().unwrap().is_some());
    let error = lines.next_point().unwrap_err();
    assert!(matches!(error.problem, LineProblem::TextTooLong));
    assert_eq!(
        error.to_string(),
        "line 2: the closing quote of a text is missing: the line is longer than 16 MiB"
    );
    assert!(lines.bytes() <= MAX_LINE as u64 + 8);
}

#[test]
fn a_long_row_is_blamed_on_a_quote_only_if_there_is_one() {
    let long = "x".repeat(20 << 20);
    let text =
        format!("# {long}\nm x=1 1\n{long}\nm x=2 2\nm t=\"a\n{long}\nm x=3 3\nm t=\"{long}\n");
    for capacity in [1 << 10, 64 << 20] {
        let reader = BufReader::with_capacity(capacity, text.as_bytes());
        let mut lines = LineReader::new(reader, Grouping::none());
        assert_eq!(
            lines.next_point().unwrap().unwrap().as_point().time(),
            1,
            "comments may be long"
        );
        let error = lines.next_point().unwrap_err();
        assert_eq!(error.to_string(), "line 3: it is longer than 16 MiB and has no line break");
        assert_eq!(lines.next_point().unwrap().unwrap().as_point().time(), 2);
        let error = lines.next_point().unwrap_err();
        assert!(matches!(error.problem, LineProblem::TextTooLong), "{error}");
        assert_eq!(error.line, 5);
        let point = lines.next_point().unwrap().unwrap();
        assert_eq!((point.as_point().time(), lines.line()), (3, 7));
        let error = lines.next_point().unwrap_err();
        assert!(matches!(error.problem, LineProblem::TextTooLong), "{error}");
        assert!(lines.next_point().unwrap().is_none());
        assert_eq!(lines.bytes(), text.len() as u64);
    }
}

#[test]
fn a_failing_reader_is_reported_as_such() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is on fire"))
        }
    }
    let mut lines = LineReader::new(BufReader::new(Failing), Grouping::none());
    let error = lines.next_point().unwrap_err();
    assert_eq!(error.to_string(), "line 1: reading failed: the disk is on fire");
}

fn point() -> messages::Point {
    messages::Point {
        name: "m".into(),
        fields_int: [("x".to_owned(), 1)].into(),
        ..Default::default()
    }
}

#[test]
fn names_and_values_are_escaped() {
    let message = messages::Point {
        name: "disk io,x=y".into(),
        time: -5,
        tags: [("a,b c".to_owned(), "d=e\\f\\ g".to_owned())].into(),
        fields_double: [("h i".to_owned(), 1e300), ("j".to_owned(), 2.0)].into(),
        fields_string: [("k".to_owned(), "say \"\\\"\nbye".to_owned())].into(),
        ..Default::default()
    };
    assert_eq!(
        write(message).unwrap(),
        "disk\\ io\\,x=y,a\\,b\\ c=d\\=e\\f\\\\ g h\\ i=1e300,j=2.0,k=\"say \\\"\\\\\\\"\nbye\" -5\n"
    );
}

#[test]
fn a_tag_with_an_empty_value_is_left_out() {
    let tags = [("a".to_owned(), String::new()), ("b".to_owned(), "1".to_owned())].into();
    assert_eq!(write(messages::Point { tags, ..point() }).unwrap(), "m,b=1 x=1i 0\n");
}

#[test]
fn what_no_line_can_hold_is_refused_with_the_reason() {
    let refused = |message| write(message).unwrap_err();
    let float =
        |value| messages::Point { fields_double: [("avg".to_owned(), value)].into(), ..point() };
    let finite = "which line protocol cannot represent";
    assert_eq!(refused(float(f64::NAN)), format!("the field `avg` is NaN, {finite}"));
    assert_eq!(refused(float(f64::NEG_INFINITY)), format!("the field `avg` is -inf, {finite}"));
    assert_eq!(
        refused(messages::Point { name: "m".into(), ..Default::default() }),
        "it has no field"
    );
    let named = |name: &str| refused(messages::Point { name: name.into(), ..point() });
    assert_eq!(named(""), "the measurement \"\" is empty");
    assert_eq!(named("#m"), "the measurement \"#m\" begins with #, as comments do");
    assert_eq!(named("\tm"), "the measurement \"\\tm\" begins with a tab or NUL");
    let tagged = |name: &str, value: &str| {
        let tags = [(name.to_owned(), value.to_owned())].into();
        refused(messages::Point { tags, ..point() })
    };
    assert_eq!(tagged("", "1"), "the tag \"\" is empty");
    assert_eq!(tagged("a", "b\\"), "the value of a tag, \"b\\\\\" ends with a backslash");
    assert_eq!(tagged("a", "b\nc"), "the value of a tag, \"b\\nc\" has a line break in it");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_read_or_refused_line_by_line(
        text in "([mxe1,= \"\\\\\n\t\r#ti.u-]|x=1|,a=b| ){0,24}",
    ) {
        let mut lines = LineReader::new(text.as_bytes(), Grouping::by_all_tags());
        let mut last = 0;
        loop {
            let point = lines.next_point();
            if matches!(point, Ok(None)) {
                break;
            }
            prop_assert!(lines.line() > last, "every line is taken once");
            last = lines.line();
        }
        prop_assert_eq!(lines.bytes(), text.len() as u64);
    }
}
