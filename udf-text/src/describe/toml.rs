//! The section of kapacitor.conf that makes a UDF known to Kapacitor.

use super::description::Description;
use super::words::quoted;

/// Where a UDF is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Install {
    /// The path of its program. Kapacitor wants an absolute one, or one in its PATH. Empty when it is not known.
    pub program: String,
    /// The arguments that the program needs.
    pub args: Vec<String>,
    /// The path of its socket, when it runs as a daemon. Empty when it does not.
    pub socket: String,
}

impl Description {
    /// The section of kapacitor.conf, to be pasted: as a program that Kapacitor spawns and, commented out, as a
    /// daemon on a socket. With an empty path of one of them, the other alone.
    pub fn to_toml(&self, install: &Install) -> String {
        let args: Vec<_> = install.args.iter().map(|arg| quoted(arg)).collect();
        let key = key(&self.name);
        let program = format!(
            "\
# Kapacitor starts the program, once for each use in a task.
[udf.functions.{key}]
  prog = {}
  args = [{}]
  timeout = \"10s\"
",
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
            _ => format!(
                "{program}\n# Or the program runs as a daemon, and Kapacitor connects to its socket.\n{}",
                daemon("#")
            ),
        }
    }
}

fn key(name: &str) -> String {
    let bare = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}
