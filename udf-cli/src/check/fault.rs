//! The faults that end a check, and the names of answers.

use std::fmt;
use std::time::Duration;

use udf_proto::messages::response::Message as Answer;
use udf_text::message::one_line;

/// No check causes more answers than this. A UDF that sends more does not stop by itself.
pub(super) const MOST_ANSWERS: usize = 200_000;

/// Why a check cannot continue. The text describes the observation.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    NoConnection(String),
    /// A fault with advice.
    Advised(Box<Fault>, &'static str),
    /// A fault, and the message of the user's own data at which it occurs.
    At(Box<Fault>, String),
    /// A precondition of the check is not met.
    Unmet(String),
    Silence {
        awaited: String,
        within: Duration,
    },
    /// There were signs of life, but the awaited answer did not come.
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoConnection(error) => write!(f, "no connection: {error}"),
            Fault::Advised(fault, advice) => write!(f, "{fault}; {advice}"),
            Fault::At(fault, place) => write!(f, "{fault}; this happened at {place}"),
            Fault::Unmet(problem) => f.write_str(problem),
            Fault::Silence { awaited, within } => {
                write!(f, "{awaited} did not come within {within:?}")
            }
            Fault::Slow { awaited, within } => write!(
                f,
                "{awaited} did not come within {within:?}, despite signs of life; give a slow UDF more time with --timeout"
            ),
            Fault::Closed { awaited, traces } => {
                write!(f, "it closed its output before {awaited} came{traces}")
            }
            Fault::WrongAnswer { awaited, got } => {
                write!(f, "expected {awaited}, but {got} came")
            }
            Fault::Broken(problem) => f.write_str(problem),
            Fault::Reported(text) => write!(f, "it reported an error: {}", said(text)),
            Fault::Refused(text) => write!(f, "it refused its options: {}", said(text)),
            Fault::NeverCloses(within) => {
                write!(
                    f,
                    "it did not close its output within {within:?} after the end of its input"
                )
            }
            Fault::NeverExits(within) => {
                write!(
                    f,
                    "it did not exit within {within:?}; give a slow UDF more time with --timeout"
                )
            }
            Fault::Flood => write!(f, "it sent more than {MOST_ANSWERS} messages, and went on"),
        }
    }
}

/// Returns text of the UDF as part of one line.
pub(super) fn said(text: &str) -> String {
    let line = one_line(text, 300);
    if line.is_empty() { "(no text)".to_owned() } else { line }
}

/// Returns the name of an answer.
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

/// Returns whether Kapacitor expects the message only as the answer to a request.
pub(super) fn is_answer(answer: &Answer) -> bool {
    matches!(answer, Answer::Info(_) | Answer::Init(_) | Answer::Snapshot(_) | Answer::Restore(_))
}

/// Returns whether the message is data.
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
