//! The names that a TICKscript can call.

/// Keywords of TICKscript: `.lambda()` does not call an option.
const KEYWORDS: [&str; 7] = ["AND", "FALSE", "OR", "TRUE", "dbrp", "lambda", "var"];

/// Returns why a TICKscript cannot call an option by this name, or `None` if it can.
pub(crate) fn why_not_callable(name: &str) -> Option<String> {
    if KEYWORDS.contains(&name) {
        return Some(format!("`{name}` is a word of TICKscript itself"));
    }
    let mut chars = name.chars();
    let Some(first) = chars.next() else {
        return Some("a name cannot be empty".to_owned());
    };
    if !(first.is_alphabetic() || first == '_') {
        return Some(format!("a name begins with a letter, not with `{first}`"));
    }
    let other = chars.find(|char| !(char.is_alphanumeric() || *char == '_'))?;
    Some(format!("a name has letters, digits and `_`, not `{}`", other.escape_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_underscores() {
        for name in ["size", "as", "p95", "_x", "windowSize", "größe"] {
            assert_eq!(why_not_callable(name), None, "{name}");
        }
        for name in ["", "5p", "a b", "a-b", "a.b", "lambda", "TRUE", "var"] {
            assert!(why_not_callable(name).is_some(), "{name}");
        }
    }
}
