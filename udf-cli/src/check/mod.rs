//! The conformance report: named checks of the protocol, each with what it means for a user of Kapacitor.
//!
//! Each check has connections of its own, and its time is bounded: a UDF that hangs in one of them does
//! not hang the report. What must hold for others to make sense, an answer to Info and an accepted Init, comes
//! first; without it the others are skipped.

mod context;
mod data;
mod end;
mod faults;
mod keepalive;
mod logs;
mod options;
mod report;
mod snapshot;
mod start;
mod wire;

use std::time::{Duration, Instant};

use udf_host::options::OptionsError;
use udf_proto::{EdgeType, Info};

use crate::{Target, Transport};
use context::Context;
use wire::Trouble;

pub use report::{Finding, Report, Status};

/// How a UDF is checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Options that it accepts, each `name=value`; see [`udf_host::options`].
    pub options: Vec<String>,
    /// How long it may take to answer; a check takes at most six times as long.
    pub within: Duration,
    /// The names of the checks to run; none for all.
    pub only: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { options: Vec::new(), within: Duration::from_secs(5), only: Vec::new() }
    }
}

/// Why there is no report.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckError {
    /// The options are none of the UDF.
    Options(OptionsError),
    /// There is no check of this name.
    NoSuchCheck(String),
    /// The UDF cannot be started or reached at all.
    Unreachable(udf_host::Error),
}

impl std::fmt::Display for CheckError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CheckError::Options(error) => error.fmt(f),
            CheckError::NoSuchCheck(name) => write!(
                f,
                "there is no check `{name}`; the checks are {}",
                names().collect::<Vec<_>>().join(", ")
            ),
            CheckError::Unreachable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckError {}

/// What a check must be able to rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Info,
    /// The options of the task were accepted.
    Init,
}

/// Where a check makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Everywhere,
    Over(Transport),
    Wants(EdgeType),
    Provides(EdgeType),
}

struct Check {
    name: &'static str,
    /// What follows for a user of Kapacitor.
    meaning: &'static str,
    needs: Needs,
    sense: Where,
    run: fn(&mut Context) -> Outcome,
}

/// What a check has found; a trouble on the way is a failure.
type Outcome = Result<Verdict, Trouble>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Pass,
    Warn(String),
    Fail(String),
    Skip(String),
}

/// A check that makes sense everywhere.
const fn check(
    name: &'static str,
    needs: Needs,
    run: fn(&mut Context) -> Outcome,
    meaning: &'static str,
) -> Check {
    Check { name, meaning, needs, sense: Where::Everywhere, run }
}

impl Check {
    const fn only(mut self, sense: Where) -> Self {
        self.sense = sense;
        self
    }
}

const GROUPS: [(&str, &[Check]); 8] = [
    ("start", &start::CHECKS),
    ("options", &options::CHECKS),
    ("keepalive", &keepalive::CHECKS),
    ("data", &data::CHECKS),
    ("snapshot", &snapshot::CHECKS),
    ("end", &end::CHECKS),
    ("faults", &faults::CHECKS),
    ("logs", &logs::CHECKS),
];

/// The names of all checks, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|(_, checks)| checks.iter().map(|check| check.name))
}

/// Checks a UDF. `progress` is told, before each check, how many are done and which one comes.
///
/// # Errors
/// When there is nothing to be checked: the UDF cannot be reached, or the settings do not fit.
pub fn run(
    target: &Target,
    settings: &Settings,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<Report, CheckError> {
    if let Some(name) = settings.only.iter().find(|only| !names().any(|name| name == **only)) {
        return Err(CheckError::NoSuchCheck(name.clone()));
    }
    let mut context = Context::new(target.clone(), settings.within)?;
    // The answer is a check of its own, but others need it, and so do the options.
    context.renew();
    let info = context.learn();
    if let Some(info) = &context.info {
        let options = udf_host::options::parse(info, &settings.options);
        context.init.options = options.map_err(CheckError::Options)?;
        context.renew();
        context.try_init();
    }
    let wanted = |check: &Check| {
        settings.only.is_empty() || settings.only.iter().any(|name| name == check.name)
    };
    let mut findings = Vec::new();
    for (group, checks) in &GROUPS {
        for check in checks.iter().filter(|check| wanted(check)) {
            progress(findings.len(), check.name);
            let outcome = match skipped(check, &context) {
                Some(reason) => Ok(Verdict::Skip(reason)),
                None => {
                    context.renew();
                    (check.run)(&mut context)
                }
            };
            findings.push(Finding::new(group, check, outcome));
        }
    }
    Ok(Report::new(target, info.as_ref(), findings))
}

fn skipped(check: &Check, context: &Context) -> Option<String> {
    let Some(info) = &context.info else {
        let reason = "it has not said what it is; see info_answered and info_edges";
        return (check.needs != Needs::Nothing).then(|| reason.to_owned());
    };
    if check.needs == Needs::Init && !context.accepted {
        return Some("its options were not accepted; see init_accepted".to_owned());
    }
    let edge = |edge: EdgeType| if edge == EdgeType::Stream { "a stream" } else { "batches" };
    match check.sense {
        Where::Over(transport) if context.target.transport() != transport => {
            Some(match transport {
                Transport::Pipe => "it is a daemon: for programs that Kapacitor spawns".to_owned(),
                Transport::Socket => {
                    "it is spawned for each use: for daemons on a socket".to_owned()
                }
            })
        }
        Where::Wants(wants) if info.wants != wants => {
            Some(format!("it wants {}", edge(info.wants)))
        }
        Where::Provides(provides) if info.provides != provides => {
            Some(format!("it provides {}", edge(info.provides)))
        }
        _ => None,
    }
}

/// The time that a check has, by how long an answer may take.
fn deadline(within: Duration) -> Instant {
    crate::deadline(within.saturating_mul(6))
}

/// What was asked of everybody: what the UDF is.
fn understood(info: udf_proto::messages::InfoResponse) -> Option<Info> {
    Info::try_from(info).ok()
}
