//! Many visitors at once, for as long as one likes: slow ones, hasty ones, ones that break off, to UDFs of which one is
//! killed again and again.
//!
//! Every point must be answered exactly once, or its connection end with an error; and when all have left,
//! nothing of them may be left. It takes some seconds, or as many as `UDF_SOAK_SECONDS` says;
//! `UDF_SOAK_SEED` lets the visitors begin in the same way:
//!
//! ```sh
//! UDF_SOAK_SECONDS=600 cargo test -p udf-tests --test soak -- --nocapture
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use prost::Message as _;
use tempfile::TempDir;
use udf_proto::Value;
use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InitResponse, KeepaliveRequest, KeepaliveResponse, Point, Response, RestoreRequest,
    RestoreResponse, SnapshotRequest,
};
use udf_tests::ends::Ends;
use udf_tests::process::{descriptors, memory, threads};
use udf_tests::program::{Connection, PATIENCE, Program, example, frame, init};

const VISITORS: u64 = 8;

/// Points in the window of the averages.
const WINDOW: usize = 5;

/// The most requests of a visit; their times are below.
const LONGEST: i64 = 5000;

/// How much more memory a daemon may have behind all visits than behind the first ones: the allocator keeps what the
/// largest crowd needed. In ten minutes, 2 KiB that stay behind of each connection are more.
const GROWTH: u64 = 128 << 20;

/// A daemon, which may be killed and started again.
struct Daemon {
    directory: TempDir,
    program: Mutex<Program>,
    /// How often it was killed or stopped, and started again: odd meanwhile.
    epoch: AtomicU64,
}

impl Daemon {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let program = Mutex::new(Daemon::program(&directory));
        Daemon { directory, program, epoch: AtomicU64::new(0) }
    }

    fn program(directory: &TempDir) -> Program {
        // However busy this machine is, what is stopped may finish.
        let mut command = Command::new(example("moving_avg"));
        Program::listen_at(&Daemon::path(directory), command.args(["--farewell", "5m"]))
    }

    fn path(directory: &TempDir) -> PathBuf {
        directory.path().join("udf.sock")
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    fn connect(&self) -> io::Result<Ends> {
        UnixStream::connect(Daemon::path(&self.directory)).map(Ends::socket)
    }

    /// Kills or stops it, and starts it again.
    fn restart(&self, rng: &mut Rng) {
        let mut program = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if rng.bool() {
            program.signal("KILL");
            program.wait();
        } else {
            program.signal("TERM");
            assert!(program.wait().success(), "what was received has not been finished");
        }
        *program = Daemon::program(&self.directory);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until all have left: its threads, descriptors and memory.
    fn left(&self) -> (Vec<String>, usize, u64) {
        let pid = self.program.lock().unwrap_or_else(PoisonError::into_inner).pid();
        // Connections are accepted in their order: behind this one, none of theirs waits for it.
        let mut last = Connection::new(self.connect().expect("it listens"));
        last.init(&[("field", &["usage".into()]), ("size", &[Value::Int(1)])]);
        last.end_input();
        last.rest();
        let started = Instant::now();
        // A thread has the name of the one that has started it, until it has its own.
        let busy = |name: &String| name.starts_with("connection");
        while threads(pid).iter().any(busy) && started.elapsed() < PATIENCE {
            thread::yield_now();
        }
        let mut threads = threads(pid);
        threads.sort();
        (threads, descriptors(pid), memory(pid))
    }
}

/// What the averages must be, host by host.
#[derive(Clone, Default)]
struct Averages([VecDeque<f64>; 4]);

impl Averages {
    fn of(&mut self, host: usize, value: f64) -> f64 {
        let window = &mut self.0[host];
        window.push_back(value);
        if window.len() > WINDOW {
            window.pop_front();
        }
        window.iter().sum::<f64>() / window.len() as f64
    }
}

/// A snapshot, and what it is of.
type Kept = (Vec<u8>, Averages);

/// What is asked on a connection, and what must be answered, in this order.
struct Plan {
    requests: Vec<Vec<u8>>,
    /// None is a snapshot, of whatever is in it.
    answers: Vec<Option<Answer>>,
    averages: Averages,
}

impl Plan {
    /// Points with other requests between them, and a snapshot at the end. What was kept is gone on from.
    fn new(kept: Option<Kept>, rng: &mut Rng) -> Self {
        let mut plan = Plan { requests: vec![], answers: vec![], averages: Averages::default() };
        let window = [Value::Int(WINDOW as i64)];
        let accepted = InitResponse { success: true, error: String::new() };
        let options: [(&str, &[Value]); 2] =
            [("field", &[Value::String("usage".into())]), ("size", &window)];
        plan.ask(init(&options), Some(Answer::Init(accepted)));
        if let Some((snapshot, averages)) = kept {
            let restored = RestoreResponse { success: true, error: String::new() };
            let restore = RestoreRequest { snapshot };
            plan.ask(Ask::Restore(restore), Some(Answer::Restore(restored)));
            plan.averages = averages;
        }
        let most = if rng.u8(..10) == 0 { LONGEST } else { 200 };
        for time in 0..rng.i64(0..most) {
            match rng.u8(..50) {
                0 => plan.ask(
                    Ask::Keepalive(KeepaliveRequest { time }),
                    Some(Answer::Keepalive(KeepaliveResponse { time })),
                ),
                1 => plan.ask(Ask::Snapshot(SnapshotRequest {}), None),
                _ => plan.point(time, rng.usize(..4), rng.f64() * 100.0),
            }
        }
        plan.ask(Ask::Snapshot(SnapshotRequest {}), None);
        plan
    }

    fn ask(&mut self, request: Ask, answer: Option<Answer>) {
        self.requests.push(frame(request));
        self.answers.push(answer);
    }

    fn point(&mut self, time: i64, host: usize, value: f64) {
        let tag = format!("h{host}");
        let sent = Point {
            time,
            name: "cpu".into(),
            group: format!("host={tag}"),
            dimensions: vec!["host".into()],
            tags: BTreeMap::from([("host".into(), tag)]),
            fields_double: BTreeMap::from([("usage".into(), value)]),
            ..Default::default()
        };
        let fields_double = BTreeMap::from([("avg".into(), self.averages.of(host, value))]);
        let back = Point { fields_double, ..sent.clone() };
        self.ask(Ask::Point(sent), Some(Answer::Point(back)));
    }
}

/// How a visit ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The input ends, and everything is read.
    Orderly,
    /// The input ends within a message.
    Cut,
    /// Something comes that is no message.
    Garbage,
    /// It goes away without having read anything.
    Gone,
}

/// The delays of a network, and of whoever is slow.
fn delay(rng: &mut Rng) {
    if rng.u8(..20) == 0 {
        thread::sleep(Duration::from_micros(rng.u64(..3000)));
    }
}

/// Sends it in pieces of any size.
fn send(mut input: impl Write, mut bytes: &[u8], rng: &mut Rng) -> io::Result<()> {
    while !bytes.is_empty() {
        let most = if rng.bool() { 50 } else { 20_000 };
        let (piece, more) = bytes.split_at(rng.usize(1..=most).min(bytes.len()));
        input.write_all(piece)?;
        bytes = more;
        delay(rng);
    }
    Ok(())
}

/// Reads up to the end; what was answered, and whether the end is one.
fn read(output: impl io::Read, rng: &mut Rng) -> (Vec<Answer>, Result<(), FrameError>) {
    let (mut reader, mut answers) = (FrameReader::new(output), Vec::new());
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let response = Response::decode(frame).expect("a frame is a response");
                match response.message.expect("a response says something") {
                    // Nobody asked for it, at this time: the handler is slow.
                    Answer::Keepalive(keepalive) if keepalive.time >= LONGEST => {}
                    answer => answers.push(answer),
                }
            }
            Ok(None) => return (answers, Ok(())),
            Err(error) => return (answers, Err(error)),
        }
        delay(rng);
    }
}

/// One who visits again and again, and what it has seen.
struct Visitor {
    rng: Rng,
    kept: Option<Kept>,
    visits: u64,
    points: u64,
    restores: u64,
}

impl Visitor {
    /// One visit, from the first byte to the last; `died` is asked behind it whether what it visits was killed.
    fn visit(&mut self, ends: Ends, died: impl Fn() -> bool) {
        let rng = &mut self.rng;
        let end = [End::Orderly, End::Orderly, End::Cut, End::Garbage, End::Gone][rng.usize(..5)];
        let kept = self.kept.take_if(|_| rng.bool());
        let restores = u64::from(kept.is_some());
        let plan = Plan::new(kept, rng);
        let mut bytes = plan.requests.concat();
        match end {
            End::Orderly => {}
            End::Cut => bytes.extend(&plan.requests[0][..rng.usize(1..10)]),
            End::Garbage => bytes.extend([2, 0x08, 1]),
            // No more than is taken from one who does not read.
            End::Gone => bytes.truncate(rng.usize(..bytes.len().min(16 << 10))),
        }
        let Ends { input, output } = ends;
        self.visits += 1;
        if end == End::Gone {
            // It may have been killed by then.
            let _ = send(input, &bytes, rng);
            return;
        }
        let mut other = rng.fork();
        let (sent, (mut answers, whole)) = thread::scope(|scope| {
            let sender = scope.spawn(|| send(input, &bytes, &mut other));
            let read = read(output, rng);
            (sender.join().expect("sending does not panic"), read)
        });
        let died = died();
        let error = answers.pop_if(|last| matches!(last, Answer::Error(_)));
        // Whatever happens, nothing is answered twice, in another order, or wrongly.
        for (place, (answer, expected)) in answers.iter().zip(&plan.answers).enumerate() {
            let right = expected
                .as_ref()
                .map_or(matches!(answer, Answer::Snapshot(_)), |expected| expected == answer);
            assert!(right, "{end:?}, answer {place}: {answer:?}, not {expected:?}");
        }
        self.points +=
            answers.iter().filter(|answer| matches!(answer, Answer::Point(_))).count() as u64;
        if died {
            return;
        }
        assert!(whole.is_ok(), "{end:?}: {whole:?}");
        assert!(sent.is_ok() || error.is_some(), "{end:?}: not everything was read: {sent:?}");
        assert_eq!(answers.len(), plan.answers.len(), "{end:?}: answers are missing");
        assert_eq!(error.is_some(), end != End::Orderly, "{end:?}: {error:?}");
        self.restores += restores;
        if let Some(Answer::Snapshot(taken)) = answers.pop() {
            self.kept = Some((taken.snapshot, plan.averages));
        }
    }

    /// A UDF that is spawned, as Kapacitor does it.
    fn visit_a_program(&mut self) {
        let mut program = Program::spawn(Command::new(example("moving_avg")).stdin(Stdio::piped()));
        let ends = program.pipes();
        self.visit(ends, || false);
        program.wait();
    }

    fn visit_the_doomed(&mut self, doomed: &Daemon) {
        let epoch = doomed.epoch();
        // Who comes while it is down may still meet the one that is about to be killed.
        if epoch.is_multiple_of(2)
            && let Ok(ends) = doomed.connect()
        {
            self.visit(ends, || doomed.epoch() != epoch);
        }
    }
}

/// Visitors come and go for this long.
fn soak(time: Duration, seed: u64, steady: &Daemon, doomed: &Daemon) -> Vec<Visitor> {
    let end = Instant::now() + time;
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut rng = Rng::with_seed(seed);
            while Instant::now() < end {
                thread::sleep(Duration::from_millis(rng.u64(50..500)));
                doomed.restart(&mut rng);
            }
        });
        let visitors = (1..=VISITORS).map(|number| {
            scope.spawn(move || {
                let rng = Rng::with_seed(seed.wrapping_add(number));
                let mut visitor = Visitor { rng, kept: None, visits: 0, points: 0, restores: 0 };
                while Instant::now() < end {
                    match visitor.rng.u8(..20) {
                        0 => visitor.visit_a_program(),
                        1..7 => visitor.visit_the_doomed(doomed),
                        _ => visitor.visit(steady.connect().expect("it listens"), || false),
                    }
                }
                visitor
            })
        });
        let visitors = visitors.collect::<Vec<_>>();
        visitors.into_iter().map(|visitor| visitor.join().expect("a visit went wrong")).collect()
    })
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, which is no number")))
}

#[test]
fn nothing_is_lost_and_nothing_is_left() {
    let time = Duration::from_secs(number("UDF_SOAK_SECONDS").unwrap_or(4));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = number("UDF_SOAK_SEED").unwrap_or(now.as_nanos() as u64);
    println!("{} s, UDF_SOAK_SEED={seed}", time.as_secs());
    let (steady, doomed) = (Daemon::start(), Daemon::start());
    // What it has behind the first visitors, it must have behind all.
    let mut visitors = soak(time / 4, seed, &steady, &doomed);
    let (threads, descriptors, memory) = steady.left();
    visitors.extend(soak(time * 3 / 4, seed.wrapping_add(1000), &steady, &doomed));
    let (mut threads_after, mut descriptors_after, mut memory_after) = steady.left();
    let started = Instant::now();
    // What is left behind stays; what was only about to go, has gone then.
    while (&threads_after, descriptors_after) != (&threads, descriptors)
        && started.elapsed() < PATIENCE
    {
        (threads_after, descriptors_after, memory_after) = steady.left();
    }
    let sum = |count: fn(&Visitor) -> u64| visitors.iter().map(count).sum::<u64>();
    println!(
        "{} connections, {} points, {} restores, {} kills and stops",
        sum(|visitor| visitor.visits),
        sum(|visitor| visitor.points),
        sum(|visitor| visitor.restores),
        doomed.epoch() / 2
    );
    println!(
        "threads {} then {}, descriptors {descriptors} then {descriptors_after}, memory {} then {} KiB",
        threads.len(),
        threads_after.len(),
        memory >> 10,
        memory_after >> 10
    );
    assert_eq!(threads_after, threads);
    assert_eq!(descriptors_after, descriptors);
    assert!(memory_after < memory + GROWTH);
    for daemon in [steady, doomed] {
        let mut program = daemon.program.into_inner().unwrap_or_else(PoisonError::into_inner);
        program.signal("TERM");
        assert!(program.wait().success());
    }
}
