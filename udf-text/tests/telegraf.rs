//! The settings of the reader for lines that arrive from Telegraf.

#![allow(clippy::unwrap_used)]

use udf_proto::point::PointIndex;
use udf_text::line_protocol::{Grouping, LineReader};

fn reader(text: &str) -> LineReader<&[u8]> {
    LineReader::new(text.as_bytes(), Grouping::none())
}

/// Returns the time of each line, whether the line has it, and the line.
fn lines(mut reader: LineReader<&[u8]>) -> Vec<(i64, bool, String)> {
    let mut out = Vec::new();
    std::iter::from_fn(|| {
        let line = reader.next_frame(&mut out).unwrap()?;
        let raw = String::from_utf8(reader.raw().to_vec()).unwrap();
        Some((line.time, line.has_time, raw))
    })
    .collect()
}

#[test]
fn a_line_without_time_has_the_time_of_the_clock() {
    let text = "m x=1\nm x=2 50\nm x=3\nm x=\"a\nb\"\n";
    let times: Vec<_> =
        lines(reader(text).clock(|| 77)).into_iter().map(|line| (line.0, line.1)).collect();
    assert_eq!(times, [(77, false), (50, true), (77, false), (77, false)]);
    let times: Vec<_> = lines(reader(text)).into_iter().map(|line| line.0).collect();
    assert_eq!(times, [0, 50, 50, 50]);
}

#[test]
fn the_last_line_is_there_as_it_came() {
    let text = "\u{feff}# comment\n  m,t=a\\ b  x=1,y=\"\\\"\"  5 \r\n\nm x=\"a\nb\\\\\" 6\nm x=3";
    let raw: Vec<_> = lines(reader(text)).into_iter().map(|line| line.2).collect();
    assert_eq!(raw, ["m,t=a\\ b  x=1,y=\"\\\"\"  5", "m x=\"a\nb\\\\\" 6", "m x=3"]);

    let mut reader = reader("m x=1\nm x=oops 5\nm x=2");
    let mut out = Vec::new();
    assert_eq!(reader.raw(), b"");
    reader.next_frame(&mut out).unwrap().unwrap();
    reader.next_frame(&mut out).unwrap_err();
    assert_eq!(reader.raw(), b"m x=oops 5");
}

#[test]
fn unsigned_integers_that_kapacitor_cannot_represent_are_dropped_on_request() {
    let text = "m x=1,y=9223372036854775808u 1\nm y=18446744073709551615u 2\n\
                m y=9223372036854775807u\nm y=9223372036854775808u,y=3i 3\n";
    let mut reader = reader(text).drop_unfit();
    let (mut out, mut index) = (Vec::new(), PointIndex::new());
    let mut seen = Vec::new();
    while let Some(line) = reader.next_frame(&mut out).unwrap() {
        // No bytes are a point without fields.
        let point = index.parse(&out[line.point]).unwrap();
        let names: Vec<_> = point.fields().map(|(name, _)| name.to_owned()).collect();
        seen.push((reader.line(), line.time, names.join(","), reader.dropped_fields()));
    }
    let seen: Vec<_> = seen
        .iter()
        .map(|(line, time, names, dropped)| (*line, *time, &**names, *dropped))
        .collect();
    // A line without another field is there without a point. Of two values of one field, the last
    // counts.
    assert_eq!(seen, [(1, 1, "x", 1), (2, 2, "", 2), (3, 2, "y", 2), (4, 3, "y", 2)]);
}

#[test]
fn without_the_request_and_beyond_64_bits_an_integer_that_does_not_fit_is_an_error() {
    let error = |reader: LineReader<&[u8]>| {
        let mut reader = reader;
        reader.next_frame(&mut Vec::new()).unwrap_err().to_string()
    };
    let range = "Kapacitor's integers are from -9223372036854775808 to 9223372036854775807";
    let fits = |value: &str| format!("line 1: {value} of the field `y` does not fit: {range}");
    assert_eq!(error(reader("m y=9223372036854775808u")), fits("9223372036854775808u"));
    let beyond = reader("m y=18446744073709551616u").drop_unfit();
    assert_eq!(error(beyond), fits("18446744073709551616u"));
    let signed = reader("m y=9223372036854775808i").drop_unfit();
    assert_eq!(error(signed), fits("9223372036854775808i"));
}

#[test]
fn nothing_is_allocated_for_a_line_once_the_buffers_have_grown() {
    let line = |number: usize| {
        format!(
            "disk,device=d{},path=/mnt/my\\ disk,zone=é free={number}i,used=1.{number}2345678901234,\
             note=\"a \\\"b\\\" {number:03}\",total=5u,up=true 170000000000000{number:03}\n",
            number % 7
        )
    };
    let text = (0..800).map(line).collect::<String>();
    for grouping in [Grouping::by(["device", "host"]).by_name(true), Grouping::by_all_tags()] {
        let mut reader = LineReader::new(text.as_bytes(), grouping).clock(|| 5).drop_unfit();
        let mut out = Vec::with_capacity(1 << 20);
        for _ in 0..100 {
            reader.next_frame(&mut out).unwrap().unwrap();
        }
        let counted = allocation_counter::measure(|| {
            for _ in 0..700 {
                reader.next_frame(&mut out).unwrap().unwrap();
            }
        });
        assert_eq!(counted.count_total, 0);
    }
}
