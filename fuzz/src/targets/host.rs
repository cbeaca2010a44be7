//! Kapacitor's side of the protocol, with any output of a UDF.

use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use udf_host::{Callbacks, Error, Session, Settings};
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitResponse, KeepaliveResponse, OptionInfo,
    Response, RestoreResponse, SnapshotResponse,
};
use udf_proto::{EdgeType, Init, frame};

use super::points;
use crate::Trace;

fn frames(messages: Vec<Answer>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        frame::append(&Response { message: Some(message) }, &mut bytes);
    }
    bytes
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let point = |time| Answer::Point(points::message(time));
    let begin = |size| Answer::Begin(BeginBatch { name: "cpu".into(), size, ..Default::default() });
    let end = || Answer::End(EndBatch { name: "cpu".into(), tmax: 9, ..Default::default() });
    let types = OptionInfo { value_types: vec![0, 1, 2, 3, 4] };
    let info = InfoResponse { wants: 0, provides: 1, options: [("field".into(), types)].into() };
    let failed = || "no".to_owned();
    let answers = vec![
        vec![],
        vec![Answer::Info(info)],
        vec![Answer::Init(InitResponse { success: true, error: String::new() })],
        vec![Answer::Init(InitResponse { success: false, error: failed() })],
        vec![Answer::Snapshot(SnapshotResponse { snapshot: vec![7; 9] })],
        vec![Answer::Restore(RestoreResponse { success: true, error: String::new() })],
    ];
    let mut seeds = Vec::new();
    for (how, mut messages) in (0..).zip(answers) {
        messages.push(Answer::Keepalive(KeepaliveResponse { time: 5 }));
        messages.extend([point(1), point(2)]);
        seeds.push([&[how, 0][..], &frames(messages)].concat());
    }
    seeds.push([&[2, 5][..], &frames(vec![begin(1), point(1), end(), begin(0), end()])].concat());
    seeds.push([&[10, 1][..], &frames(vec![begin(-1), point(1)])].concat());
    let error = Answer::Error(ErrorResponse { error: failed() });
    seeds.push([&[1, 2][..], &frames(vec![point(1), error])].concat());
    seeds
}

/// Opens once. Wakes all waiting threads.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(open, |open| !*open));
    }
}

/// The input of the UDF. The UDF starts to write when the first request arrives or the input ends.
struct Input(Arc<Gate>);

impl Write for Input {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.open();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.0.open();
    }
}

struct Output {
    gate: Arc<Gate>,
    bytes: io::Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.gate.wait();
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

/// The timeout for an answer after the UDF has ended.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn check(input: &[u8], trace: &mut Trace) {
    let [how, piece, rest @ ..] = input else { return };
    let gate = Arc::new(Gate::default());
    let most = if *piece == 0 { usize::MAX } else { usize::from(*piece) };
    let output = Output { gate: Arc::clone(&gate), bytes: io::Cursor::new(rest.to_vec()), most };
    let settings = Settings::default()
        .timeout(Duration::ZERO)
        .answer_within(TIMEOUT)
        .close_within(TIMEOUT)
        .frame_limit(4 << 10)
        .batch_points(20)
        .batch_bytes(8 << 10)
        .provides(match how / 6 % 3 {
            0 => None,
            1 => Some(EdgeType::Stream),
            _ => Some(EdgeType::Batch),
        });
    let session = Session::new(output, Input(Arc::clone(&gate)), settings, Callbacks::new());
    session.start().expect("there are threads");
    let (points, batches) = (session.point_out(), session.batch_out());
    thread::scope(|scope| {
        let points = scope.spawn(move || {
            let fields = points.iter().map(|point| point.as_point().fields().count());
            fields.fold((0, 0), |(count, most), fields: usize| (count + 1, most.max(fields)))
        });
        let batches = scope.spawn(move || {
            let sizes = batches.iter().map(|batch| batch.points.len());
            sizes.fold((0, 0), |(count, largest), size: usize| (count + 1, largest.max(size)))
        });
        let asked = match how % 6 {
            1 => session.info().map(|info| trace.see_size("options", info.options.len())),
            2 | 3 => session.init(Init::default()),
            4 => session.snapshot().map(|snapshot| trace.see_size("snapshot", snapshot.len())),
            5 => session.restore(vec![1, 2, 3]),
            _ => Ok(()),
        };
        gate.open();
        let stopped = session.stop();
        let (points, fields) = points.join().expect("the thread that reads points does not panic");
        let (batches, largest) =
            batches.join().expect("the thread that reads batches does not panic");
        assert!(largest <= 20, "a batch of {largest} points");
        for outcome in [asked, stopped] {
            match outcome {
                Ok(()) => {}
                Err(error @ (Error::NoAnswer { .. } | Error::NeverCloses { .. })) => {
                    panic!("the host waits although the UDF has ended: {error}");
                }
                Err(error) => trace.see_text(&error.to_string()),
            }
        }
        trace.see_size("points", points);
        trace.see_size("fields", fields);
        trace.see_size("batches", batches);
        trace.see_size("unasked", session.unasked() as usize);
    });
}
