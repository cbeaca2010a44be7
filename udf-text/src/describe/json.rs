//! Descriptions for tools.

use udf_proto::Value;

use super::description::{Description, OptionHelp};
use super::words::quoted;

impl Description {
    /// Returns the description as a JSON document.
    ///
    /// The members have the names and meanings of the fields of [`Description`], [`OptionHelp`] and
    /// [`Choice`](super::Choice), with these differences:
    ///
    /// - The members `arguments` and `argument_names` of an option are the fields `args` and
    ///   `arg_names`.
    /// - The member `required` of an option is [`OptionHelp::is_required`].
    /// - The member `default_expression` is present only if it is known.
    /// - A DURATION is an integer in nanoseconds.
    /// - If the description is not [complete](Description::complete), unknown facts are null.
    pub fn to_json(&self) -> String {
        let mut out = Json::default();
        out.open('{');
        out.text("name", &self.name);
        out.text("help", &self.help);
        out.text("wants", self.wants.name());
        out.text("provides", self.provides.name());
        out.raw("complete", self.complete);
        out.key("options");
        out.open('[');
        for option in &self.options {
            out.item();
            append_option(option, self.complete, &mut out);
        }
        out.close(']');
        out.close('}');
        out.text.push('\n');
        out.text
    }
}

fn append_option(option: &OptionHelp, complete: bool, out: &mut Json) {
    let known = |value: bool| if complete { value.to_string() } else { "null".to_owned() };
    out.open('{');
    out.text("name", &option.name);
    out.list("aliases", &option.aliases, |alias| quoted(alias));
    out.text("help", &option.help);
    out.list("arguments", &option.args, |r#type| quoted(r#type.name()));
    out.list("argument_names", &option.arg_names, |name| quoted(name));
    out.raw("required", known(option.is_required()));
    out.raw("repeated", known(option.repeated));
    out.raw("min_calls", if complete { option.min_calls.to_string() } else { "null".to_owned() });
    match &option.default {
        Some(default) => out.list("default", default, value),
        None => out.raw("default", "null"),
    }
    if let Some(expression) = &option.default_expression {
        out.text("default_expression", expression);
    }
    out.optional("range", option.range.as_deref());
    out.list("choices", &option.choices, |choice| {
        let (value, help) = (quoted(&choice.value), quoted(&choice.help));
        let aliases = list(&choice.aliases, |alias| quoted(alias));
        format!("{{\"value\": {value}, \"help\": {help}, \"aliases\": {aliases}}}")
    });
    out.raw("ignores_case", known(option.ignores_case));
    out.list("conflicts", &option.conflicts, |other| quoted(other));
    out.list("requires", &option.requires, |other| quoted(other));
    out.list("at_least_one_of", &option.at_least_one_of, |set| list(set, |name| quoted(name)));
    out.optional("deprecated", option.deprecated.as_deref());
    out.list("example", &option.example, value);
    out.close('}');
}

fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) | Value::Duration(value) => value.to_string(),
        Value::Double(value) if value.is_finite() => format!("{value:?}"),
        Value::Double(_) => "null".to_owned(),
        Value::String(text) => quoted(text),
    }
}

fn list<T>(items: &[T], show: impl FnMut(&T) -> String) -> String {
    format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", "))
}

/// Writes a document in which scalars and the lists of an option are on one line.
///
/// Not a crate for JSON: every author would compile it, and it would print one scalar per line.
#[derive(Default)]
struct Json {
    text: String,
    depth: usize,
    /// Whether the open object or list has an item.
    filled: bool,
}

impl Json {
    fn open(&mut self, bracket: char) {
        self.text.push(bracket);
        self.depth += 1;
        self.filled = false;
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        if self.filled {
            self.new_line();
        }
        self.text.push(bracket);
        self.filled = true;
    }

    /// Begins the next item of a list, or the next member of an object.
    fn item(&mut self) {
        if self.filled {
            self.text.push(',');
        }
        self.filled = true;
        self.new_line();
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(self.depth));
    }

    fn key(&mut self, name: &str) {
        self.item();
        self.text.push_str(&quoted(name));
        self.text.push_str(": ");
    }

    fn raw(&mut self, name: &str, value: impl ToString) {
        self.key(name);
        self.text.push_str(&value.to_string());
    }

    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, quoted(text));
    }

    fn optional(&mut self, name: &str, text: Option<&str>) {
        self.raw(name, text.map_or("null".to_owned(), quoted));
    }

    fn list<T>(&mut self, name: &str, items: &[T], show: impl FnMut(&T) -> String) {
        self.raw(name, list(items, show));
    }
}
