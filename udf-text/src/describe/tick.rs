//! Descriptions as a TICKscript to start from.

use udf_proto::EdgeType;

use super::description::{Description, OptionHelp};
use super::words::arguments;
use super::wrap::wrap;

impl Description {
    /// Returns a TICKscript that runs the UDF on the measurement `cpu` in the database `telegraf`.
    ///
    /// | option | in the script |
    /// | --- | --- |
    /// | required, or the first of a set in `at_least_one_of` | a call |
    /// | required by one of these options | a call |
    /// | optional | a comment |
    /// | deprecated | nothing |
    ///
    /// If the description is not [complete](Self::complete), the script calls all options. If no
    /// valid value of an option is known, a comment says so.
    pub fn to_tick(&self) -> String {
        let mut out = String::from("dbrp \"telegraf\".\"autogen\"\n\n");
        comment(first_paragraph(&self.help), "", &mut out);
        out.push_str(match self.wants {
            EdgeType::Stream => {
                "\
stream
    |from()
        .measurement('cpu')
        .groupBy(*)
"
            }
            EdgeType::Batch => {
                "\
batch
    |query('SELECT * FROM \"telegraf\".\"autogen\".\"cpu\"')
        .period(10s)
        .every(10s)
        .groupBy(*)
"
            }
        });
        if !self.complete && !self.options.is_empty() {
            let unknown =
                "The UDF reports only names and types: edit the values, and delete unneeded calls.";
            comment(unknown, "    ", &mut out);
        }
        out.push_str(&format!("    @{}()\n", self.name));
        for (option, live) in self.options.iter().zip(self.live()) {
            if live || option.deprecated.is_none() {
                append_option(option, live, self.complete, &mut out);
            }
        }
        out.push_str("    |log()\n");
        out
    }

    /// Returns for each option whether a minimal task calls it.
    pub(super) fn live(&self) -> Vec<bool> {
        let required = |option: &OptionHelp| option.is_required() || !self.complete;
        let mut live: Vec<bool> = self.options.iter().map(required).collect();
        // A set of which at least one is required is satisfied by its first option.
        for (option, live) in self.options.iter().zip(&mut live) {
            let is_first = |set: &Vec<String>| set.first() == Some(&option.name);
            *live |= option.at_least_one_of.iter().any(is_first);
        }
        let open = self.options.iter().zip(&live).filter(|(_, live)| **live);
        let mut open: Vec<&OptionHelp> = open.map(|(option, _)| option).collect();
        while let Some(option) = open.pop() {
            for (other, live) in self.options.iter().zip(&mut live) {
                if !*live && option.requires.contains(&other.name) {
                    *live = true;
                    open.push(other);
                }
            }
        }
        live
    }
}

fn append_option(option: &OptionHelp, live: bool, complete: bool, out: &mut String) {
    let indent = "        ";
    let deprecated = option.deprecated.iter().map(|instead| format!("Deprecated: {instead}."));
    let optional = (!live).then(|| "Optional.".to_owned());
    let words = deprecated.chain(optional).chain([first_paragraph(&option.help).to_owned()]);
    let named = !option.arg_names.is_empty();
    let arguments_line = named.then(|| format!("Arguments: {}.", option.arg_names.join(", ")));
    let words: Vec<String> = words.chain(arguments_line).chain(option.relations()).collect();
    comment(&words.join(" "), indent, out);
    let Some(sample) = option.sample(complete) else {
        comment("Write a value here. No valid value is known.", indent, out);
        out.push_str(&format!("{indent}// {}\n", option.form()));
        return;
    };
    let call = format!(".{}({})", option.name, arguments(&sample));
    if !live {
        // The rest of a text with line breaks starts at the begin of a line. Removing the comment
        // marks then restores the same text.
        out.push_str(&format!("{indent}// {}\n", call.replace('\n', "\n//")));
        return;
    }
    let mut times = option.min_calls.max(1);
    if times > MOST_CALLS {
        comment(&format!("Call this option at least {times} times."), indent, out);
        times = 1;
    }
    for _ in 0..times {
        out.push_str(&format!("{indent}{call}\n"));
    }
}

/// The maximum number of calls of one option in a sample.
pub(super) const MOST_CALLS: usize = 100;

pub(super) fn first_paragraph(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

/// Appends `text` as a comment. Line breaks in `text` become blanks.
fn comment(text: &str, indent: &str, out: &mut String) {
    let words: Vec<_> = text.split_whitespace().collect();
    wrap(&words.join(" "), &format!("{indent}// "), 96, out);
}
