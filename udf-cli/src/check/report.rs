//! The report of the checks, for people and for tools.

use std::fmt::Write as _;

use console::Style;
use serde::Serialize;
use udf_proto::Info;

use super::{Check, Outcome, Verdict};
use crate::{Target, Transport};

/// What was found, of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The name of the UDF's file.
    pub udf: String,
    /// What it was reached over.
    pub transport: Transport,
    /// The edge that it wants, `STREAM` or `BATCH`; none when it did not say.
    pub wants: Option<&'static str>,
    /// The edge that it provides; none when it did not say.
    pub provides: Option<&'static str>,
    /// How many checks passed.
    pub passed: usize,
    /// How many found something that may hurt.
    pub warned: usize,
    /// How many found something that hurts.
    pub failed: usize,
    /// How many made no sense for this UDF.
    pub skipped: usize,
    /// Each of them, in the order in which they ran.
    pub checks: Vec<Finding>,
}

/// What one check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub name: &'static str,
    /// The group that it belongs to.
    pub group: &'static str,
    /// How it went.
    pub status: Status,
    /// What it means for a user of Kapacitor.
    pub meaning: &'static str,
    /// What was seen; none when it passed.
    pub found: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should.
    Pass,
    /// It may hurt some users.
    Warn,
    /// It hurts.
    Fail,
    /// It makes no sense here.
    Skip,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
            Status::Skip => "skip",
        }
    }

    fn style(self) -> Style {
        match self {
            Status::Pass => Style::new().green(),
            Status::Warn => Style::new().yellow().bold(),
            Status::Fail => Style::new().red().bold(),
            Status::Skip => Style::new().dim(),
        }
    }
}

impl Finding {
    pub(super) fn new(group: &'static str, check: &Check, outcome: Outcome) -> Self {
        let (status, found) = match outcome {
            Ok(Verdict::Pass) => (Status::Pass, None),
            Ok(Verdict::Warn(found)) => (Status::Warn, Some(found)),
            Ok(Verdict::Fail(found)) => (Status::Fail, Some(found)),
            Ok(Verdict::Skip(found)) => (Status::Skip, Some(found)),
            Err(trouble) => (Status::Fail, Some(trouble.to_string())),
        };
        Finding { name: check.name, group, status, meaning: check.meaning, found }
    }

    /// Says more of what was found.
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
            wants: info.map(|info| info.wants.as_str_name()),
            provides: info.map(|info| info.provides.as_str_name()),
            passed: count(Status::Pass),
            warned: count(Status::Warn),
            failed: count(Status::Fail),
            skipped: count(Status::Skip),
            checks,
        }
    }

    /// The finding of the check of this name, if it was run.
    pub fn finding(&self, name: &str) -> Option<&Finding> {
        self.checks.iter().find(|finding| finding.name == name)
    }

    /// The report for people: a line for each check, and one more where something was found.
    ///
    /// With `colours`, for a terminal.
    pub fn to_text(&self, colours: bool) -> String {
        let width = self.checks.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
        let (mut out, mut group) = (String::new(), "");
        for finding in &self.checks {
            if finding.group != group {
                group = finding.group;
                let space = if out.is_empty() { "" } else { "\n" };
                writeln!(out, "{space}{group}").expect("a string takes all");
            }
            let status =
                finding.status.style().force_styling(colours).apply_to(finding.status.word());
            writeln!(out, "  {status}  {:width$}  {}", finding.name, finding.meaning)
                .expect("a string takes all");
            if let Some(found) = &finding.found {
                writeln!(out, "        {:width$}  -> {found}", "").expect("a string takes all");
            }
        }
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        writeln!(
            out,
            "\n{} check{} of {}: {} passed, {} warning{}, {} failed, {} skipped",
            self.checks.len(),
            plural(self.checks.len()),
            self.udf,
            self.passed,
            self.warned,
            plural(self.warned),
            self.failed,
            self.skipped
        )
        .expect("a string takes all");
        out
    }

    /// The report for tools.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a report has a form in JSON");
        text.push('\n');
        text
    }
}
