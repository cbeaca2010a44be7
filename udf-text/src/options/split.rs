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
/// As in TICKscript, `\'` within quotes is a quote, and any other backslash stands for itself. A
/// quote opens quoted text only at the start of an argument, so that `it's` needs no quotes.
pub(super) fn split(text: &str) -> Result<Vec<Piece>, &'static str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    loop {
        let (piece, behind) = match rest.trim_start().strip_prefix('\'') {
            Some(quoted) => take_quoted(quoted)?,
            None => {
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
                let behind = quoted[at + 1..].trim_start();
                let piece = Piece { text, quoted: true };
                return match behind.strip_prefix(',') {
                    Some(behind) => Ok((piece, Some(behind))),
                    None if behind.is_empty() => Ok((piece, None)),
                    None => Err("only a comma may follow a closing quote; write \\' for a quote \
                                 within quoted text"),
                };
            }
            char => text.push(char),
        }
    }
    Err("a closing quote is missing")
}
