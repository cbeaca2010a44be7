//! The report of the checks, as text for people and as JSON for tools.

use std::fmt::Write as _;

use console::Style;
use serde::Serialize;
use udf_proto::Info;

use super::{Check, CheckResult, Outcome};
use crate::{Target, Transport};

/// The findings of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the UDF's file.
    pub udf: String,
    /// The transport of the connections.
    pub transport: Transport,
    /// The edge that the UDF wants, `STREAM` or `BATCH`. `None` without a valid Info answer.
    pub wants: Option<&'static str>,
    /// The edge that the UDF provides. `None` without a valid Info answer.
    pub provides: Option<&'static str>,
    /// The number of checks that passed.
    pub passed: usize,
    /// The number of checks that found a fault which may harm some users.
    pub warned: usize,
    /// The number of checks that found a harmful fault.
    pub failed: usize,
    /// The number of checks for which the UDF has shown nothing.
    pub untested: usize,
    /// The number of checks that were skipped.
    pub skipped: usize,
    /// The findings, in the order in which the checks ran.
    pub checks: Vec<Finding>,
}

/// The finding of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub name: &'static str,
    /// The group of the check.
    pub group: &'static str,
    /// The result of the check.
    pub status: Status,
    /// The consequence for a user of Kapacitor.
    pub meaning: &'static str,
    /// The observation. `None` if the check passed without a remark.
    pub found: Option<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The UDF behaves as it should.
    Pass,
    /// The fault may harm some users.
    Warn,
    /// The fault is harmful.
    Fail,
    /// The UDF sent nothing that the check could judge.
    Untested,
    /// The check does not apply or could not run.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
            Status::Untested => "untested",
            Status::Skip => "skip",
        }
    }

    fn style(self) -> Style {
        match self {
            Status::Pass => Style::new().green(),
            Status::Warn | Status::Untested => Style::new().yellow().bold(),
            Status::Fail => Style::new().red().bold(),
            Status::Skip => Style::new().dim(),
        }
    }
}

impl Finding {
    pub(super) fn new(group: &'static str, check: &Check, outcome: CheckResult) -> Self {
        let (status, found) = match outcome {
            Ok(Outcome::Pass) => (Status::Pass, None),
            Ok(Outcome::Remark(found)) => (Status::Pass, Some(found)),
            Ok(Outcome::Untested(found)) => (Status::Untested, Some(found)),
            Ok(Outcome::Warn(found)) => (Status::Warn, Some(found)),
            Ok(Outcome::Fail(found)) => (Status::Fail, Some(found)),
            Ok(Outcome::Skip(found)) => (Status::Skip, Some(found)),
            Err(fault) => (Status::Fail, Some(fault.to_string())),
        };
        Finding { name: check.name, group, status, meaning: check.meaning, found }
    }

    /// Appends text to the observation.
    pub(super) fn add(&mut self, text: &str) {
        let found = self.found.get_or_insert_default();
        found.push_str("; ");
        found.push_str(text);
    }
}

impl Report {
    pub(super) fn new(target: &Target, info: Option<&Info>, checks: Vec<Finding>) -> Self {
        let count = |status| checks.iter().filter(|finding| finding.status == status).count();
        Report {
            udf: target.name(),
            transport: target.transport(),
            wants: info.map(|info| info.wants.name()),
            provides: info.map(|info| info.provides.name()),
            passed: count(Status::Pass),
            warned: count(Status::Warn),
            failed: count(Status::Fail),
            untested: count(Status::Untested),
            skipped: count(Status::Skip),
            checks,
        }
    }

    /// Returns the finding of the check `name`, if the check ran.
    pub fn finding(&self, name: &str) -> Option<&Finding> {
        self.checks.iter().find(|finding| finding.name == name)
    }

    /// Returns the report as text: a line for each check, and another line for each observation.
    ///
    /// With `colours`, the text has escape codes for a terminal.
    pub fn to_text(&self, colours: bool) -> String {
        let longest = |length: fn(&Finding) -> usize| self.checks.iter().map(length).max();
        let width = longest(|finding| finding.name.len()).unwrap_or(0);
        let words = longest(|finding| finding.status.word().len()).unwrap_or(0);
        let (mut out, mut group) = (String::new(), "");
        for finding in &self.checks {
            if finding.group != group {
                group = finding.group;
                let space = if out.is_empty() { "" } else { "\n" };
                writeln!(out, "{space}{group}").expect("writing to a string cannot fail");
            }
            let status =
                finding.status.style().force_styling(colours).apply_to(finding.status.word());
            let pad = words - finding.status.word().len();
            writeln!(out, "  {status}{:pad$}  {:width$}  {}", "", finding.name, finding.meaning)
                .expect("writing to a string cannot fail");
            if let Some(found) = &finding.found {
                writeln!(out, "  {:words$}  {:width$}  -> {found}", "", "")
                    .expect("writing to a string cannot fail");
            }
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let untested = match self.untested {
            0 => String::new(),
            count => format!("{count} untested, "),
        };
        writeln!(
            out,
            "\n{} check{} of {}: {} passed, {} warning{}, {} failed, {untested}{} skipped",
            self.checks.len(),
            plural(self.checks.len()),
            self.udf,
            self.passed,
            self.warned,
            plural(self.warned),
            self.failed,
            self.skipped
        )
        .expect("writing to a string cannot fail");
        out
    }

    /// Returns the report as JSON.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has a form in JSON");
        text.push('\n');
        text
    }
}
