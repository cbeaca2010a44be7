//! What all checks share: the UDF, its options, and how connections with it are made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use udf_host::{Error, Log};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InfoResponse, InitResponse, Point};
use udf_proto::{EdgeType, Info, Init};

use super::wire::{Heard, Trouble, Wire};
use super::{CheckError, deadline, understood};
use crate::sample::Sample;
use crate::{Target, Transport};

/// How many points there are in a batch, unless a check has a reason for another number.
pub(super) const BATCH: usize = 10;

/// How many points a session has.
pub(super) const SESSION: usize = 200;

pub(super) struct Context {
    pub(super) target: Target,
    pub(super) patience: Duration,
    deadline: Instant,
    /// What the UDF has answered to Info, as it came.
    pub(super) answer: Result<InfoResponse, Trouble>,
    /// The same, if it can be understood.
    pub(super) info: Option<Info>,
    /// The options that it is said to accept.
    pub(super) init: Init,
    /// What it answered to them.
    pub(super) init_answer: Option<Result<InitResponse, Trouble>>,
    pub(super) accepted: bool,
    /// What was heard on the stderr of all connections.
    pub(super) heard: Arc<Mutex<Heard>>,
}

impl Context {
    /// # Errors
    /// When the UDF cannot be started or reached.
    pub(super) fn new(target: Target, patience: Duration) -> Result<Self, CheckError> {
        drop(target.link(None, patience).map_err(CheckError::Unreachable)?);
        let answer = Err(Trouble::NoConnection("it was not asked".to_owned()));
        let init = Init { options: Vec::new(), task_id: "check".into(), node_id: "check2".into() };
        Ok(Context {
            target,
            patience,
            deadline: deadline(patience),
            answer,
            info: None,
            init,
            init_answer: None,
            accepted: false,
            heard: Arc::default(),
        })
    }

    /// Gives the next check its time.
    pub(super) fn renew(&mut self) {
        self.deadline = deadline(self.patience);
    }

    /// Asks what the UDF is.
    pub(super) fn learn(&mut self) -> Option<Info> {
        self.answer = self.open().and_then(|mut wire| wire.info());
        self.info = self.answer.clone().ok().and_then(understood);
        self.info.clone()
    }

    /// Tries whether the options are accepted.
    pub(super) fn try_init(&mut self) {
        let init = self.init.clone();
        let answer = self.open().and_then(|mut wire| wire.init(init));
        self.accepted = answer.as_ref().is_ok_and(|answer| answer.success);
        self.init_answer = Some(answer);
    }

    pub(super) fn is_program(&self) -> bool {
        self.target.transport() == Transport::Pipe
    }

    pub(super) fn wants(&self) -> EdgeType {
        self.info.as_ref().map_or(EdgeType::Stream, |info| info.wants)
    }

    /// A fresh connection.
    pub(super) fn open(&self) -> Result<Wire, Trouble> {
        let (heard, all) = (Arc::new(Mutex::new(Heard::default())), self.heard.clone());
        let own = heard.clone();
        let log = move |log: &Log<'_>| {
            if let Log::Stderr { line, cut } = log {
                for heard in [&own, &all] {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).hear(line, *cut);
                }
            }
        };
        let failed = |error: Error| Trouble::NoConnection(error.to_string());
        let link = self.target.link(Some(Arc::new(log)), self.patience).map_err(failed)?;
        Wire::new(link, heard, self.patience, self.deadline)
            .map_err(|error| Trouble::NoConnection(error.to_string()))
    }

    /// A fresh connection that has had its Init.
    pub(super) fn started(&self) -> Result<Wire, Trouble> {
        let mut wire = self.open()?;
        let answer = wire.init(self.init.clone())?;
        if answer.success { Ok(wire) } else { Err(Trouble::Refused(answer.error)) }
    }

    pub(super) fn sample(&self) -> Sample {
        Sample::of(&self.init)
    }

    /// The data of these numbers, as the UDF wants it, with `change` made to every point.
    pub(super) fn data(
        &self,
        numbers: std::ops::Range<usize>,
        change: impl Fn(&mut Point),
    ) -> Vec<Ask> {
        let sample = self.sample();
        let mut asks: Vec<Ask> = match self.wants() {
            EdgeType::Stream => numbers.map(|number| Ask::Point(sample.point(number))).collect(),
            EdgeType::Batch => (numbers.start / BATCH..numbers.end.div_ceil(BATCH))
                .flat_map(|number| sample.batch(number, BATCH))
                .collect(),
        };
        for ask in &mut asks {
            if let Ask::Point(point) = ask {
                change(point);
            }
        }
        asks
    }

    /// Sends the data of these numbers.
    pub(super) fn feed(&self, wire: &Wire, numbers: std::ops::Range<usize>) {
        for ask in self.data(numbers, |_| {}) {
            wire.ask(ask);
        }
    }

    /// A connection over which data went, and which was then ended as well as the UDF let it.
    pub(super) fn session(&self) -> Result<Session, Trouble> {
        let mut wire = self.started()?;
        self.feed(&wire, 0..SESSION);
        let trouble = wire.settle().err();
        // That it closes is for another check to see.
        let _ = wire.drain();
        Ok(Session { wire, trouble })
    }
}

/// A connection that has ended, and how it went.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) trouble: Option<Trouble>,
}

impl Session {
    /// The points that came outside of batches.
    pub(super) fn points(&self) -> Vec<&Point> {
        let mut in_batch = false;
        let points = self.wire.seen.iter().filter_map(|answer| {
            match answer {
                Answer::Begin(_) => in_batch = true,
                Answer::End(_) => in_batch = false,
                Answer::Point(point) if !in_batch => return Some(point),
                _ => {}
            }
            None
        });
        points.collect()
    }
}
