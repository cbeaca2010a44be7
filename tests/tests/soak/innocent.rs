//! Innocent visitors, which measure how long they wait for answers.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use prost::Message as _;
use udf_proto::Value;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{Point, Response};
use udf_tests::ends::{Ends, Output};
use udf_tests::metrics;
use udf_tests::program::{frame, init};

use super::daemon::Daemon;

/// The latency of each answer.
#[derive(Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Measures `answered` until `end`, with a pause after each call.
    fn measure(end: Instant, pause: Duration, mut answered: impl FnMut()) -> Self {
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let begun = Instant::now();
            answered();
            latencies.push(begun.elapsed());
            thread::sleep(pause);
        }
        Latencies(latencies)
    }

    pub(super) fn extend(&mut self, more: Latencies) {
        self.0.extend(more.0);
        self.0.sort_unstable();
    }

    /// Returns the latency that `percent` per cent of the answers did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * percent / 100).copied().unwrap_or_default()
    }

    pub(super) fn most(&self) -> Duration {
        self.percentile(100)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [middle, high, most] =
            [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64() * 1e3);
        let count = self.0.len();
        write!(f, "{count} answers, middle {middle:.2} ms, 99% {high:.2} ms, most {most:.2} ms")
    }
}

/// Sends points on one connection until `end`, and waits for each answer.
pub(super) fn ask(daemon: &Daemon, end: Instant) -> Latencies {
    let Ends { mut input, output } = daemon.connect().expect("the daemon listens");
    let mut answers = FrameReader::new(output);
    let hello = frame(init(&[("field", &["usage".into()]), ("size", &[Value::Int(1)])]));
    input.write_all(&hello).expect("the other side reads");
    assert!(matches!(answer(&mut answers), Some(Answer::Init(init)) if init.success));
    let mut time = 0;
    let latencies = Latencies::measure(end, Duration::from_millis(10), || {
        time += 1;
        let usage = BTreeMap::from([("usage".into(), time as f64)]);
        let point = Point { time, name: "cpu".into(), fields_double: usage, ..Default::default() };
        input.write_all(&frame(Ask::Point(point))).expect("the other side reads");
        let Some(Answer::Point(back)) = answer(&mut answers) else { panic!("no point") };
        assert_eq!((back.time, back.fields_double["avg"]), (time, time as f64));
    });
    drop(input);
    assert_eq!(answer(&mut answers), None);
    latencies
}

/// Returns the next answer, or none at the end. Skips keepalives, which may come at any time.
fn answer(answers: &mut FrameReader<Output>) -> Option<Answer> {
    loop {
        let frame = answers.next_frame().expect("an innocent connection lives")?;
        match Response::decode(frame).expect("a response").message {
            Some(Answer::Keepalive(_)) => {}
            answer => return answer,
        }
    }
}

/// Scrapes the metrics as Prometheus does, but more often.
pub(super) fn scrape(daemon: &Daemon, end: Instant) -> Latencies {
    Latencies::measure(end, Duration::from_millis(100), || {
        let said = metrics::scrape(daemon.metrics);
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with('\n'), "{said}");
    })
}

/// Measures the latency of an idle thread on this machine.
pub(super) fn machine(end: Instant) -> Latencies {
    let (mut here, mut there) = UnixStream::pair().expect("a pair of sockets");
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut byte = [0];
            while there.read(&mut byte).is_ok_and(|read| read == 1) {
                there.write_all(&byte).expect("it is read");
            }
        });
        let latencies = Latencies::measure(end, Duration::from_millis(10), || {
            here.write_all(&[1]).expect("the other side reads");
            here.read_exact(&mut [0]).expect("the other side answers");
        });
        drop(here);
        latencies
    })
}
