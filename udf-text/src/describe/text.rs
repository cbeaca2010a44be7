//! Descriptions for people.

use udf_proto::{EdgeType, Value};

use super::description::{Choice, Description, OptionHelp};
use super::words::{arguments, listed};
use super::wrap::wrap;

impl Description {
    /// Returns the description for people, without colors.
    ///
    /// Lines have at most `width` characters, unless a word is longer.
    pub fn to_text(&self, width: usize) -> String {
        let mut out = format!(
            "{}: reads {} and sends {}\n",
            self.name,
            edge(self.wants),
            edge(self.provides)
        );
        if !self.help.trim().is_empty() {
            out.push('\n');
            wrap(&self.help, "", width, &mut out);
        }
        out.push_str(match (self.options.is_empty(), self.complete) {
            (true, _) => "\nIt has no options.\n",
            (false, true) => "\nOptions, as a TICKscript calls them:\n",
            (false, false) => {
                "\nOptions, as a TICKscript calls them; the UDF does not report which are required:\n"
            }
        });
        for option in &self.options {
            append_option(option, self.complete, width, &mut out);
        }
        out
    }
}

fn append_option(option: &OptionHelp, complete: bool, width: usize, out: &mut String) {
    out.push_str(&format!("\n  {}\n", option.form()));
    let indent = "      ";
    wrap(&facts(option, complete).join(" ").replace('\n', " "), indent, width, out);
    wrap(&option.help, indent, width, out);
    if !option.choices.is_empty() {
        let case = if option.ignores_case { ", in upper or lower case" } else { "" };
        out.push_str(&format!("{indent}One of{case}:\n"));
    }
    let longest = option.choices.iter().map(|choice| written(&choice.value).chars().count()).max();
    for choice in &option.choices {
        let column = longest.unwrap_or(0);
        let head = format!("{indent}  {:column$}  ", written(&choice.value));
        let mut lines = String::new();
        wrap(&meaning(choice), &" ".repeat(head.chars().count()), width, &mut lines);
        // The choice takes the place of the first indent.
        let lines = lines.trim_start();
        out.push_str(if lines.is_empty() { head.trim_end() } else { &head });
        out.push_str(if lines.is_empty() { "\n" } else { lines });
    }
}

fn meaning(choice: &Choice) -> String {
    if choice.aliases.is_empty() {
        return choice.help.clone();
    }
    let aliases = listed(choice.aliases.iter().map(|alias| written(alias)).collect(), "and");
    format!("{} Also written {aliases}.", choice.help)
}

/// Returns `text` as a STRING in a TICKscript.
fn written(text: &str) -> String {
    Value::from(text).to_string()
}

/// Returns the facts that the author of a task needs, as sentences.
fn facts(option: &OptionHelp, complete: bool) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(instead) = &option.deprecated {
        facts.push(format!("Deprecated: {instead}."));
    }
    match (&option.default, &option.default_expression) {
        _ if option.is_required() => facts.push("Required.".to_owned()),
        (Some(default), _) => {
            let default = arguments(default).replace('\n', "\\n");
            facts.push(format!("Default: {default}."));
        }
        (None, Some(expression)) => facts.push(format!("Default: the value of `{expression}`.")),
        (None, None) if complete => facts.push("Optional.".to_owned()),
        (None, None) => {}
    }
    if let Some(range) = &option.range {
        let must = if range.starts_with("argument ") { "have" } else { "be" };
        facts.push(format!("Must {must} {range}."));
    }
    if option.repeated {
        facts.push("May be called several times.".to_owned());
    }
    if !option.aliases.is_empty() {
        let aliases = option.aliases.iter().map(|alias| format!(".{alias}")).collect();
        facts.push(format!("Also called {}.", listed(aliases, "and")));
    }
    facts.extend(option.relations());
    facts
}

fn edge(edge: EdgeType) -> &'static str {
    match edge {
        EdgeType::Stream => "a stream",
        EdgeType::Batch => "batches",
    }
}
