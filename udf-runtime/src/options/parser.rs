//! The calls of an Init against the options of a UDF.

use std::fmt;

use udf_proto::{OptionCall, Value, ValueType};
use udf_text::describe::OptionHelp;
use udf_text::suggest::nearest;

use super::field::Calls;
use super::problem::{Misfit, Problem, Problems, SHOWN, line, short};
use super::spec::Traits;
use super::types::Help;
use super::{OptionSpec, suggest};

/// Takes typed options out of the calls of an Init, and collects everything that is wrong.
///
/// Generated code hands it every option, in the order of the fields. What an option is when no task calls
/// it is made only after all calls were found to be right.
#[derive(Debug)]
pub struct OptionParser {
    asked: Asked,
    calls: Vec<OptionCall>,
    /// The options so far, with what their names and help say.
    options: Vec<Known>,
    problems: Vec<Problem>,
    /// How many more there are: an Init can have any number of calls.
    more: usize,
    warnings: Vec<String>,
}

/// What a parser is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The names of the options and the types of their arguments, for Kapacitor.
    Types,
    /// All that can be told of the options.
    Help,
    /// The fields of a UDF, for a task.
    Fields,
}

/// An option that was taken.
struct Known {
    traits: Traits,
    /// How often a task must call it at least.
    min_calls: usize,
    /// Of [`Asked::Help`].
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

/// An option, and the values of its calls.
pub struct Taken<F, V> {
    spec: OptionSpec<F, V>,
    values: Vec<V>,
}

impl<F, V> fmt::Debug for Taken<F, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("values", &self.values.len()).finish_non_exhaustive()
    }
}

impl<F, V> Taken<F, V> {
    /// Makes the field: of the values of the calls, or of the default, which is made now.
    pub fn make(self, options: &mut OptionParser) -> Option<F> {
        let Taken { spec, mut values } = self;
        if values.is_empty() {
            match spec.make_default() {
                Some(Ok(default)) => values.push(default),
                Some(Err((shown, misfit))) => {
                    options.note_default(&spec, shown, misfit);
                    return None;
                }
                None => {}
            }
        }
        (spec.collect)(values)
    }
}

impl OptionParser {
    pub(crate) fn new(asked: Asked, calls: Vec<OptionCall>) -> Self {
        OptionParser {
            asked,
            calls,
            options: Vec::new(),
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
        }
    }

    /// Takes the calls of one option. What is wrong with them is noted.
    #[doc(hidden)]
    pub fn take<F, V>(&mut self, spec: OptionSpec<F, V>) -> Taken<F, V> {
        match self.asked {
            Asked::Types => self.know(&spec, &Help::default(), None),
            Asked::Help => {
                let help = spec.traits.help();
                self.know(&spec, &help, spec.sample(&help));
            }
            Asked::Fields => {
                let values = self.values(&spec);
                return Taken { spec, values };
            }
        }
        Taken { spec, values: Vec::new() }
    }

    /// The values of the calls of one option.
    fn values<F, V>(&mut self, spec: &OptionSpec<F, V>) -> Vec<V> {
        let calls: Vec<usize> = (0..self.calls.len())
            .filter(|&at| spec.traits.is_called(&self.calls[at].name))
            .collect();
        let help = spec.traits.help();
        let sample = spec.sample(&help);
        let mut values = Vec::with_capacity(calls.len());
        for (number, &at) in (1..).zip(&calls) {
            match spec.value(&self.calls[at].values, &help) {
                Ok(value) => values.push(value),
                Err(_) if self.problems.len() >= SHOWN => self.more += 1,
                Err(misfit) => {
                    let (came, types) = (&self.calls[at].values, &spec.traits.types);
                    // Where only code of the author refuses, nothing can be put right.
                    let is_declared = !spec.traits.fits(came, &help);
                    let write = suggest::mended(came, types, &help)
                        .filter(|mended| is_declared && spec.traits.fits(mended, &help));
                    let write = [write, sample.clone()].into_iter().flatten();
                    // What was refused is no advice.
                    let write = write.map(|values| spec.traits.line(values));
                    let call = line(&self.calls[at]);
                    let write = write.into_iter().find(|write| *write != call);
                    self.problems.push(Problem::Call {
                        call,
                        which: (calls.len() > 1).then_some(number),
                        misfit,
                        came: came.iter().map(Value::value_type).collect(),
                        types: types.clone(),
                        write,
                    });
                }
            }
        }
        self.know(spec, &help, sample);
        self.count(&spec.traits, &calls);
        if let Some(known) = self.options.last_mut() {
            known.called = calls.first().copied();
        }
        if let (Some(advice), Some(&first)) = (spec.traits.deprecated, calls.first()) {
            let name = &self.calls[first].name;
            self.warnings.push(format!("option `{name}` is deprecated: {advice}"));
        }
        values
    }

    /// Adds an option to those that are known.
    fn know<F, V>(&mut self, spec: &OptionSpec<F, V>, help: &Help, sample: Option<Vec<Value>>) {
        // Where no value is known that would do, its types are.
        let write = match &sample {
            Some(sample) => spec.traits.line(sample.clone()),
            None => spec.traits.form(),
        };
        let help = if self.asked == Asked::Help {
            let described = spec.traits.describe(help.clone(), spec.shown_default());
            OptionHelp { example: sample.unwrap_or_default(), ..described }
        } else {
            OptionHelp::default()
        };
        let min_calls = spec.traits.min_calls(spec.has_default());
        self.options.push(Known {
            traits: spec.traits.clone(),
            min_calls,
            help,
            write,
            called: None,
        });
    }

    /// Whether nothing is wrong with any call, so that the fields can be made.
    #[doc(hidden)]
    pub fn accepts(&mut self) -> bool {
        if self.asked != Asked::Fields {
            return false;
        }
        self.relations();
        self.unknown();
        self.problems.is_empty() && self.more == 0
    }

    /// Notes a default that the UDF itself does not accept.
    fn note_default<F, V>(&mut self, spec: &OptionSpec<F, V>, shown: Vec<Value>, misfit: Misfit) {
        let name = spec.traits.name;
        let known = self.options.iter().find(|known| known.traits.name == name);
        let call = spec.traits.line(shown.clone());
        // Its sample may be this very default.
        let write = known.map(|known| known.write.clone()).filter(|write| *write != call);
        let write = write.unwrap_or_else(|| spec.traits.form());
        let came = shown.iter().map(Value::value_type).collect();
        let types = spec.traits.types.clone();
        self.note(|_| Problem::Default { call, misfit, came, types, write });
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

    /// Notes the option that was taken last when it is called too seldom or too often.
    fn count(&mut self, traits: &Traits, calls: &[usize]) {
        let Some(known) = self.options.last() else { return };
        let (name, write, min_calls) =
            (traits.name.to_owned(), known.write.clone(), known.min_calls);
        if calls.is_empty() && min_calls > 0 {
            let often = (min_calls > 1).then(|| traits.call_count.count_of("time")).flatten();
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

    /// The names of the options that were taken, and the types of their arguments.
    pub(crate) fn into_types(self) -> impl Iterator<Item = (&'static str, Vec<ValueType>)> {
        self.options.into_iter().flat_map(|Known { traits, .. }| {
            let names = std::iter::once(traits.name).chain(traits.aliases.iter().copied());
            names.map(move |name| (name, traits.types.clone()))
        })
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

    /// What was wrong, and what the author of the task should know.
    pub(crate) fn finish(self) -> (Problems, Vec<String>) {
        (Problems { shown: self.problems, more: self.more }, self.warnings)
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
                        needs: other.traits.name.to_owned(),
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
                    !matches!(problem, Problem::Missing { name, .. } if *name == meant.traits.name)
                });
            }
            let nearest = meant.zip(near).map(|(meant, near)| {
                let types: Vec<ValueType> = call.values.iter().map(Value::value_type).collect();
                if types == meant.traits.types {
                    line(&OptionCall { name: near.to_owned(), values: call.values.clone() })
                } else {
                    meant.write.clone()
                }
            });
            let mut known: Vec<String> =
                self.options.iter().map(|known| known.traits.name.to_owned()).collect();
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
