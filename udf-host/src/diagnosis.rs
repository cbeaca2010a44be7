//! Finds the cause of a UDF's failure: text among its messages, and its last lines of stderr.

use std::io::Read;

use udf_proto::frame::{FrameError, FrameReader};
use udf_text::message::one_line;

/// The longest quoted text of the UDF, in bytes.
const MOST_SHOWN: usize = 200;

/// Bytes in the place of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMessage {
    /// Text, as a program prints it to stdout. Holds the first line.
    #[error(
        "it printed text where only protocol frames may go: `{0}`; print to stderr, not to stdout"
    )]
    Text(String),
    /// Other bytes. Holds the decoding error.
    #[error("it sent bytes that are not a message: {0}; if it prints to stdout, print to stderr")]
    Bytes(String),
    /// The output ended within a message.
    #[error("it sent bytes that are not a message: {0}")]
    Cut(String),
}

impl NoMessage {
    /// Classifies the last frame that was taken, which is invalid because of `problem`.
    pub fn in_frame<R: Read>(frames: &FrameReader<R>, problem: impl ToString) -> Self {
        let text = text(frames.taken()).map(NoMessage::Text);
        text.unwrap_or_else(|| NoMessage::Bytes(problem.to_string()))
    }
}

/// Waits for the next frame. Returns `None` at the end of the output or when the connection is
/// reset.
///
/// Text is recognized immediately, even if it looks like the begin of a long frame.
///
/// # Errors
/// When the bytes are not a frame.
pub fn next_frame<R: Read>(frames: &mut FrameReader<R>) -> Result<Option<&[u8]>, NoMessage> {
    // An invalid length ends the loop: `fill` returns it as an error.
    while !frames.has_frame().is_ok_and(|whole| whole) {
        if !fill(frames)? {
            return Ok(None);
        }
    }
    frames.buffered_frame().map_err(|error| NoMessage::Bytes(error.to_string()))
}

/// Reads once, if no whole frame is left. Returns false at the end of the output or when the
/// connection is reset.
///
/// # Errors
/// When the bytes cannot begin a frame.
pub fn fill<R: Read>(frames: &mut FrameReader<R>) -> Result<bool, NoMessage> {
    match fill_frames(frames) {
        Ok(more) => Ok(more),
        Err(Broken::Text(text)) => Err(NoMessage::Text(text)),
        Err(Broken::Frame(FrameError::Io(_))) => Ok(false),
        Err(Broken::Frame(error @ FrameError::Cut { .. })) => {
            Err(NoMessage::Cut(error.to_string()))
        }
        Err(Broken::Frame(error)) => Err(NoMessage::Bytes(error.to_string())),
    }
}

/// Why the next frame cannot be read.
pub(crate) enum Broken {
    /// Text in the place of the frame. Holds the first line.
    Text(String),
    Frame(FrameError),
}

/// Reads once, if no whole frame is left. Returns false at the end of the output.
pub(crate) fn fill_frames<R: Read>(frames: &mut FrameReader<R>) -> Result<bool, Broken> {
    check_no_text(frames)?;
    frames.fill().map_err(Broken::Frame)
}

/// Takes bytes from the start of `bytes`, if no whole frame is left.
pub(crate) fn fill_frames_from<R: Read>(
    frames: &mut FrameReader<R>,
    bytes: &mut &[u8],
) -> Result<(), Broken> {
    check_no_text(frames)?;
    frames.fill_from(bytes).map_err(Broken::Frame)
}

/// Text may look like the begin of a long frame. Reading on would wait for bytes that never come.
fn check_no_text<R: Read>(frames: &FrameReader<R>) -> Result<(), Broken> {
    text(frames.rest()).map_or(Ok(()), |text| Err(Broken::Text(text)))
}

/// Returns the first line of text at the place of a frame. `bytes` starts at the length of the
/// frame. Returns `None` if the bytes can be a frame or the begin of one.
pub fn text(bytes: &[u8]) -> Option<String> {
    if may_be_response(bytes) {
        return None;
    }
    // A message after the text ends the text: a message has control characters or is invalid UTF-8.
    let valid = match std::str::from_utf8(&bytes[..bytes.len().min(4 * MOST_SHOWN)]) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let is_text = |char: char| !char.is_control() || matches!(char, '\n' | '\r' | '\t' | '\x1b');
    let length = valid.find(|char| !is_text(char)).unwrap_or(valid.len());
    let text = &valid[..length];
    // Two or three characters may be chance, unless they are a line.
    if text.len() < 4 && !text.trim_start().contains('\n') {
        return None;
    }
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    Some(shown(line))
}

/// Returns whether a Response may begin with these bytes. After the frame's length come the key of
/// a member, a length that fills the rest of the frame, and a key of the inner message.
fn may_be_response(bytes: &[u8]) -> bool {
    let Some((length, rest)) = varint(bytes) else { return bytes.len() < 10 };
    let (is_data, inner) = match rest {
        [0x0a | 0x12 | 0x1a | 0x22 | 0x2a | 0x32, inner @ ..] => (false, inner),
        [0x82 | 0x8a | 0x92, 0x01, inner @ ..] => (true, inner),
        [] | [0x82 | 0x8a | 0x92] => return true,
        _ => return false,
    };
    match varint(inner) {
        None => inner.len() < 10,
        Some(_) if is_data => true,
        Some((inner_length, body)) => {
            // The members of answers have low numbers, so none of their keys is a printable
            // character.
            let is_key = body.first().is_none_or(|key| *key < b' ');
            length == (rest.len() - body.len()) as u64 + inner_length && is_key
        }
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (i, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if *byte < 0x80 {
            return Some((value, &bytes[i + 1..]));
        }
    }
    None
}

/// Returns text of the UDF as part of one line.
fn shown(text: &str) -> String {
    one_line(text, MOST_SHOWN)
}

/// The lines of stderr that may explain why a program ended.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    last: String,
    /// The line of a panic or an error.
    cause: String,
    /// The next line holds the message of a panic.
    continued: bool,
    /// The next piece continues a line.
    cut: bool,
}

impl LastWords {
    /// Takes the next line, or a piece of the line if it is `cut`.
    pub(crate) fn add_line(&mut self, line: &str, cut: bool) {
        if std::mem::replace(&mut self.cut, cut) || line.trim().is_empty() {
            return;
        }
        // Panics of Go begin with the first two texts. The trace after them ends with a line of
        // source. Command lines begin their errors with the third text, and end with advice.
        if ["panic: ", "fatal error: ", "error: "].iter().any(|begin| line.starts_with(begin)) {
            self.cause = shown(line);
        } else if line.starts_with("thread '") && line.contains(" panicked at ") {
            self.cause = shown(line);
            self.continued = line.trim_end().ends_with(':');
        } else if std::mem::take(&mut self.continued) {
            self.cause = shown(&format!("{} {}", self.cause, line.trim()));
        }
        self.last = shown(line);
    }

    /// Returns the most telling line: the line of a panic or an error, else the last line. In
    /// Python, the last line names the exception.
    pub(crate) fn telling(&self) -> Option<&str> {
        [&self.cause, &self.last].into_iter().map(String::as_str).find(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use udf_proto::messages::{
        BeginBatch, EndBatch, ErrorResponse, InfoResponse, InitResponse, KeepaliveResponse, Point,
        RestoreResponse, SnapshotResponse, response::Message,
    };

    #[test]
    fn text_is_told_from_messages() {
        // A message follows each text, as an answer follows text that a program prints at its
        // start.
        let answer = [4, 0x0a, 2, 0x08, 1];
        for (printed, line) in [
            ("starting up\n", "starting up"),
            ("ok\n", "ok"),
            ("1\n2\n", "1"),
            ("no newline", "no newline"),
            ("{\"level\":\"info\"}\n", "{\"level\":\"info\"}"),
            ("{\"yes\":1}\n", "{\"yes\":1}"),
            ("[2026-11-25] up\n", "[2026-11-25] up"),
            ("a\n\n", "a"),
            ("\n\nlater\n", "later"),
            ("grün\n", "grün"),
            ("été\n", "été"),
            ("\x1b[31mred\x1b[0m\n", "[31mred [0m"),
        ] {
            for behind in [&[][..], &answer] {
                let bytes = [printed.as_bytes(), behind].concat();
                assert_eq!(text(&bytes).as_deref(), Some(line), "{printed:?}");
            }
        }
        assert_eq!(
            text("x".repeat(1000).as_bytes()).map(|text| text.len()),
            Some(MOST_SHOWN + " ...".len())
        );
    }

    #[test]
    fn messages_and_parts_of_them_are_no_text() {
        for size in [0, 1, 5, 8, 30, 60, 100, 120, 300, 20_000] {
            let text_of = || "a\nb ".repeat(size / 4 + 1)[..size].to_owned();
            let (name, error) = (text_of(), text_of());
            let snapshot = error.clone().into_bytes();
            let options = [(text_of(), Default::default())].into();
            for message in [
                Message::Info(InfoResponse { options, ..Default::default() }),
                Message::Init(InitResponse { success: false, error: error.clone() }),
                Message::Keepalive(KeepaliveResponse { time: size as i64 }),
                Message::Snapshot(SnapshotResponse { snapshot }),
                Message::Restore(RestoreResponse { success: false, error: error.clone() }),
                Message::Error(ErrorResponse { error: error.clone() }),
                Message::Begin(BeginBatch { name: name.clone(), ..Default::default() }),
                Message::Point(Point { name: name.clone(), ..Default::default() }),
                Message::End(EndBatch { name, ..Default::default() }),
            ] {
                let mut frame = Vec::new();
                udf_proto::response::append(message, &mut frame);
                for end in 0..frame.len() {
                    assert_eq!(text(&frame[..end]), None, "{:?}", &frame[..end.min(20)]);
                }
            }
        }
    }

    fn telling(stderr: &str) -> Option<String> {
        let mut words = LastWords::default();
        stderr.lines().for_each(|line| words.add_line(line, false));
        words.telling().map(str::to_owned)
    }

    #[test]
    fn the_line_that_tells_most_is_found() {
        let go = "starting\npanic: assignment to entry in nil map\n\ngoroutine 1 [running]:\n\
                  main.main()\n\t/src/udf/main.go:12 +0x2d\n";
        assert_eq!(telling(go).as_deref(), Some("panic: assignment to entry in nil map"));
        let rust = "\nthread 'main' (7) panicked at src/main.rs:3:5:\nout of luck\n\
                    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let expected = "thread 'main' (7) panicked at src/main.rs:3:5: out of luck";
        assert_eq!(telling(rust).as_deref(), Some(expected));
        let python = "Traceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n\
                      ModuleNotFoundError: No module named 'kapacitor'\n";
        let expected = "ModuleNotFoundError: No module named 'kapacitor'";
        assert_eq!(telling(python).as_deref(), Some(expected));
        let usage = "error: unexpected argument '-x' found\n\nUsage: x [OPTIONS]\n\n\
                     For more information, try '--help'.\n";
        assert_eq!(telling(usage).as_deref(), Some("error: unexpected argument '-x' found"));
        assert_eq!(telling("a\n\n").as_deref(), Some("a"));
        assert_eq!(telling(""), None);
    }
}
