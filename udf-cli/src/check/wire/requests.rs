//! The requests of Kapacitor, each with the wait for its answer.

use udf_proto::Init;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    InfoRequest, InfoResponse, InitRequest, InitResponse, KeepaliveRequest, RestoreRequest,
    RestoreResponse, SnapshotRequest,
};

use super::Wire;
use crate::check::fault::{Fault, is_answer, kind};

impl Wire {
    /// Sends a request and reads messages until its answer. Like Kapacitor, drops answers of
    /// another kind and waits on. If the right answer never comes, the wrong answer is the fault.
    fn answer<T>(
        &mut self,
        ask: Ask,
        awaited: &str,
        mut pick: impl FnMut(&Answer) -> Option<T>,
    ) -> Result<T, Fault> {
        self.ask(ask);
        let mut other = None;
        let found = self.until(awaited, |answer| {
            let found = pick(answer);
            if found.is_none() && is_answer(answer) {
                other = Some(kind(answer));
            }
            found
        });
        match (found, other) {
            (Err(Fault::Silence { awaited, .. }), Some(got)) => {
                Err(Fault::WrongAnswer { awaited, got })
            }
            (found, _) => found,
        }
    }

    pub(crate) fn info(&mut self) -> Result<InfoResponse, Fault> {
        self.answer(Ask::Info(InfoRequest {}), "an answer to Info", |answer| match answer {
            Answer::Info(info) => Some(info.clone()),
            _ => None,
        })
    }

    pub(crate) fn init(&mut self, init: Init) -> Result<InitResponse, Fault> {
        self.raw_init(init.into())
    }

    pub(crate) fn raw_init(&mut self, init: InitRequest) -> Result<InitResponse, Fault> {
        self.answer(Ask::Init(init), "an answer to Init", |answer| match answer {
            Answer::Init(init) => Some(init.clone()),
            _ => None,
        })
    }

    pub(crate) fn snapshot(&mut self) -> Result<Vec<u8>, Fault> {
        self.answer(Ask::Snapshot(SnapshotRequest {}), "an answer to Snapshot", |answer| {
            match answer {
                Answer::Snapshot(snapshot) => Some(snapshot.snapshot.clone()),
                _ => None,
            }
        })
    }

    pub(crate) fn restore(&mut self, snapshot: Vec<u8>) -> Result<RestoreResponse, Fault> {
        let ask = Ask::Restore(RestoreRequest { snapshot });
        self.answer(ask, "an answer to Restore", |answer| match answer {
            Answer::Restore(restore) => Some(restore.clone()),
            _ => None,
        })
    }

    /// Sends a keepalive and reads messages until its echo.
    pub(crate) fn echo(&mut self, time: i64) -> Result<(), Fault> {
        self.ask(Ask::Keepalive(KeepaliveRequest { time }));
        self.until("the echo of a keepalive", |answer| match answer {
            Answer::Keepalive(echo) if echo.time == time => Some(()),
            _ => None,
        })
    }

    /// Returns a keepalive with a time that no other keepalive of this connection has.
    pub(crate) fn new_keepalive(&mut self) -> i64 {
        self.keepalives += 1;
        crate::sample::START + self.keepalives
    }

    /// Reads messages until the UDF has handled everything sent so far.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        let time = self.new_keepalive();
        self.echo(time)
    }
}
