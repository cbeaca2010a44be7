//! Finds the option of the form that an error is about.

use serde::Serialize;
use udf_proto::{OptionCall, Value};
use udf_text::describe::Description;
use udf_text::options::{OptionProblem, OptionsError};

use udf_host::Error;
use udf_host::replay::ReplayError;

/// An error, and its place in the form.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The name of the option. `None` for an error of the run as a whole.
    pub(crate) option: Option<String>,
    /// The text, in the words of the UDF if it comes from the UDF.
    pub(crate) text: String,
}

impl Problem {
    /// Creates an error of the run as a whole.
    pub(crate) fn general(text: impl ToString) -> Self {
        Problem { option: None, text: text.to_string() }
    }
}

/// Returns the problems of options that do not have their types.
pub(crate) fn of_options(error: OptionsError) -> Vec<Problem> {
    let problems = error.problems.into_iter().map(|problem| {
        let option = match &problem {
            OptionProblem::Arguments { name, .. }
            | OptionProblem::Quotes { name, .. }
            | OptionProblem::Type { name, .. } => Some(name.clone()),
            _ => None,
        };
        Problem { option, text: problem.to_string() }
    });
    problems.collect()
}

/// Returns the problems of a failed run.
pub(crate) fn of_run(error: ReplayError, udf: &Description, calls: &[OptionCall]) -> Vec<Problem> {
    let at_option = |text: &str| Problem {
        option: option_of(text, udf, calls).map(str::to_owned),
        text: text.to_owned(),
    };
    match &error {
        ReplayError::Udf(Error::InitRefused(text)) => match &parts(text, &udf.name)[..] {
            // Without an option, the text alone does not say whose text it is.
            [part] if at_option(part).option.is_none() => vec![Problem::general(error)],
            parts => parts.iter().map(|part| at_option(part)).collect(),
        },
        ReplayError::Udf(Error::Reported(text)) => {
            let Problem { option, .. } = at_option(text);
            vec![Problem { option, text: error.to_string() }]
        }
        _ => vec![Problem::general(error)],
    }
}

/// Splits the refusal of a UDF of this kit into its problems. Any other text is one part.
fn parts<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let own = text.strip_prefix("UDF ").and_then(|text| text.strip_prefix(name));
    let Some(list) = own.and_then(|text| text.strip_prefix(": ")) else { return vec![text] };
    let Some((_, mut rest)) = list.split_once(" problems with its options: (1) ") else {
        return vec![list];
    };
    let mut parts = Vec::new();
    for number in 2.. {
        let Some((part, more)) = rest.split_once(&format!("; ({number}) ")) else { break };
        parts.push(part);
        rest = more;
    }
    parts.push(rest);
    parts
}

/// The length of a name that hardly is a word of a sentence by chance, unlike `as` and `per`.
const DISTINCT: usize = 4;

/// Returns the option that a text is about: the first call in it, else the only option whose value
/// it quotes, else the only option that it names.
fn option_of<'u>(text: &str, udf: &'u Description, calls: &[OptionCall]) -> Option<&'u str> {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for option in &udf.options {
        for name in [&option.name].into_iter().chain(&option.aliases) {
            names.push((name, &option.name));
        }
    }
    let mut first: Option<(usize, &str)> = None;
    for (name, option) in &names {
        for end in ["(", "`"] {
            if let Some(at) = text.find(&format!("`.{name}{end}"))
                && first.is_none_or(|first| (at, *option) < first)
            {
                first = Some((at, option));
            }
        }
    }
    if let Some((_, option)) = first {
        return Some(option);
    }
    let (mut quoted, mut named) = (Vec::new(), Vec::new());
    for (name, option) in &names {
        let is_quoted = |call: &OptionCall| call.name == *name && quotes_value(text, call);
        if calls.iter().any(is_quoted) {
            quoted.push(*option);
        }
        if name.len() >= DISTINCT && has_word(text, name) {
            named.push(*option);
        }
    }
    only(&quoted).or_else(|| only(&named))
}

/// Returns the option if there is no other.
fn only<'u>(options: &[&'u str]) -> Option<&'u str> {
    let first = options.first()?;
    options.iter().all(|other| other == first).then_some(*first)
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

fn quotes_value(text: &str, call: &OptionCall) -> bool {
    call.values.iter().any(|value| match value {
        Value::String(value) if !value.is_empty() => {
            let is_within = |quote: &str| text.contains(&format!("{quote}{value}{quote}"));
            ["`", "'", "\""].into_iter().any(is_within)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use udf_proto::EdgeType;
    use udf_text::describe::OptionHelp;

    use super::*;

    fn udf() -> Description {
        let option = |name: &str, alias: &str| OptionHelp {
            name: name.to_owned(),
            aliases: vec![alias.to_owned()],
            ..OptionHelp::default()
        };
        Description {
            name: "avg".to_owned(),
            help: String::new(),
            wants: EdgeType::Stream,
            provides: EdgeType::Stream,
            options: vec![option("field", "column"), option("size", "window"), option("as", "to")],
            complete: true,
        }
    }

    #[track_caller]
    fn assert_placed(error: Error, expected: &[(Option<&str>, &str)]) {
        let call = |name: &str, value: &str| OptionCall {
            name: name.to_owned(),
            values: vec![Value::from(value)],
        };
        let calls = [call("field", "usage"), call("as", "avg")];
        let problems = of_run(ReplayError::Udf(error), &udf(), &calls);
        let placed: Vec<_> = problems.iter().map(|p| (p.option.as_deref(), &*p.text)).collect();
        assert_eq!(placed, expected);
    }

    #[test]
    fn each_problem_of_a_refusal_is_at_its_option() {
        let refused = |text: &str| Error::InitRefused(text.to_owned());
        assert_placed(
            refused("UDF avg: `.size(0)`: the argument must be at least 1; write `.size(1)`"),
            &[(Some("size"), "`.size(0)`: the argument must be at least 1; write `.size(1)`")],
        );
        assert_placed(
            refused(
                "UDF avg: 3 problems with its options: (1) `.field` is missing; write `.field('a')`; \
                 (2) `.window(0)`: the argument must be at least 1; (3) the field is too old",
            ),
            &[
                (Some("field"), "`.field` is missing; write `.field('a')`"),
                (Some("size"), "`.window(0)`: the argument must be at least 1"),
                (Some("field"), "the field is too old"),
            ],
        );
        // Of another kit.
        assert_placed(refused("must supply a size"), &[(Some("size"), "must supply a size")]);
        for text in ["oversized field_a", "size or field", "such as to"] {
            let whole = format!("the UDF refused its options: {text}");
            assert_placed(refused(text), &[(None, &whole)]);
        }
        // Of this kit.
        assert_placed(
            refused("UDF avg: such as to"),
            &[(None, "the UDF refused its options: UDF avg: such as to")],
        );
    }

    #[test]
    fn a_failure_is_at_the_option_with_the_value_in_it() {
        let reported = |text: &str| Error::Reported(text.to_owned());
        assert_placed(
            reported("the point has no column named `usage`"),
            &[(Some("field"), "the UDF failed: the point has no column named `usage`")],
        );
        assert_placed(reported("no room"), &[(None, "the UDF failed: no room")]);
    }
}
