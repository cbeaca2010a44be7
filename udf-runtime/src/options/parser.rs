//! The calls of an Init against the options of a UDF.

use std::fmt;
use std::time::{Duration, Instant};

use udf_host::describe::OptionHelp;
use udf_host::options::nearest;
use udf_proto::{OptionCall, Value, ValueType};

use super::field::Calls;
use super::problem::{Problem, Problems, SHOWN, line, short};
use super::spec::Traits;
use super::{OptionSpec, suggest};

/// Takes typed options out of the calls of an Init, and collects everything that is wrong.
///
/// Generated code hands it every option, in the order of the fields.
#[derive(Debug)]
pub struct OptionParser {
    calls: Vec<OptionCall>,
    /// The options so far, with what their names and help say.
    options: Vec<Known>,
    problems: Vec<Problem>,
    /// How many more there are: an Init can have any number of calls.
    more: usize,
    warnings: Vec<String>,
    /// Until when values are looked for that options accept; never when there is none.
    sampling: Option<Instant>,
}

/// For how long the author's code is asked which values would do.
const PATIENCE: Duration = Duration::from_secs(1);

/// An option that was taken.
struct Known {
    traits: Traits,
    help: OptionHelp,
    /// A call that would do.
    write: String,
    /// The first call of it.
    called: Option<usize>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Known").field(&self.traits.name).finish()
    }
}

impl OptionParser {
    pub(crate) fn new(calls: Vec<OptionCall>) -> Self {
        OptionParser {
            calls,
            options: Vec::new(),
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
            sampling: None,
        }
    }

    /// Looks for values that each option accepts, for the line that would do. This asks the author's code about
    /// values that no task has written, and is for when somebody is told of them. All options together take no
    /// longer than [`PATIENCE`], but for the last value that is asked about.
    pub(crate) fn with_samples(mut self) -> Self {
        self.sampling = Some(Instant::now() + PATIENCE);
        self
    }

    /// Takes the calls of one option; none when there is something wrong with them, which is noted.
    #[doc(hidden)]
    pub fn take<F, V>(&mut self, spec: OptionSpec<F, V>) -> Option<F> {
        let calls: Vec<usize> = (0..self.calls.len())
            .filter(|&at| spec.traits.is_called(&self.calls[at].name))
            .collect();
        let (shown, default) = match spec.default_value() {
            Some(default) => (Some(default.shown), Some(default.value)),
            None => (None, None),
        };
        let sample = self.sampling.and_then(|end| spec.sample(end));
        let help = spec.traits.describe(shown.clone(), sample.clone());
        let before = (self.problems.len(), self.more);
        let mut values = Vec::with_capacity(calls.len());
        for (number, &at) in (1..).zip(&calls) {
            match spec.value(&self.calls[at].values) {
                Ok(value) => values.push(value),
                Err(_) if self.problems.len() >= SHOWN => self.more += 1,
                Err(misfit) => {
                    let came = &self.calls[at].values;
                    let mended = suggest::mended(came, &help.args, &spec.traits.help);
                    let write = [mended, sample.clone()].into_iter().flatten();
                    let is_told = self.sampling.is_some();
                    let write = write.filter(|_| is_told).find(|write| spec.accepts(write));
                    let write = write.map(|values| spec.traits.line(values));
                    self.problems.push(Problem::Call {
                        call: line(&self.calls[at]),
                        which: (calls.len() > 1).then_some(number),
                        misfit,
                        came: came.iter().map(Value::value_type).collect(),
                        types: help.args.clone(),
                        write,
                    });
                }
            }
        }
        // Where no value is known that would do, its types are.
        let write = sample.map_or_else(|| spec.traits.form(), |sample| spec.traits.line(sample));
        self.count(&spec.traits, &help, &write, &calls);
        let made = match default {
            Some(Ok(default)) if calls.is_empty() => (spec.collect)(vec![default]),
            Some(Err(misfit)) if calls.is_empty() => {
                let shown = shown.unwrap_or_default();
                let came = shown.iter().map(Value::value_type).collect();
                let (types, write) = (help.args.clone(), write.clone());
                let call = spec.traits.line(shown);
                self.note(|_| Problem::Default { call, misfit, came, types, write });
                None
            }
            _ => (spec.collect)(values),
        };
        if let (Some(advice), Some(&first)) = (spec.traits.deprecated, calls.first()) {
            let name = &self.calls[first].name;
            self.warnings.push(format!("option `{name}` is deprecated: {advice}"));
        }
        let called = calls.first().copied();
        self.options.push(Known { traits: spec.traits, help, write, called });
        made.filter(|_| before == (self.problems.len(), self.more))
    }

    /// Notes a problem, or only counts it when there are many.
    fn note(&mut self, problem: impl FnOnce(&Self) -> Problem) {
        if self.problems.len() < SHOWN {
            let problem = problem(self);
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Notes an option that is called too seldom or too often.
    fn count(&mut self, traits: &Traits, help: &OptionHelp, write: &str, calls: &[usize]) {
        let (name, write) = (traits.name.to_owned(), write.to_owned());
        if calls.is_empty() && help.is_required() {
            let often = (help.min_calls > 1).then(|| traits.call_count.count_of("time")).flatten();
            self.note(|_| Problem::Missing { name, often, write });
        } else if traits.calls != Calls::Any && calls.len() > 1 {
            self.note(|parser| {
                let calls = calls.iter().take(5).map(|&at| line(&parser.calls[at]));
                Problem::Again { name, calls: calls.collect() }
            });
        } else if let count = i64::try_from(calls.len()).unwrap_or(i64::MAX)
            && !traits.call_count.contain(&Value::Int(count))
            && traits.calls == Calls::Any
        {
            let words = traits.call_count.count_of("time").unwrap_or_default();
            self.note(|_| Problem::Calls { name, words, came: calls.len() });
        }
    }

    /// What is known of the options that were taken.
    pub(crate) fn into_help(self) -> Vec<OptionHelp> {
        let mut all: Vec<_> = self.options.into_iter().map(|known| known.help).collect();
        // Two exclude each other, whichever of them says so.
        let told: Vec<_> =
            all.iter().map(|one| (one.name.clone(), one.conflicts.clone())).collect();
        for option in &mut all {
            let others = told.iter().filter(|(_, conflicts)| conflicts.contains(&option.name));
            for (other, _) in others {
                if !option.conflicts.contains(other) {
                    option.conflicts.push(other.clone());
                }
            }
        }
        all
    }

    /// The calls that it was made of.
    pub(crate) fn into_calls(self) -> Vec<OptionCall> {
        self.calls
    }

    /// What was wrong, and what the author of the task should know.
    pub(crate) fn finish(&mut self) -> (Problems, Vec<String>) {
        self.relations();
        self.unknown();
        let shown = std::mem::take(&mut self.problems);
        (Problems { shown, more: self.more }, std::mem::take(&mut self.warnings))
    }

    /// Notes options that exclude each other, and those that lack one that they need.
    fn relations(&mut self) {
        let named = |name: &str| self.options.iter().find(|known| known.traits.name == name);
        let mut found: Vec<Problem> = Vec::new();
        for known in &self.options {
            let Some(at) = known.called else { continue };
            for other in known.traits.conflicts.iter().filter_map(|name| named(name)) {
                let Some(other_at) = other.called else { continue };
                let (first, second) = (at.min(other_at), at.max(other_at));
                let one = line(&self.calls[first]);
                let problem = Problem::Conflict { one, other: line(&self.calls[second]) };
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
            for other in known.traits.requires.iter().filter_map(|name| named(name)) {
                if other.called.is_none() {
                    found.push(Problem::Lonely {
                        call: line(&self.calls[at]),
                        needs: other.help.name.clone(),
                        write: other.write.clone(),
                    });
                }
            }
        }
        for problem in found {
            self.note(|_| problem);
        }
    }

    /// Notes the calls of options that do not exist, before the other problems. One that was meant for
    /// a required option stands for the absence of that, too.
    fn unknown(&mut self) {
        let mut unknown: Vec<Problem> = Vec::new();
        for call in &self.calls {
            if self.options.iter().any(|known| known.traits.is_called(&call.name)) {
                continue;
            }
            if unknown.len() >= SHOWN {
                self.more += 1;
                continue;
            }
            let names = self.options.iter().flat_map(|known| {
                std::iter::once(known.traits.name).chain(known.traits.aliases.iter().copied())
            });
            let near = nearest(&call.name, names);
            let meant = near
                .and_then(|near| self.options.iter().find(|known| known.traits.is_called(near)));
            if let Some(meant) = meant {
                self.problems.retain(|problem| {
                    !matches!(problem, Problem::Missing { name, .. } if *name == meant.help.name)
                });
            }
            let nearest = meant.zip(near).map(|(meant, near)| {
                let types: Vec<ValueType> = call.values.iter().map(Value::value_type).collect();
                if types == meant.help.args {
                    line(&OptionCall { name: near.to_owned(), values: call.values.clone() })
                } else {
                    meant.write.clone()
                }
            });
            let mut known: Vec<String> =
                self.options.iter().map(|known| known.help.name.clone()).collect();
            known.sort();
            let (call, name) = (line(call), short(&call.name));
            unknown.push(Problem::Unknown { call, name, nearest, known });
        }
        unknown.append(&mut self.problems);
        self.more += unknown.len().saturating_sub(SHOWN);
        unknown.truncate(SHOWN);
        self.problems = unknown;
    }
}
