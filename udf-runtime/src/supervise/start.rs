//! The start of a worker: it describes itself, and gets the state of the last checkpoint.

#[cfg(test)]
#[path = "start/tests.rs"]
mod tests;

use std::collections::VecDeque;

use udf_proto::Info;
use udf_proto::messages::response::Message;
use udf_proto::response;

use super::output::why_unfit;
use super::requests::{append_info, append_keepalive, append_restore};
use super::talk::{Base, Fault, refused_options, refused_snapshot};

/// The time in the keepalive behind the window, which the worker repeats.
const BEHIND_WINDOW: i64 = i64::MIN;

/// The steps of a worker before it serves.
#[derive(Debug)]
pub(super) struct Start {
    /// The description of the worker before.
    known: Option<Info>,
    info: Option<Info>,
    /// Whether the Init is asked for.
    has_init: bool,
    unsent: Vec<u8>,
    sent: usize,
    due: VecDeque<Due>,
    /// Whether the worker is within a batch that is dropped.
    is_within_batch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Info,
    Init,
    Restore,
    Window,
}

impl Start {
    /// Begins with the description. `known` is the one that it must continue.
    pub(super) fn new(known: Option<Info>) -> Self {
        let mut unsent = Vec::new();
        append_info(&mut unsent);
        let due = [Due::Info].into();
        Start { known, info: None, has_init: false, unsent, sent: 0, due, is_within_batch: false }
    }

    /// Goes on with the frame of the Init. It needs no checkpoint, and may take long.
    pub(super) fn init(&mut self, frame: &[u8]) {
        self.unsent.extend_from_slice(frame);
        self.due.push_back(Due::Init);
        self.has_init = true;
    }

    /// Goes on with the state of a checkpoint. `window` is earlier input for a worker without
    /// snapshots.
    pub(super) fn restore(&mut self, base: &Base, window: &[u8]) {
        let Some(init) = &base.init else { return };
        if !self.has_init {
            self.init(init);
        }
        if let Some(snapshot) = &base.snapshot {
            append_restore(snapshot, &mut self.unsent);
            self.due.push_back(Due::Restore);
        }
        if !window.is_empty() {
            self.unsent.extend_from_slice(window);
            append_keepalive(BEHIND_WINDOW, &mut self.unsent);
            self.due.push_back(Due::Window);
        }
    }

    pub(super) fn unsent(&self) -> &[u8] {
        &self.unsent[self.sent..]
    }

    pub(super) fn note_sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.unsent.len() {
            (self.unsent, self.sent) = (Vec::new(), 0);
        }
    }

    /// Returns whether an answer is due.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Returns the description, if the worker has done all that it was asked for.
    pub(super) fn is_done(&self) -> Option<&Info> {
        self.info.as_ref().filter(|_| self.due.is_empty())
    }

    /// Returns whether the worker has begun a batch, and not ended it. All of the batch is dropped.
    pub(super) fn is_within_batch(&self) -> bool {
        self.is_within_batch
    }

    /// Takes a response of the worker. All output belongs to input whose output was passed on.
    ///
    /// # Errors
    /// Returns a fault if the worker cannot serve.
    pub(super) fn respond(&mut self, frame: &[u8]) -> Result<(), Fault> {
        let death = |error: String| Fault::Death(error);
        let message = response::decode(frame).map_err(|error| death(error.to_string()))?;
        let due = self.due.front().copied();
        let is_behind = |time| time == BEHIND_WINDOW || time == 0;
        match (message, due) {
            (Some(Message::Info(info)), Some(Due::Info)) => {
                let info = Info::try_from(info).map_err(|error| death(error.to_string()))?;
                if let Some(why) = self.known.as_ref().and_then(|known| why_unfit(known, &info)) {
                    return Err(Fault::Error(why));
                }
                self.info = Some(info);
            }
            (Some(Message::Init(answer)), Some(Due::Init)) => {
                if !answer.success {
                    return Err(Fault::Error(refused_options(&answer.error)));
                }
            }
            (Some(Message::Restore(answer)), Some(Due::Restore)) => {
                if !answer.success {
                    return Err(Fault::Error(refused_snapshot(&answer.error)));
                }
            }
            (Some(Message::Keepalive(answer)), Some(Due::Window)) if is_behind(answer.time) => {}
            (Some(Message::Error(error)), _) => {
                return Err(death(format!("it reported an error: {}", error.error)));
            }
            // Output of the window, or a sign of life.
            (Some(Message::Keepalive(_)), _) => return Ok(()),
            (Some(message @ (Message::Begin(_) | Message::Point(_) | Message::End(_))), due)
                if due != Some(Due::Info) =>
            {
                match message {
                    Message::Begin(_) => self.is_within_batch = true,
                    Message::End(_) => self.is_within_batch = false,
                    _ => {}
                }
                return Ok(());
            }
            (None, _) => return Err(death("it sent an empty response".to_owned())),
            (Some(_), _) => {
                return Err(death("it sent a response that it was not asked for".to_owned()));
            }
        }
        self.due.pop_front();
        Ok(())
    }
}
