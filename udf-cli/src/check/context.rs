//! The state that all checks share: the UDF, its options, and its connections.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use udf_host::{Error, Log};
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InfoResponse, InitResponse, Point};
use udf_proto::{EdgeType, Info, Init, OptionCall};

use super::fault::{Fault, is_data};
use super::locate::located;
use super::notes::{StderrStats, Tally};
use super::points::{BATCH, SESSION, Source};
use super::wire::Wire;
use super::{CheckError, CheckResult, CheckSettings, Outcome};
use crate::{Target, Transport};

pub(super) struct Context {
    pub(super) target: Target,
    pub(super) timeout: Duration,
    /// The names of the checks to run. Empty means all.
    only: Vec<String>,
    /// The Info answer of the UDF, as received.
    pub(super) answer: Result<InfoResponse, Fault>,
    /// The Info answer, if it is valid.
    pub(super) info: Option<Info>,
    /// The Init with the options of the task.
    pub(super) init: Init,
    /// The answer of the UDF to that Init.
    pub(super) init_answer: Option<Result<InitResponse, Fault>>,
    pub(super) accepted: bool,
    /// The stderr of the UDF over all connections.
    pub(super) stderr: Arc<Mutex<StderrStats>>,
    /// The points to send.
    pub(super) source: Source,
    /// Counts the data of the running check.
    pub(super) tally: Rc<Tally>,
    session: Option<Result<Rc<Session>, Fault>>,
    /// Whether the UDF echoes a keepalive, once known.
    echo: Option<Result<(), Fault>>,
    /// How the UDF failed to refuse invalid options, and the check that found it first.
    pub(super) refusal: Option<(&'static str, String)>,
}

impl Context {
    /// # Errors
    /// When the UDF cannot be started or connected to.
    pub(super) fn new(target: Target, settings: &CheckSettings) -> Result<Self, CheckError> {
        let timeout = settings.within;
        drop(target.link(None, timeout).map_err(CheckError::Unreachable)?);
        let answer = Err(Fault::NoConnection("it was not asked".to_owned()));
        let init = Init { options: Vec::new(), task_id: "check".into(), node_id: "check2".into() };
        Ok(Context {
            target,
            timeout,
            only: settings.only.clone(),
            answer,
            info: None,
            source: Source::new(settings.data.clone()),
            init,
            init_answer: None,
            accepted: false,
            stderr: Arc::default(),
            tally: Rc::default(),
            session: None,
            echo: None,
            refusal: None,
        })
    }

    /// Returns whether the check `name` is to run.
    pub(super) fn wants_check(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Returns whether a daemon that has answered before no longer answers. False for a program,
    /// which starts anew for each connection.
    pub(super) fn is_lost(&self) -> bool {
        let asked = || self.open()?.info();
        let is_gone = |fault| matches!(fault, Fault::NoConnection(_) | Fault::Closed { .. });
        !self.is_program() && self.answer.is_ok() && asked().is_err_and(is_gone)
    }

    /// Skips a check that met a fault which the check `name` reports. Fails if that check is not to
    /// run.
    pub(super) fn reported_by(&self, name: &str, fault: &Fault) -> CheckResult {
        if self.wants_check(name) {
            Ok(Outcome::Skip(format!("{fault}; see {name}")))
        } else {
            Err(fault.clone())
        }
    }

    /// Asks for the edges and options of the UDF.
    pub(super) fn learn(&mut self) -> Option<Info> {
        self.answer = self.open().and_then(|mut wire| wire.info());
        self.info = self.answer.clone().ok().and_then(|info| Info::try_from(info).ok());
        self.info.clone()
    }

    /// Tries whether the UDF accepts the options.
    pub(super) fn try_init(&mut self, options: Vec<OptionCall>) {
        self.init.options = options;
        self.source = self.source.clone().for_options(&self.init);
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

    /// Opens a new connection.
    pub(super) fn open(&self) -> Result<Wire, Fault> {
        let (stderr, all) = (Arc::new(Mutex::new(StderrStats::default())), self.stderr.clone());
        let own = stderr.clone();
        let log = move |log: &Log<'_>| {
            if let Log::Stderr { line, cut } = log {
                for stderr in [&own, &all] {
                    stderr.lock().unwrap_or_else(PoisonError::into_inner).add_line(line, *cut);
                }
            }
        };
        let failed = |error: Error| Fault::NoConnection(error.to_string());
        let link = self.target.link(Some(Arc::new(log)), self.timeout).map_err(failed)?;
        Wire::new(link, stderr, self.timeout, self.tally.clone())
            .map_err(|error| Fault::NoConnection(error.to_string()))
    }

    /// Opens a new connection and sends the Init.
    pub(super) fn started(&self) -> Result<Wire, Fault> {
        let mut wire = self.open()?;
        let answer = wire.init(self.init.clone())?;
        if answer.success { Ok(wire) } else { Err(Fault::Refused(answer.error)) }
    }

    /// Returns the data of these numbers for the UDF's edge. `change` is applied to every point.
    pub(super) fn data(
        &self,
        numbers: std::ops::Range<usize>,
        change: impl Fn(&mut Point),
    ) -> Vec<Ask> {
        let mut asks = self.source.data(self.wants(), numbers);
        for ask in &mut asks {
            if let Ask::Point(point) = ask {
                change(point);
            }
        }
        asks
    }

    /// Sends the data of these numbers.
    pub(super) fn feed(&self, wire: &mut Wire, numbers: std::ops::Range<usize>) {
        for ask in self.data(numbers, |_| {}) {
            wire.ask(ask);
        }
    }

    /// Sends data in small parts, and waits after each part until the UDF has handled it. This
    /// gives a slow UDF time for all of the data.
    pub(super) fn feed_slowly(&self, wire: &mut Wire, data: Vec<Ask>) -> Result<(), Fault> {
        let (mut unsettled, mut in_batch) = (0, false);
        for ask in data {
            match &ask {
                Ask::Begin(_) => in_batch = true,
                Ask::End(_) => in_batch = false,
                _ => unsettled += 1,
            }
            wire.ask(ask);
            if unsettled >= BATCH && !in_batch {
                unsettled = 0;
                wire.settle()?;
            }
        }
        wire.settle()
    }

    /// Returns the fault that keeps the UDF from echoing a keepalive, if any.
    pub(super) fn echo_fault(&mut self) -> Option<Fault> {
        let echo = match self.echo.take() {
            Some(echo) => echo,
            None => self.started().and_then(|mut wire| wire.settle()),
        };
        self.echo = Some(echo.clone());
        echo.err()
    }

    /// Fails with this fault. Skips instead if the fault is invalid bytes, which
    /// `only_messages` reports.
    pub(super) fn stopped_by(&self, fault: Fault) -> CheckResult {
        match (&fault, &self.answer) {
            (Fault::Broken(_), Err(Fault::Broken(_))) => self.reported_by("info_answered", &fault),
            (Fault::Broken(_), _) => self.reported_by("only_messages", &fault),
            _ => Err(fault),
        }
    }

    /// Returns the result of a connection with ordinary data. The connection is made once, for all
    /// checks that only inspect the output.
    pub(super) fn session(&mut self) -> Result<Rc<Session>, Fault> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.new_session().map(Rc::new),
        };
        self.session = Some(session.clone());
        let session = session?;
        self.tally.add(session.points_in, session.came());
        Ok(session)
    }

    /// Returns whether the UDF is known to send no point for ordinary data.
    pub(super) fn is_mute(&self) -> bool {
        let Some(Ok(session)) = &self.session else { return false };
        !session.seen.iter().any(|answer| matches!(answer, Answer::Point(_)))
    }

    /// Returns whether the UDF is known to send back ordinary data exactly as it came.
    pub(super) fn is_unread(&self) -> bool {
        let Some(Ok(session)) = &self.session else { return false };
        session.is_unread()
    }

    fn new_session(&self) -> Result<Session, Fault> {
        let mut wire = self.started()?;
        let sent = self.data(0..SESSION.max(self.source.len()), |_| {});
        let (mut fault, mut handled) = (None, 0);
        for part in sent.chunks(SESSION) {
            for ask in part {
                wire.ask(ask.clone());
            }
            fault = wire.settle().err();
            if fault.is_some() {
                break;
            }
            handled += part.len();
        }
        if self.source.is_own()
            && let Some(Fault::Closed { .. } | Fault::Reported(_)) = fault
            && let Ok(again) = self.started()
        {
            fault = fault.map(|fault| located(again, fault, &sent, handled));
        }
        // Another check reports a UDF that does not close.
        let _ = wire.drain();
        let (seen, empties) = (std::mem::take(&mut wire.seen), wire.empties);
        // Each check that inspects the session counts its data.
        let points_in = std::mem::take(&mut wire.sent);
        Ok(Session { sent, points_in, seen, empties, fault })
    }
}

/// A finished connection and its result.
pub(super) struct Session {
    /// The data that was sent.
    pub(super) sent: Vec<Ask>,
    points_in: usize,
    /// All messages from the UDF, in order.
    pub(super) seen: Vec<Answer>,
    /// The number of empty responses.
    pub(super) empties: usize,
    pub(super) fault: Option<Fault>,
}

impl Session {
    fn came(&self) -> usize {
        self.seen.iter().filter(|answer| is_data(answer)).count()
    }

    /// Returns whether all points came back in order, each exactly as it was sent.
    fn is_unread(&self) -> bool {
        let sent = self.sent.iter().filter_map(|ask| match ask {
            Ask::Point(point) => Some(point),
            _ => None,
        });
        let came = self.seen.iter().filter_map(|answer| match answer {
            Answer::Point(point) => Some(point),
            _ => None,
        });
        self.points_in > 0 && sent.eq(came)
    }

    /// Returns the points that came outside of batches.
    pub(super) fn points(&self) -> Vec<&Point> {
        let mut in_batch = false;
        let points = self.seen.iter().filter_map(|answer| {
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
