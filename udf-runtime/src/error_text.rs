//! The text of an error, for whoever reads it at night.

use std::any::Any;
use std::error::Error;

/// What Kapacitor is told of an error or a refusal is cut at this length: it is for people.
pub(crate) const MAX_TEXT: usize = 16 << 10;

/// The text of an error with those under it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Many errors show the one under them already.
        let under = error.to_string();
        if !text.contains(&under) {
            text = format!("{text}: {under}");
        }
        source = error.source();
    }
    text
}

/// The same on one line of at most `most` bytes.
pub(crate) fn line(error: &(dyn Error + 'static), most: usize) -> String {
    let text = chain(error);
    let words: Vec<&str> =
        text.split(char::is_control).map(str::trim).filter(|words| !words.is_empty()).collect();
    cut(words.join(" "), most)
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// At most `most` bytes of a text, and a mark if it was cut.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(" ...");
    }
    text
}
