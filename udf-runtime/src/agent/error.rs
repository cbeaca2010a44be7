//! Errors as text for operators.

use std::cmp::Reverse;

use udf_text::message::one_line;
pub(crate) use udf_text::message::{cut, panic_text};

/// The error of a UDF: any error, by `?`, or `Err("text".into())`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a UDF's method.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// The maximum length in bytes of an error or a refusal that is sent to Kapacitor.
pub(crate) const MAX_TEXT: usize = 16 << 10;

/// Returns the text of an error followed by its sources.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Many errors already include their source in their own text.
        let under = error.to_string();
        if !text.contains(&under) {
            text = format!("{text}: {under}");
        }
        source = error.source();
    }
    text
}

/// Returns the text of [`line`] without the secrets, which the words of an author may repeat.
pub(crate) fn line_without(
    secrets: &[String],
    error: &(dyn std::error::Error + 'static),
    most: usize,
) -> String {
    let mut secrets: Vec<_> = secrets.iter().filter(|secret| !secret.is_empty()).collect();
    // A secret may begin with another one, whose replacement would show the rest.
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    // Before the text is cut: half a secret would not be found.
    let text = secrets.into_iter().fold(chain(error), |text, secret| text.replace(secret, "***"));
    one_line(&text, most)
}

/// Returns the same text on one line of at most `most` bytes.
pub(crate) fn line(error: &(dyn std::error::Error + 'static), most: usize) -> String {
    one_line(&chain(error), most)
}
