//! Visitors with a mixed load: fast, slow, and disconnecting early. Every answer is checked.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use prost::Message as _;
use udf_proto::Value;
use udf_proto::frame::{FrameError, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InitResponse, KeepaliveRequest, KeepaliveResponse, Point, Response, RestoreRequest,
    RestoreResponse, SnapshotRequest,
};
use udf_tests::ends::Ends;
use udf_tests::program::{Program, example, frame, init};

use super::daemon::Daemon;

/// The number of points in the window of the averages.
const WINDOW: usize = 5;

/// The maximum number of requests of a visit. Their times are below this number.
const LONGEST: i64 = 5000;

/// Computes the expected averages by host.
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

/// A snapshot, and the averages that it contains.
type Kept = (Vec<u8>, Averages);

/// The requests of a connection, and the expected answers in order.
struct Plan {
    requests: Vec<Vec<u8>>,
    /// None stands for a snapshot with any content.
    answers: Vec<Option<Answer>>,
    averages: Averages,
}

impl Plan {
    /// Creates points with other requests between them, and a snapshot at the end. Restores `kept`
    /// first, if any.
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

/// The end of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The visitor ends the input and reads all answers.
    Orderly,
    /// The visitor ends the input within a message.
    Cut,
    /// The visitor sends an invalid message.
    Garbage,
    /// The visitor disconnects without reading.
    Gone,
}

/// Sometimes waits, like a slow network or a slow visitor.
fn delay(rng: &mut Rng) {
    if rng.u8(..20) == 0 {
        thread::sleep(Duration::from_micros(rng.u64(..3000)));
    }
}

/// Sends the bytes in pieces of random lengths.
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

/// Reads to the end. Returns the answers, and the error if the end was not clean.
fn read(output: impl io::Read, rng: &mut Rng) -> (Vec<Answer>, Result<(), FrameError>) {
    let (mut reader, mut answers) = (FrameReader::new(output), Vec::new());
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let response = Response::decode(frame).expect("a frame is a response");
                match response.message.expect("a response says something") {
                    // A keepalive without a request: its time is not one of the visitor's.
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

/// A visitor that returns again and again, and its results.
pub(super) struct Visitor {
    rng: Rng,
    kept: Option<Kept>,
    pub(super) visits: u64,
    pub(super) points: u64,
    pub(super) restores: u64,
}

impl Visitor {
    pub(super) fn new(rng: Rng) -> Self {
        Visitor { rng, kept: None, visits: 0, points: 0, restores: 0 }
    }

    /// Visits one of the daemons, or spawns a program.
    pub(super) fn visit_any(&mut self, steady: &Daemon, doomed: &Daemon) {
        match self.rng.u8(..20) {
            0 => self.visit_a_program(),
            1..7 => self.visit_the_doomed(doomed),
            _ => self.visit(steady.connect().expect("the daemon listens"), || false),
        }
    }

    /// Visits once. `died` returns whether the daemon was killed meanwhile.
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
            // At most as much as the UDF reads while its output is not read.
            End::Gone => bytes.truncate(rng.usize(..bytes.len().min(16 << 10))),
        }
        let Ends { input, output } = ends;
        self.visits += 1;
        if end == End::Gone {
            // The daemon may have been killed.
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
        // In every case, no answer is repeated, reordered or incorrect.
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

    /// Visits a UDF that is spawned, as Kapacitor does.
    fn visit_a_program(&mut self) {
        let mut program = Program::spawn(Command::new(example("moving_avg")).stdin(Stdio::piped()));
        let ends = program.pipes();
        self.visit(ends, || false);
        program.wait();
    }

    fn visit_the_doomed(&mut self, doomed: &Daemon) {
        let epoch = doomed.epoch();
        // During a restart, a connection may still reach the process that is about to be killed.
        if epoch.is_multiple_of(2)
            && let Ok(ends) = doomed.connect()
        {
            self.visit(ends, || doomed.epoch() != epoch);
        }
    }
}
