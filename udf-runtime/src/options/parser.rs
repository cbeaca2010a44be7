//! The calls of an Init against the options of a UDF.

use std::fmt;

use udf_host::describe::OptionHelp;
use udf_proto::{OptionCall, Value, ValueType};

use super::field::Calls;
use super::problem::{Misfit, Problem, line};
use super::spec::Traits;
use super::{OptionField, OptionSpec, suggest};

/// Takes typed options out of the calls of an Init, and collects everything that is wrong.
///
/// Generated code hands it every option, in the order of the fields.
#[derive(Debug)]
pub struct OptionParser {
    calls: Vec<OptionCall>,
    /// The options so far, with what their names and help say.
    options: Vec<Known>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

/// An option that was taken.
struct Known {
    traits: Traits,
    help: OptionHelp,
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
        OptionParser { calls, options: Vec::new(), problems: Vec::new(), warnings: Vec::new() }
    }

    /// Takes the calls of one option; none when there is something wrong with them, which is noted.
    #[doc(hidden)]
    pub fn take<F: OptionField>(&mut self, spec: OptionSpec<F>) -> Option<F> {
        let calls: Vec<usize> = (0..self.calls.len())
            .filter(|&at| spec.traits.is_called(&self.calls[at].name))
            .collect();
        let default = spec.default_value();
        let (shown, default) = match default {
            Some(default) => (Some(default.shown), Some(default.value)),
            None => (None, None),
        };
        let help = spec.traits.describe(shown.clone());
        let mut values = Vec::with_capacity(calls.len());
        let mut complete = true;
        for (number, &at) in (1..).zip(&calls) {
            match spec.value(&self.calls[at].values) {
                Ok(value) => values.push(value),
                Err(misfit) => {
                    let candidates = [
                        suggest::mended(&self.calls[at].values, &help.args, &spec.traits.help),
                        shown.clone(),
                        Some(help.example.clone()),
                    ];
                    let write =
                        candidates.into_iter().flatten().find(|values| spec.value(values).is_ok());
                    self.problems.push(Problem::Call {
                        call: line(&self.calls[at]),
                        which: (calls.len() > 1).then_some(number),
                        misfit,
                        came: self.calls[at].values.iter().map(Value::value_type).collect(),
                        types: help.args.clone(),
                        write: write.map(|values| spec.traits.line(values)),
                    });
                    complete = false;
                }
            }
        }
        let counted = self.count(&spec.traits, &help, &calls);
        let made = if calls.is_empty() && default.is_some() {
            default
                .and_then(|made| self.default(&spec.traits, &help, &shown, made))
                .and_then(|value| F::from_calls(vec![value]))
        } else {
            F::from_calls(values)
        };
        if let (Some(advice), Some(&first)) = (spec.traits.deprecated, calls.first()) {
            let name = &self.calls[first].name;
            self.warnings.push(format!("option `{name}` is deprecated: {advice}"));
        }
        self.options.push(Known { traits: spec.traits, help, called: calls.first().copied() });
        made.filter(|_| counted && complete)
    }

    /// Notes an option that is called too seldom or too often.
    fn count(&mut self, traits: &Traits, help: &OptionHelp, calls: &[usize]) -> bool {
        let name = traits.name.to_owned();
        let write = traits.line(help.example.clone());
        let problem = match traits.calls {
            Calls::Once if calls.is_empty() && help.required => Problem::Missing { name, write },
            Calls::Once | Calls::AtMostOnce if calls.len() > 1 => {
                let calls = calls.iter().take(5).map(|&at| line(&self.calls[at])).collect();
                Problem::Again { name, calls }
            }
            Calls::Any => {
                let count = i64::try_from(calls.len()).unwrap_or(i64::MAX);
                if traits.call_count.contain(&Value::Int(count)) {
                    return true;
                }
                if calls.is_empty() && help.required {
                    Problem::Missing { name, write }
                } else {
                    let words = traits.call_count.words().unwrap_or_default();
                    Problem::Calls {
                        name,
                        words: format!("{words} times"),
                        came: calls.len(),
                        write,
                    }
                }
            }
            Calls::Once | Calls::AtMostOnce => return true,
        };
        self.problems.push(problem);
        false
    }

    /// The default, or a note that the UDF itself would not accept it.
    fn default<V>(
        &mut self,
        traits: &Traits,
        help: &OptionHelp,
        shown: &Option<Vec<Value>>,
        made: Result<V, Misfit>,
    ) -> Option<V> {
        made.map_err(|misfit| {
            let words = match misfit {
                Misfit::Argument { words, .. } | Misfit::Other(words) => words,
                Misfit::Count | Misfit::Type { .. } => "is of another type".to_owned(),
            };
            self.problems.push(Problem::Default {
                call: traits.line(shown.clone().unwrap_or_default()),
                words,
                write: traits.line(help.example.clone()),
            });
        })
        .ok()
    }

    /// What is known of the options that were taken.
    pub(crate) fn into_help(self) -> Vec<OptionHelp> {
        self.options.into_iter().map(|known| known.help).collect()
    }

    /// What was wrong, and what the author of the task should know.
    pub(crate) fn finish(mut self) -> (Vec<Problem>, Vec<String>) {
        self.relations();
        let unknown = self.unknown();
        (unknown.into_iter().chain(self.problems).collect(), self.warnings)
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
                        write: other.traits.line(other.help.example.clone()),
                    });
                }
            }
        }
        self.problems.extend(found);
    }

    /// The calls of options that do not exist. One that was meant for a required option stands for
    /// the absence of that, too.
    fn unknown(&mut self) -> Vec<Problem> {
        let mut unknown = Vec::new();
        for call in &self.calls {
            if self.options.iter().any(|known| known.traits.is_called(&call.name)) {
                continue;
            }
            let names = self.options.iter().flat_map(|known| {
                std::iter::once(known.traits.name).chain(known.traits.aliases.iter().copied())
            });
            let near = suggest::nearest(&call.name, names);
            let meant = near
                .and_then(|near| self.options.iter().find(|known| known.traits.is_called(near)));
            if let Some(meant) = meant {
                self.problems.retain(|problem| {
                    !matches!(problem, Problem::Missing { name, .. } if *name == meant.help.name)
                });
            }
            let nearest = meant.zip(near).map(|(meant, near)| {
                let types: Vec<ValueType> = call.values.iter().map(Value::value_type).collect();
                let fits = types == meant.help.args;
                let values = if fits { &call.values } else { &meant.help.example };
                line(&OptionCall { name: near.to_owned(), values: values.clone() })
            });
            let mut known: Vec<String> =
                self.options.iter().map(|known| known.help.name.clone()).collect();
            known.sort();
            unknown.push(Problem::Unknown {
                call: line(call),
                name: call.name.clone(),
                nearest,
                known,
            });
        }
        unknown
    }
}
