//! One option with its types: the checks of its calls, samples, and its description.

use udf_proto::{Value, ValueType};
use udf_text::describe::{OptionHelp, call_form};
use udf_text::duration;

use super::calls::Calls;
use super::data::{DefaultData, Length, OptionData};
use super::docs;
use super::limits::Limits;
use super::problem::Misfit;
use super::suggest;
use super::types::Help;

/// An option with the data of its constant and its types, for one Init or one description.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) data: &'static OptionData,
    pub(super) types: Vec<ValueType>,
    pub(super) help: Help,
    call_count: Limits,
}

impl Known {
    pub(super) fn new(data: &'static OptionData) -> Self {
        let mut help = (data.of_type)();
        if let Some(range) = data.range {
            help.limits = range().0.within(&help.limits);
        }
        if let Some(words) = data.must_be {
            let known = help.words().map_or(String::new(), |known| format!("{known} and "));
            help.must_be = Some(known + words);
        }
        let mut call_count = Limits::default();
        match data.len.map(|len| len()) {
            Some(Length { limits, of_calls: true }) => call_count = limits,
            Some(Length { limits, of_calls: false }) => help.len = limits,
            None => {}
        }
        Known { data, types: data.types(), help, call_count }
    }

    /// Returns whether the option has this name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.data.name == name || self.data.aliases.contains(&name)
    }

    /// Returns valid arguments: the author's example, the default, or usual values of the types.
    /// Returns `None` if none of these is known to be valid.
    pub(super) fn sample(&self) -> Option<Vec<Value>> {
        let example = self.data.example.and_then(|example| example());
        let given = [example, self.data.shown_default()].into_iter().flatten();
        let of_type = || match self.data.validate {
            // The author's code may refuse a usual value.
            Some(_) => None,
            None => self.help.sample(&self.types),
        };
        given.chain(of_type()).find(|values| self.fits(values))
    }

    /// Returns a valid call, or `.field(STRING)` with the types if no valid value is known.
    pub(super) fn write(&self) -> String {
        match self.sample() {
            Some(values) if !self.data.is_secret => self.data.line(&values),
            _ => self.form(),
        }
    }

    /// Returns a call with the types of its arguments, `.field(STRING)`.
    pub(super) fn form(&self) -> String {
        call_form(self.data.name, &self.types, &self.names())
    }

    /// Returns the names of its arguments, or none.
    pub(super) fn names(&self) -> Vec<String> {
        let names: Vec<String> =
            self.help.places(self.types.len()).into_iter().map(|help| help.name).collect();
        if names.iter().all(String::is_empty) { Vec::new() } else { names }
    }

    /// Returns whether it is the first option of a set of which a task must call at least one.
    #[cfg(feature = "testing")]
    pub(super) fn is_first_of_a_set(&self) -> bool {
        self.data.at_least_one_of.iter().any(|set| set.first() == Some(&self.data.name))
    }

    /// Returns whether a TICKscript can write these arguments, and the constant accepts them.
    pub(super) fn fits(&self, values: &[Value]) -> bool {
        values.iter().all(Value::is_writable)
            && self.check(values).is_ok()
            && self.help.places(values.len()).iter().zip(values).all(|(help, v)| help.takes(v))
    }

    /// Checks the number, the types and the limits of arguments, and returns them converted to the
    /// types.
    pub(super) fn check(&self, values: &[Value]) -> Result<Vec<Value>, Misfit> {
        if values.len() != self.types.len() {
            return Err(Misfit::Count);
        }
        let places = self.help.places(values.len());
        let (mut taken, mut misfits) = (Vec::with_capacity(values.len()), Vec::new());
        for (place, value) in values.iter().enumerate() {
            let (wanted, help) = (self.types[place], &places[place]);
            let value = match (wanted, value) {
                // A task that is defined as JSON sends 2.0 as an INT.
                (ValueType::Double, Value::Int(int)) => Value::Double(*int as f64),
                _ if value.value_type() == wanted => value.clone(),
                _ => {
                    misfits.push(Misfit::Type { place });
                    continue;
                }
            };
            let words = match &value {
                Value::Duration(..0) => Some("a duration that is not negative".to_owned()),
                value if !help.limits.contain(value) => help.limit_words(),
                Value::String(text) => {
                    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
                    let fits = help.len.contain(&Value::Int(length));
                    (!fits).then(|| help.words()).flatten()
                }
                _ => None,
            };
            misfits.extend(words.map(|words| Misfit::must_be(place, &words)));
            taken.push(value);
        }
        match misfits.len() {
            0 => Ok(taken),
            1 => Err(misfits.remove(0)),
            _ => Err(Misfit::Several(misfits)),
        }
    }

    /// Returns a copy of the values of a secret, to keep them out of messages.
    pub(super) fn secret(&self, values: &[Value]) -> Vec<Value> {
        if self.data.is_secret { values.to_vec() } else { Vec::new() }
    }

    /// Returns how often a task must call it at least.
    pub(super) fn min_calls(&self) -> usize {
        match (self.data.calls, self.data.default) {
            (Calls::Once, DefaultData::None) if self.of_env().is_none() => 1,
            (Calls::Once | Calls::AtMostOnce, _) => 0,
            (Calls::Any, _) => match self.call_count.nearest(&Value::Int(0)) {
                Some(Value::Int(least)) => usize::try_from(least).unwrap_or(usize::MAX),
                _ => 0,
            },
        }
    }

    /// Returns the arguments in its environment variable.
    pub(super) fn of_env(&self) -> Option<Vec<Value>> {
        let text = std::env::var(self.data.env?).ok()?;
        let value = match self.types[..] {
            [ValueType::Duration] => duration::nanos(&text).map(Value::Duration).ok(),
            [wanted] => suggest::converted(&Value::from(&*text), wanted),
            _ => None,
        };
        Some(vec![value.unwrap_or(Value::String(text))])
    }

    /// Returns the errors in the constant itself.
    #[cfg(feature = "testing")]
    pub(super) fn faults(&self) -> Vec<String> {
        let name = self.data.name;
        let mut faults = Vec::new();
        if [&self.help.limits, &self.help.len, &self.call_count].iter().any(|l| l.is_empty()) {
            faults.push(format!("no value is within the limits of `.{name}`"));
        }
        let example = self.data.example.and_then(|example| example());
        for (what, values) in [("default", self.data.shown_default()), ("example", example)] {
            if let Some(values) = values.filter(|values| !self.fits(values)) {
                let call = self.data.line(&values);
                faults.push(format!("the {what} of `.{name}` is not one of its values: `{call}`"));
            }
        }
        faults
    }

    /// Returns in words how often a task must call it, unless `count` is valid.
    pub(super) fn wrong_count(&self, count: usize) -> Option<String> {
        let fits = self.call_count.contain(&Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        if fits { None } else { self.times() }
    }

    /// Returns in words how often a task must call it.
    pub(super) fn times(&self) -> Option<String> {
        self.call_count.count_of("time")
    }

    /// Returns the description for people and tools.
    pub(super) fn describe(self) -> OptionHelp {
        let (data, min_calls) = (self.data, self.min_calls());
        let mut docs = docs::help(data.docs);
        let env = data.env.map(|name| format!("Without a call: the environment variable {name}."));
        let secret = data.is_secret.then(|| "Its value is a secret and is not shown.".to_owned());
        for line in env.into_iter().chain(secret) {
            docs += if docs.is_empty() { "" } else { "\n" };
            docs += &line;
        }
        let example = self.sample().unwrap_or_default();
        let each = if self.help.choices.is_empty() { self.help.words() } else { None };
        let times = self.times().map(|times| format!("called {times}"));
        let range: Vec<String> = [each, times].into_iter().flatten().collect();
        let default = data.shown_default();
        let default_expression = match data.default {
            DefaultData::None | DefaultData::Flag => None,
            _ if data.is_secret => Some("a secret".to_owned()),
            DefaultData::Constant(_, source) if default.is_none() => Some(source.to_owned()),
            DefaultData::Expression(_, source) => Some(source.to_owned()),
            _ => None,
        };
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        OptionHelp {
            name: data.name.to_owned(),
            aliases: owned(data.aliases),
            help: docs,
            arg_names: self.names(),
            args: self.types,
            repeated: data.calls == Calls::Any,
            min_calls,
            default,
            default_expression,
            range: Some(range.join(", ")).filter(|range| !range.is_empty()),
            choices: self.help.choices,
            ignores_case: self.help.ignores_case,
            conflicts: owned(data.conflicts),
            requires: owned(data.requires),
            at_least_one_of: data.at_least_one_of.iter().map(|&set| owned(set)).collect(),
            deprecated: data.deprecated.map(str::to_owned),
            secret: data.is_secret,
            example,
        }
    }
}

/// Returns the descriptions of the options of a UDF, in the order of its fields.
///
/// Makes no default, and calls neither `validate` nor `parse`.
pub(crate) fn describe(options: &'static [OptionData]) -> Vec<OptionHelp> {
    let shown = options.iter().filter(|data| !data.is_hidden);
    let mut all: Vec<_> = shown.map(|data| Known::new(data).describe()).collect();
    // `conflicts` at one of two options holds for both.
    let told: Vec<_> = all.iter().map(|one| (one.name.clone(), one.conflicts.clone())).collect();
    for option in &mut all {
        let others = told.iter().filter(|(_, conflicts)| conflicts.contains(&option.name));
        for (other, _) in others {
            if !option.conflicts.contains(other) {
                option.conflicts.push(other.clone());
            }
        }
    }
    let is_shown = |name: &String| !options.iter().any(|data| data.is_hidden && data.name == name);
    for option in &mut all {
        let sets = option.at_least_one_of.iter_mut();
        for names in sets.chain([&mut option.conflicts, &mut option.requires]) {
            names.retain(is_shown);
        }
    }
    all
}
