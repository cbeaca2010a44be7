//! Visitors that take what they can get, and give nothing.

use std::io::Write;
use std::iter;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use udf_proto::Value;
use udf_proto::messages::SnapshotRequest;
use udf_proto::messages::request::Message as Ask;
use udf_tests::ends::Ends;
use udf_tests::program::{frame, init};

use super::daemon::Daemon;

/// What a hostile visitor does, again and again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Says nothing on twenty connections.
    Silent,
    /// Sends half of a message on ten connections, before or after Init.
    Half,
    /// Sends most of a message of 60 MiB on two connections, instead of Init.
    HoardsBefore,
    /// The same after Init.
    HoardsAfter,
    /// Scrapes the metrics on twenty connections: in silence, in drops, or without reading.
    Scrapes,
    /// Opens and closes two hundred connections, some of them to the metrics.
    Floods,
}

/// Each of them, for a thread of its own.
pub(super) const KINDS: [Kind; 6] =
    [Kind::Silent, Kind::Half, Kind::HoardsBefore, Kind::HoardsAfter, Kind::Scrapes, Kind::Floods];

/// What a hoarder announces, and what it sends of that.
const ANNOUNCED: u64 = 60 << 20;
const PIECES: usize = 59;

impl Kind {
    /// One visit; returns how many connections it was.
    ///
    /// Whatever a daemon does with such a connection is right: it may be kept, refused or closed.
    pub(super) fn visit(self, daemon: &Daemon, rng: &mut Rng, end: Instant) -> u64 {
        match self {
            Kind::Silent => {
                let held: Vec<_> = (0..20).map(|_| connect(daemon)).collect();
                wait(rng, end, || {});
                held.len() as u64
            }
            Kind::Half => {
                let held: Vec<_> = (0..10).map(|_| half(daemon, rng)).collect();
                wait(rng, end, || {});
                held.len() as u64
            }
            Kind::HoardsBefore | Kind::HoardsAfter => {
                let held = [(); 2].map(|()| hoard(daemon, matches!(self, Kind::HoardsAfter)));
                wait(rng, end, || {});
                held.len() as u64
            }
            Kind::Scrapes => {
                let mut held: Vec<_> = (0..20)
                    .map(|number| {
                        let mut stream = scraper(daemon);
                        if number % 2 == 0 {
                            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
                        }
                        stream
                    })
                    .collect();
                wait(rng, end, || {
                    for stream in held.iter_mut().skip(1).step_by(4) {
                        let _ = stream.write_all(b"x");
                    }
                });
                held.len() as u64
            }
            Kind::Floods => {
                (0..180).for_each(|_| drop(connect(daemon)));
                (0..20).for_each(|_| drop(scraper(daemon)));
                thread::sleep(Duration::from_millis(rng.u64(..100)));
                200
            }
        }
    }
}

/// Holds on for some time, and does something twenty times a second.
fn wait(rng: &mut Rng, end: Instant, mut now_and_then: impl FnMut()) {
    // Now and then for longer than a connection may take to speak.
    let millis = if rng.u8(..5) == 0 { 12_000 } else { rng.u64(..1000) };
    let end = end.min(Instant::now() + Duration::from_millis(millis));
    while Instant::now() < end {
        now_and_then();
        thread::sleep(Duration::from_millis(50));
    }
}

fn connect(daemon: &Daemon) -> Ends {
    daemon.connect().expect("it listens")
}

fn scraper(daemon: &Daemon) -> TcpStream {
    TcpStream::connect(daemon.metrics).expect("the metrics are served")
}

fn hello() -> Vec<u8> {
    frame(init(&[("field", &["usage".into()]), ("size", &[Value::Int(1)])]))
}

fn half(daemon: &Daemon, rng: &mut Rng) -> Ends {
    let mut ends = connect(daemon);
    let mut bytes = hello();
    if rng.bool() {
        bytes.extend(frame(Ask::Snapshot(SnapshotRequest {})));
        bytes.pop();
    } else {
        bytes.truncate(rng.usize(1..bytes.len()));
    }
    let _ = ends.input.write_all(&bytes);
    ends
}

fn hoard(daemon: &Daemon, after_init: bool) -> Ends {
    let mut ends = connect(daemon);
    let mut begin = if after_init { hello() } else { Vec::new() };
    prost::encoding::encode_varint(ANNOUNCED, &mut begin);
    let rest = iter::repeat_with(|| vec![8; 1 << 20]).take(PIECES);
    let mut pieces = iter::once(begin).chain(rest);
    let _ = ends.input.write_while_read(&mut pieces, Duration::from_millis(500));
    ends
}
