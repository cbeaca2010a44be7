//! Splits the text of an option into arguments.

/// The text of one argument.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The text without quotes.
    pub(super) text: String,
    /// Whether the text was quoted. Only a STRING can be quoted.
    pub(super) quoted: bool,
}

/// Splits `text` at commas outside of single quotes.
///
/// As in TICKscript, `\'` within quotes is a quote, and any other backslash stands for itself. Within
/// three quotes, everything stands for itself, so that text can end with a backslash. A quote opens
/// quoted text only at the start of an argument, so that `it's` needs no quotes.
pub(super) fn split(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let start = rest.trim_start();
        let (piece, behind) = match (start.strip_prefix("'''"), start.strip_prefix('\'')) {
            (Some(verbatim), _) => {
                let (text, behind) = verbatim.split_once("'''").ok_or(NOT_CLOSED)?;
                (Piece { text: text.to_owned(), quoted: true }, behind_quotes(behind)?)
            }
            (None, Some(quoted)) => take_quoted(quoted)?,
            (None, None) => {
                let (piece, behind) = match rest.split_once(',') {
                    Some((piece, behind)) => (piece, Some(behind)),
                    None => (rest, None),
                };
                (Piece { text: piece.to_owned(), quoted: false }, behind)
            }
        };
        pieces.push(piece);
        match behind {
            Some(behind) => rest = behind,
            None => return Ok(pieces),
        }
    }
}

/// Takes text up to its closing quote. Also returns the text behind the next comma, if any.
fn take_quoted(quoted: &str) -> Result<(Piece, Option<&str>), &'static str> {
    let mut text = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' if chars.next_if(|(_, next)| *next == '\'').is_some() => text.push('\''),
            '\'' => {
                let piece = Piece { text, quoted: true };
                return Ok((piece, behind_quotes(&quoted[at + 1..])?));
            }
            char => text.push(char),
        }
    }
    Err(NOT_CLOSED)
}

const NOT_CLOSED: &str = "a closing quote is missing";

/// Returns the text behind the comma that follows quoted text, if any.
fn behind_quotes(rest: &str) -> Result<Option<&str>, &'static str> {
    let rest = rest.trim_start();
    match rest.strip_prefix(',') {
        None if !rest.is_empty() => {
            Err("only a comma may follow a closing quote; write \\' for a quote within quoted text")
        }
        behind => Ok(behind),
    }
}

/// Returns `text` as a STRING is typed: in quotes if it needs them. Returns `None` if no quotes fit,
/// for text with three quotes in a row and a backslash at its end.
///
/// ```
/// use udf_text::options::quote;
///
/// assert_eq!(quote("usage").as_deref(), Some("usage"));
/// assert_eq!(quote("a,b's").as_deref(), Some(r"'a,b\'s'"));
/// ```
pub fn quote(text: &str) -> Option<String> {
    match text {
        _ if !text.contains(',') && !text.trim_start().starts_with('\'') => Some(text.to_owned()),
        _ if !text.ends_with('\\') => Some(format!("'{}'", text.replace('\'', r"\'"))),
        _ if !text.contains("'''") => Some(format!("'''{text}'''")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{quote, split};

    #[test]
    fn quoted_text_is_split_into_itself() {
        let pieces = ["", "a", ",", "'", "\\", "'''", " ", "it's", "é"];
        for one in pieces {
            for two in pieces {
                for three in pieces {
                    let text = [one, two, three].concat();
                    let Some(quoted) = quote(&text) else {
                        assert!(text.ends_with('\\') && text.contains("'''"), "{text}");
                        continue;
                    };
                    let split = split(&quoted).expect("it is valid");
                    assert_eq!(split.len(), 1, "{text}");
                    assert_eq!(split[0].text, text);
                }
            }
        }
    }
}
