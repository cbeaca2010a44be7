//! Checks what a worker sends. Kapacitor must never get a response that harms it.

#[cfg(test)]
#[path = "output/tests.rs"]
mod tests;

use std::error::Error;

use udf_host::diagnosis::NoMessage;
use udf_proto::messages::response::Message;
use udf_proto::point::PointCheck;
use udf_proto::response;
use udf_proto::{EdgeType, Info};

use super::requests::Ask;

/// The largest size that a batch may announce. Kapacitor allocates memory for it.
const MOST_ANNOUNCED: i64 = 1 << 24;

/// A response of a worker.
#[derive(Debug)]
pub(super) enum Response {
    Point,
    Begin,
    End,
    Answer(Ask, Box<Message>),
    /// The UDF has failed for this reason.
    Error(String),
}

/// Checks the responses of one worker.
#[derive(Debug)]
pub(super) struct Checker {
    points: PointCheck,
    is_within_batch: bool,
    provides: Option<EdgeType>,
}

impl Checker {
    pub(super) fn new() -> Self {
        Checker { points: PointCheck::new(), is_within_batch: false, provides: None }
    }

    /// Begins with a worker that provides this edge, and may already be within a batch.
    pub(super) fn take_over(provides: EdgeType, is_within_batch: bool) -> Self {
        Checker { is_within_batch, provides: Some(provides), ..Checker::new() }
    }

    pub(super) fn is_within_batch(&self) -> bool {
        self.is_within_batch
    }

    /// Returns the response of a frame.
    ///
    /// # Errors
    /// Returns what is wrong with the response.
    #[inline]
    pub(super) fn check(&mut self, frame: &[u8]) -> Result<Response, String> {
        if let Some(point) = response::point_bytes(frame) {
            self.points.check(point).map_err(no_message)?;
            return self.point();
        }
        match response::decode(frame).map_err(no_message)? {
            None => Err("it sent an empty response, or one of an unknown kind".to_owned()),
            Some(Message::Point(_)) => self.point(),
            Some(Message::Begin(begin)) => self.begin(begin.size),
            Some(Message::End(_)) => self.end(),
            Some(Message::Error(error)) => Ok(Response::Error(error.error)),
            Some(message) => Ok(Response::Answer(answered(&message), Box::new(message))),
        }
    }

    fn point(&self) -> Result<Response, String> {
        match self.provides {
            Some(EdgeType::Batch) if !self.is_within_batch => {
                Err("it sent a point outside of a batch, but provides batches".to_owned())
            }
            _ => Ok(Response::Point),
        }
    }

    fn begin(&mut self, size: i64) -> Result<Response, String> {
        if self.provides == Some(EdgeType::Stream) {
            return Err("it sent a batch, but provides a stream".to_owned());
        }
        if std::mem::replace(&mut self.is_within_batch, true) {
            return Err("it began a batch within a batch".to_owned());
        }
        if !(0..=MOST_ANNOUNCED).contains(&size) {
            return Err(format!("it began a batch with a size of {size}"));
        }
        Ok(Response::Begin)
    }

    fn end(&mut self) -> Result<Response, String> {
        match std::mem::take(&mut self.is_within_batch) {
            true => Ok(Response::End),
            false => Err("it ended a batch that had not begun".to_owned()),
        }
    }
}

fn no_message(error: impl Error) -> String {
    NoMessage::Bytes(error.to_string()).to_string()
}

/// Returns the request that a message answers.
fn answered(message: &Message) -> Ask {
    match message {
        Message::Info(_) => Ask::Info,
        Message::Init(_) => Ask::Init,
        Message::Keepalive(keepalive) => Ask::Keepalive(keepalive.time),
        Message::Snapshot(_) => Ask::Snapshot,
        _ => Ask::Restore,
    }
}

/// Returns why a worker with the description `new` cannot continue the work of one with `old`, if
/// there is a reason. Options may be added only.
pub(super) fn why_unfit(old: &Info, new: &Info) -> Option<String> {
    if (old.wants, old.provides) != (new.wants, new.provides) {
        return Some(format!(
            "it reads a {} and provides a {}, but read a {} and provided a {} before",
            new.wants.name(),
            new.provides.name(),
            old.wants.name(),
            old.provides.name()
        ));
    }
    let changed = old.options.iter().find(|(name, types)| new.options.get(*name) != Some(types));
    changed.map(|(name, _)| match new.options.contains_key(name) {
        true => format!("the arguments of its option `{name}` have other types than before"),
        false => format!("it has no option `{name}` any more"),
    })
}
