//! Ticks are events of the agent: they come with and without input, and never during another call.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::io::{Cursor, Read, Write, sink};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Kapacitor, Scripted, TIMEOUT, begin, error_of, frame_of, point, times};
use udf_proto::messages::InitRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::ticks::{self, TickRequest};
use udf_runtime::{Agent, Batch, Edge, EmitError, Emitter, Remote, Stream};

/// The interval of ticks.
const EVERY: Duration = Duration::from_millis(1);

/// A reader that returns its bytes as fast as they are read, and then ends.
fn at_once(messages: impl IntoIterator<Item = Ask>) -> Cursor<Vec<u8>> {
    Cursor::new(messages.into_iter().flat_map(frame_of).collect())
}

/// Input that never pauses, and ends after this many ticks.
struct Endless {
    first: Cursor<Vec<u8>>,
    point: Vec<u8>,
    place: usize,
    ticks: Arc<AtomicU64>,
    until: u64,
    begun: Instant,
}

impl Endless {
    fn new(first: impl IntoIterator<Item = Ask>, ticks: &Arc<AtomicU64>, until: u64) -> Self {
        let (point, begun) = (frame_of(Ask::Point(point(1))), Instant::now());
        Endless { first: at_once(first), point, place: 0, ticks: Arc::clone(ticks), until, begun }
    }
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.first.read(buffer)?;
        if read > 0 {
            return Ok(read);
        }
        let has_ended = self.ticks.load(Ordering::SeqCst) >= self.until
            // Only a safety net: a test that gets here has failed.
            || self.begun.elapsed() > TIMEOUT;
        let rest = (self.point.len() - self.place) % self.point.len();
        let most = if has_ended { buffer.len().min(rest) } else { buffer.len() };
        for byte in &mut buffer[..most] {
            *byte = self.point[self.place];
            self.place = (self.place + 1) % self.point.len();
        }
        Ok(most)
    }
}

fn counting<W: Edge>() -> (Scripted<W, Stream>, Arc<AtomicU64>) {
    let (mut handler, _) = Scripted::<W, Stream>::new();
    let ticks = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&ticks);
    let tick = move |_: &mut Emitter<Stream>| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    handler.tick = Some((EVERY, Box::new(tick)));
    (handler, ticks)
}

#[test]
fn ticks_go_on_while_the_input_never_pauses() {
    let (handler, ticks) = counting::<Stream>();
    let input = Endless::new([Ask::Init(InitRequest::default())], &ticks, 20);
    Agent::new(input, sink(), handler).run().unwrap();
    assert!(ticks.load(Ordering::SeqCst) >= 20, "the ticks starve");
}

#[test]
fn ticks_go_on_within_a_batch_that_never_ends() {
    let (handler, ticks) = counting::<Batch>();
    let input =
        Endless::new([Ask::Init(InitRequest::default()), Ask::Begin(begin("g"))], &ticks, 20);
    // The input ends within the batch.
    let _ = Agent::new(input, sink(), handler).run();
    assert!(ticks.load(Ordering::SeqCst) >= 20, "the ticks starve");
}

#[test]
fn intervals_that_pass_during_a_point_make_one_tick() {
    let (mut handler, _) = Scripted::<Stream, Stream>::new();
    let calls = Arc::new(Mutex::new(String::new()));
    let called = |name: char| {
        let calls = Arc::clone(&calls);
        move || calls.lock().unwrap().push(name)
    };
    let (point_called, tick_called) = (called('p'), called('t'));
    handler.point = Box::new(move |_, _| {
        std::thread::sleep(20 * EVERY);
        point_called();
        Ok(())
    });
    let tick = move |_: &mut Emitter<Stream>| {
        tick_called();
        Ok(())
    };
    handler.tick = Some((EVERY, Box::new(tick)));
    let points = at_once((0..20).map(|time| Ask::Point(point(time))));
    let input = at_once([Ask::Init(InitRequest::default())]).chain(points);
    Agent::new(input, sink(), handler).run().unwrap();
    let calls = calls.lock().unwrap();
    let between: Vec<_> = calls.split('p').collect();
    // Before the first point and behind the last one, the agent may have waited for input.
    assert!(between[1..20].iter().all(|ticks| ticks.len() <= 1), "{calls}");
}

/// A writer that reports each write and then blocks until it may go on.
struct Stuck {
    begun: Sender<()>,
    wait: Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.begun.send(());
        let _ = self.wait.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn ticks_go_on_after_output_that_was_blocked() {
    let (mut handler, ticks) = counting::<Stream>();
    handler.point = Box::new(|point, out| Ok(out.pass(point)?));
    let (begun, writing) = channel();
    let (go_on, wait) = channel();
    let input = Endless::new([Ask::Init(InitRequest::default())], &ticks, 5);
    let agent = Agent::new(input, Stuck { begun, wait }, handler).start().unwrap();
    // The answer to Init blocks, and then the first points.
    writing.recv_timeout(TIMEOUT).unwrap();
    assert_eq!(ticks.load(Ordering::SeqCst), 0, "there are no ticks before the answer to Init");
    go_on.send(()).unwrap();
    writing.recv_timeout(TIMEOUT).unwrap();
    drop(go_on);
    agent.wait().unwrap();
    assert!(ticks.load(Ordering::SeqCst) >= 5, "the ticks have ended");
}

#[test]
fn a_point_that_a_tick_builds_has_the_time_of_the_clock() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
    let (mut handler, _) = Scripted::<Stream, Stream>::new();
    let tick = |out: &mut Emitter<Stream>| Ok(out.build("tick").field("x", 1).send()?);
    handler.tick = Some((EVERY, Box::new(tick)));
    let before = now();
    let mut kapacitor = Kapacitor::start(handler);
    let times = times(&[kapacitor.answer()]);
    assert!((before..=now()).contains(&times[0]), "{times:?}");
    kapacitor.finish().1.unwrap();
}

#[test]
fn ticks_emit_without_input_and_their_errors_are_told_at_once() {
    let (mut handler, _) = Scripted::<Stream, Stream>::new();
    let mut ticks = 0;
    handler.tick = Some((
        Duration::from_millis(5),
        Box::new(move |out| {
            ticks += 1;
            if ticks > 3 {
                return Err("enough".into());
            }
            Ok(out.build("tick").time(ticks).field("x", 1).send()?)
        }),
    ));
    let mut kapacitor = Kapacitor::start(handler);
    let answers: Vec<_> = (0..4).map(|_| kapacitor.answer()).collect();
    assert_eq!(times(&answers[..3]), [1, 2, 3]);
    assert_eq!(error_of(&answers), "enough");
    let (rest, ended) = kapacitor.finish();
    assert!(rest.is_empty(), "it is told once: {rest:?}");
    assert_eq!(ended.expect_err("it has failed").to_string(), "enough");
}

#[test]
fn a_tick_that_takes_longer_than_its_period_leaves_a_period_for_points() {
    let (mut handler, _) = Scripted::<Stream, Stream>::new();
    let (period, (ended, ticks)) = (Duration::from_millis(20), channel());
    let tick = move |_: &mut Emitter<Stream>| {
        let begun = Instant::now();
        std::thread::sleep(2 * period);
        // The test may have stopped receiving.
        let _ = ended.send((begun, Instant::now()));
        Ok(())
    };
    handler.tick = Some((period, Box::new(tick)));
    let kapacitor = Kapacitor::start(handler);
    let ticks: Vec<_> = ticks.iter().take(4).collect();
    for pair in ticks.windows(2) {
        let between = pair[1].0.duration_since(pair[0].1);
        assert!(between >= period, "{between:?} between two ticks");
    }
    kapacitor.finish().1.unwrap();
}

#[test]
fn a_tick_that_has_returned_is_not_work() {
    let (mut handler, _) = Scripted::<Stream, Stream>::new();
    let tick = |out: &mut Emitter<Stream>| Ok(out.build("tick").time(1).field("x", 1).send()?);
    handler.tick = Some((Duration::from_millis(400), Box::new(tick)));
    let mut kapacitor = Kapacitor::connect_with_liveness(handler, TIMEOUT);
    kapacitor.init();
    let (begun, mut heard) = (Instant::now(), true);
    let _first = kapacitor.answer();
    // On a busy machine, a single tick may be slow. At least one of them is not.
    while std::mem::take(&mut heard) {
        while let Answer::Keepalive(_) = kapacitor.answer() {
            heard = true;
        }
        assert!(begun.elapsed() < TIMEOUT, "between all ticks it shows life");
    }
    kapacitor.finish().1.unwrap();
}

/// A number of points that the agent reads at once, after many others.
const BACKLOG: i64 = 1500;

#[test]
fn a_backlog_of_points_does_not_keep_ticks_waiting() {
    let (mut handler, ticks) = counting::<Stream>();
    let (mut before, behind) = (0, Arc::new(AtomicU64::new(0)));
    handler.point = Box::new({
        let (ticks, behind) = (Arc::clone(&ticks), Arc::clone(&behind));
        move |point, _| {
            let ticks = ticks.load(Ordering::SeqCst);
            match point.time() {
                ..0 => {}
                0 => before = ticks,
                BACKLOG => behind.store(ticks - before, Ordering::SeqCst),
                _ if ticks > before => {}
                _ => std::thread::sleep(EVERY),
            }
            Ok(())
        }
    });
    // These let the buffer of the agent grow until it takes the whole backlog.
    let many = (0..100_000).map(|_| Ask::Point(point(-1)));
    let points = (0..=BACKLOG).map(|time| Ask::Point(point(time)));
    let input = at_once([Ask::Init(InitRequest::default())]).chain(at_once(many));
    Agent::new(input.chain(at_once(points)), sink(), handler).run().unwrap();
    assert!(behind.load(Ordering::SeqCst) > 0, "the first tick came behind all points");
}

#[test]
fn an_interval_that_is_too_short_is_refused_and_one_that_no_clock_can_tell_never_comes() {
    let with_ticks = |every| {
        let (mut handler, _) = Scripted::<Stream, Stream>::new();
        handler.tick = Some((every, Box::new(|_| Err("it ticks".into()))));
        handler
    };
    let mut kapacitor = Kapacitor::connect(with_ticks(Duration::ZERO));
    kapacitor.ask(Ask::Init(InitRequest::default()));
    let Answer::Init(refused) = kapacitor.answer() else { panic!("not an init") };
    let too_short = "the UDF asks for a tick every 0ns, but the interval must be at least 1ms";
    assert_eq!((refused.success, &*refused.error), (false, too_short));
    kapacitor.finish().1.unwrap();
    Kapacitor::start(with_ticks(Duration::MAX)).finish().1.unwrap();
}

/// Connects to a handler that sends a point with the default time at each tick, and starts it
/// behind the keepalive of `begins`.
fn requesting(
    begins: Option<TickRequest>,
    every: Duration,
) -> (Kapacitor, Receiver<Remote<Stream>>) {
    let (mut handler, remotes) = Scripted::<Stream, Stream>::new();
    let tick = |out: &mut Emitter<Stream>| Ok(out.build("tick").field("is", true).send()?);
    handler.tick = Some((every, Box::new(tick)));
    let mut kapacitor = Kapacitor::connect(handler);
    if let Some(begins) = begins {
        kapacitor.keepalive(begins.to_keepalive());
        assert_eq!(echo(&mut kapacitor), begins.to_keepalive());
    }
    kapacitor.init();
    (kapacitor, remotes)
}

fn echo(kapacitor: &mut Kapacitor) -> i64 {
    match kapacitor.answer() {
        Answer::Keepalive(echo) => echo.time,
        other => panic!("this is no echo: {other:?}"),
    }
}

const ON_REQUEST: TickRequest = TickRequest::OnRequest { strict: false };

#[test]
fn requested_ticks_come_when_they_are_requested_and_at_no_other_time() {
    let (mut kapacitor, _) = requesting(Some(ON_REQUEST), EVERY);
    kapacitor.keepalive(ON_REQUEST.to_keepalive());
    assert_eq!(ticks::interval_from_keepalive(echo(&mut kapacitor)), Some(EVERY));
    // Many intervals pass.
    std::thread::sleep(20 * EVERY);
    for time in [20, 0, 1_700_000_000_000_000_000] {
        kapacitor.keepalive(TickRequest::Tick { time }.to_keepalive());
        let Answer::Point(point) = kapacitor.answer() else { panic!("the tick sends a point") };
        assert_eq!((point.name.as_str(), point.time), ("tick", time));
        assert_eq!(echo(&mut kapacitor), TickRequest::Tick { time }.to_keepalive());
    }
    let (rest, result) = kapacitor.finish();
    assert_eq!(rest, []);
    result.unwrap();
}

#[test]
fn keepalives_that_nobody_agreed_on_are_only_echoed() {
    let (mut kapacitor, _) = requesting(None, Duration::from_secs(3600));
    for time in [ON_REQUEST, TickRequest::Tick { time: 20 }].map(TickRequest::to_keepalive) {
        kapacitor.keepalive(time);
        assert_eq!(echo(&mut kapacitor), time);
    }
    kapacitor.finish().1.unwrap();
}

#[test]
fn a_udf_without_ticks_has_no_interval() {
    let mut kapacitor = Kapacitor::connect(Scripted::<Stream, Stream>::new().0);
    kapacitor.keepalive(ON_REQUEST.to_keepalive());
    echo(&mut kapacitor);
    kapacitor.init();
    for time in [ON_REQUEST, TickRequest::Tick { time: 20 }].map(TickRequest::to_keepalive) {
        kapacitor.keepalive(time);
        assert_eq!(echo(&mut kapacitor), time);
    }
    kapacitor.finish().1.unwrap();
}

#[test]
fn a_strict_host_gets_no_output_of_other_threads() {
    let (mut kapacitor, remotes) = requesting(Some(TickRequest::OnRequest { strict: true }), EVERY);
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    let sent = remote.emit(|out| out.build("late").field("is", true).send());
    let why = "this host takes no output of other threads, because such output does not follow from \
               the input alone";
    assert!(matches!(&sent, Err(EmitError::Remote)), "{sent:?}");
    let Answer::Error(told) = kapacitor.answer() else { panic!("the host is told") };
    assert_eq!((told.error.as_str(), sent.unwrap_err().to_string().as_str()), (why, why));
    kapacitor.finish().1.unwrap();

    let (mut kapacitor, remotes) = requesting(Some(ON_REQUEST), EVERY);
    let remote = remotes.recv_timeout(TIMEOUT).unwrap();
    remote.emit(|out| out.build("late").field("is", true).send()).unwrap();
    assert!(matches!(kapacitor.answer(), Answer::Point(_)));
    kapacitor.finish().1.unwrap();
}
