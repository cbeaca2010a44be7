//! Hostile visitors, which use as many resources of the daemon as they can.

use std::io::Write;
use std::iter;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{InfoRequest, Point, SnapshotRequest};
use udf_tests::ends::Ends;
use udf_tests::program::{frame, init};

use super::daemon::Daemon;

/// The kinds of hostile visitors. Each repeats its attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Opens twenty connections and sends nothing.
    Silent,
    /// Sends half of a message on ten connections, before or after Init.
    Half,
    /// Sends most of a message of 60 MiB on two connections, instead of Init.
    HoardsBefore,
    /// The same after Init.
    HoardsAfter,
    /// Scrapes the metrics on twenty connections: without a request, byte by byte, or without
    /// reading.
    Scrapes,
    /// Opens and closes two hundred connections, some of them to the metrics.
    Floods,
    /// Sends whole requests on eight connections, and reads no answer: many Infos, or points of 8
    /// MiB after Init.
    Unread,
    /// Sends requests byte by byte on fifty connections, before or after Init, and reads no answer.
    Trickles,
}

/// All kinds. Each attacks on its own thread.
pub(super) const KINDS: [Kind; 8] = [
    Kind::Silent,
    Kind::Half,
    Kind::HoardsBefore,
    Kind::HoardsAfter,
    Kind::Scrapes,
    Kind::Floods,
    Kind::Unread,
    Kind::Trickles,
];

/// The length that a hoarder announces, and the number of MiB that it sends.
const ANNOUNCED: u64 = 60 << 20;
const PIECES: usize = 59;

/// The requests of a visitor that reads no answer.
const INFOS: usize = 500_000;
const POINTS: usize = 16;
const POINT: usize = 8 << 20;

impl Kind {
    /// Visits once. Returns the number of connections.
    ///
    /// The daemon may keep, refuse or close such connections.
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
            Kind::Unread => {
                let held: Vec<_> = (0..8).map(|number| unread(daemon, number % 2 == 0)).collect();
                wait(rng, end, || {});
                held.len() as u64
            }
            Kind::Trickles => trickle(daemon, rng, end),
            Kind::Floods => {
                (0..180).for_each(|_| drop(connect(daemon)));
                (0..20).for_each(|_| drop(scraper(daemon)));
                thread::sleep(Duration::from_millis(rng.u64(..100)));
                200
            }
        }
    }
}

/// Holds the connections for a while, and calls `now_and_then` twenty times per second.
fn wait(rng: &mut Rng, end: Instant, mut now_and_then: impl FnMut()) {
    // Sometimes longer than the timeout for the first request.
    let millis = if rng.u8(..5) == 0 { 12_000 } else { rng.u64(..1000) };
    let end = end.min(Instant::now() + Duration::from_millis(millis));
    while Instant::now() < end {
        now_and_then();
        thread::sleep(Duration::from_millis(50));
    }
}

fn connect(daemon: &Daemon) -> Ends {
    daemon.connect().expect("the daemon listens")
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

/// Sends whole requests for as long as they are taken.
fn unread(daemon: &Daemon, is_started: bool) -> Ends {
    let mut ends = connect(daemon);
    let (begin, piece, count) = if is_started {
        (hello(), frame(point(POINT)), POINTS)
    } else {
        (Vec::new(), frame(Ask::Info(InfoRequest {})).repeat(1000), INFOS / 1000)
    };
    let mut pieces = iter::once(begin).chain(iter::repeat_n(piece, count));
    let _ = ends.input.write_while_read(&mut pieces, Duration::from_millis(500));
    ends
}

/// A point that comes back with a tag of this length.
fn point(bytes: usize) -> Ask {
    let mut point = Point { name: "cpu".into(), ..Default::default() };
    point.tags.insert("padding".into(), "x".repeat(bytes));
    point.fields_double.insert("usage".into(), 1.0);
    Ask::Point(point)
}

/// Sends a byte now and then on each of fifty connections.
fn trickle(daemon: &Daemon, rng: &mut Rng, end: Instant) -> u64 {
    let mut held: Vec<_> = (0..50).map(|_| connect(daemon)).collect();
    for ends in held.iter_mut().step_by(2) {
        let _ = ends.input.write_all(&hello());
    }
    let (hello, point) = (hello(), frame(point(0)));
    // Those that have sent an Init go on with points.
    let mut before = hello.iter().chain(point.iter().cycle());
    let mut after = point.iter().cycle();
    wait(rng, end, || {
        let bytes = [&mut after as &mut dyn Iterator<Item = &u8>, &mut before].map(Iterator::next);
        for (ends, byte) in held.iter_mut().zip(bytes.into_iter().flatten().cycle()) {
            let _ = ends.input.write_all(&[*byte]);
        }
    });
    held.len() as u64
}
