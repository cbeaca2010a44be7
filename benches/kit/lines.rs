//! Measures the conversion between line protocol and frames, in CPU time of one thread.

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;

use rustix::time::{ClockId, clock_gettime};
use udf_proto::point::PointIndex;
use udf_proto::{PointBuf, response};
use udf_text::line_protocol::{Grouping, LineReader, append_encoded, append_point};

use crate::table::{Goal, Table, median};

/// How often the ways alternate.
const ROUNDS: usize = 25;

/// The lines of each turn.
const LINES: usize = 20_000;

/// The output is dropped when it is longer, as a host would send it.
const OUTPUT: usize = 64 << 10;

const FLOATS: [&str; 6] =
    ["usage_user", "usage_system", "usage_idle", "usage_iowait", "usage_softirq", "usage_nice"];

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let text = text()?;
    println!("  a line of {} bytes: {}", text.len() / LINES, text.lines().next().unwrap_or(""));
    let ways: [Way; 4] = [by_messages, to_frames, by_index, to_lines];
    let mut nanos = ways.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (way, nanos) in ways.iter().zip(&mut nanos) {
            nanos.push(way(&text)? / LINES as f64);
        }
    }
    let [by_messages, to_frames, by_index, to_lines] = nanos.map(median);
    let per_second = |nanos: f64| 1e3 / nanos;
    for (what, nanos) in [("lines by messages", by_messages), ("frames by an index", by_index)] {
        println!("  {what}: {nanos:.0} ns each, {:.2} million/s", per_second(nanos));
    }
    let goal = |reach, beyond| Goal::AtLeast { reach, beyond };
    table.row("lines to frames, million/s", per_second(to_frames), "", goal(1.5, 2.0));
    table.row("lines to frames, of messages", by_messages / to_frames, "times", goal(7.0, 9.0));
    table.row("frames to lines, million/s", per_second(to_lines), "", goal(1.5, 2.0));
    Ok(())
}

/// Converts the text. Returns how many nanoseconds that took.
type Way = fn(&str) -> Result<f64, Box<dyn Error>>;

/// Returns the CPU time of this thread.
fn cpu_nanos() -> f64 {
    // The kernel updates the files in /proc only every few milliseconds.
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn reader(text: &str) -> LineReader<&[u8]> {
    LineReader::new(text.as_bytes(), Grouping::by(["cpu", "host"]))
}

/// Reads messages, and encodes them.
fn by_messages(text: &str) -> Result<f64, Box<dyn Error>> {
    let mut out = Vec::with_capacity(2 * OUTPUT);
    let start = cpu_nanos();
    let mut lines = reader(text);
    while let Some(message) = lines.next_message()? {
        response::append_point(PointBuf::from(message).as_point(), &mut out);
        dropped_when_long(&mut out);
    }
    Ok(cpu_nanos() - start)
}

/// Reads frames.
fn to_frames(text: &str) -> Result<f64, Box<dyn Error>> {
    let mut out = Vec::with_capacity(2 * OUTPUT);
    let start = cpu_nanos();
    let mut lines = reader(text);
    while lines.next_frame(&mut out)?.is_some() {
        dropped_when_long(&mut out);
    }
    Ok(cpu_nanos() - start)
}

/// Indexes frames, and writes their points as lines.
fn by_index(text: &str) -> Result<f64, Box<dyn Error>> {
    let mut index = PointIndex::new();
    written(text, |point, out| Ok(append_point(index.parse(point)?, out)?))
}

/// Writes the points of frames as lines.
fn to_lines(text: &str) -> Result<f64, Box<dyn Error>> {
    written(text, |point, out| {
        if append_encoded(point, out) { Ok(()) } else { Err("a point is not a usual one".into()) }
    })
}

fn written(
    text: &str,
    mut append: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let (mut frames, mut points) = (Vec::new(), Vec::with_capacity(LINES));
    let mut lines = reader(text);
    while let Some(line) = lines.next_frame(&mut frames)? {
        points.push(line.point);
    }
    let mut out = Vec::with_capacity(2 * OUTPUT);
    let start = cpu_nanos();
    for point in points {
        append(&frames[point], &mut out)?;
        dropped_when_long(&mut out);
    }
    Ok(cpu_nanos() - start)
}

fn dropped_when_long(out: &mut Vec<u8>) {
    if out.len() > OUTPUT {
        black_box(&out);
        out.clear();
    }
}

/// Returns lines as Telegraf writes them: 3 tags, 6 floats, an integer and a boolean.
fn text() -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let mut random = 1_u64;
    for line in 0..LINES {
        write!(text, "cpu,cpu=cpu{},host=server{:02},region=eu-west ", line % 8, line / 8 % 16)?;
        for name in FLOATS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            write!(text, "{name}={},", (random >> 11) as f64 / (1_u64 << 53) as f64 * 100.0)?;
        }
        let time = 1_738_000_000_000_000_000 + line as u64 * 1_000_000_000;
        writeln!(text, "n={}i,up=true {time}", random >> 44)?;
    }
    Ok(text)
}
