//! Measures each UDF of the box beside the example `moving_avg`: throughput over pipes, CPU of a
//! point, and memory of a group.
//!
//! `cargo bench -p kapacitor-udf-box` measures all UDFs, and `-- NAME...` some of them. `UPDATE=1`
//! writes the figures to the pages in `docs/box`.

#[path = "../tests/box/running.rs"]
#[allow(dead_code, unused_imports, reason = "the suites use the rest")]
mod running;
#[path = "../tests/box/series.rs"]
#[allow(dead_code, reason = "the suites use it")]
mod series;
#[path = "../tests/box/server.rs"]
#[allow(dead_code, reason = "the suites use the rest")]
mod server;
#[path = "../tests/box/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::Instant;

use udf_proto::frame::{self, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, KeepaliveRequest, KeepaliveResponse, Point, Request,
};
use udf_proto::{EdgeType, Info, Init, response};
use udf_text::options;

use crate::running::Row;
use crate::table::ROWS;

/// The points of a measurement of speed: of these many groups, each a second.
const GROUPS: usize = 500;
const POINTS: usize = 500_000;
const ROUNDS: usize = 5;

/// The points of a measurement of memory.
const MANY_GROUPS: usize = 40_000;
const FEW_GROUPS: usize = 10;
const POINTS_OF_EACH: usize = 60;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Without `--bench`, as a test, the program only has to build.
    if !args.iter().any(|arg| arg == "--bench") {
        return ExitCode::SUCCESS;
    }
    let names: Vec<&str> =
        args.iter().map(String::as_str).filter(|arg| !arg.starts_with('-')).collect();
    if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
        eprintln!("error: there is no UDF `{unknown}`");
        return ExitCode::from(2);
    }
    match measure(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A program that is measured.
struct Subject {
    program: PathBuf,
    args: Vec<String>,
    init: Init,
}

/// The speed of a UDF.
#[derive(Clone, Copy)]
struct Speed {
    points_per_second: f64,
    /// CPU time of a point in nanoseconds.
    nanos: f64,
}

fn measure(names: &[&str]) -> Result<()> {
    let moving_avg = moving_avg()?;
    println!("UDF             points/s  of moving_avg  CPU of a point  memory of a group");
    for row in ROWS.iter().filter(|row| names.is_empty() || names.contains(&row.name)) {
        let description = (row.description)();
        let input = input(description.wants, GROUPS, POINTS / GROUPS);
        // The yardstick reads a stream.
        let stream = crate::input(EdgeType::Stream, GROUPS, POINTS / GROUPS);
        let subject = subject(row, None)?;
        let (mut speeds, mut yardsticks) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            yardsticks.push(Running::start(&moving_avg)?.speed(&stream)?);
            speeds.push(Running::start(&subject)?.speed(&input)?);
        }
        let pairs = speeds.iter().zip(&yardsticks);
        let ratio =
            median(pairs.map(|(own, other)| own.points_per_second / other.points_per_second));
        let speed = Speed {
            points_per_second: median(speeds.iter().map(|speed| speed.points_per_second)),
            nanos: median(speeds.iter().map(|speed| speed.nanos)),
        };
        let group = memory(row, description.wants)?;
        println!(
            "{:14} {:9.0}  {ratio:13.2}  {:11.0} ns  {group:11.0} bytes",
            row.name, speed.points_per_second, speed.nanos
        );
        if std::env::var_os("UPDATE").is_some() {
            write(row, speed, ratio, group)?;
        }
    }
    Ok(())
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Returns the program with the options of the row, and one more.
fn subject(row: &Row, more: Option<String>) -> Result<Subject> {
    let description = (row.description)();
    let types = description.options.iter().map(|option| (option.name.clone(), option.args.clone()));
    let info = Info {
        wants: description.wants,
        provides: description.provides,
        options: types.collect::<BTreeMap<_, _>>(),
    };
    let calls = row.options.iter().map(|option| server::real(option)).chain(more);
    let calls: Vec<String> = calls.collect();
    let init = Init { options: options::parse(&info, &calls)?, ..task() };
    let program = env!("CARGO_BIN_EXE_udfs").into();
    Ok(Subject { program, args: vec![row.name.to_owned()], init })
}

fn task() -> Init {
    Init { options: Vec::new(), task_id: "bench".into(), node_id: "bench2".into() }
}

/// Builds the example, and returns it with a window of 10 points.
fn moving_avg() -> Result<Subject> {
    // A benchmark runs from target/release/deps.
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(3).ok_or("no target directory above the benchmark")?;
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--offline", "--release", "--target-dir"]);
    build.arg(target).args(["-p", "udf-examples", "--example", "moving_avg"]);
    if !build.current_dir(env!("CARGO_MANIFEST_DIR")).status()?.success() {
        return Err("the example moving_avg could not be built".into());
    }
    let call = |name: &str, value| udf_proto::OptionCall { name: name.into(), values: vec![value] };
    let options = vec![call("field", "v".into()), call("size", udf_proto::Value::Int(10))];
    let program = target.join("release/examples/moving_avg");
    Ok(Subject { program, args: Vec::new(), init: Init { options, ..task() } })
}

fn append(message: Ask, out: &mut Vec<u8>) {
    frame::append(&Request { message: Some(message) }, out);
}

/// Returns the frames of `rounds` points in each group, the groups in turns. Batches have 100 points.
fn input(wants: EdgeType, groups: usize, rounds: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut frames = Vec::new();
    let second = |round: usize| round as i64 * 1_000_000_000;
    match wants {
        EdgeType::Stream => {
            for (round, group) in (0..rounds).flat_map(|round| (0..groups).map(move |g| (round, g)))
            {
                append(Ask::Point(point(group, second(round), &mut random)), &mut frames);
            }
        }
        EdgeType::Batch => {
            let size = rounds.min(100);
            for (batch, group) in
                (0..rounds / size).flat_map(|batch| (0..groups).map(move |g| (batch, g)))
            {
                let first = point(group, 0, &mut random);
                let (name, group_id, tags) = (first.name, first.group, first.tags);
                append(
                    Ask::Begin(BeginBatch {
                        name: name.clone(),
                        group: group_id.clone(),
                        tags: tags.clone(),
                        size: size as i64,
                        by_name: false,
                    }),
                    &mut frames,
                );
                for round in batch * size..(batch + 1) * size {
                    let point = point(group, second(round), &mut random);
                    let (name, dimensions) = (String::new(), Vec::new());
                    let (database, retention_policy) = (String::new(), String::new());
                    let point = Point { name, dimensions, database, retention_policy, ..point };
                    append(Ask::Point(point), &mut frames);
                }
                let tmax = second((batch + 1) * size - 1);
                let end = EndBatch { name, group: group_id, tags, tmax, by_name: false };
                append(Ask::End(end), &mut frames);
            }
        }
    }
    frames
}

/// Returns a point with the fields of `series.rs`.
fn point(group: usize, time: i64, random: &mut fastrand::Rng) -> Point {
    let host = format!("host{group:05}");
    let wave = (time as f64 / 20e9).sin() * 5.0;
    let doubles = [
        ("v", 50.0 + wave + random.f64()),
        ("x", 50.0 - wave * random.f64()),
        ("lat", 52.0 + random.f64()),
        ("lon", 13.0 + random.f64()),
    ];
    Point {
        time,
        name: "m".into(),
        database: "telegraf".into(),
        retention_policy: "autogen".into(),
        group: format!("host={host}"),
        dimensions: vec!["host".into()],
        tags: BTreeMap::from([("host".into(), host)]),
        fields_double: doubles.map(|(name, value)| (name.to_owned(), value)).into(),
        fields_int: BTreeMap::from([("n".into(), time / 10_000_000)]),
        fields_string: BTreeMap::from([("w".into(), format!("word {}", random.u8(..20)))]),
        ..Point::default()
    }
}

/// A UDF whose task has started.
struct Running {
    child: Child,
    output: Option<ChildStdout>,
}

impl Running {
    fn start(subject: &Subject) -> Result<Self> {
        let mut command = Command::new(&subject.program);
        command.args(&subject.args).args(["--log", "error"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take();
        let mut running = Running { child, output };
        let mut init = Vec::new();
        append(Ask::Init(subject.init.clone().into()), &mut init);
        running.child.stdin.as_mut().ok_or("stdin is a pipe")?.write_all(&init)?;
        let mut frames = FrameReader::new(running.output.as_mut().ok_or("stdout is a pipe")?);
        match response::decode(frames.next_frame()?.ok_or("the UDF has ended")?)? {
            Some(Answer::Init(answer)) if answer.success => Ok(running),
            other => Err(format!("{:?} does not start: {other:?}", subject.args).into()),
        }
    }

    /// Feeds the input, and waits until it is handled.
    fn feed(&mut self, input: &[u8]) -> Result<()> {
        let mut stdin = self.child.stdin.take().ok_or("stdin is a pipe")?;
        let mut output = self.output.take().ok_or("stdout is a pipe")?;
        let (stdin, output) = thread::scope(|scope| -> Result<_> {
            let writing = scope.spawn(move || -> std::io::Result<_> {
                stdin.write_all(input)?;
                let mut end = Vec::new();
                append(Ask::Keepalive(KeepaliveRequest { time: 1 }), &mut end);
                stdin.write_all(&end)?;
                Ok(stdin)
            });
            // The answer to the keepalive ends the output. Parsing all of the output would take time
            // from the UDF, which shares the processor.
            let mut echo = Vec::new();
            response::append(Answer::Keepalive(KeepaliveResponse { time: 1 }), &mut echo);
            let (mut buffer, mut tail) = (vec![0; 1 << 18], Vec::new());
            while !tail.ends_with(&echo) {
                let read = output.read(&mut buffer)?;
                if read == 0 {
                    return Err("the UDF has ended".into());
                }
                tail.extend_from_slice(&buffer[read.saturating_sub(echo.len())..read]);
                tail.drain(..tail.len().saturating_sub(echo.len()));
            }
            Ok((writing.join().map_err(|_| "the writing thread has panicked")??, output))
        })?;
        self.child.stdin = Some(stdin);
        self.output = Some(output);
        Ok(())
    }

    fn speed(mut self, input: &[u8]) -> Result<Speed> {
        let (begun, before) = (Instant::now(), self.cpu()?);
        self.feed(input)?;
        let (time, cpu) = (begun.elapsed(), self.cpu()? - before);
        Ok(Speed {
            points_per_second: POINTS as f64 / time.as_secs_f64(),
            nanos: cpu / POINTS as f64,
        })
    }

    /// Returns the CPU time of all threads in nanoseconds.
    fn cpu(&self) -> Result<f64> {
        let mut sum = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            let cpu = times.split_whitespace().next().ok_or("the times are unknown")?;
            sum += cpu.parse::<f64>()?;
        }
        Ok(sum)
    }

    fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.ok_or("the memory is unknown")?.parse::<f64>()? * 1024.0)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The program must not block on the rest of its output.
        if let Some(mut output) = self.output.take() {
            let _ = std::io::copy(&mut output, &mut std::io::sink());
        }
        let _ = self.child.wait();
    }
}

/// Returns the memory of a group: compares a process that has got points of many groups with one that
/// has got as many points of few groups, so that both have the same buffers.
fn memory(row: &Row, wants: EdgeType) -> Result<f64> {
    let keeps_all = row.has("maxGroups").then_some(format!("maxGroups={MANY_GROUPS}"));
    let subject = subject(row, keeps_all)?;
    let resident = |groups: usize| -> Result<f64> {
        let mut running = Running::start(&subject)?;
        running.feed(&input(wants, groups, MANY_GROUPS / groups * POINTS_OF_EACH))?;
        running.resident()
    };
    Ok((resident(MANY_GROUPS)? - resident(FEW_GROUPS)?).max(0.0) / MANY_GROUPS as f64)
}

/// Writes the figures to the page of the UDF, as its last section.
fn write(row: &Row, speed: Speed, ratio: f64, group: f64) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/box");
    let page = folder.join(row.name).with_extension("md");
    let text = fs::read_to_string(&page)?;
    let (text, _) = text.split_once("\n## Cost\n").unwrap_or((&text, ""));
    let section = format!(
        "\n## Cost\n\nAs [measured](README.md#cost) with the options `{}`:\n\n\
         | measure | figure |\n| --- | --- |\n\
         | points per second over pipes | {:.1} million |\n\
         | of those of `moving_avg` | {ratio:.2} |\n\
         | CPU time of a point | {:.0} ns |\n\
         | memory of a group | {group:.0} bytes |\n",
        row.options.join(" "),
        speed.points_per_second / 1e6,
        speed.nanos
    );
    Ok(fs::write(page, format!("{}\n{section}", text.trim_end()))?)
}
