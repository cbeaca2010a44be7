//! The requests of a session, and the answers that they wait for.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use udf_proto::messages::{request, response};
use udf_proto::ticks::{self, TickRequest};

use super::{Phase, Shared, unusable};
use crate::error::{Error, RequestKind};
use crate::settings::Log;

pub(super) struct Pending {
    kind: RequestKind,
    /// The time of a keepalive, which its answer repeats.
    keepalive: Option<i64>,
    pub(super) answer: SyncSender<Result<response::Message, Error>>,
}

impl Pending {
    /// Returns whether this waits for the echo of a keepalive with this time.
    fn awaits(&self, echo: i64) -> bool {
        let is_question =
            |time| matches!(TickRequest::from_keepalive(time), Some(TickRequest::OnRequest { .. }));
        self.keepalive
            .is_some_and(|time| time == echo || is_question(time) && ticks::is_interval(echo))
    }
}

type Answer = Receiver<Result<response::Message, Error>>;

impl Shared {
    /// Sends a request. The receiver gets its answer, or the error of the connection.
    pub(crate) fn ask(
        &self,
        kind: RequestKind,
        message: request::Message,
    ) -> Result<Answer, Error> {
        // Under the lock, so that a stop or an abort sees both the request and its pending entry,
        // or neither.
        let mut state = self.state();
        match state.phase {
            Phase::New => Err(Error::NotStarted),
            Phase::Stopping | Phase::Aborted { .. } => Err(unusable(&state)),
            Phase::Running => {
                let (sender, answer) = sync_channel(1);
                let keepalive = match &message {
                    request::Message::Keepalive(keepalive) => Some(keepalive.time),
                    _ => None,
                };
                self.outbox.request(message)?;
                state.pending.push(Pending { kind, keepalive, answer: sender });
                Ok(answer)
            }
        }
    }

    /// Returns the time of the next keepalive of the owner.
    pub(crate) fn next_keepalive(&self) -> i64 {
        self.keepalives.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns whether the owner waits for the echo of a keepalive with this time.
    pub(crate) fn awaits_echo(&self, time: i64) -> bool {
        self.state().pending.iter().any(|pending| pending.awaits(time))
    }

    /// Passes an answer to the oldest request of its kind.
    pub(crate) fn answer(
        &self,
        kind: RequestKind,
        message: response::Message,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let is_asked = |pending: &Pending| match &message {
            response::Message::Keepalive(echo) => pending.awaits(echo.time),
            _ => pending.kind == kind,
        };
        if let Some(place) = state.pending.iter().position(is_asked) {
            // The receiver is gone if its request has timed out.
            let _ = state.pending.remove(place).answer.send(Ok(message));
            return Ok(());
        }
        // Pending keepalives do not count here: their echoes may come among other answers.
        if let Some(pending) = state.pending.iter().find(|pending| pending.keepalive.is_none()) {
            return Err(Error::WrongAnswer { asked: pending.kind, got: kind });
        }
        drop(state);
        let count = self.unasked.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            self.log(&Log::Unasked { kind, count });
        }
        Ok(())
    }
}
