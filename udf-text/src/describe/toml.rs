//! Descriptions as a section of kapacitor.conf.

use super::call::shell_word;
use super::description::Description;
use super::words::{listed, quoted};

/// The location of a UDF.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Install {
    /// The path of the program: absolute, or a name in the PATH of Kapacitor. Empty if unknown.
    pub program: String,
    /// The arguments of the program.
    pub args: Vec<String>,
    /// The environment variables that the program needs.
    pub variables: Vec<String>,
    /// The path of the socket of a daemon. Empty if the UDF is not a daemon.
    pub socket: String,
    /// The words of the command that starts the daemon. Empty if they are unknown.
    pub daemon: Vec<String>,
    /// The words of the command that serves Telegraf, up to its options. Empty for the program and
    /// its arguments, followed by `telegraf`.
    pub telegraf: Vec<String>,
    /// The words after the options of that command.
    pub telegraf_behind: Vec<String>,
}

impl Description {
    /// Returns the section of kapacitor.conf for the UDF.
    ///
    /// The section has an entry for the program, which Kapacitor spawns, and an entry for the
    /// daemon, commented out. If one of the two paths is empty, only the other entry is present.
    pub fn to_toml(&self, install: &Install) -> String {
        let args: Vec<_> = install.args.iter().map(|arg| quoted(arg)).collect();
        let key = key(&self.name);
        let variables = match &install.variables[..] {
            [] => String::new(),
            names => format!(
                "  # It needs {} in [udf.functions.{key}.env], or in the environment of Kapacitor.\n",
                listed(names.to_vec(), "and")
            ),
        };
        let program = format!(
            "\
# Kapacitor starts the program, once for each use in a task.
[udf.functions.{key}]
  prog = {}
  args = [{}]
  timeout = \"10s\"
{variables}",
            quoted(&install.program),
            args.join(", "),
        );
        let daemon = |mark| {
            format!(
                "\
{mark}[udf.functions.{key}]
{mark}  socket = {}
{mark}  timeout = \"10s\"
",
                quoted(&install.socket),
            )
        };
        match (install.program.as_str(), install.socket.as_str()) {
            (_, "") => program,
            ("", _) => format!("# Kapacitor connects to the daemon.\n{}", daemon("")),
            _ => {
                let command = match &install.daemon[..] {
                    [] => ".".to_owned(),
                    words => format!(": {}", one_line(words)),
                };
                format!(
                    "{program}\n# Or the program runs as a daemon, and Kapacitor connects to its socket{command}\n{}",
                    daemon("#")
                )
            }
        }
    }
}

fn key(name: &str) -> String {
    let bare = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// Returns a command as a user types it in a shell, in one line.
fn one_line(words: &[String]) -> String {
    let word = |word: &String| match word {
        word if word.chars().any(char::is_control) => quoted(word),
        word => shell_word(word),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
