//! The modelled UDF: it adds up the values of each group. Its output follows from its input, unless
//! it has a timer.

use std::collections::BTreeMap;

use prost::Message as _;
use udf_proto::messages::request::Message as Asked;
use udf_proto::messages::response::Message;
use udf_proto::messages::{
    BeginBatch, EdgeType, EndBatch, InfoResponse, InitResponse, KeepaliveResponse, OptionInfo,
    Point, Request, RestoreResponse, SnapshotResponse,
};
use udf_proto::response;

/// The name of a point that kills the UDF.
pub(super) const POISON: &str = "poison";

/// The name of a point of a timer.
pub(super) const TICK: &str = "tick";

/// What the UDF does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Emits a sum for each point.
    Stream,
    /// Emits the sums of a batch as a batch, each as soon as it knows it.
    Batch,
    /// Emits one sum at the end of each batch.
    Reduce,
}

/// The version of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Old,
    /// It has one more option.
    New,
    /// It has another edge.
    Another,
    /// It refuses the options of the others.
    Refuses,
}

#[derive(Debug)]
pub(super) struct Udf {
    kind: Kind,
    version: Version,
    sums: BTreeMap<String, i64>,
    /// The sum of a batch that has begun. It is not part of a snapshot.
    batch: Option<i64>,
}

impl Udf {
    pub(super) fn new(kind: Kind, version: Version) -> Self {
        Udf { kind, version, sums: BTreeMap::new(), batch: None }
    }

    /// Handles a request. Returns false if it kills the UDF.
    pub(super) fn handle(&mut self, frame: &[u8], out: &mut Vec<u8>) -> bool {
        let request = Request::decode(frame).expect("the front sends requests");
        let answer = match request.message.expect("no request is empty") {
            Asked::Info(_) => Message::Info(self.info()),
            Asked::Init(_) => {
                let success = self.version != Version::Refuses;
                Message::Init(InitResponse { success, error: String::new() })
            }
            Asked::Keepalive(asked) => Message::Keepalive(KeepaliveResponse { time: asked.time }),
            Asked::Snapshot(_) => {
                let sums = self.sums.iter().map(|(group, sum)| format!("{group}={sum};"));
                let snapshot = sums.collect::<String>().into_bytes();
                Message::Snapshot(SnapshotResponse { snapshot })
            }
            Asked::Restore(asked) => Message::Restore(self.restore(&asked.snapshot)),
            Asked::Begin(begin) => {
                assert_eq!(self.batch.replace(0), None, "a batch begins within a batch");
                if self.kind != Kind::Batch {
                    return true;
                }
                Message::Begin(BeginBatch { size: 0, ..begin })
            }
            Asked::Point(point) if point.name == POISON => return false,
            Asked::Point(point) => {
                let sum = self.sums.entry(point.group.clone()).or_default();
                *sum += point.fields_int["value"];
                let sum = *sum;
                assert_eq!(self.batch.is_some(), self.kind != Kind::Stream, "a point of a batch");
                if let Some(total) = &mut self.batch {
                    *total += sum;
                }
                if self.kind == Kind::Reduce {
                    return true;
                }
                Message::Point(emitted("sum", point.time, sum))
            }
            Asked::End(end) => {
                let total = self.batch.take().expect("a batch ends that has begun");
                match self.kind {
                    Kind::Reduce => Message::Point(emitted("total", end.tmax, total)),
                    _ => Message::End(EndBatch { ..end }),
                }
            }
        };
        response::append(answer, out);
        true
    }

    fn info(&self) -> InfoResponse {
        let (batch, stream) = (EdgeType::Batch as i32, EdgeType::Stream as i32);
        let (wants, provides) = match self.kind {
            _ if self.version == Version::Another => (stream, batch),
            Kind::Stream => (stream, stream),
            Kind::Batch => (batch, batch),
            Kind::Reduce => (batch, stream),
        };
        let options = match self.version {
            Version::New => [("more".to_owned(), OptionInfo::default())].into(),
            _ => BTreeMap::new(),
        };
        InfoResponse { wants, provides, options }
    }

    fn restore(&mut self, snapshot: &[u8]) -> RestoreResponse {
        let text = str::from_utf8(snapshot).expect("a snapshot is text");
        let sums = text.split_terminator(';').map(|sum| sum.split_once('=').expect("a sum"));
        let sums = sums.map(|(group, sum)| (group.to_owned(), sum.parse().expect("a number")));
        self.sums = sums.collect();
        RestoreResponse { success: true, error: String::new() }
    }

    /// Emits the sums at the end of the input.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        if self.kind != Kind::Batch {
            for (time, sum) in (0..).zip(self.sums.values()) {
                response::append(Message::Point(emitted("last", time, *sum)), out);
            }
        }
    }
}

/// Returns the output of a timer, which differs each time.
pub(super) fn tick(number: i64, out: &mut Vec<u8>) {
    response::append(Message::Point(emitted(TICK, number, number)), out);
}

fn emitted(name: &str, time: i64, value: i64) -> Point {
    let fields_int = [("value".to_owned(), value)].into();
    Point { name: name.to_owned(), time, fields_int, ..Point::default() }
}
