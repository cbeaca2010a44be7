//! Descriptions as a section of telegraf.conf.

use udf_proto::{EdgeType, Value};

use super::description::{Description, OptionHelp};
use super::tick::{MOST_CALLS, first_paragraph};
use super::toml::Install;
use super::words::{listed, quoted, typed};
use super::wrap::wrap;

/// The widest line of the command.
const WIDTH: usize = 96;

impl Description {
    /// Returns the section of telegraf.conf that runs the UDF on the measurement `cpu`.
    ///
    /// | option | in the section |
    /// | --- | --- |
    /// | required, or the first of a set in `at_least_one_of` | in the command |
    /// | required by one of these options | in the command |
    /// | optional | a comment |
    /// | deprecated | nothing |
    ///
    /// If the description is not [complete](Self::complete), the command has all options. If no
    /// valid value of an option is known, the types of its arguments take the place of the values.
    pub fn to_telegraf(&self, install: &Install) -> String {
        let mut out = String::new();
        comment(first_paragraph(&self.help), "", &mut out);
        out.push_str(
            "\
[[processors.execd]]
  # The measurements for the UDF. All others bypass it.
  namepass = [\"cpu\"]

",
        );
        if !self.complete && !self.options.is_empty() {
            let unknown = "The UDF reports only names and types: edit the values after -o, and delete unneeded \
                           options.";
            comment(unknown, "  ", &mut out);
        }
        let live = self.live();
        let mut groups = vec![self.begin(install)];
        for (option, live) in self.options.iter().zip(live) {
            if !live && option.deprecated.is_some() {
                continue;
            }
            self.append_comment(option, live, &mut out);
            let times = if live { option.min_calls.clamp(1, MOST_CALLS) } else { 0 };
            let call = ["-o".to_owned(), call(option, self.complete)];
            groups.extend(std::iter::repeat_n(call.to_vec(), times));
        }
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        if self.wants == EdgeType::Batch {
            comment(
                "--every: the length of the windows that become batches. --grace: the time for late points.",
                "  ",
                &mut out,
            );
            groups.push(words(&["--every", "60s", "--grace", "5s"]));
        }
        comment("--group-by: the tags that make a group; \"*\" for all.", "  ", &mut out);
        groups.push(words(&["--group-by", "*"]));
        let state = format!("/var/lib/telegraf/{}.state", self.name.replace('/', "_"));
        groups.push(words(&["--state-file", &state]));
        groups.push(install.telegraf_behind.clone());
        out.push_str(&format!("  command = [{}]\n", lines(&groups)));
        if !install.variables.is_empty() {
            let names = listed(install.variables.clone(), "and");
            let needed =
                format!("The UDF needs {names}, from here or from the environment of Telegraf:");
            comment(&needed, "  ", &mut out);
            let set = install.variables.iter().map(|name| quoted(&format!("{name}=...")));
            let set = set.collect::<Vec<_>>().join(", ");
            out.push_str(&format!("  # environment = [{set}]\n"));
        }
        out.push_str(
            "
  # Telegraf drops metrics while the program does not run.
  restart_delay = \"1s\"

# With an aggregator, Telegraf runs each processor twice, unless [agent] has
#   skip_processors_after_aggregators = true
",
        );
        out
    }

    /// Returns the words of the command before the options.
    fn begin(&self, install: &Install) -> Vec<String> {
        match &install.telegraf[..] {
            [] => {
                let program = [install.program.clone()].into_iter();
                program.chain(install.args.iter().cloned()).chain(["telegraf".to_owned()]).collect()
            }
            words => words.to_vec(),
        }
    }

    fn append_comment(&self, option: &OptionHelp, live: bool, out: &mut String) {
        let help = first_paragraph(&option.help);
        let mut words = vec![help.to_owned()];
        if live && option.min_calls > MOST_CALLS {
            words.push(format!("Write this option at least {} times.", option.min_calls));
        }
        if live && option.sample(self.complete).is_none() {
            words.push("Write a value: no valid value is known.".to_owned());
        }
        words.retain(|word| !word.is_empty());
        let words = words.join(" ");
        if !live {
            comment(&format!("Optional. {words}"), "  ", out);
            out.push_str(&format!("  #   \"-o\", {}\n", quoted(&call(option, self.complete))));
        } else if !words.is_empty() {
            comment(&format!("{}: {words}", option.name), "  ", out);
        }
    }
}

/// Returns an option as the argument after `-o`.
fn call(option: &OptionHelp, complete: bool) -> String {
    let name = &option.name;
    match option.sample(complete) {
        _ if option.args.is_empty() => name.clone(),
        Some(values) => {
            let values: Vec<_> = values.iter().map(|value| argument(value, values.len())).collect();
            format!("{name}={}", values.join(","))
        }
        None => format!("{name}={}", typed(&option.args, &[]).replace(", ", ",")),
    }
}

/// Returns a value as [`options`](crate::options) read it.
fn argument(value: &Value, of: usize) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let is_plain = !text.is_empty() || of == 1;
    let is_quoted = text.contains(',') || text.trim_start().starts_with('\'') || !is_plain;
    if is_quoted { value.to_string() } else { text.clone() }
}

/// Returns the items of an array. The words of a group are on the same line. The first and the last
/// group are the program and what follows its options, on lines of their own.
fn lines(groups: &[Vec<String>]) -> String {
    let mut lines: Vec<String> = Vec::new();
    let ends = [0, 1, groups.len() - 1];
    for (number, group) in groups.iter().enumerate().filter(|(_, group)| !group.is_empty()) {
        let text = group.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", ");
        match lines.last_mut() {
            Some(line)
                if !ends.contains(&number)
                    && line.chars().count() + text.chars().count() < WIDTH - 7 =>
            {
                line.push_str(", ");
                line.push_str(&text);
            }
            _ => lines.push(text),
        }
    }
    format!("\n    {}\n  ", lines.join(",\n    "))
}

/// Appends `text` as a comment. Line breaks in `text` become blanks.
fn comment(text: &str, indent: &str, out: &mut String) {
    let is_end = |char: char| char.is_whitespace() || char.is_control();
    let words: Vec<_> = text.split(is_end).filter(|word| !word.is_empty()).collect();
    wrap(&words.join(" "), &format!("{indent}# "), WIDTH, out);
}
