//! The text of an error, for whoever reads it at night.

use udf_text::message::one_line;
pub(crate) use udf_text::message::{cut, panic_text};

/// What can fail in a UDF: any error, by `?`, or `Err("text".into())`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The result of a UDF's method.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// What Kapacitor is told of an error or a refusal is cut at this length: it is for people.
pub(crate) const MAX_TEXT: usize = 16 << 10;

/// The text of an error with those under it.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
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
pub(crate) fn line(error: &(dyn std::error::Error + 'static), most: usize) -> String {
    one_line(&chain(error), most)
}
