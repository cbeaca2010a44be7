//! A scripted peer over pipes, and the data that tests send.
// Each test file uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::io::{PipeReader, PipeWriter, Write};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use udf_host::{Callbacks, Session, Settings};
use udf_proto::frame::FrameReader;
use udf_proto::messages::{
    InfoResponse, InitResponse, KeepaliveResponse, RestoreResponse, SnapshotResponse, request,
    response,
};
use udf_proto::{Init, PointBuf, messages};

pub use request::Message as Asked;
pub use response::Message as Said;

/// The longest that a test waits for an expected event.
pub const LONG: Duration = Duration::from_secs(20);

/// Returns settings without keepalives.
pub fn quiet() -> Settings {
    Settings::default().timeout(Duration::ZERO)
}

/// Returns settings with a keepalive interval short enough for a test.
pub fn timed(milliseconds: u64) -> Settings {
    Settings::default().timeout(Duration::from_millis(milliseconds))
}

/// The UDF's end of a connection.
pub struct Peer {
    frames: FrameReader<PipeReader>,
    output: PipeWriter,
}

impl Peer {
    /// Returns the next request, or `None` at the end of the input.
    pub fn next(&mut self) -> Option<Asked> {
        let frame = self.frames.next_frame().expect("the host sends whole frames")?;
        let request: messages::Request = prost_decode(frame);
        Some(request.message.expect("the host sends no empty requests"))
    }

    /// Writes bytes, which need not be a frame. Returns false if the other side has closed.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.output.write_all(bytes).is_ok()
    }

    pub fn say(&mut self, message: Said) -> bool {
        let mut bytes = Vec::new();
        udf_proto::response::append(message, &mut bytes);
        self.write(&bytes)
    }

    /// Answers a request like a UDF without options. Data is sent back.
    pub fn answer(&mut self, request: Asked) -> bool {
        self.say(match request {
            Asked::Info(_) => Said::Info(InfoResponse::default()),
            Asked::Init(_) => Said::Init(InitResponse { success: true, error: String::new() }),
            Asked::Keepalive(keepalive) => {
                Said::Keepalive(KeepaliveResponse { time: keepalive.time })
            }
            Asked::Snapshot(_) => Said::Snapshot(SnapshotResponse { snapshot: b"state".to_vec() }),
            Asked::Restore(_) => {
                Said::Restore(RestoreResponse { success: true, error: String::new() })
            }
            Asked::Begin(begin) => Said::Begin(begin),
            Asked::Point(point) => Said::Point(point),
            Asked::End(end) => Said::End(end),
        })
    }

    /// Answers all requests until the input ends.
    pub fn mirror(&mut self) {
        while let Some(request) = self.next() {
            if !self.answer(request) {
                return;
            }
        }
    }

    /// Answers the next request, which is Init.
    pub fn init(&mut self) {
        let init = self.next().expect("Init comes first");
        assert!(matches!(init, Asked::Init(_)), "{init:?}");
        self.answer(init);
    }

    /// Closes only its input and returns its output.
    pub fn close_input(self) -> PipeWriter {
        self.output
    }

    /// Reads until the input ends.
    pub fn drain(&mut self) {
        while self.next().is_some() {}
    }
}

fn prost_decode(frame: &[u8]) -> messages::Request {
    prost::Message::decode(frame).expect("the host sends requests")
}

/// Returns a started session and its peer.
pub fn connect(settings: Settings, callbacks: Callbacks) -> (Session, Peer) {
    let (input, host_output) = std::io::pipe().expect("a pipe");
    let (host_input, output) = std::io::pipe().expect("a pipe");
    let session = Session::new(host_input, host_output, settings, callbacks);
    session.start().expect("a session that was not started starts");
    (session, Peer { frames: FrameReader::new(input), output })
}

/// Returns a started session. Its peer follows `script` on a separate thread.
pub fn serve<T>(
    settings: Settings,
    callbacks: Callbacks,
    script: impl FnOnce(Peer) -> T + Send + 'static,
) -> Session {
    let (session, peer) = connect(settings, callbacks);
    std::thread::spawn(move || drop(script(peer)));
    session
}

/// Returns an initialized session.
pub fn initialized<T>(
    settings: Settings,
    script: impl FnOnce(Peer) -> T + Send + 'static,
) -> Session {
    let session = serve(settings, Callbacks::new(), |mut peer| {
        peer.init();
        script(peer)
    });
    session.init(Init::default()).expect("the peer agrees");
    session
}

/// Returns a channel whose receiver names the awaited event.
pub fn signal<T>() -> (Sender<T>, Signal<T>) {
    let (sender, receiver) = mpsc::channel();
    (sender, Signal(receiver))
}

pub struct Signal<T>(Receiver<T>);

impl<T> Signal<T> {
    pub fn wait(&self, what: &str) -> T {
        self.0.recv_timeout(LONG).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Waits until every sender is dropped. Returns whether no event came before.
    pub fn ends_without_a_word(&self) -> bool {
        matches!(self.0.recv_timeout(LONG), Err(mpsc::RecvTimeoutError::Disconnected))
    }

    pub fn is_silent(&self) -> bool {
        self.0.try_recv().is_err()
    }
}

/// Returns a point with every member set.
pub fn point(time: i64) -> PointBuf {
    let text = |text: &str| text.to_owned();
    let mut point = messages::Point {
        time,
        name: text("cpu"),
        database: text("telegraf"),
        retention_policy: text("autogen"),
        group: text("host=a"),
        dimensions: vec![text("host")],
        by_name: true,
        ..messages::Point::default()
    };
    point.tags.insert(text("host"), text("a"));
    point.tags.insert(text("core"), text("0"));
    point.fields_double.insert(text("usage"), 0.5);
    point.fields_int.insert(text("count"), -7);
    point.fields_string.insert(text("state"), text("grün"));
    point.fields_bool.insert(text("up"), true);
    PointBuf::from(point)
}

/// Returns a batch of `size` points.
pub fn batch(name: &str, size: i64) -> udf_text::batch::WholeBatch {
    let mut batch = udf_text::batch::WholeBatch {
        name: name.to_owned(),
        group: "host=a".to_owned(),
        tags: [("host".to_owned(), "a".to_owned())].into(),
        by_name: true,
        tmax: size,
        ..udf_host::WholeBatch::default()
    };
    for time in 0..size {
        let mut point = messages::Point { time, group: "host=a".into(), ..Default::default() };
        point.tags.insert("host".into(), "a".into());
        point.fields_double.insert("usage".into(), time as f64);
        batch.points.push(&PointBuf::from(point).as_point());
    }
    batch
}
