//! A complete agent: its reading thread, its ticker, and threads of the author that emit.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{self, InitRequest, Request};
use udf_proto::{Init, Point, ValueType};

use super::Check;
use super::Tries::Preemptions;
use super::wire::Wire;
use crate::agent::agent_error::AgentError;
use crate::agent::edge::Stream;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::Result;
use crate::agent::handler::{Handler, Verdict};
use crate::agent::link::EmitError;
use crate::agent::pulse::Call;
use crate::agent::run::Agent;
use crate::agent::sync::{Mutex, lock, thread, time_out};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "ticks_points_and_threads_share_a_connection",
        promise: "Output of points, ticks and threads of the author is written once, or refused. `finish` emits \
                  last, and nothing follows.",
        tries: Preemptions(2),
        threads: ticks_points_and_threads_share_a_connection,
    },
    Check {
        name: "a_tick_that_fails_is_told_once",
        promise: "The error of a tick is reported once, as the last message, and ends the agent.",
        tries: Preemptions(2),
        threads: a_tick_that_fails_is_told_once,
    },
    Check {
        name: "a_point_that_fails_ends_the_ticks",
        promise: "After a handler has failed at a point, no tick calls it, and the agent reports its error.",
        tries: Preemptions(2),
        threads: a_point_that_fails_ends_the_ticks,
    },
];

/// A handler that only counts its calls of `finish`.
pub(super) struct Counting(pub(super) Arc<AtomicUsize>);

impl Handler for Counting {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::new()
    }

    fn init(&mut self, _: Init, _: &Remote<Stream>) -> Result<Verdict> {
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn stop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A thread of the author. Returns the result of its output.
type Emitting = thread::JoinHandle<std::result::Result<(), EmitError>>;

/// A handler that emits in every method.
struct Chatty {
    thread: Arc<Mutex<Option<Emitting>>>,
    fails: Option<Call>,
}

fn say(out: &mut Emitter<Stream>, name: &str) -> std::result::Result<(), EmitError> {
    out.build(name).time(1).field("value", 1.0).send()
}

impl Chatty {
    fn fail(&self, call: Call) -> Result<()> {
        if self.fails == Some(call) { Err("it fails".into()) } else { Ok(()) }
    }
}

impl Handler for Chatty {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::new()
    }

    fn init(&mut self, _: Init, remote: &Remote<Stream>) -> Result<Verdict> {
        if self.fails.is_none() {
            let remote = remote.clone();
            let emitting = thread::spawn(move || remote.emit(|out| say(out, "thread")));
            *lock(&self.thread) = Some(emitting);
        }
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, _: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        say(out, "point")?;
        self.fail(Call::Point)
    }

    fn tick_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(1))
    }

    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        say(out, "tick")?;
        self.fail(Call::Tick)
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(say(out, "finish")?)
    }
}

/// Requests, one per read. Other threads may run between two reads.
struct Requests {
    frames: std::vec::IntoIter<Vec<u8>>,
    next: Mutex<()>,
}

impl Requests {
    fn new(points: usize) -> Self {
        let init = Init { options: vec![], task_id: "task".into(), node_id: "node".into() };
        let point = messages::Point { name: "cpu".into(), ..Default::default() };
        let asks = [Ask::Init(InitRequest::from(init))]
            .into_iter()
            .chain(std::iter::repeat_n(Ask::Point(point), points));
        let frames = asks.map(|ask| {
            use prost::Message as _;
            Request { message: Some(ask) }.encode_length_delimited_to_vec()
        });
        Requests { frames: frames.collect::<Vec<_>>().into_iter(), next: Mutex::new(()) }
    }
}

impl Read for Requests {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        drop(lock(&self.next));
        let frame = self.frames.next().unwrap_or_default();
        buffer[..frame.len()].copy_from_slice(&frame);
        Ok(frame.len())
    }
}

/// Returns the written messages, one word each.
fn words(wire: &Wire) -> Vec<String> {
    let (messages, whole) = wire.messages();
    assert!(whole, "a frame is incomplete");
    let word = |message| match message {
        Answer::Init(init) if init.success => "init".to_owned(),
        Answer::Point(point) => point.name,
        Answer::Error(error) => error.error,
        other => panic!("the agent sent {other:?}, which no request asks for"),
    };
    messages.into_iter().map(word).collect()
}

fn ticks_points_and_threads_share_a_connection() {
    time_out(1);
    let (wire, thread) = (Wire::new(), Arc::new(Mutex::new(None)));
    let handler = Chatty { thread: Arc::clone(&thread), fails: None };
    Agent::new(Requests::new(1), wire.writer(), handler)
        .run()
        .expect("the connection ends without an error");
    assert!(wire.is_closed());
    let emitting = lock(&thread).take().expect("init has started it");
    let emitted = emitting.join().expect("the thread does not panic");
    let mut words = words(&wire);
    assert_eq!(words.iter().filter(|word| *word == "thread").count(), usize::from(emitted.is_ok()));
    assert!(matches!(emitted, Ok(()) | Err(EmitError::Closed)), "{emitted:?}");
    // The thread may emit at any time.
    words.retain(|word| word != "thread");
    assert_eq!(words.last().map(String::as_str), Some("finish"), "{words:?}");
    // The tick may come at any time before the end, or not at all.
    let ticks = words.iter().filter(|word| *word == "tick").count();
    assert!(ticks <= 1, "{words:?}");
    words.retain(|word| word != "tick");
    assert_eq!(words, ["init", "point", "finish"]);
}

fn a_tick_that_fails_is_told_once() {
    time_out(1);
    let (wire, thread) = (Wire::new(), Arc::default());
    let handler = Chatty { thread, fails: Some(Call::Tick) };
    let ended = Agent::new(Requests::new(2), wire.writer(), handler).run();
    let mut words = words(&wire);
    let failed = words.iter().filter(|word| *word == "it fails").count();
    match ended {
        // The input ended before the first tick.
        Ok(()) => {
            assert_eq!(failed, 0);
            assert_eq!(words, ["init", "point", "point", "finish"]);
        }
        Err(error) => {
            assert!(matches!(error, AgentError::Handler { .. }), "{error}");
            assert_eq!(words.pop().as_deref(), Some("it fails"));
            assert_eq!(words.pop().as_deref(), Some("tick"));
            assert_eq!(failed, 1);
            words.retain(|word| word != "point");
            assert_eq!(words, ["init"]);
        }
    }
}

fn a_point_that_fails_ends_the_ticks() {
    time_out(1);
    let (wire, thread) = (Wire::new(), Arc::default());
    let handler = Chatty { thread, fails: Some(Call::Point) };
    let ended = Agent::new(Requests::new(1), wire.writer(), handler).run();
    assert!(matches!(ended, Err(AgentError::Handler { call: Call::Point, .. })), "{ended:?}");
    let mut words = words(&wire);
    assert_eq!(words.pop().as_deref(), Some("it fails"), "{words:?}");
    // The point that the handler emitted is written, and no tick follows.
    assert_eq!(words.pop().as_deref(), Some("point"), "{words:?}");
}
