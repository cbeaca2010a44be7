//! The name of a new crate: valid for cargo, and as the name of a type and of a UDF.

use std::fmt;

/// The name of the struct in the templates.
pub(super) const PLACE: &str = "NewUdf";

/// The longest name. Sockets have the name of their UDF, and a path of a socket is short.
const LONGEST: usize = 64;

/// Names that rustc or cargo need for something else.
const TAKEN: [&str; 63] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "let",
    "loop",
    "macro",
    "main",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "udf_runtime",
    "kapacitor_udf_runtime",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// Types and traits that the new crate uses, and that its own type would hide.
const USED: [&str; 25] = [
    "Batch",
    "BatchView",
    "Default",
    "Emitter",
    "Err",
    "ExitCode",
    "FieldName",
    "Fn",
    "Group",
    "Groups",
    "None",
    "Ok",
    "Option",
    "Point",
    "Points",
    "Result",
    "Self",
    "Some",
    "Stream",
    "StreamUdf",
    "String",
    "Task",
    "Vec",
    "WholeBatch",
    "WholeBatchUdf",
];

/// The name of a new crate, such as `moving_avg` or `moving-avg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// Why a name cannot be the name of a crate with a UDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    name: String,
    reason: String,
    suggestion: Option<String>,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid name `{}`: {}", self.name.escape_debug(), self.reason)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; did you mean `{suggestion}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NameError {}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// When the name is not valid for cargo, or its type or its UDF would have another name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let Some(reason) = invalid(name) else { return Ok(Name(name.to_owned())) };
        let suggestion = Some(suggestion(name)).filter(|name| invalid(name).is_none());
        Err(NameError { name: name.to_owned(), reason, suggestion })
    }

    /// Returns the name of the package and the program: the name itself.
    pub fn package(&self) -> &str {
        &self.0
    }

    /// Returns the name of the UDF in a TICKscript, in which `-` is `_`.
    pub fn udf(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the name of the struct.
    pub fn type_name(&self) -> String {
        type_name(&self.0)
    }
}

/// Returns the reason why a name is invalid, if it is.
fn invalid(name: &str) -> Option<String> {
    let is_allowed = |char: char| {
        char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-')
    };
    let udf = name.replace('-', "_");
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} characters"));
    }
    if !name.starts_with(|char: char| char.is_ascii_lowercase()) || !name.chars().all(is_allowed) {
        return Some(
            "a name has lower-case letters of English, digits, `_` and `-`, and begins with a letter"
                .to_owned(),
        );
    }
    if TAKEN.contains(&&*udf) {
        return Some("Rust or cargo needs this name for something else".to_owned());
    }
    let type_name = type_name(name);
    if USED.contains(&&*type_name) {
        return Some(format!("the UDF itself uses a type `{type_name}`"));
    }
    let snake = snake_case(&type_name);
    (snake != udf).then(|| {
        format!("its type would be `{type_name}`, so a TICKscript would call the UDF `{snake}`")
    })
}

/// Returns a name like this one that may be valid.
fn suggestion(name: &str) -> String {
    let word = |char: char| if char.is_ascii_alphanumeric() { char } else { '_' };
    let words: String = name.chars().map(word).collect();
    let mut like = snake_case(&type_name(&snake_case(&words)));
    if like.is_empty() || like.starts_with(|char: char| char.is_ascii_digit()) {
        like.insert_str(0, "udf");
    }
    if invalid(&like).is_some() {
        like.push_str("_udf");
    }
    like
}

/// Returns a name in upper camel case.
fn type_name(name: &str) -> String {
    let words = name.split(['_', '-']);
    let capitalized = |word: &str| {
        let mut chars = word.chars();
        chars
            .next()
            .map(|first| first.to_ascii_uppercase())
            .into_iter()
            .chain(chars)
            .collect::<String>()
    };
    words.map(capitalized).collect()
}

/// Returns a name in snake case, as `#[udf]` makes the name of a UDF from its type.
fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &char) in chars.iter().enumerate() {
        let after_lower = at > 0 && !chars[at - 1].is_ascii_uppercase() && chars[at - 1] != '_';
        let before_lower = chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
        let begins = char.is_ascii_uppercase() && (after_lower || before_lower);
        if begins && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_name_has_its_type_and_its_udf() {
        for (name, type_name, udf) in [
            ("moving_avg", "MovingAvg", "moving_avg"),
            ("moving-avg", "MovingAvg", "moving_avg"),
            ("p95", "P95", "p95"),
            ("p95_of_x", "P95OfX", "p95_of_x"),
            ("x", "X", "x"),
        ] {
            let name = Name::new(name).expect("it is valid");
            assert_eq!((&*name.type_name(), &*name.udf()), (type_name, udf));
        }
    }

    #[test]
    fn an_invalid_name_has_a_reason_and_a_suggestion() {
        for (name, reason, suggestion) in [
            ("", "it is empty", Some("udf")),
            ("MovingAvg", "a name has lower-case letters", Some("moving_avg")),
            ("HTTPProbe", "a name has lower-case letters", Some("http_probe")),
            ("moving avg", "a name has lower-case letters", Some("moving_avg")),
            ("2fast", "a name has lower-case letters", Some("udf2fast")),
            ("größe", "a name has lower-case letters", Some("gr_e")),
            ("..", "a name has lower-case letters", Some("udf")),
            ("fn", "Rust or cargo needs", Some("fn_udf")),
            ("proc-macro", "Rust or cargo needs", Some("proc_macro_udf")),
            ("point", "the UDF itself uses a type `Point`", Some("point_udf")),
            (
                "p_95",
                "its type would be `P95`, so a TICKscript would call the UDF `p95`",
                Some("p95"),
            ),
            ("a_b", "its type would be `AB`, so a TICKscript would call the UDF `ab`", Some("ab")),
            ("rate_", "its type would be `Rate`", Some("rate")),
            (&"x".repeat(65), "it is longer than 64", None),
        ] {
            let error = Name::new(name).expect_err("it is invalid");
            assert!(error.reason.starts_with(reason), "{name}: {}", error.reason);
            assert_eq!(error.suggestion.as_deref(), suggestion, "{name}");
        }
    }

    /// Every word of the templates that looks like a type is one of the names that a new type must
    /// not hide.
    #[test]
    fn the_used_types_are_those_of_the_templates() {
        for main in [
            include_str!("../../templates/stream_stream/main.rs"),
            include_str!("../../templates/stream_batch/main.rs"),
            include_str!("../../templates/batch_stream/main.rs"),
            include_str!("../../templates/batch_batch/main.rs"),
        ] {
            let code: String = main
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            for word in code.split(|char: char| !char.is_alphanumeric() && char != '_') {
                if word.starts_with(|char: char| char.is_ascii_uppercase()) && word != PLACE {
                    assert!(USED.contains(&word), "`{word}` is not in the list");
                }
            }
        }
    }
}
