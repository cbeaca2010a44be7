//! The troubles that end a check, and names for kinds of answers.

use std::fmt;
use std::time::Duration;

use udf_proto::messages::response::Message as Answer;
use udf_text::message::one_line;

/// No check causes more answers than this; a UDF that sends more does not stop by itself.
pub(super) const MOST_ANSWERS: usize = 200_000;

/// What keeps a check from going on. As text, it says what was seen.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    NoConnection(String),
    /// A trouble, and what to do about it.
    Advised(Box<Trouble>, &'static str),
    /// Something that the check needs is not there.
    Unmet(String),
    Silence {
        awaited: String,
        within: Duration,
    },
    /// There were signs of life, but not the awaited answer.
    Slow {
        awaited: String,
        within: Duration,
    },
    Closed {
        awaited: String,
        traces: String,
    },
    WrongAnswer {
        awaited: String,
        got: &'static str,
    },
    Broken(String),
    Reported(String),
    Refused(String),
    NeverCloses(Duration),
    NeverExits(Duration),
    Flood,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoConnection(error) => write!(f, "no connection: {error}"),
            Trouble::Advised(trouble, advice) => write!(f, "{trouble}; {advice}"),
            Trouble::Unmet(problem) => f.write_str(problem),
            Trouble::Silence { awaited, within } => {
                write!(f, "{awaited} did not come within {within:?}")
            }
            Trouble::Slow { awaited, within } => write!(
                f,
                "{awaited} did not come within {within:?}, in spite of signs of life; give a slow UDF more time with --timeout"
            ),
            Trouble::Closed { awaited, traces } => {
                write!(f, "it closed its side where {awaited} was awaited{traces}")
            }
            Trouble::WrongAnswer { awaited, got } => {
                write!(f, "{awaited} was awaited, and {got} came")
            }
            Trouble::Broken(problem) => f.write_str(problem),
            Trouble::Reported(text) => write!(f, "it reported an error: {}", said(text)),
            Trouble::Refused(text) => write!(f, "it refused its options: {}", said(text)),
            Trouble::NeverCloses(within) => {
                write!(f, "it did not close its side within {within:?} after its input had ended")
            }
            Trouble::NeverExits(within) => {
                write!(
                    f,
                    "it did not exit within {within:?}; give a slow UDF more time with --timeout"
                )
            }
            Trouble::Flood => write!(f, "it sent more than {MOST_ANSWERS} messages, and went on"),
        }
    }
}

/// Text of a UDF as part of a line.
pub(super) fn said(text: &str) -> String {
    let line = one_line(text, 300);
    if line.is_empty() { "(no text)".to_owned() } else { line }
}

/// The kind of an answer.
pub(super) fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Info(_) => "an Info answer",
        Answer::Init(_) => "an Init answer",
        Answer::Keepalive(_) => "a keepalive",
        Answer::Snapshot(_) => "a Snapshot answer",
        Answer::Restore(_) => "a Restore answer",
        Answer::Error(_) => "an error",
        Answer::Begin(_) => "the begin of a batch",
        Answer::Point(_) => "a point",
        Answer::End(_) => "the end of a batch",
    }
}

/// Whether Kapacitor expects it only when it has asked.
pub(super) fn is_answer(answer: &Answer) -> bool {
    matches!(answer, Answer::Info(_) | Answer::Init(_) | Answer::Snapshot(_) | Answer::Restore(_))
}

/// Whether it is data.
pub(super) fn is_data(answer: &Answer) -> bool {
    matches!(answer, Answer::Begin(_) | Answer::Point(_) | Answer::End(_))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn text_of_a_udf_neither_breaks_the_line_nor_controls_the_terminal() {
        assert_eq!(said("\x1b[31mKeyError:\n\n  'host'\x07"), "[31mKeyError: 'host'");
        assert_eq!(said(" \n"), "(no text)");
        assert_eq!(said(&"x".repeat(1000)), format!("{} ...", "x".repeat(300)));
    }
}
