//! A replay sends a UDF the same messages as Kapacitor, and writes the output while it still reads
//! the input.

#![allow(clippy::unwrap_used)]

mod peer;

use std::fmt::Write as _;
use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use peer::{Does, Peer};
use prost::Message as _;
use udf_host::replay::{Data, Progress, Recorded, Replay, ReplayError, Summary};
use udf_proto::{EdgeType, OptionCall, Value};
use udf_text::line_protocol::Grouping;

/// Only a safety net: no wait takes this long.
const LONG: Duration = Duration::from_secs(30);

fn play(replay: &Replay, peer: &Peer, text: &str) -> (Result<Summary, ReplayError>, String) {
    let mut output = Vec::new();
    let connect = || peer.connect();
    let result = replay.run(&connect, text.as_bytes(), &mut output, &mut |_| {});
    (result, String::from_utf8(output).unwrap())
}

/// Returns the output without the comments that begin batches.
fn points(output: &str) -> String {
    output.split_inclusive('\n').filter(|line| !line.starts_with("# batch ")).collect()
}

fn by(tags: &str) -> Replay {
    Replay::default().grouping(Grouping::parse(tags))
}

const SECOND: i64 = 1_000_000_000;

#[test]
fn a_stream_comes_back_and_the_udf_saw_what_kapacitor_sends() {
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let replay = by("host").options(["size=10", "field=usage"]).task_id("cpu_task").node_id("avg2");
    let text = "cpu,host=a usage=1.5 1\ncpu,host=b usage=2i 2\n";
    let (result, output) = play(&replay, &peer, text);
    let summary = result.unwrap();
    assert_eq!((summary.points_in, summary.points_out), (2, 2));
    assert_eq!(output, text);

    let seen = peer.seen.lock().unwrap();
    assert_eq!(seen.opened, 2, "one connection for Info, one for the task");
    let [init] = &seen.inits[..] else { panic!("{:?}", seen.inits) };
    assert_eq!((&*init.task_id, &*init.node_id), ("cpu_task", "avg2"));
    let call = |name: &str, value| OptionCall { name: name.into(), values: vec![value] };
    let calls = [call("size", Value::Int(10)), call("field", Value::from("usage"))];
    assert_eq!(init.options, calls);
    let point = seen.points[1].as_point();
    assert_eq!((point.group(), point.database()), ("host=b", "telegraf"));
    assert_eq!(point.retention_policy(), "autogen");
}

#[test]
fn what_comes_late_or_in_numbers_is_written_all_the_same() {
    let text: String = (0..20_000).fold(String::new(), |mut text, time| {
        writeln!(text, "m x={time}i {time}").unwrap();
        text
    });
    let (result, output) = play(&by(""), &Peer::new(EdgeType::Stream, Does::Hoard), &text);
    result.unwrap();
    assert!(output == text, "all of it, in order");

    // More than all buffers hold together.
    let few = &text[..text.len() / 8];
    let few = &few[..=few.rfind('\n').unwrap()];
    let peer = Peer::new(EdgeType::Stream, Does::Repeat(50));
    let (result, output) = play(&by(""), &peer, few);
    assert_eq!(result.unwrap().points_out, 50 * few.lines().count() as u64);
    assert_eq!(output.len(), 50 * few.len());
}

/// Input that arrives line by line, and ends only when the test ends it.
struct Live(Receiver<&'static [u8]>, &'static [u8]);

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.recv_timeout(LONG).unwrap_or_default();
        }
        self.1.read(buffer)
    }
}

/// Output that requests the next input line for each line written, and the end of the input after
/// the last.
struct Asking {
    next: Sender<&'static [u8]>,
    lines: Vec<&'static [u8]>,
    has_got: bool,
}

impl Asking {
    fn new(next: Sender<&'static [u8]>, lines: &[&'static [u8]]) -> Self {
        Asking { next, lines: lines.iter().rev().copied().collect(), has_got: false }
    }
}

impl Write for Asking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_got |= !bytes.is_empty();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Whether a flush comes before the first write depends on the timing.
        if std::mem::take(&mut self.has_got) {
            // After the last line, the input has ended and the channel is closed.
            let _ = self.next.send(self.lines.pop().unwrap_or_default());
        }
        Ok(())
    }
}

#[test]
fn a_point_is_written_before_the_next_one_is_there() {
    let (next, lines) = channel();
    next.send(&b"m x=1i 1\n"[..]).unwrap();
    let output = Asking::new(next, &[b"m x=2i 2\n", b"m x=3i 3\n"]);
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let started = std::time::Instant::now();
    let connect = || peer.connect();
    let input = BufReader::new(Live(lines, b""));
    let summary = by("").run(&connect, input, output, &mut |_| {}).unwrap();
    assert_eq!(summary.points_out, 3);
    assert!(started.elapsed() < LONG, "it went on when the point was there");
}

/// Output that accepts this many bytes and is then closed.
struct Head(usize);

impl Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn when_the_output_is_closed_even_endless_input_ends() {
    let endless = BufReader::new(Cycle(b"m x=1i 1\n", 0));
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let connect = || peer.connect();
    let error = by("").run(&connect, endless, Head(100_000), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, ReplayError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    );
}

struct Cycle(&'static [u8], usize);

impl Read for Cycle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.0[self.1];
            self.1 = (self.1 + 1) % self.0.len();
        }
        Ok(buffer.len())
    }
}

#[test]
fn a_bad_line_ends_it_when_all_before_it_has_been_played() {
    for does in [Does::Echo, Does::Hoard] {
        let peer = Peer::new(EdgeType::Stream, does);
        let (result, output) = play(&by(""), &peer, "m x=1 1\n\nm x=2 2\nm x=oops 3\nm x=4 4\n");
        let error = result.unwrap_err();
        assert!(matches!(error, ReplayError::Line(_)));
        assert!(error.to_string().starts_with("line 4: `oops` of the field `x`"), "{error}");
        assert_eq!(output, "m x=1.0 1\nm x=2.0 2\n");
    }
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let (result, output) = play(&by(""), &peer, "m x=1 1\nm x=oops 3\n");
    assert!(result.unwrap_err().to_string().starts_with("line 2: "));
    assert_eq!(output, "# batch m 1\nm x=1.0 1\n");
}

#[test]
fn the_udfs_own_words_come_out_unspoiled() {
    let peer = Peer::new(EdgeType::Stream, Does::FailAt(3));
    let (result, output) = play(&by(""), &peer, "m x=1 1\nm x=2 2\nm x=3 3\nm x=4 4\n");
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the moon is full:\n  \"try\\again\" tomorrow"), "{error}");
    assert_eq!(output, "m x=1.0 1\nm x=2.0 2\n", "what was earned is written");

    // Also when the UDF fails while the input is still being sent.
    let peer = Peer::new(EdgeType::Stream, Does::FailAt(2));
    let (result, output) = play(&by(""), &peer, &"m x=1 1\n".repeat(100_000));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("the moon is full:\n  \"try\\again\" tomorrow"), "{error}");
    assert_eq!(output, "m x=1.0 1\n");

    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let replay = by("").options(["refuse=no such\nluck"]);
    let (result, output) = play(&replay, &peer, "m x=1 1\n");
    let error = result.unwrap_err().to_string();
    assert!(error.contains("'no such\nluck'"), "{error}");
    assert_eq!(output, "");
}

#[test]
fn options_that_do_not_fit_are_refused_before_anything_is_played() {
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    let replay = by("").options(["size=ten", "sise=10"]);
    let (result, output) = play(&replay, &peer, "m x=1 1\n");
    assert_eq!(
        result.unwrap_err().to_string(),
        "option `size`: `ten` is not a valid INT: write a whole number, like 10\n\
         there is no option `sise`; did you mean `size`?"
    );
    let every = by("").every(Some(SECOND));
    assert!(matches!(play(&every, &peer, "m x=1 1\n").0, Err(ReplayError::EveryOfStream)));
    let every = by("").every(Some(0));
    let batch = Peer::new(EdgeType::Batch, Does::Echo);
    assert!(matches!(play(&every, &batch, "m x=1 1\n").0, Err(ReplayError::BadEvery)));
    assert_eq!((output, peer.seen.lock().unwrap().inits.len()), (String::new(), 0));
}

#[test]
fn points_that_have_no_form_in_line_protocol_are_counted_and_all_others_written() {
    let peer = Peer::new(EdgeType::Stream, Does::NotANumber);
    let (result, output) = play(&by(""), &peer, "m x=1 1\nm x=2 2\n");
    assert_eq!(
        result.unwrap_err().to_string(),
        "line protocol cannot express 2 of the points from the UDF; in the first, the field \
         `avg` is NaN, which line protocol cannot represent"
    );
    assert_eq!(output, "m x=1.0 1\nm x=2.0 2\n");
}

/// Formats batches as `name group tmax [times]`.
fn batches(peer: &Peer) -> Vec<String> {
    let seen = peer.seen.lock().unwrap();
    let mut times = seen.points.iter().map(|point| point.as_point().time().to_string());
    let batches = seen.begins.iter().zip(&seen.ends).map(|(begin, end)| {
        assert_eq!((&begin.name, &begin.group), (&end.name, &end.group));
        assert_eq!(begin.tags, end.tags);
        let size = usize::try_from(begin.size).unwrap();
        let times: Vec<_> = times.by_ref().take(size).collect();
        format!("{} {} {} [{}]", begin.name, begin.group, end.tmax, times.join(" "))
    });
    let batches = batches.collect();
    assert!(times.next().is_none(), "every point is in a batch");
    batches
}

#[test]
fn windows_begin_at_multiples_of_their_length() {
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let replay = by("h").every(Some(10));
    // Within a window the order is free. Windows without points make no batches.
    let text = "m,h=b x=1 -1\nm,h=a x=1 -10\nm,h=b x=2 0\nm,h=b x=3 9\nm,h=a x=4 5\nm,h=b x=5 2\n\
                l,h=b x=6 4\nm,h=a x=7 35\nm x=8 30\n";
    let (result, output) = play(&replay, &peer, text);
    result.unwrap();
    assert_eq!(
        batches(&peer),
        [
            "m h=a 0 [-10]",
            "m h=b 0 [-1]",
            "l h=b 10 [4]",
            "m h=a 10 [5]",
            "m h=b 10 [0 2 9]",
            "m h= 40 [30]",
            "m h=a 40 [35]",
        ]
    );
    let expected = "# batch m,h=a 0\nm,h=a x=1.0 -10\n";
    assert!(output.starts_with(expected), "the name is that of the batch: {output}");
    assert_eq!((output.matches("# batch ").count(), points(&output).lines().count()), (7, 9));
}

#[test]
fn a_point_in_a_batch_has_only_what_kapacitor_sends_there() {
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let replay = Replay::default().grouping(Grouping::by(["h"]).by_name(true));
    let text = "m,h=a,cpu=0 f=1.5,i=2i,s=\"t\",b=true 7\n";
    let (result, output) = play(&replay, &peer, text);
    result.unwrap();
    let seen = peer.seen.lock().unwrap();
    let begin = &seen.begins[0];
    assert_eq!((&*begin.name, &*begin.group, begin.by_name, begin.size), ("m", "m\nh=a", true, 1));
    assert_eq!(begin.tags, [("h".to_owned(), "a".to_owned())].into());
    let point = seen.points[0].as_point();
    assert_eq!((point.time(), point.group()), (7, "m\nh=a"));
    assert_eq!(point.tags().collect::<Vec<_>>(), [("cpu", "0"), ("h", "a")]);
    assert_eq!(point.fields().count(), 4);
    // The batch carries the name. On the wire, its points have none.
    assert_eq!((point.name(), point.database(), point.retention_policy()), ("m", "", ""));
    let sent = udf_proto::messages::Point::decode(point.as_bytes()).unwrap();
    assert_eq!(sent.name, "");
    assert!(!point.by_name() && point.dimensions().next().is_none());
    let expected = "# batch m,h=a 7\nm,cpu=0,h=a f=1.5,i=2i,s=\"t\",b=true 7\n";
    assert_eq!(output, expected);
}

#[test]
fn without_windows_each_group_is_one_batch() {
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let text = "m,h=b x=1 30\nm,h=a x=2 20\nm,h=b x=3 10\nm,h=b x=4 30\n";
    let (result, output) = play(&by("*"), &peer, text);
    result.unwrap();
    assert_eq!(batches(&peer), ["m h=a 20 [20]", "m h=b 30 [10 30 30]"]);
    let text = "m,h=a x=2.0 20\nm,h=b x=3.0 10\nm,h=b x=1.0 30\nm,h=b x=4.0 30\n";
    assert_eq!(points(&output), text);
}

#[test]
fn points_of_one_time_stay_in_their_order() {
    let line = |number: i64| format!("m x={number}i {}\n", 9 - number % 3);
    let text: String = (0..100).map(line).collect();
    let (result, output) = play(&by(""), &Peer::new(EdgeType::Batch, Does::Echo), &text);
    result.unwrap();
    let sorted: String =
        [2, 1, 0].map(|rest| (rest..100).step_by(3).map(line).collect::<String>()).concat();
    assert_eq!(points(&output), sorted);
}

#[test]
fn input_that_is_not_sorted_by_its_windows_is_refused_with_the_line() {
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let replay = by("").every(Some(10 * SECOND));
    let text = format!("m x=1 {}\nm x=2 {}\n# c\nm x=3 5\nm x=4 {}", 5, 25 * SECOND, 26 * SECOND);
    let (result, output) = play(&replay, &peer, &text);
    assert_eq!(
        result.unwrap_err().to_string(),
        "line 4: its time lies in a batch that has already been sent; sort the input by time"
    );
    assert_eq!(points(&output), "m x=1.0 5\nm x=2.0 25000000000\n");
}

#[test]
fn only_one_window_is_held_at_a_time() {
    let (next, lines) = channel();
    // The first point of the second window sends the first window and requests the next line.
    next.send(&b"m x=1i 1\nm x=2i 11\n"[..]).unwrap();
    let output = Asking::new(next, &[b"m x=3i 21\n", b"m x=4i 31\n"]);
    let peer = Peer::new(EdgeType::Batch, Does::Echo);
    let started = std::time::Instant::now();
    let replay = by("").every(Some(10));
    let input = BufReader::new(Live(lines, b""));
    replay.run(&|| peer.connect(), input, output, &mut |_| {}).unwrap();
    assert_eq!(batches(&peer), ["m  10 [1]", "m  20 [11]", "m  30 [21]", "m  40 [31]"]);
    assert!(started.elapsed() < LONG, "no batch waited for the end of the input");
}

#[test]
fn progress_is_told_up_to_the_last_byte() {
    let text = "m x=1 1\n".repeat(1000);
    let last = AtomicU64::new(0);
    let mut told: Vec<Progress> = Vec::new();
    let peer = Peer::new(EdgeType::Stream, Does::Echo);
    by("")
        .run(&|| peer.connect(), text.as_bytes(), io::sink(), &mut |progress| {
            assert!(progress.bytes >= last.swap(progress.bytes, Ordering::Relaxed));
            told.push(progress);
        })
        .unwrap();
    assert!(told.len() > 3);
    let last = told.last().unwrap();
    assert_eq!((last.points, last.bytes), (1000, text.len() as u64));
}

#[test]
fn the_first_points_of_a_file_are_read_without_a_udf() {
    let text = "cpu,host=a usage=1 1\ncpu,host=b usage=2 2\ncpu,host=a usage=3 15\n";
    let read = by("host,core").read(text.as_bytes(), 2).unwrap();
    let Data::Points(points) = &read.data else { panic!("{read:?}") };
    assert_eq!((points.len(), &*points[1].group), (2, "core=,host=b"));
    assert_eq!((read.unseen_tags.len(), &*read.unseen_tags[0].tag), (1, "core"));

    let read = by("host").every(10).read(text.as_bytes(), 100).unwrap();
    let Data::Windows(batches) = &read.data else { panic!("{read:?}") };
    let ends: Vec<_> = batches.iter().map(|batch| (&*batch.group, batch.tmax)).collect();
    assert_eq!(ends, [("host=a", 10), ("host=b", 10), ("host=a", 20)]);
    let unsorted = "cpu usage=1 15\ncpu usage=1 1\n";
    let error = by("").every(10).read(unsorted.as_bytes(), 100).unwrap_err();
    assert!(matches!(error, ReplayError::Order { line: 2 }), "{error}");

    let batch = |tmax: i64| {
        let point = r#"{"fields":{"usage":1},"time":"1970-01-01T00:00:01Z"}"#;
        format!(r#"{{"name":"cpu","points":[{point},{point}],"tmax":"1970-01-01T00:00:0{tmax}Z"}}"#)
    };
    let recording = format!("{}\n{}\n", batch(1), batch(2));
    let read = by("").read(recording.as_bytes(), 3).unwrap();
    assert_eq!(read.data.point_count(), 3, "the last batch is shortened");
    assert!(matches!(&read.data, Data::Recorded(batches) if batches.len() == 2));
    let error = by("").every(10).read(recording.as_bytes(), 3).unwrap_err();
    assert!(matches!(error, ReplayError::Recorded(Recorded::Windows)), "{error}");
}
