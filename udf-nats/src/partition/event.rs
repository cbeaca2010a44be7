//! What happens to a driver, in words.

use std::fmt;
use std::time::Duration;

use crate::udf::Invalid;

/// The level of an event in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Data was left out, or may be doubled.
    Error,
    /// Something needs attention.
    Warn,
    /// Something happened as it should.
    Info,
}

/// An event of a driver that is worth logging.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A splitter begins to read.
    SplitStarted {
        /// The sequence behind which the raw input is read.
        after: u64,
    },
    /// The UDF has its state. The replay begins.
    Started {
        /// The sequence behind which the input is read.
        after: u64,
        /// The length of the state in bytes. `None` without a state.
        state: Option<u64>,
        /// The input up to this sequence is replayed without output.
        replay: u64,
    },
    /// The replay has ended. The output goes on.
    Replayed {
        /// The time since the start of the UDF.
        within: Duration,
    },
    /// The UDF has sent another number of lines in the replay than before.
    Differs {
        /// The number of lines up to the end of the replay, since the beginning of the input.
        before: u64,
        /// The number of the replay.
        now: u64,
    },
    /// The log has another end than this worker expects.
    Fenced {
        /// What was refused.
        what: Refused,
        /// The pause before the next start.
        pause: Duration,
    },
    /// The server does not answer. The driver tries again until it does.
    Unavailable {
        /// The failed call, such as `read the input`.
        what: &'static str,
        /// The reason.
        why: &'a str,
    },
    /// The server answers again.
    Available,
    /// An acknowledgement did not come, and the message was found in the log.
    FoundInLog {
        /// The sequence of the message.
        seq: u64,
    },
    /// The UDF has ended, and is started again.
    UdfEnded {
        /// The reason.
        why: &'a str,
        /// The pause before the next start.
        pause: Duration,
        /// What the UDF gets at a time from now on, to find the line that ends it.
        search: Search,
    },
    /// A line ends the UDF again and again. It is left out from now on.
    Poison {
        /// The sequence of the message.
        seq: u64,
        /// The number of the line in the message, counted from 0.
        line: u32,
        /// The reason for the last end.
        why: &'a str,
    },
    /// Lines of a chunk are not valid.
    Invalid {
        /// The number of lines that are not valid.
        count: u64,
        /// The first of them.
        first: &'a Invalid,
    },
    /// Unsigned integers do not fit into the integers of a UDF.
    FieldsDropped {
        /// The number of fields.
        count: u64,
    },
    /// Line protocol cannot represent points of the UDF, or fields of them.
    Unwritable {
        /// The number of points and fields.
        count: u64,
        /// The reason for the first of them.
        why: &'a str,
    },
    /// A line is longer than a message may be. It is left out.
    LineTooLong {
        /// The length of the line in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A snapshot was stored.
    Stored {
        /// The state is that behind this sequence.
        seq: u64,
        /// The length of the state in bytes.
        bytes: u64,
    },
    /// Messages of the input are gone, and the driver goes on behind them.
    SkippedLost {
        /// The last sequence that was read.
        after: u64,
        /// The first sequence that is left.
        first: u64,
    },
    /// The last output of the partition is gone, so its end is not known.
    OutputGone {
        /// The sequence of the last output when the snapshot was stored.
        output: u64,
    },
}

/// What the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// An output message.
    Output,
    /// A snapshot, or the list of poison lines.
    State,
    /// An output message, because the one before it is gone.
    Gone,
}

/// What a UDF gets at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Several messages.
    Chunks,
    /// One message.
    Messages,
    /// One line of the suspect message.
    Lines,
}

impl Event<'_> {
    /// Returns the level of the event.
    pub fn level(&self) -> Level {
        match self {
            Event::Started { .. }
            | Event::SplitStarted { .. }
            | Event::Replayed { .. }
            | Event::Available
            | Event::FoundInLog { .. }
            | Event::Stored { .. } => Level::Info,
            Event::Fenced { .. }
            | Event::Unavailable { .. }
            | Event::UdfEnded { .. }
            | Event::Invalid { .. }
            | Event::FieldsDropped { .. }
            | Event::Unwritable { .. }
            | Event::OutputGone { .. } => Level::Warn,
            Event::Poison { .. }
            | Event::LineTooLong { .. }
            | Event::SkippedLost { .. }
            | Event::Differs { .. } => Level::Error,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::SplitStarted { after } => {
                write!(f, "reading raw lines behind sequence {after}")
            }
            Event::Started { after, state, replay } => {
                match (after, state) {
                    (0, None) => {
                        write!(f, "started without a state at the beginning of the input")?;
                    }
                    (_, None) => write!(f, "started behind sequence {after} without a state")?,
                    (_, Some(bytes)) => {
                        write!(f, "started behind sequence {after} with a state of {bytes} bytes")?
                    }
                }
                if replay > after {
                    write!(f, "; replaying the input up to sequence {replay} without output")?;
                }
                Ok(())
            }
            Event::Replayed { within } => write!(f, "replay done within {within:.1?}"),
            Event::Differs { before, now } => write!(
                f,
                "the UDF has sent {now} lines where the log has {before}: its output does not follow \
                 from its input and its state alone, so lines may be lost or doubled"
            ),
            Event::Fenced { what, pause } => {
                let what = match what {
                    Refused::Output => "another worker has written to the output",
                    Refused::State => "another worker has stored its state",
                    Refused::Gone => {
                        "the last message of the output is gone, by retention or a purge"
                    }
                };
                write!(f, "{what}; starting again from the log in {pause:?}")
            }
            Event::Unavailable { what, why } => {
                write!(f, "cannot {what}: {why}; trying again until the server answers")
            }
            Event::Available => f.write_str("the server answers again"),
            Event::FoundInLog { seq } => write!(
                f,
                "no acknowledgement came for an output message; the log has it at sequence {seq}"
            ),
            Event::UdfEnded { why, pause, search } => {
                write!(f, "the UDF has ended: {why}; starting it again")?;
                if !pause.is_zero() {
                    write!(f, " in {pause:?}")?;
                }
                match search {
                    Search::Chunks => Ok(()),
                    Search::Messages => {
                        f.write_str(", with one message at a time to find the input that ends it")
                    }
                    Search::Lines => {
                        f.write_str(", with one line at a time to find the line that ends it")
                    }
                }
            }
            Event::Poison { seq, line, why } => write!(
                f,
                "line {} of message {seq} ends the UDF each time ({why}); the line goes to the \
                 dead-letter subject and is left out from now on",
                line + 1
            ),
            Event::Invalid { count, first } => {
                let (line, seq, why) = (first.line + 1, first.seq, &first.why);
                write!(f, "skipped line {line} of message {seq}: {why}")?;
                match count - 1 {
                    0 => Ok(()),
                    more => write!(f, " (and {more} more)"),
                }
            }
            Event::FieldsDropped { count } => write!(
                f,
                "dropped {count} unsigned fields above {}, the largest integer that a UDF can get",
                i64::MAX
            ),
            Event::Unwritable { count, why } => write!(
                f,
                "dropped {count} points or fields of the UDF that line protocol cannot represent: \
                 {why}"
            ),
            Event::LineTooLong { bytes, limit } => write!(
                f,
                "dropped a line of {bytes} bytes: a message can have {limit} bytes; raise max_payload of \
                 the server, or max_msg_size of the stream"
            ),
            Event::Stored { seq, bytes } => {
                write!(f, "stored the state behind sequence {seq}: {bytes} bytes")
            }
            Event::SkippedLost { after, first } => write!(
                f,
                "skipped up to {} messages behind sequence {after}: the stream begins at {first}",
                first - after - 1
            ),
            Event::OutputGone { output } => write!(
                f,
                "the output message {output} of this partition is gone, by retention or a purge; \
                 going on behind the snapshot; lines that the UDF has sent since the snapshot are \
                 sent again; keep output longer than workers are down"
            ),
        }
    }
}
