//! Serves a double of Telegraf with a UDF in this process.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use prost::Message as _;
use udf_host::interface::Interface;
use udf_host::telegraf::{Ends, Level, Summary, Telegraf, TelegrafError, Windows};
use udf_host::{Loopback, loopback::UdfResult};
use udf_proto::frame::FrameReader;
use udf_proto::messages::{
    EdgeType, InfoResponse, InitResponse, KeepaliveResponse, Request, request, response,
};
use udf_text::line_protocol::Grouping;

const HOUR: i64 = 3_600_000_000_000;

/// Answers as a UDF that sends everything back. Adds a point with a NaN and one without fields for
/// each point of the measurement `bad`.
fn mirror(edge: EdgeType, input: impl Read, mut output: impl Write) -> UdfResult {
    let mut frames = FrameReader::new(input);
    while let Some(frame) = frames.next_frame()? {
        let request = Request::decode(frame)?.message.expect("the host sends no empty requests");
        let mut bytes = Vec::new();
        let mut say = |message| udf_proto::response::append(message, &mut bytes);
        match request {
            request::Message::Info(_) => say(response::Message::Info(InfoResponse {
                wants: edge.into(),
                provides: edge.into(),
                ..Default::default()
            })),
            request::Message::Init(_) => {
                say(response::Message::Init(InitResponse { success: true, ..Default::default() }))
            }
            request::Message::Keepalive(asked) => {
                say(response::Message::Keepalive(KeepaliveResponse { time: asked.time }))
            }
            request::Message::Point(point) => {
                if point.name == "bad" {
                    let mut nan = point.clone();
                    nan.fields_double.insert("nan".to_owned(), f64::NAN);
                    say(response::Message::Point(nan));
                    let mut empty = point.clone();
                    empty.fields_double.clear();
                    say(response::Message::Point(empty));
                }
                say(response::Message::Point(point));
            }
            request::Message::Begin(begin) => say(response::Message::Begin(begin)),
            request::Message::End(end) => say(response::Message::End(end)),
            other => panic!("unexpected request: {other:?}"),
        }
        output.write_all(&bytes)?;
    }
    Ok(())
}

/// Serves `input` to its end. Returns the output and the events.
fn serve(
    telegraf: &Telegraf,
    edge: EdgeType,
    input: &[u8],
) -> (Result<Summary, TelegrafError>, String, Vec<(Level, String)>) {
    let (stdin, mut to_stdin) = std::io::pipe().expect("a pipe");
    let (mut from_stdout, stdout) = std::io::pipe().expect("a pipe");
    let (signal, _no_signal) = std::io::pipe().expect("a pipe");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Fails if the run ends before it reads.
        let _ = to_stdin.write_all(&input);
    });
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        from_stdout.read_to_string(&mut output).expect("lines are text");
        output
    });
    let ends = Ends {
        stdin: OwnedFd::from(stdin),
        stdout: OwnedFd::from(stdout),
        signal: OwnedFd::from(signal),
    };
    let connect = move || -> Box<dyn Interface> {
        Box::new(Loopback::new(move |input, output| mirror(edge, input, output)))
    };
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let served = telegraf.run(&connect, ends, move |event| {
        log.lock().expect("no panic").push((event.level(), event.to_string()));
    });
    writer.join().expect("no panic");
    let output = reader.join().expect("no panic");
    let events = std::mem::take(&mut *events.lock().expect("no panic"));
    (served, output, events)
}

#[test]
fn lines_come_back_and_bad_lines_are_skipped() {
    let telegraf = Telegraf::new("mirror");
    let input = b"cpu,host=a usage=1.5,busy=true,n=3i,text=\"two\nrows\" 10\nnot a line\n\
                  \xff\xfe x=1 2\nnet bytes=18446744073709551615u,errors=2u 20\nbad x=1 30\nbad x=1 3";
    let (served, output, events) = serve(&telegraf, EdgeType::Stream, input);
    let summary = served.expect("it ends in order");
    assert_eq!(
        output,
        "cpu,host=a usage=1.5,n=3i,text=\"two\nrows\",busy=true 10\nnet errors=2i 20\n\
         bad x=1.0 30\nbad x=1.0 30\n"
    );
    let expected = [
        "skipped a line of stdin: line 3: `a` is not a field: write fields as `name=value`",
        "skipped a line of stdin: line 4: it is not valid UTF-8",
        "dropped an unsigned field of line 5: it is larger than 9223372036854775807, the largest integer that a UDF \
         can get",
        "skipped line 7 of stdin, the last one: it has no line end, so a part of it is missing",
        "dropped a field of a point of the UDF: the field `nan` is NaN, which line protocol cannot represent",
        "dropped a point of the UDF that line protocol cannot express: it has no field",
    ];
    // The events of the input and those of the output come from two threads.
    let mut texts: Vec<_> = events.iter().map(|(_, text)| text.as_str()).collect();
    texts.sort_by_key(|text| text.contains("of the UDF"));
    assert_eq!(texts, expected);
    assert!(events.iter().all(|(level, _)| *level == Level::Warn));
    let Summary { points_in, points_out, skipped, unwritable, .. } = summary;
    assert_eq!((points_in, points_out, skipped, unwritable), (3, 4, 3, 1));
}

#[test]
fn a_line_without_a_time_gets_the_time_of_its_arrival() {
    let (served, output, _) =
        serve(&Telegraf::new("m").keep_original(true), EdgeType::Stream, b"m x=1\n");
    served.expect("it ends in order");
    let lines: Vec<_> = output.lines().collect();
    let [original, point] = lines[..] else { panic!("two lines: {output}") };
    let time = original.strip_prefix("m x=1 ").expect("the line as it came");
    assert_eq!(point, format!("m x=1.0 {time}"));
    let age = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_nanos() as i64
        - time.parse::<i64>().expect("nanoseconds");
    assert!((0..3_600_000_000_000).contains(&age), "{age}");
}

#[test]
fn original_lines_come_first_and_as_they_came() {
    let input = b"cpu,b=1,a=2 x=1e0 1\nnet n=18446744073709551615u,m=1i 2\n";
    let (served, output, _) =
        serve(&Telegraf::new("m").keep_original(true), EdgeType::Stream, input);
    served.expect("it ends in order");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(
        lines,
        [
            "cpu,b=1,a=2 x=1e0 1",
            "net n=18446744073709551615u,m=1i 2",
            "cpu,a=2,b=1 x=1.0 1",
            "net m=1i 2"
        ]
    );
}

#[test]
fn batches_are_windows_and_the_end_ends_all() {
    // Hours, so that the clock ends no window meanwhile.
    let windows = Windows { every: 10 * HOUR, grace: 5 * HOUR };
    let telegraf = Telegraf::new("m").grouping(Grouping::by(["host"])).windows(windows);
    let points = [("b", 1, 3), ("a", 2, 12), ("a", 3, 9), ("a", 4, 15), ("a", 5, 8)];
    let line =
        |(host, x, hours): (&str, i64, i64)| format!("m,host={host} x={x}i {}\n", hours * HOUR);
    let input = points.map(line).concat();
    let (served, output, events) = serve(&telegraf, EdgeType::Batch, input.as_bytes());
    let summary = served.expect("it ends in order");
    let expected = [("a", 3, 9), ("b", 1, 3), ("a", 2, 12), ("a", 4, 15)];
    assert_eq!(output, expected.map(line).concat());
    let [(Level::Warn, late)] = &events[..] else { panic!("one event: {events:?}") };
    assert!(
        late.starts_with("dropped the point of line 5: it came more than 18000s after"),
        "{late}"
    );
    assert_eq!((summary.points_out, summary.skipped), (4, 1));
}

#[test]
fn settings_that_do_not_fit_are_usage_errors() {
    let windows = Windows { every: 10, grace: 5 };
    for (telegraf, edge, expected) in [
        (Telegraf::new("m"), EdgeType::Batch, "the UDF wants batches: set --every"),
        (Telegraf::new("m").windows(windows), EdgeType::Stream, "leave --every out"),
        (Telegraf::new("m").options(["size=1", "x=2"]), EdgeType::Stream, "no option `x`"),
    ] {
        let (served, output, events) = serve(&telegraf, edge, b"m x=1 1\n");
        let error = served.expect_err("it is refused");
        assert!(error.is_usage() && error.to_string().contains(expected), "{error}");
        assert_eq!((output.as_str(), events.len()), ("", 0));
    }
}
