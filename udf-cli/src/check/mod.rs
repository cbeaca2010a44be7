//! The conformance report: named checks of the protocol, each with its consequence for a user of
//! Kapacitor.
//!
//! Every wait has a time limit, so that a UDF that hangs does not hang the report. Checks that need
//! an answer to Info, an accepted Init or ordinary data are skipped if the UDF fails there. So each
//! fault is reported once, by the check meant for it.

mod compare;
mod context;
mod data;
mod end;
mod fault;
mod faults;
mod groups;
mod keepalive;
mod locate;
mod logs;
mod notes;
mod options;
mod points;
mod report;
mod snapshot;
mod start;
mod values;
mod wire;

use std::time::Duration;

use udf_host::replay::Data;
use udf_proto::EdgeType;
use udf_text::options::OptionsError;

use crate::{Target, Transport};
use context::Context;
use fault::Fault;

pub use report::{Finding, Report, Status};

/// The settings of a check.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct CheckSettings {
    /// The options of the UDF, each `name=value`; see [`udf_text::options`]. The UDF must accept
    /// them. Defaults to none.
    pub options: Vec<String>,
    /// The longest silence of the UDF. An answer may take six times as long if there are signs of
    /// life. Defaults to 5 seconds.
    pub within: Duration,
    /// The names of the checks to run. Empty means all. Defaults to empty.
    pub only: Vec<String>,
    /// The data to send; see [`Replay::read`](udf_host::replay::Replay::read). Repeated as often as
    /// a check needs, with later times. Defaults to sample points.
    pub data: Option<Data>,
}

impl Default for CheckSettings {
    fn default() -> Self {
        let within = Duration::from_secs(5);
        CheckSettings { options: Vec::new(), within, only: Vec::new(), data: None }
    }
}

impl CheckSettings {
    /// Sets [`options`](CheckSettings#structfield.options).
    pub fn options(mut self, options: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = options.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`within`](CheckSettings#structfield.within).
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Sets [`only`](CheckSettings#structfield.only).
    pub fn only(mut self, only: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.only = only.into_iter().map(Into::into).collect();
        self
    }

    /// Sets [`data`](CheckSettings#structfield.data).
    pub fn data(mut self, data: Data) -> Self {
        self.data = Some(data);
        self
    }
}

/// Why there is no report.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckError {
    /// The options do not fit the UDF.
    Options(OptionsError),
    /// A check of this name does not exist.
    NoSuchCheck(String),
    /// The data is in batches, and the UDF wants a stream.
    BatchesForStream {
        /// Whether the batches come from a recording.
        recorded: bool,
    },
    /// The UDF cannot be started or connected to.
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
            CheckError::BatchesForStream { recorded: true } => {
                f.write_str("the points are a recording of batches, and this UDF wants a stream")
            }
            CheckError::BatchesForStream { recorded: false } => {
                f.write_str("--every is for UDFs that want batches, and this UDF wants a stream")
            }
            CheckError::Unreachable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CheckError {}

/// The precondition of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    Nothing,
    Info,
    /// The UDF answered the Init with the options of the task.
    Answer,
    /// The UDF accepted the options.
    Init,
    /// The UDF echoes keepalives, by which all checks follow its progress.
    Echo,
    /// The UDF handles ordinary data.
    Data,
}

/// The UDFs to which a check applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Everywhere,
    Over(Transport),
    Wants(EdgeType),
    Provides(EdgeType),
}

struct Check {
    name: &'static str,
    /// The consequence for a user of Kapacitor.
    meaning: &'static str,
    needs: Needs,
    sense: Where,
    /// Other checks that meet the same fault and are meant for it.
    after: &'static [&'static str],
    run: fn(&mut Context) -> CheckResult,
}

/// The result of a check. A fault counts as a failure.
type CheckResult = Result<Outcome, Fault>;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Pass,
    /// A pass with a remark.
    Remark(String),
    Warn(String),
    Fail(String),
    /// The UDF has shown nothing that the check could judge.
    Untested(String),
    Skip(String),
}

/// Defines a check that applies to every UDF.
const fn check(
    name: &'static str,
    needs: Needs,
    run: fn(&mut Context) -> CheckResult,
    meaning: &'static str,
) -> Check {
    Check { name, meaning, needs, sense: Where::Everywhere, after: &[], run }
}

impl Check {
    const fn only(mut self, sense: Where) -> Self {
        self.sense = sense;
        self
    }

    const fn after(mut self, checks: &'static [&'static str]) -> Self {
        self.after = checks;
        self
    }
}

const GROUPS: [(&str, &[Check]); 10] = [
    ("start", &start::CHECKS),
    ("options", &options::CHECKS),
    ("data", &data::CHECKS),
    ("keepalive", &keepalive::CHECKS),
    ("input", &values::CHECKS),
    ("input", &groups::CHECKS),
    ("snapshot", &snapshot::CHECKS),
    ("end", &end::CHECKS),
    ("faults", &faults::CHECKS),
    ("logs", &logs::CHECKS),
];

/// Returns the names of all checks, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    GROUPS.iter().flat_map(|(_, checks)| checks.iter().map(|check| check.name))
}

/// Checks a UDF. Before each check, `progress` gets the number of finished checks and the name of
/// the next one.
///
/// # Errors
/// When the UDF cannot be connected to, or the settings do not fit.
pub fn run(
    target: &Target,
    settings: &CheckSettings,
    progress: &mut dyn FnMut(usize, &str),
) -> Result<Report, CheckError> {
    if let Some(name) = settings.only.iter().find(|only| !names().any(|name| name == **only)) {
        return Err(CheckError::NoSuchCheck(name.clone()));
    }
    let mut context = Context::new(target.clone(), settings)?;
    // The answer to Info is itself a check, and other checks and the options need it.
    let info = context.learn();
    if let Some(info) = &info {
        let recorded = match &settings.data {
            Some(Data::Windows(_)) => Some(false),
            Some(Data::Recorded(_)) => Some(true),
            _ => None,
        };
        if let Some(recorded) = recorded.filter(|_| info.wants == EdgeType::Stream) {
            return Err(CheckError::BatchesForStream { recorded });
        }
        let options = udf_text::options::parse(info, &settings.options);
        context.try_init(options.map_err(CheckError::Options)?);
    }
    let mut findings: Vec<Finding> = Vec::new();
    let mut lost = None;
    for (group, checks) in &GROUPS {
        for check in *checks {
            if !context.wants_check(check.name) {
                continue;
            }
            progress(findings.len(), check.name);
            let failed = |name: &&&str| {
                let failed = |finding: &Finding| finding.status == Status::Fail;
                findings.iter().any(|finding| finding.name == **name && failed(finding))
            };
            let outcome = match (&lost, check.after.iter().find(failed)) {
                (Some(reason), _) => Ok(Outcome::Skip(String::clone(reason))),
                (None, Some(name)) => Ok(Outcome::Skip(format!("see {name}"))),
                (None, None) => outcome(check, &mut context),
            };
            let mut finding = Finding::new(group, check, outcome);
            if finding.status == Status::Fail && context.is_lost() {
                finding.add("the daemon no longer answers");
                let name = check.name;
                lost = Some(format!("the daemon no longer answers; see {name}"));
            }
            findings.push(finding);
        }
    }
    Ok(Report::new(target, info.as_ref(), findings))
}

/// Runs a check, or skips it.
fn outcome(check: &Check, context: &mut Context) -> CheckResult {
    if let Some((name, fault)) = unmet(check, context) {
        return context.reported_by(name, &fault);
    }
    if let Some(reason) = senseless(check, context) {
        return Ok(Outcome::Skip(reason));
    }
    context.tally.take();
    let outcome = (check.run)(context);
    match (&outcome, context.tally.take()) {
        (Ok(Outcome::Pass), (sent @ 1.., came)) => nothing_seen(check, context, sent, came),
        _ => outcome,
    }
}

/// Turns a pass into "untested" if the data has shown nothing about the UDF: no point came back, or
/// each sample point came back as it was. A UDF that skips points does either.
fn nothing_seen(check: &Check, context: &Context, sent: usize, came: usize) -> CheckResult {
    // For a check of batches, any batch is output. For other checks, empty batches show nothing.
    let is_of_batches = check.sense == Where::Provides(EdgeType::Batch);
    let is_mute = context.is_mute() && !is_of_batches;
    let is_unread = context.is_unread() && !is_of_batches;
    let (text, wanted) = match () {
        () if came == 0 || is_mute => (
            format!("no point came back for the {sent} points that it was sent"),
            "pass points that the UDF answers",
        ),
        // The user knows whether the UDF should change the user's own points.
        () if is_unread && !context.source.is_own() => (
            format!("all {sent} points came back unchanged: the UDF may have skipped them"),
            "pass points that the UDF changes",
        ),
        () if is_unread && check.name == "data_handled" => {
            return Ok(Outcome::Remark(format!("all {sent} points came back unchanged")));
        }
        () => return Ok(Outcome::Pass),
    };
    let is_known = context.is_mute() || context.is_unread();
    Ok(Outcome::Untested(
        if check.name != "data_handled" && is_known && context.wants_check("data_handled") {
            format!("{text}; see data_handled")
        } else {
            format!("{text}; {wanted} with --points FILE")
        },
    ))
}

/// Returns the fault that keeps a check from running, and the check that reports the fault.
fn unmet(check: &Check, context: &mut Context) -> Option<(&'static str, Fault)> {
    let needs = |needs| check.needs >= needs;
    if needs(Needs::Info) && context.info.is_none() {
        let problem = "it has not answered Info".to_owned();
        return Some(match &context.answer {
            Ok(_) => ("info_edges", Fault::Unmet(problem)),
            Err(fault) => ("info_answered", fault.clone()),
        });
    }
    let reported_by_init = |fault| Some(("init_accepted", fault));
    match &context.init_answer {
        Some(Err(fault)) if needs(Needs::Answer) => return reported_by_init(fault.clone()),
        Some(Ok(answer)) if needs(Needs::Init) && !context.accepted => {
            return reported_by_init(Fault::Refused(answer.error.clone()));
        }
        _ => {}
    }
    if needs(Needs::Echo)
        && let Some(fault) = context.echo_fault()
    {
        return Some(("keepalive_echoed", fault));
    }
    if !needs(Needs::Data) {
        return None;
    }
    let fault = match context.session() {
        Ok(session) => session.fault.clone()?,
        Err(fault) => fault,
    };
    let name = match fault {
        Fault::Broken(_) if context.wants_check("only_messages") => "only_messages",
        _ => "data_handled",
    };
    Some((name, fault))
}

/// Returns the reason why a check does not apply to this UDF.
fn senseless(check: &Check, context: &Context) -> Option<String> {
    let info = context.info.as_ref()?;
    let edge = |edge: EdgeType| if edge == EdgeType::Stream { "a stream" } else { "batches" };
    match check.sense {
        Where::Over(transport) if context.target.transport() != transport => {
            Some(match transport {
                Transport::Pipe => {
                    "it is a daemon; this check is for programs that Kapacitor spawns".to_owned()
                }
                Transport::Socket => {
                    "it is spawned for each use; this check is for daemons on a socket".to_owned()
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
