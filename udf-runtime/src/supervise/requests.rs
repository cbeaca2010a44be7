//! The requests that a worker gets, and the answers that are due.

#[cfg(test)]
#[path = "requests/tests.rs"]
mod tests;

use std::collections::VecDeque;

use udf_proto::frame;
use udf_proto::messages::{
    InfoRequest, KeepaliveRequest, Request as Message, RestoreRequest, SnapshotRequest, request,
};
use udf_proto::point::PointIndex;
use udf_proto::request::{Incoming, decode};

/// What a frame from Kapacitor is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    Point,
    Begin,
    End,
    /// A request that is answered.
    Ask(Ask),
    /// An Init for this task and node.
    Init {
        task: String,
        node: String,
    },
    Restore {
        snapshot: Vec<u8>,
    },
    /// A request that no answer is due to: the worker may ignore it, or may fail.
    Other,
}

impl Input {
    pub(super) fn is_data(&self) -> bool {
        matches!(self, Input::Point | Input::Begin | Input::End)
    }
}

/// The kind of a request that is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Info,
    Init,
    Keepalive(i64),
    Snapshot,
    Restore,
}

impl Ask {
    /// Returns the name of the request.
    pub(super) fn name(self) -> &'static str {
        match self {
            Ask::Info => "Info",
            Ask::Init => "Init",
            Ask::Keepalive(_) => "keepalive",
            Ask::Snapshot => "snapshot",
            Ask::Restore => "Restore",
        }
    }
}

/// Returns what a frame from Kapacitor is. The members of data are not looked at.
pub(super) fn classify(frame: &[u8]) -> Input {
    match frame {
        [0x8a, 0x01, ..] => Input::Point,
        [0x82, 0x01, ..] => Input::Begin,
        [0x92, 0x01, ..] => Input::End,
        _ => match decode(frame, &mut PointIndex::new(), &mut Vec::new()) {
            Ok(Incoming::Info) => Input::Ask(Ask::Info),
            Ok(Incoming::Init(Ok(init))) => Input::Init { task: init.task_id, node: init.node_id },
            Ok(Incoming::Init(Err(_))) => Input::Ask(Ask::Init),
            Ok(Incoming::Keepalive { time }) => Input::Ask(Ask::Keepalive(time)),
            Ok(Incoming::Snapshot) => Input::Ask(Ask::Snapshot),
            Ok(Incoming::Restore { snapshot }) => {
                Input::Restore { snapshot: snapshot.into_owned() }
            }
            Ok(Incoming::Begin(_)) => Input::Begin,
            Ok(Incoming::Point(_)) => Input::Point,
            Ok(Incoming::End(_)) => Input::End,
            _ => Input::Other,
        },
    }
}

fn append(message: request::Message, out: &mut Vec<u8>) {
    frame::append(&Message { message: Some(message) }, out);
}

pub(super) fn append_info(out: &mut Vec<u8>) {
    append(request::Message::Info(InfoRequest {}), out);
}

pub(super) fn append_snapshot(out: &mut Vec<u8>) {
    append(request::Message::Snapshot(SnapshotRequest {}), out);
}

pub(super) fn append_restore(snapshot: &[u8], out: &mut Vec<u8>) {
    append(request::Message::Restore(RestoreRequest { snapshot: snapshot.to_vec() }), out);
}

pub(super) fn append_keepalive(time: i64, out: &mut Vec<u8>) {
    append(request::Message::Keepalive(KeepaliveRequest { time }), out);
}

/// A request of Kapacitor in the log, or a snapshot request of the front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// The position behind the request. A request of the front takes no room in the log.
    pub(super) end: u64,
    pub(super) ask: Ask,
    /// Whether the front asks, and not Kapacitor.
    pub(super) is_own: bool,
    /// Whether Kapacitor has got the answer, and whether it said that the request succeeded.
    pub(super) is_passed: bool,
    pub(super) was_accepted: bool,
    /// Whether the present worker has answered.
    pub(super) is_answered: bool,
    /// Whether it lies within a batch of the input.
    pub(super) is_within_batch: bool,
}

/// The requests in the log, in order.
#[derive(Debug, Default)]
pub(super) struct Requests(VecDeque<Request>);

impl Requests {
    /// Adds a request. One of the front may lie before later requests of Kapacitor.
    pub(super) fn add(&mut self, end: u64, ask: Ask, is_own: bool) {
        let at = self.0.partition_point(|request| request.end <= end);
        let request = Request {
            end,
            ask,
            is_own,
            is_passed: false,
            was_accepted: false,
            is_answered: false,
            is_within_batch: false,
        };
        self.0.insert(at, request);
    }

    /// Notes that the last request lies within a batch of the input.
    pub(super) fn note_within_batch(&mut self) {
        self.0.iter_mut().next_back().into_iter().for_each(|last| last.is_within_batch = true);
    }

    /// Takes the answer of the present worker to `ask`, and returns its request. The answers to all
    /// requests but keepalives come in order. A request is due only if the worker has got it: `is_sent`
    /// is true for it.
    ///
    /// # Errors
    /// Returns the request that was due, if another one is answered. Returns none if no request is.
    pub(super) fn answer(
        &mut self,
        ask: Ask,
        is_accepted: bool,
        is_sent: impl Fn(&Request) -> bool,
    ) -> Result<Request, Option<Ask>> {
        let is_keepalive = |ask| matches!(ask, Ask::Keepalive(_));
        let due = self.0.iter_mut().find(|request| {
            !request.is_answered
                && is_sent(request)
                && match ask {
                    // A worker may answer without the time.
                    Ask::Keepalive(0) => is_keepalive(request.ask),
                    Ask::Keepalive(_) => request.ask == ask,
                    _ => !is_keepalive(request.ask),
                }
        });
        let request = due.ok_or(None)?;
        if request.ask != ask && !is_keepalive(ask) {
            return Err(Some(request.ask));
        }
        request.is_answered = true;
        let found = *request;
        request.was_accepted |= is_accepted && !request.is_passed;
        request.is_passed = true;
        Ok(found)
    }

    /// Returns whether a request up to `position` is not answered.
    pub(super) fn are_due(&self, position: u64) -> bool {
        self.0.iter().any(|request| !request.is_answered && request.end <= position)
    }

    /// Returns the position behind the first request of this kind that is not answered.
    pub(super) fn next(&self, ask: Ask) -> Option<u64> {
        let is_due = |request: &&Request| request.ask == ask && !request.is_answered;
        self.0.iter().find(is_due).map(|request| request.end)
    }

    /// Forgets the requests up to `position` that were answered.
    pub(super) fn drop_before(&mut self, position: u64) {
        self.0.retain(|request| request.end > position || !request.is_answered);
    }

    /// Begins again at `position` with a new worker. Snapshot requests of the front are not repeated.
    /// Keepalives from before `position` are not, either: the last worker has answered later
    /// requests first.
    pub(super) fn rewind(&mut self, position: u64) {
        self.0.retain(|request| match (request.is_own, request.ask) {
            // It takes no room in the log, so it lies behind a position that is its own.
            (true, Ask::Restore) => request.end >= position,
            (true, _) => false,
            (false, _) => request.end > position,
        });
        self.0.iter_mut().for_each(|request| request.is_answered = false);
    }
}
