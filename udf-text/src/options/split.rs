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
