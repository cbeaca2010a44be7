//! Threads of `Task::spawn`: their begin, their output, their errors and their end.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use udf_runtime::options::OptionType;
use udf_runtime::{
    Agent, Emitter, Init, Point, Result, Stream, StreamUdf, Task, UdfHandler, testing, udf,
};

const LIMIT: Duration = Duration::from_secs(60);
const LONG: Duration = Duration::from_secs(1 << 40);

#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionType)]
enum Kind {
    /// Emits at once, and once more when it must return.
    Waits,
    /// Emits what arrives in a channel.
    Queue,
    /// Returns at once.
    Returns,
    /// Returns an error at once.
    Fails,
    /// Panics when the first point arrives.
    Panics,
    /// Is started by an Init that is refused.
    Refused,
    /// Is started by an Init that then panics.
    Broken,
}

static REFUSED_HAS_RUN: AtomicBool = AtomicBool::new(false);

/// Whether the thread of an Init that panics has returned.
static IS_GONE: AtomicBool = AtomicBool::new(false);

struct Gone;

impl Drop for Gone {
    fn drop(&mut self) {
        IS_GONE.store(true, Ordering::SeqCst);
    }
}

/// Starts a thread.
#[udf(wants = stream, provides = stream)]
struct Spawns {
    #[option]
    kind: Kind,
    names: Option<Sender<i64>>,
    answers: Option<Mutex<Receiver<()>>>,
}

impl StreamUdf for Spawns {
    fn init(&mut self, task: &Task<Stream>) -> Result<()> {
        let (sender, names) = channel::<i64>();
        self.names = Some(sender);
        match self.kind {
            Kind::Waits => task.spawn("waits", |thread| {
                thread.remote().emit(|out| out.build("begun").time(1).field("v", 1).send())?;
                while thread.wait(LONG) {}
                assert!(thread.is_stopped());
                Ok(thread.remote().emit(|out| out.build("ended").time(2).field("v", 2).send())?)
            }),
            Kind::Queue => task.spawn("queue", move |thread| {
                for name in names {
                    let emit =
                        |out: &mut Emitter<_>| out.build("name").time(name).field("v", 1).send();
                    thread.remote().emit(emit)?;
                }
                Ok(())
            }),
            Kind::Returns => task.spawn("returns", |_| Ok(())),
            Kind::Fails => task.spawn("fails", |_| Err("the file is gone".into())),
            Kind::Panics => {
                let (done, answers) = channel();
                self.answers = Some(Mutex::new(answers));
                task.spawn("panics", move |_| {
                    let name = names.recv();
                    // The handler waits for the end of this thread within `point`.
                    let _done = done;
                    panic!("out of luck at {name:?}");
                })
            }
            Kind::Refused => {
                task.spawn("refused", |_| {
                    REFUSED_HAS_RUN.store(true, Ordering::SeqCst);
                    Ok(())
                })?;
                Err("the options do not fit".into())
            }
            Kind::Broken => {
                let gone = Gone;
                task.spawn("panics", move |_| {
                    drop(gone);
                    Ok(())
                })?;
                panic!("the options do not fit");
            }
        }
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        if let Some(names) = &self.names {
            let _ = names.send(point.time());
        }
        if let Some(answers) = &self.answers {
            let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = answers.recv_timeout(LIMIT);
        }
        if self.kind != Kind::Queue {
            out.pass(point)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        self.names = None;
        Ok(out.build("finish").time(3).field("v", 3).send()?)
    }
}

fn start(kind: &str) -> testing::TestTask<UdfHandler<Spawns>> {
    testing::udf::<Spawns>().option(format!("kind={kind}")).start()
}

#[test]
fn the_end_tells_a_thread_to_return_and_waits_for_its_output() {
    let mut task = start("waits");
    task.emits_within(LIMIT, "begun v=1i 1");
    task.end();
    let mut lines: Vec<_> = task.lines().into_iter().map(|line| line.to_string()).collect();
    lines.sort();
    // `finish` and the end of the thread may come in either order.
    assert_eq!(lines, ["ended v=2i 2", "finish v=3i 3"]);
}

#[test]
fn a_thread_that_works_off_a_channel_loses_nothing() {
    let mut task = start("queue");
    let points: String = (0..2000).map(|time| format!("m v=1 {time}\n")).collect();
    task.feed(&points);
    task.end();
    let mut times: Vec<_> = task.output().iter().map(|point| point.as_point().time()).collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 2000);
}

#[test]
fn a_thread_may_return_early() {
    let mut task = start("returns");
    task.feed("m v=1 1");
    task.end();
    task.emits("m v=1 1\nfinish v=3i 3");
}

#[test]
fn an_error_of_a_thread_fails_the_task() {
    assert_eq!(start("fails").failure(), "the thread `fails` failed: the file is gone");
}

#[test]
fn a_panic_of_a_thread_fails_the_task_also_while_the_handler_is_busy() {
    let mut task = start("panics");
    task.feed("m v=1 7");
    assert_eq!(task.failure(), "the thread `panics` panicked: out of luck at Ok(7)");
    // The handler has returned from its point, whose output is not lost.
    task.emits("m v=1 7");
}

#[test]
fn a_thread_of_a_refused_init_never_begins() {
    let refusal = testing::udf::<Spawns>().option("kind=refused").refusal();
    assert_eq!(refusal, "the options do not fit");
    assert!(!REFUSED_HAS_RUN.load(Ordering::SeqCst));
}

/// What a task sends.
#[derive(Clone, Default)]
struct Output(std::sync::Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The Init of a task with a thread of this kind.
fn init_of(kind: &str) -> io::Cursor<Vec<u8>> {
    use prost::Message as _;
    use udf_proto::messages::{InitRequest, Option as Call, Request};
    use udf_proto::messages::{OptionValue, option_value, request};
    let values = vec![OptionValue {
        r#type: udf_proto::messages::ValueType::String as i32,
        value: Some(option_value::Value::StringValue(kind.into())),
    }];
    let call = Call { name: "kind".into(), values };
    let init = InitRequest { options: vec![call], ..InitRequest::from(Init::default()) };
    let input = Request { message: Some(request::Message::Init(init)) };
    io::Cursor::new(input.encode_length_delimited_to_vec())
}

#[test]
fn a_thread_of_an_init_that_panics_does_not_outlive_the_task() {
    let udf = UdfHandler::<Spawns>::new();
    let ended = Agent::new(init_of("broken"), io::sink(), udf).run();
    let error = ended.expect_err("it panics").to_string();
    assert_eq!(error, "the handler panicked in init: the options do not fit");
    assert!(IS_GONE.load(Ordering::SeqCst), "the thread still waits");
}

#[test]
fn a_thread_emits_only_after_the_answer_to_the_init() {
    use prost::Message as _;
    use udf_proto::messages::{Response, response};
    let output = Output::default();
    let ended = Agent::new(init_of("waits"), output.clone(), UdfHandler::<Spawns>::new()).run();
    ended.expect("it ends well");
    let output = output.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut output = &output[..];
    let first = Response::decode_length_delimited(&mut output).expect("it is a response");
    assert!(matches!(first.message, Some(response::Message::Init(init)) if init.success));
    assert!(!output.is_empty());
}
