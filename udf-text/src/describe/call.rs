//! One use of a UDF: its call in a TICKscript, and a command line.

use udf_proto::{OptionCall, Value};

use super::words::arguments;

/// Returns the lines of a TICKscript that call a UDF with these options.
///
/// An option with a value that TICKscript cannot express becomes a comment.
///
/// ```
/// use udf_proto::{OptionCall, Value};
/// use udf_text::describe::node_call;
///
/// let size = OptionCall { name: "size".to_owned(), values: vec![Value::Int(10)] };
/// assert_eq!(node_call("moving_avg", &[size]), "    @moving_avg()\n        .size(10)\n");
/// ```
pub fn node_call(name: &str, calls: &[OptionCall]) -> String {
    let mut text = format!("    @{name}()\n");
    for OptionCall { name, values } in calls {
        let call = format!(".{name}({})", arguments(values));
        text += &match values.iter().all(Value::is_writable) {
            true => format!("        {call}\n"),
            false => format!(
                "        // TICKscript cannot express this value: {}\n",
                call.replace('\n', " ")
            ),
        };
    }
    text
}

/// Returns a command as a user types it in a shell.
///
/// ```
/// use udf_text::describe::command_line;
///
/// let words = ["replay", "cpu.lp", "--group-by", "*"].map(str::to_owned);
/// assert_eq!(command_line(&words), "replay cpu.lp --group-by '*'");
/// ```
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}

/// Returns a word as a shell reads it, in quotes if it needs them.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=,@%+".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
