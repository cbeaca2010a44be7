//! Text from other sources in a message: errors, panics, and the output of programs.

use std::any::Any;

/// Returns `text` on one line of at most `most` bytes. If the text was cut, a mark follows.
///
/// A line break or another control character ends a word as a blank does, so that the text can
/// neither break the line nor control a terminal. Words are separated by one blank each.
///
/// ```
/// use udf_text::message::one_line;
///
/// assert_eq!(one_line("Traceback:\n  \x1b[1mKeyError\n", 100), "Traceback: [1mKeyError");
/// assert_eq!(one_line("out of luck", 6), "out of ...");
/// ```
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    for word in text.split(|char: char| char.is_whitespace() || char.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > most {
            break;
        }
    }
    cut(line, most)
}

/// Returns at most `most` bytes of `text`. If the text was cut, a mark follows.
///
/// ```
/// use udf_text::message::cut;
///
/// assert_eq!(cut("grün".to_owned(), 3), "gr ...");
/// assert_eq!(cut("grün".to_owned(), 5), "grün");
/// ```
pub fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(" ...");
    }
    text
}

/// Returns the message of a panic that was caught.
///
/// ```
/// use udf_text::message::panic_text;
///
/// let panic = std::panic::catch_unwind(|| panic!("out of luck")).unwrap_err();
/// assert_eq!(panic_text(&*panic), "out of luck");
/// ```
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
