//! A `ConcurrentUdf`: the order of its output, hold-back, barriers, errors and threads.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use prost::Message as _;
use udf_proto::messages::request::Message;
use udf_proto::messages::{self, InitRequest, Request};
use udf_proto::{Init, frame};
use udf_runtime::{
    Agent, Batch, BeginBatch, ConcurrentUdf, Emitter, FromPoint, Point, Result, Stream, Task, Tick,
    UdfHandler, testing, udf,
};

/// The time limit of a wait.
const LIMIT: Duration = Duration::from_secs(60);

/// Lets a test decide when the look-up of a key returns.
#[derive(Default)]
struct Desk {
    keys: Mutex<Keys>,
    changed: Condvar,
}

#[derive(Default)]
struct Keys {
    /// The keys of the look-ups that run.
    asked: Vec<i64>,
    /// The answers that a test has given.
    answers: HashMap<i64, String>,
}

impl Desk {
    /// The desk of a task, by its name.
    fn of(task: &str) -> Arc<Self> {
        static DESKS: Mutex<Option<HashMap<String, Arc<Desk>>>> = Mutex::new(None);
        let mut desks = DESKS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(desks.get_or_insert_default().entry(task.to_owned()).or_default())
    }

    fn look_up(&self, key: i64) -> String {
        let mut keys = self.keys.lock().expect("it is whole");
        keys.asked.push(key);
        self.changed.notify_all();
        loop {
            if let Some(answer) = keys.answers.remove(&key) {
                keys.asked.retain(|asked| *asked != key);
                self.changed.notify_all();
                return answer;
            }
            keys = self.changed.wait(keys).expect("it is whole");
        }
    }

    fn answer(&self, key: i64, answer: &str) {
        self.keys.lock().expect("it is whole").answers.insert(key, answer.to_owned());
        self.changed.notify_all();
    }

    /// Waits until the look-up of this key runs.
    fn wait_until(&self, key: i64) {
        let keys = self.keys.lock().expect("it is whole");
        let missing = |keys: &mut Keys| !keys.asked.contains(&key);
        let waited = self.changed.wait_timeout_while(keys, LIMIT, missing).expect("it is whole");
        assert!(!waited.1.timed_out(), "the look-up of {key} does not begin: {:?}", waited.0.asked);
    }

    /// Waits until the look-ups of exactly these keys run.
    fn wait_for(&self, mut expected: Vec<i64>) {
        expected.sort_unstable();
        let keys = self.keys.lock().expect("it is whole");
        let differ = |keys: &mut Keys| {
            keys.asked.sort_unstable();
            keys.asked != expected
        };
        let waited = self.changed.wait_timeout_while(keys, LIMIT, differ);
        let (keys, _) = waited.expect("it is whole");
        assert_eq!(keys.asked, expected);
    }
}

/// Adds the answer to a field `key`. The answer `error` fails, `panic` panics, and `nothing` drops
/// the point.
#[udf(wants = stream, provides = stream)]
struct LookUp {
    /// Number of workers.
    #[option(default = 4)]
    workers: usize,
    desk: Arc<Desk>,
    #[state]
    handled: Handled,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Handled(AtomicUsize);

impl ConcurrentUdf for LookUp {
    fn workers(&self) -> usize {
        self.workers
    }

    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        self.desk = Desk::of(task.task_id());
        Ok(())
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let answer = self.desk.look_up(point.int("key")?);
        self.handled.0.fetch_add(1, Ordering::Relaxed);
        match answer.as_str() {
            "error" => {
                out.build("before_the_error").field("v", 1).send()?;
                Err("the server is on fire".into())
            }
            "panic" => panic!("the server is gone"),
            "nothing" => Ok(()),
            answer => Ok(out.edit(point).field("answer", answer).send()?),
        }
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        let handled = *self.handled.0.get_mut() as i64;
        Ok(out.build("finish").time(0).field("handled", handled).send()?)
    }
}

fn keys(keys: impl IntoIterator<Item = i64>) -> String {
    keys.into_iter().map(|key| format!("m key={key}i {key}\n")).collect()
}

fn answered(keys: impl IntoIterator<Item = i64>) -> String {
    keys.into_iter().map(|key| format!("m key={key}i,answer=\"ok\" {key}\n")).collect()
}

/// Does `work` on another thread while the test answers look-ups.
fn meanwhile<T: Send>(work: impl FnOnce() -> T + Send, answer: impl FnOnce()) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(work);
        answer();
        worker.join().expect("it succeeds")
    })
}

#[test]
fn output_keeps_the_order_of_the_input() {
    let desk = Desk::of("order");
    let mut task = testing::udf::<LookUp>().task_id("order").start();
    meanwhile(
        || task.feed(&keys(0..8)),
        || {
            desk.wait_for(vec![0, 1, 2, 3]);
            // Later points are done first.
            for (done, begun) in [(3, 4), (2, 5), (1, 6), (6, 7)] {
                desk.answer(done, "ok");
                desk.wait_until(begun);
            }
            for key in [5, 4] {
                desk.answer(key, "ok");
            }
            desk.answer(7, "nothing");
            desk.wait_for(vec![0]);
            desk.answer(0, "ok");
        },
    );
    task.emits(&answered(0..7));
    task.end();
    task.emits("finish handled=8i 0");
}

#[test]
fn a_snapshot_and_a_restore_wait_for_the_points_before_them() {
    let desk = Desk::of("snapshot");
    let mut task = testing::udf::<LookUp>().task_id("snapshot").start();
    meanwhile(
        || task.feed(&keys(0..3)),
        || {
            desk.wait_for(vec![0, 1, 2]);
            [2, 1, 0].iter().for_each(|key| desk.answer(*key, "ok"));
        },
    );
    // `feed` has sent a keepalive. Its answer has waited for the points, too.
    task.emits(&answered(0..3));
    let snapshot = task.snapshot();
    meanwhile(|| task.feed(&keys(3..5)), || [4, 3].iter().for_each(|key| desk.answer(*key, "ok")));
    task.emits(&answered(3..5));
    task.restore(&snapshot);
    task.end();
    task.emits("finish handled=3i 0");
}

/// The requests of a connection, a frame for each read.
struct Requests<F> {
    frames: std::vec::IntoIter<Vec<u8>>,
    rest: Vec<u8>,
    /// Called with the number of frames that were read before.
    before: F,
    read: usize,
}

impl<F: FnMut(usize) + Send> Read for Requests<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            (self.before)(self.read);
            self.rest = self.frames.next().unwrap_or_default();
            self.read += 1;
        }
        let length = self.rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

/// Counts the points that come out.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("it is whole").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frames(
    task: &str,
    points: impl Iterator<Item = (i64, usize)>,
    last: Option<Message>,
) -> Vec<Vec<u8>> {
    let init = Init { options: vec![], task_id: task.into(), node_id: "ask".into() };
    let point = |(key, size)| {
        let mut point = messages::Point { name: "m".into(), time: key, ..Default::default() };
        point.fields_int.insert("key".into(), key);
        point.fields_string.insert("filler".into(), "x".repeat(size));
        Message::Point(point)
    };
    let asks =
        [Message::Init(InitRequest::from(init))].into_iter().chain(points.map(point)).chain(last);
    let encode = |ask| Request { message: Some(ask) }.encode_length_delimited_to_vec();
    asks.map(encode).collect()
}

/// Feeds `count` points of a size, and checks that no more than `most` are in the pool.
fn is_held_back(task: &'static str, count: i64, size: usize, most: usize) {
    let desk = Desk::of(task);
    let (sender, reads) = std::sync::mpsc::channel();
    let done = Arc::new(Mutex::new(0));
    let is_done = Arc::clone(&done);
    let before = move |read: usize| {
        // The agent reads one more point than it accepts. The Init is a frame, too.
        let (read, done) = (read.saturating_sub(1), *is_done.lock().expect("it is whole"));
        assert!(read <= done + most, "{read} points were read when {done} were done");
        sender.send(read).expect("the test runs");
    };
    let frames = frames(task, (0..count).map(|key| (key, size)), None);
    let requests = Requests { frames: frames.into_iter(), rest: vec![], before, read: 0 };
    let output = Output::default();
    let agent = Agent::new(requests, output.clone(), UdfHandler::<LookUp>::new()).start();
    let agent = agent.expect("a thread starts");
    let mut read = 0;
    for key in 0..count {
        // As much is read as the pool may hold.
        let expected = (key as usize + most).min(count as usize);
        while read < expected {
            read = reads.recv_timeout(LIMIT).expect("it reads on");
        }
        *done.lock().expect("it is whole") += 1;
        desk.answer(key, "ok");
    }
    agent.wait().expect("it ends well");
    let output = output.0.lock().expect("it is whole").len();
    assert!(output > count as usize * size);
}

#[test]
fn input_is_held_back_by_the_number_of_points() {
    // 16 for each of the four workers.
    is_held_back("many", 200, 10, 64);
}

#[test]
fn input_is_held_back_by_the_size_of_points() {
    is_held_back("large", 20, 300 << 10, 3);
}

#[test]
fn a_point_that_is_larger_than_all_may_be_is_handled_alone() {
    is_held_back("huge", 5, 2 << 20, 1);
}

fn fails(task: &str, answer: &str) -> (String, Vec<String>) {
    let desk = Desk::of(task);
    let mut task = testing::udf::<LookUp>().task_id(task).start();
    meanwhile(
        || task.feed(&keys(0..4)),
        || {
            desk.wait_for(vec![0, 1, 2, 3]);
            // It fails before the points before it are done, and after one that follows.
            desk.answer(3, "ok");
            desk.wait_for(vec![0, 1, 2]);
            desk.answer(2, answer);
            desk.wait_for(vec![0, 1]);
            desk.answer(1, "ok");
            desk.wait_for(vec![0]);
            desk.answer(0, "ok");
        },
    );
    let failure = task.failure();
    (failure, task.lines().into_iter().map(|line| line.to_string()).collect())
}

#[test]
fn an_error_fails_the_task_after_the_output_of_the_points_before_it() {
    let (failure, lines) = fails("error", "error");
    assert_eq!(failure, "the server is on fire");
    assert_eq!(
        lines,
        ["m answer=\"ok\",key=0i 0", "m answer=\"ok\",key=1i 1", "before_the_error v=1i 2"]
    );
}

#[test]
fn a_panic_fails_the_task_after_the_output_of_the_points_before_it() {
    let (failure, lines) = fails("panic", "panic");
    assert_eq!(failure, "the handler panicked in point: the server is gone");
    assert_eq!(lines, ["m answer=\"ok\",key=0i 0", "m answer=\"ok\",key=1i 1"]);
}

#[test]
fn an_error_of_the_last_point_is_reported_while_the_agent_waits_for_input() {
    let (sender, reads) = std::sync::mpsc::channel();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let desk = Desk::of("idle");
    // The input stays open after the point.
    let before = move |read: usize| {
        sender.send(read).expect("the test runs");
        if read == 2 {
            wait.recv_timeout(LIMIT).expect("the test goes on");
        }
    };
    let frames = frames("idle", [(0, 1)].into_iter(), None);
    let requests = Requests { frames: frames.into_iter(), rest: vec![], before, read: 0 };
    let output = Output::default();
    let agent = Agent::new(requests, output.clone(), UdfHandler::<LookUp>::new()).start();
    let agent = agent.expect("a thread starts");
    while reads.recv_timeout(LIMIT).expect("it reads on") < 2 {}
    desk.answer(0, "panic");
    let is_told = || {
        let output = output.0.lock().expect("it is whole").clone();
        String::from_utf8_lossy(&output).contains("the server is gone")
    };
    let begun = std::time::Instant::now();
    while !is_told() && begun.elapsed() < LIMIT {
        std::thread::yield_now();
    }
    assert!(is_told());
    go_on.send(()).expect("it waits");
    let error = agent.wait().expect_err("it failed").to_string();
    assert_eq!(error, "the handler panicked in point: the server is gone");
    let output = output.0.lock().expect("it is whole").clone();
    assert_eq!(String::from_utf8_lossy(&output).matches("the server is gone").count(), 1);
}

#[test]
fn points_in_the_pool_are_answered_before_an_error_of_the_connection() {
    let desk = Desk::of("malformed");
    let mut input = frames("malformed", [(0, 1), (1, 1)].into_iter(), None).concat();
    // No request: a frame of one byte that is not a message.
    frame::append(&Request { message: None }, &mut input);
    input.extend([1, 0xff]);
    let output = Output::default();
    let handler = UdfHandler::<LookUp>::new();
    let agent = Agent::new(io::Cursor::new(input), output.clone(), handler).start();
    let agent = agent.expect("a thread starts");
    desk.wait_for(vec![0, 1]);
    desk.answer(1, "one");
    desk.answer(0, "zero");
    agent.wait().expect_err("the input is malformed");
    let output = String::from_utf8_lossy(&output.0.lock().expect("it is whole")).into_owned();
    let place = |text: &str| output.find(text).unwrap_or_else(|| panic!("no {text} in {output}"));
    assert!(place("zero") < place("one"), "{output}");
}

#[test]
fn a_number_of_workers_that_is_out_of_range_is_refused() {
    for workers in ["0", "1025"] {
        let option = format!("workers={workers}");
        assert_eq!(
            testing::udf::<LookUp>().task_id("range").option(&option).refusal(),
            format!("the UDF asks for {workers} workers: the number must be from 1 to 1024")
        );
    }
}

#[test]
fn a_missing_field_skips_the_point() {
    let desk = Desk::of("missing");
    let mut task = testing::udf::<LookUp>().task_id("missing").start();
    [1, 2].iter().for_each(|key| desk.answer(*key, "ok"));
    task.feed("m key=1i 1\nm other=5i 1\nm key=2i 2");
    task.emits(&answered(1..3));
    task.end();
    task.emits("finish handled=2i 0");
}

#[derive(FromPoint)]
struct Cpu<'p> {
    #[field]
    usage: f64,
    #[tag]
    host: &'p str,
    #[point]
    point: Point<'p>,
}

/// Sends a batch for each point, of typed points, with a tick.
#[udf(wants = stream, provides = batch, point = Cpu<'_>, on_missing = fail, tick = "1ms")]
struct Batches {
    ticks: i64,
}

impl ConcurrentUdf for Batches {
    fn workers(&self) -> usize {
        3
    }

    fn point(&self, cpu: &Cpu<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let tags = [("host".to_owned(), cpu.host.to_owned())].into();
        let begin = BeginBatch { name: "cpu".to_owned(), tags, ..BeginBatch::default() };
        // A batch that is not ended is no output.
        let mut dropped = out.begin(&begin);
        dropped.build().field("usage", cpu.usage).send()?;
        drop(dropped);
        let mut batch = out.begin(&begin);
        batch.pass(&cpu.point);
        Ok(batch.end(cpu.point.time())?)
    }
}

impl Tick for Batches {
    fn tick(&mut self, _: &mut Emitter<Batch>) -> Result<()> {
        // It has the UDF for itself.
        self.ticks += 1;
        Ok(())
    }
}

#[test]
fn batches_typed_points_and_ticks_work_as_they_do_without_workers() {
    let mut task = testing::udf::<Batches>().start();
    let lines: Vec<_> = (0..500).map(|n| format!("cpu,host=h{n} usage={n} {n}")).collect();
    task.feed(&lines.join("\n"));
    let output = task.output();
    assert_eq!(output.len(), 500);
    for (number, batch) in output.iter().enumerate() {
        assert_eq!((batch.tmax, batch.points.len()), (number as i64, 1));
        assert_eq!(batch.tags["host"], format!("h{number}"));
    }
    task.feed("cpu usage=1 1");
    assert_eq!(task.failure(), "a point of `cpu` has no tag `host`");
}

/// Emits more for each point than is written at once.
#[udf(wants = stream, provides = stream)]
struct Much {}

impl ConcurrentUdf for Much {
    fn workers(&self) -> usize {
        2
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        for _ in 0..20_000 {
            out.pass(point)?;
        }
        Ok(())
    }
}

#[test]
fn the_output_of_a_point_is_contiguous() {
    let mut task = testing::udf::<Much>().start();
    task.feed(&keys(0..4));
    let times: Vec<_> = task.output().iter().map(|point| point.as_point().time()).collect();
    assert_eq!(times.len(), 80_000);
    assert!(times.is_sorted());
}

#[test]
fn a_peer_that_is_gone_ends_the_task() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let input = io::Cursor::new(frames("gone", (0..100).map(|key| (key, 1)), None).concat());
    (0..100).for_each(|key| Desk::of("gone").answer(key, "ok"));
    let ended = Agent::new(input, Gone, UdfHandler::<LookUp>::new()).run();
    let error = ended.expect_err("nothing can be written").to_string();
    assert!(error.starts_with("writing to Kapacitor failed"), "{error}");
}
