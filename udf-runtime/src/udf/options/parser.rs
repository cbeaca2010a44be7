//! Checks the calls of an Init against the options of a UDF.

use std::fmt;

use udf_proto::{OptionCall, Value, ValueType};
use udf_text::suggest::nearest;

use super::calls::Calls;
use super::data::{Boxed, DefaultData, Made, OptionData};
use super::known::Known;
use super::problem::{Misfit, Problem, Problems, SHOWN, line, short};
use super::refusal::Refusal;
use super::suggest;
use crate::agent::error::Error;
use crate::udf::shared::resources::Resources;

/// Checks the calls of an Init against the constant of a UDF, and hands out the values of each
/// option.
///
/// The author's code receives only values that the constant accepts. Defaults are made only if
/// every call is valid.
pub struct OptionParser {
    calls: Vec<OptionCall>,
    options: Vec<Checked>,
    /// The problems, each with the number of the option.
    problems: Vec<(usize, Problem)>,
    /// The number of further problems: an Init can have any number of calls.
    more: usize,
    warnings: Vec<String>,
    /// The number of the next field.
    next: usize,
    /// The things for `#[shared]` fields.
    resources: Resources,
}

// The calls may hold secrets.
impl fmt::Debug for OptionParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionParser").field("calls", &self.calls.len()).finish_non_exhaustive()
    }
}

/// An option and its calls.
struct Checked {
    known: Known,
    /// The numbers of the calls of this option.
    calls: Vec<usize>,
    /// The arguments in the environment variable, if the task does not call the option.
    of_env: Option<Vec<Value>>,
    /// The valid calls, each with its number among the calls of this option.
    right: Vec<(usize, Vec<Value>)>,
    /// The values of the valid calls, or the default.
    values: Vec<Boxed>,
}

impl OptionParser {
    /// Checks all calls against the constant. Runs no code of the author.
    pub(crate) fn new(
        options: &'static [OptionData],
        calls: Vec<OptionCall>,
        resources: &Resources,
    ) -> Self {
        let known = options.iter().map(Known::new);
        let options = known.map(|known| Checked {
            known,
            calls: Vec::new(),
            of_env: None,
            right: Vec::new(),
            values: Vec::new(),
        });
        let mut parser = OptionParser {
            calls,
            options: options.collect(),
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
            next: 0,
            resources: resources.clone(),
        };
        for option in &mut parser.options {
            let is_called = |call: &OptionCall| option.known.is_called(&call.name);
            option.of_env = option.known.of_env().filter(|_| !parser.calls.iter().any(is_called));
        }
        for place in 0..parser.options.len() {
            parser.check(place);
        }
        parser
    }

    /// Returns the things for `#[shared]` fields.
    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Checks the calls of one option.
    fn check(&mut self, place: usize) {
        let option = &mut self.options[place];
        let called = |at: &usize| option.known.is_called(&self.calls[*at].name);
        option.calls = (0..self.calls.len()).filter(called).collect();
        let mut wrong = Vec::new();
        let calls = option.calls.iter().map(|&at| &self.calls[at].values).chain(&option.of_env);
        for (number, values) in calls.enumerate() {
            match option.known.check(values) {
                Ok(values) => option.right.push((number, values)),
                Err(misfit) => wrong.push((number, misfit)),
            }
        }
        if let (Some(advice), Some(&first)) = (option.known.data.deprecated, option.calls.first()) {
            let name = &self.calls[first].name;
            self.warnings.push(format!("option `{name}` is deprecated: {advice}"));
        }
        for (number, misfit) in wrong {
            self.note(place, |parser| parser.call_problem(place, number, misfit, true));
        }
        self.count(place);
    }

    /// Notes an option with too few or too many calls.
    fn count(&mut self, place: usize) {
        let Checked { known, calls, .. } = &self.options[place];
        let (name, count, min_calls) = (known.data.name.to_owned(), calls.len(), known.min_calls());
        let problem = if count == 0 && min_calls > 0 {
            let often = (min_calls > 1).then(|| known.times()).flatten();
            Problem::Missing { name, often, write: known.write() }
        } else if known.data.calls != Calls::Any && count > 1 {
            let calls = calls.iter().take(5).map(|&at| known.data.call(&self.calls[at]));
            let calls = calls.collect();
            Problem::Again { name, calls }
        } else if let (Some(words), Calls::Any) = (known.wrong_count(count), known.data.calls) {
            Problem::Calls { name, words, came: count }
        } else {
            return;
        };
        self.note(place, |_| problem);
    }

    /// Returns the problem of a call. If only the author's code refuses the arguments, they are not
    /// `fixable`: no correction of them is known to help.
    fn call_problem(&self, place: usize, number: usize, misfit: Misfit, fixable: bool) -> Problem {
        let Checked { known, calls, .. } = &self.options[place];
        let (values, env) = self.values(place, number);
        let fixable = fixable && !known.data.is_secret;
        let fixed = || suggest::fixed(values, &known.types, &known.help);
        let fixed = fixable.then(fixed).flatten().filter(|fixed| known.fits(fixed));
        let write = [fixed, known.sample()].into_iter().flatten();
        // The refused call itself is not advice.
        let shown = match calls.get(number) {
            Some(&at) => known.data.call(&self.calls[at]),
            None => known.data.line(values),
        };
        let mut write = write.map(|values| known.data.line(&values));
        Problem::Call {
            which: (calls.len() > 1).then_some(number + 1),
            misfit,
            came: values.iter().map(Value::value_type).collect(),
            types: known.types.clone(),
            names: known.names(),
            write: write.find(|write| *write != shown),
            call: match env {
                Some(name) => format!("{shown}` of the environment variable `{name}"),
                None => shown,
            },
        }
    }

    /// Returns the arguments of a call, and the environment variable that holds them.
    fn values(&self, place: usize, number: usize) -> (&[Value], Option<&'static str>) {
        let option = &self.options[place];
        match (option.calls.get(number), &option.of_env) {
            (None, Some(values)) => (values, option.known.data.env),
            (at, _) => (at.map_or(&[], |&at| &self.calls[at].values), None),
        }
    }

    /// Makes the values of all options, and then the defaults. Returns whether all are valid. The
    /// defaults of the author are made only for valid calls.
    pub(super) fn make_values(&mut self) -> bool {
        let places = 0..self.options.len();
        places.clone().for_each(|place| self.take(place));
        self.relations();
        self.problems.sort_by_key(|(place, _)| *place);
        self.unknown();
        if self.is_whole() {
            places.for_each(|place| self.default(place));
        }
        self.is_whole()
    }

    /// Makes the values of the valid calls of one option. Notes each value that the author's code
    /// refuses.
    fn take(&mut self, place: usize) {
        let option = &mut self.options[place];
        let (data, right) = (option.known.data, std::mem::take(&mut option.right));
        for (number, arguments) in right {
            let secret = self.options[place].known.secret(&arguments);
            let made = (data.making.make)(arguments).and_then(|value| {
                data.validate.map_or(Ok(()), |validate| validate(&*value))?;
                Ok(value)
            });
            match made {
                Ok(value) => self.options[place].values.push(value),
                Err(error) => self.refused(place, number, error, &secret),
            }
        }
    }

    /// Notes a call whose value the author's code refuses.
    fn refused(&mut self, place: usize, number: usize, error: Error, secret: &[Value]) {
        let fits = self.options[place].known.fits(self.values(place, number).0);
        let misfit = Misfit::of(error, secret);
        self.note(place, |parser| parser.call_problem(place, number, misfit, !fits));
    }

    /// Makes the default of an option that is not called.
    ///
    /// `validate` checks only values of tasks, not the author's own default.
    fn default(&mut self, place: usize) {
        let known = &self.options[place].known;
        if !self.options[place].values.is_empty() {
            return;
        }
        let (shown, made) = match known.data.default {
            DefaultData::Constant(make, _) | DefaultData::Expression(make, _) => {
                let Made { value, shown } = make();
                let misfit = shown.as_ref().and_then(|shown| known.check(shown).err());
                (shown.unwrap_or_default(), misfit.map_or(Ok(value), Err))
            }
            _ => {
                let Some(values) = known.data.data_default() else { return };
                let secret = known.secret(&values);
                let made = known.check(&values).and_then(|values| {
                    (known.data.making.make)(values).map_err(|error| Misfit::of(error, &secret))
                });
                (values, made)
            }
        };
        match made {
            Ok(value) => self.options[place].values.push(value),
            Err(misfit) => self.note_default(place, shown, misfit),
        }
    }

    /// Makes the next field, in the order of the options, from the values of its calls or from its
    /// default.
    ///
    /// # Panics
    /// When a value is missing or has another type, which generated code rules out.
    #[must_use]
    pub fn field<F: 'static>(&mut self) -> F {
        match self.next_field().downcast() {
            Ok(field) => *field,
            Err(_) => unreachable!("the field has the type of its option"),
        }
    }

    fn next_field(&mut self) -> Boxed {
        let option = &mut self.options[self.next];
        self.next += 1;
        let field = (option.known.data.making.collect)(std::mem::take(&mut option.values));
        field.expect("options were accepted, so each has its values")
    }

    fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.more == 0
    }

    /// Notes a default that the UDF itself does not accept.
    fn note_default(&mut self, place: usize, shown: Vec<Value>, misfit: Misfit) {
        let known = &self.options[place].known;
        let came = shown.iter().map(Value::value_type).collect();
        let problem = Problem::Default {
            call: known.data.line(&shown),
            misfit,
            came,
            types: known.types.clone(),
            names: known.names(),
            write: match known.sample().filter(|sample| *sample != shown) {
                Some(_) => known.write(),
                None => known.form(),
            },
        };
        self.note(place, |_| problem);
    }

    /// Notes a problem, or only counts it if there are many.
    fn note(&mut self, place: usize, problem: impl FnOnce(&Self) -> Problem) {
        if self.problems.len() < SHOWN {
            let problem = problem(self);
            self.problems.push((place, problem));
        } else {
            self.more += 1;
        }
    }

    /// Returns the reason why the UDF `name` was not made.
    pub(crate) fn refusal(&mut self, name: &'static str) -> Refusal {
        let shown = self.problems.drain(..).map(|(_, problem)| problem).collect();
        Refusal { udf: name, problems: Problems { shown, more: self.more } }
    }

    /// Returns warnings about the calls, a line each.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings
    }

    /// Notes conflicts, options that lack an option that they require, and sets without a call.
    fn relations(&mut self) {
        let named = |name: &str| self.options.iter().find(|other| other.known.data.name == name);
        let mut found: Vec<Problem> = Vec::new();
        for Checked { known, calls, .. } in &self.options {
            let Some(&at) = calls.first() else { continue };
            for other in known.data.conflicts.iter().filter_map(|name| named(name)) {
                let Some(&other_at) = other.calls.first() else { continue };
                let (first, second) = (at.min(other_at), at.max(other_at));
                let (one, two) =
                    if first == at { (known, &other.known) } else { (&other.known, known) };
                let one = one.data.call(&self.calls[first]);
                let two = two.data.call(&self.calls[second]);
                let problem = Problem::Conflict { one, other: two };
                if !found.contains(&problem) {
                    found.push(problem);
                }
            }
            for other in known.data.requires.iter().filter_map(|name| named(name)) {
                if other.calls.is_empty() && other.of_env.is_none() {
                    found.push(Problem::Lonely {
                        call: known.data.call(&self.calls[at]),
                        needs: other.known.data.name.to_owned(),
                        write: other.known.write(),
                    });
                }
            }
        }
        for Checked { known, .. } in &self.options {
            // The first option of a set stands for the set.
            let sets = known.data.at_least_one_of.iter();
            for set in sets.filter(|set| set.first() == Some(&known.data.name)) {
                let set: Vec<&Checked> = set.iter().filter_map(|name| named(name)).collect();
                if set.iter().any(|one| !one.calls.is_empty() || one.of_env.is_some()) {
                    continue;
                }
                let shown = || set.iter().filter(|one| !one.known.data.is_hidden);
                let write = shown().next().map_or_else(|| known.write(), |one| one.known.write());
                let names = shown().map(|one| one.known.data.name.to_owned()).collect();
                found.push(Problem::NoneOf { names, write });
            }
        }
        for problem in found {
            self.note(self.options.len(), |_| problem);
        }
    }

    /// Notes the calls of unknown options, before the other problems. A misspelt call of a required
    /// option replaces the problem that it is missing.
    fn unknown(&mut self) {
        let mut unknown: Vec<(usize, Problem)> = Vec::new();
        for call in &self.calls {
            if self.options.iter().any(|option| option.known.is_called(&call.name)) {
                continue;
            }
            if unknown.len() >= SHOWN {
                self.more += 1;
                continue;
            }
            let shown = || self.options.iter().filter(|option| !option.known.data.is_hidden);
            let names = shown().flat_map(|option| option.known.data.names());
            let near = nearest(&call.name, names);
            let meant = near
                .and_then(|near| self.options.iter().find(|option| option.known.is_called(near)));
            if let Some(Checked { known, .. }) = meant {
                self.problems.retain(|(_, problem)| match problem {
                    Problem::Missing { name, .. } => name != known.data.name,
                    Problem::NoneOf { names, .. } => !names.iter().any(|n| n == known.data.name),
                    _ => true,
                });
            }
            let nearest = meant.zip(near).map(|(meant, near)| {
                let types: Vec<ValueType> = call.values.iter().map(Value::value_type).collect();
                if types == meant.known.types && !meant.known.data.is_secret {
                    line(&OptionCall { name: near.to_owned(), values: call.values.clone() })
                } else {
                    meant.known.write()
                }
            });
            let mut known: Vec<String> =
                shown().map(|option| option.known.data.name.to_owned()).collect();
            known.sort();
            // The name may be a misspelling of a secret.
            let is_secret = self.options.iter().any(|option| option.known.data.is_secret);
            let name = short(&call.name);
            let call = if is_secret { format!(".{name}(***)") } else { line(call) };
            unknown.push((0, Problem::Unknown { call, name, nearest, known }));
        }
        unknown.append(&mut self.problems);
        self.more += unknown.len().saturating_sub(SHOWN);
        unknown.truncate(SHOWN);
        self.problems = unknown;
    }
}
