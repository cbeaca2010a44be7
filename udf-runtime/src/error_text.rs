//! The text of an error, for whoever reads it at night.

use std::error::Error;

/// What refuses a whole Init or a snapshot is cut at this length: it is for people.
pub(crate) const MAX_REFUSAL: usize = 16 << 10;

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

/// The same on one line of at most `most` bytes, and a mark that it was cut.
pub(crate) fn line(error: &(dyn Error + 'static), most: usize) -> String {
    let text = chain(error);
    let words: Vec<&str> =
        text.split(char::is_control).map(str::trim).filter(|words| !words.is_empty()).collect();
    let mut line = words.join(" ");
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most));
        line.push_str(" ...");
    }
    line
}
