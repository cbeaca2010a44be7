//! Kapacitor's end of a connection, frame by frame, and a handler made of closures.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use prost::Message as _;
use udf_proto::frame::{self, FrameReader};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{self, InfoRequest, InitRequest, KeepaliveRequest, Request};
use udf_proto::response;
use udf_runtime::{
    Agent, AgentError, BeginBatch, Edge, Emitter, EndBatch, Handler, Init, OnUnfit, Point, Remote,
    Result, RunningAgent, ValueType, Verdict,
};

/// The time limit of every wait. A test that exceeds it has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(20);

type OnPoint<P> = Box<dyn FnMut(&Point<'_>, &mut Emitter<P>) -> Result<()> + Send>;
type OnBegin<P> = Box<dyn FnMut(&BeginBatch, &mut Emitter<P>) -> Result<()> + Send>;
type OnEnd<P> = Box<dyn FnMut(&EndBatch, &mut Emitter<P>) -> Result<()> + Send>;
type OnCall<P> = Box<dyn FnMut(&mut Emitter<P>) -> Result<()> + Send>;

/// A handler whose methods are closures. A missing closure does nothing.
pub(crate) struct Scripted<W: Edge, P: Edge> {
    pub(crate) point: OnPoint<P>,
    pub(crate) begin: OnBegin<P>,
    pub(crate) end: OnEnd<P>,
    pub(crate) tick: Option<(Duration, OnCall<P>)>,
    pub(crate) finish: OnCall<P>,
    pub(crate) on_stop: Box<dyn FnMut() + Send>,
    pub(crate) remote: Sender<Remote<P>>,
    pub(crate) wants: std::marker::PhantomData<fn(W)>,
}

impl<W: Edge, P: Edge> Scripted<W, P> {
    /// Does nothing, and returns its remote emitter.
    pub(crate) fn new() -> (Self, Receiver<Remote<P>>) {
        let (sender, remotes) = channel();
        let scripted = Scripted {
            point: Box::new(|_, _| Ok(())),
            begin: Box::new(|_, _| Ok(())),
            end: Box::new(|_, _| Ok(())),
            tick: None,
            finish: Box::new(|_| Ok(())),
            on_stop: Box::new(|| ()),
            remote: sender,
            wants: std::marker::PhantomData,
        };
        (scripted, remotes)
    }
}

impl<W: Edge, P: Edge> Handler for Scripted<W, P> {
    type Wants = W;
    type Provides = P;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::from([("size".to_owned(), vec![ValueType::Int])])
    }

    fn init(&mut self, init: Init, remote: &Remote<P>) -> Result<Verdict> {
        if init.options.is_empty() {
            let _ = self.remote.send(remote.clone());
            Ok(Verdict::Accepted)
        } else if init.options[0].name == "error" {
            Err("that is an error".into())
        } else {
            Ok(Verdict::Refused(format!("there is no {}", init.options[0].name)))
        }
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        Ok(b"state".to_vec())
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        Ok(match snapshot {
            b"state" => Verdict::Accepted,
            _ => Verdict::Refused("that is not my state".to_owned()),
        })
    }

    fn begin_batch(&mut self, begin: &BeginBatch, out: &mut Emitter<P>) -> Result<()> {
        (self.begin)(begin, out)
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<P>) -> Result<()> {
        (self.point)(point, out)
    }

    fn end_batch(&mut self, end: &EndBatch, out: &mut Emitter<P>) -> Result<()> {
        (self.end)(end, out)
    }

    fn tick_every(&self) -> Option<Duration> {
        self.tick.as_ref().map(|(every, _)| *every)
    }

    fn tick(&mut self, out: &mut Emitter<P>) -> Result<()> {
        self.tick.as_mut().map_or(Ok(()), |(_, tick)| tick(out))
    }

    fn finish(&mut self, out: &mut Emitter<P>) -> Result<()> {
        (self.finish)(out)
    }

    fn stop(&mut self) {
        (self.on_stop)();
    }
}

/// Kapacitor's end of a connection to an agent.
pub(crate) struct Kapacitor {
    writer: UnixStream,
    reader: FrameReader<UnixStream>,
    agent: RunningAgent,
}

impl Kapacitor {
    pub(crate) fn connect(handler: impl Handler) -> Self {
        Kapacitor::connect_to(handler, |agent, _| agent)
    }

    pub(crate) fn connect_with_unfit_points(handler: impl Handler, on_unfit: OnUnfit) -> Self {
        Kapacitor::connect_to(handler, |agent, _| agent.unfit_points(on_unfit))
    }

    pub(crate) fn connect_with_liveness(handler: impl Handler, budget: Duration) -> Self {
        Kapacitor::connect_to(handler, |agent, writer| agent.liveness(writer, Some(budget)))
    }

    fn connect_to(handler: impl Handler, set: impl FnOnce(Agent, UnixStream) -> Agent) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(TIMEOUT)).unwrap();
        let output = HalfClosed(theirs.try_clone().unwrap());
        let writer = theirs.try_clone().unwrap();
        let agent = set(Agent::new(theirs, output, handler), writer);
        let agent = agent.start().unwrap();
        Kapacitor { writer: ours.try_clone().unwrap(), reader: FrameReader::new(ours), agent }
    }

    /// Connects an agent and starts it.
    pub(crate) fn start(handler: impl Handler) -> Self {
        let mut kapacitor = Kapacitor::connect(handler);
        kapacitor.init();
        kapacitor
    }

    pub(crate) fn init(&mut self) {
        self.ask(Ask::Init(InitRequest::default()));
        assert!(matches!(self.answer(), Answer::Init(init) if init.success));
    }

    pub(crate) fn ask(&mut self, message: Ask) {
        frame::write(&Request { message: Some(message) }, &self.writer).unwrap();
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        (&self.writer).write_all(bytes).unwrap();
    }

    /// Returns the next answer. Panics if none arrives.
    pub(crate) fn answer(&mut self) -> Answer {
        let frame = self.reader.next_frame().expect("no answer in time");
        let frame = frame.expect("an answer, not the end");
        response::decode(frame).expect("a response").expect("one that is not empty")
    }

    pub(crate) fn keepalive(&mut self, time: i64) {
        self.ask(Ask::Keepalive(KeepaliveRequest { time }));
    }

    pub(crate) fn end_input(&mut self) {
        self.writer.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the input. Returns the remaining answers and the result of the agent.
    pub(crate) fn finish(mut self) -> (Vec<Answer>, Result<(), AgentError>) {
        self.end_input();
        let answers = self.rest();
        (answers, self.agent.wait())
    }

    /// Returns everything up to the end. Panics if the end does not arrive.
    pub(crate) fn rest(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(frame) = self.reader.next_frame().expect("no end in time") {
            answers.push(
                response::decode(frame).expect("a response").expect("the response has a message"),
            );
        }
        answers
    }

    pub(crate) fn wait(self) -> Result<(), AgentError> {
        self.agent.wait()
    }
}

/// A writer that closes its side on drop.
struct HalfClosed(UnixStream);

impl Write for HalfClosed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for HalfClosed {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

pub(crate) fn point(time: i64) -> messages::Point {
    let mut point = messages::Point { time, name: "cpu".into(), ..Default::default() };
    point.fields_double.insert("value".into(), 0.5);
    point
}

pub(crate) fn begin(group: &str) -> messages::BeginBatch {
    messages::BeginBatch { name: "cpu".into(), group: group.into(), ..Default::default() }
}

pub(crate) fn end(group: &str, tmax: i64) -> messages::EndBatch {
    messages::EndBatch { name: "cpu".into(), group: group.into(), tmax, ..Default::default() }
}

pub(crate) fn info() -> Ask {
    Ask::Info(InfoRequest {})
}

/// Returns a frame around a request that is unknown to the protocol.
pub(crate) fn unknown_request() -> Vec<u8> {
    // Field 30 with length 0.
    vec![3, 0xf2, 0x01, 0]
}

pub(crate) fn frame_of(message: Ask) -> Vec<u8> {
    let message = Request { message: Some(message) };
    let mut frame = Vec::new();
    prost::encoding::encode_varint(message.encoded_len() as u64, &mut frame);
    message.encode_raw(&mut frame);
    frame
}

/// Returns the times of the points among the answers. Panics at any other answer.
pub(crate) fn times(answers: &[Answer]) -> Vec<i64> {
    answers
        .iter()
        .map(|answer| match answer {
            Answer::Point(point) => point.time,
            other => panic!("not a point: {other:?}"),
        })
        .collect()
}

/// Returns the text of an ErrorResponse, which must be the last answer.
pub(crate) fn error_of(answers: &[Answer]) -> &str {
    match answers.last() {
        Some(Answer::Error(error)) => &error.error,
        other => panic!("not an error: {other:?}"),
    }
}
