//! A description for people.

use udf_proto::{EdgeType, ValueType};

use super::{Description, OptionHelp, arguments};

impl Description {
    /// The UDF in words, with lines of at most `width` characters where words allow it.
    ///
    /// There is no colour in it.
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
                "\nOptions, as a TICKscript calls them; the UDF does not tell which are required:\n"
            }
        });
        for option in &self.options {
            append_option(option, self.complete, width, &mut out);
        }
        out
    }
}

fn append_option(option: &OptionHelp, complete: bool, width: usize, out: &mut String) {
    let types: Vec<_> = option.args.iter().map(ValueType::to_string).collect();
    out.push_str(&format!("\n  .{}({})\n", option.name, types.join(", ")));
    let indent = "      ";
    wrap(&facts(option, complete).join(" "), indent, width, out);
    wrap(&option.help, indent, width, out);
    if !option.choices.is_empty() {
        out.push_str(&format!("{indent}One of:\n"));
    }
    let longest = option.choices.iter().map(|(choice, _)| choice.chars().count()).max();
    for (choice, help) in &option.choices {
        let column = longest.unwrap_or(0) + 2;
        let head = format!("{indent}  {:column$}  ", format!("'{choice}'"));
        let mut lines = String::new();
        wrap(help, &" ".repeat(head.chars().count()), width, &mut lines);
        // The choice takes the place of the first indent.
        let lines = lines.trim_start();
        out.push_str(if lines.is_empty() { head.trim_end() } else { &head });
        out.push_str(if lines.is_empty() { "\n" } else { lines });
    }
}

/// What is to be known before calling it, as sentences.
fn facts(option: &OptionHelp, complete: bool) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(instead) = &option.deprecated {
        facts.push(format!("Deprecated: {instead}."));
    }
    match &option.default {
        _ if option.required => facts.push("Required.".to_owned()),
        Some(default) => facts.push(format!("Default: {}.", arguments(default))),
        None if complete => facts.push("Optional.".to_owned()),
        None => {}
    }
    if let Some(range) = &option.range {
        facts.push(format!("Must be {range}."));
    }
    if option.repeated {
        facts.push("May be called several times.".to_owned());
    }
    if !option.aliases.is_empty() {
        let aliases: Vec<_> = option.aliases.iter().map(|alias| format!(".{alias}")).collect();
        facts.push(format!("Also called {}.", aliases.join(" and ")));
    }
    facts
}

fn edge(edge: EdgeType) -> &'static str {
    match edge {
        EdgeType::Stream => "a stream",
        EdgeType::Batch => "batches",
    }
}

/// Appends `text`, each of its paragraphs filled anew, with `indent` before every line.
///
/// Lines that are indented or begin a list keep their begin.
pub(super) fn wrap(text: &str, indent: &str, width: usize, out: &mut String) {
    let width = width.saturating_sub(indent.chars().count()).max(20);
    let mut column = 0;
    for line in text.trim().lines() {
        let starts_anew = line.trim().is_empty()
            || line.starts_with([' ', '\t'])
            || line.trim_start().starts_with(['-', '*', '#', '|']);
        if starts_anew && column > 0 {
            out.push('\n');
            column = 0;
        }
        if line.trim().is_empty() {
            out.push('\n');
        }
        for word in line.split_whitespace() {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                out.push('\n');
                column = 0;
            }
            out.push_str(if column == 0 { indent } else { " " });
            out.push_str(word);
            column += length + usize::from(column > 0);
        }
    }
    if column > 0 {
        out.push('\n');
    }
}
