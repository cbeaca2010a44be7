//! The texts of events and errors, word for word.

use std::time::Duration;

use udf_nats::LogError;
use udf_nats::partition::{Event, Level, PartitionError, Refused, SearchStage};
use udf_nats::udf::Invalid;

#[test]
fn events_say_what_has_happened_and_what_follows() {
    let ms = Duration::from_millis;
    let first = Invalid { seq: 7, line: 2, why: "`x` is not a field".to_owned() };
    let crashed = |pause, search| Event::UdfEnded { why: "it crashed", pause, search };
    let events = [
        (
            Event::Started { after: 0, state: None, replay: 0 },
            Level::Info,
            "started without a state at the beginning of the input",
        ),
        (
            Event::Started { after: 0, state: None, replay: 9 },
            Level::Info,
            "started without a state at the beginning of the input; \
             replaying the input up to sequence 9 without output",
        ),
        (
            Event::Started { after: 5, state: Some(20), replay: 5 },
            Level::Info,
            "started behind sequence 5 with a state of 20 bytes",
        ),
        (
            Event::Started { after: 5, state: None, replay: 9 },
            Level::Info,
            "started behind sequence 5 without a state; \
             replaying the input up to sequence 9 without output",
        ),
        (Event::SplitStarted { after: 5 }, Level::Info, "reading raw lines behind sequence 5"),
        (Event::Replayed { within: ms(1520) }, Level::Info, "replay done within 1.5s"),
        (
            Event::Differs { before: 10, now: 12 },
            Level::Error,
            "the UDF has sent 12 lines where the log has 10: its output does not follow from its \
             input and its state alone, so lines may be lost or doubled",
        ),
        (
            Event::Fenced { what: Refused::Output, pause: ms(50) },
            Level::Warn,
            "another worker has written to the output; starting again from the log in 50ms",
        ),
        (
            Event::Fenced { what: Refused::State, pause: ms(250) },
            Level::Warn,
            "another worker has stored its state; starting again from the log in 250ms",
        ),
        (
            Event::Fenced { what: Refused::Gone, pause: ms(50) },
            Level::Warn,
            "the last message of the output is gone, by retention or a purge; starting again from \
             the log in 50ms",
        ),
        (
            Event::Unavailable { what: "read the input", why: "no leader" },
            Level::Warn,
            "cannot read the input: no leader; trying again until the server answers",
        ),
        (Event::Available, Level::Info, "the server answers again"),
        (
            Event::FoundInLog { seq: 9 },
            Level::Info,
            "no acknowledgement came for an output message; the log has it at sequence 9",
        ),
        (
            crashed(ms(0), SearchStage::Chunks),
            Level::Warn,
            "the UDF has ended: it crashed; starting it again",
        ),
        (
            crashed(ms(500), SearchStage::Messages),
            Level::Warn,
            "the UDF has ended: it crashed; starting it again in 500ms, with one message at a time \
             to find the input that ends it",
        ),
        (
            crashed(ms(2000), SearchStage::Lines),
            Level::Warn,
            "the UDF has ended: it crashed; starting it again in 2s, with one line at a time to \
             find the line that ends it",
        ),
        (
            Event::Poison { seq: 7, line: 0, why: "it crashed" },
            Level::Error,
            "line 1 of message 7 ends the UDF each time (it crashed); the line goes to the \
             dead-letter subject and is left out from now on",
        ),
        (
            Event::Invalid { count: 1, first: &first },
            Level::Warn,
            "skipped line 3 of message 7: `x` is not a field",
        ),
        (
            Event::Invalid { count: 5, first: &first },
            Level::Warn,
            "skipped line 3 of message 7: `x` is not a field (and 4 more)",
        ),
        (
            Event::FieldsDropped { count: 2 },
            Level::Warn,
            "dropped 2 unsigned fields above 9223372036854775807, the largest integer that a UDF \
             can get",
        ),
        (
            Event::Unwritable { count: 2, why: "it has no field" },
            Level::Warn,
            "dropped 2 points or fields of the UDF that line protocol cannot represent: it has no \
             field",
        ),
        (
            Event::LineTooLong { bytes: 2000, limit: 1000 },
            Level::Error,
            "dropped a line of 2000 bytes: a message can have 1000 bytes; raise max_payload of the \
             server, or max_msg_size of the stream",
        ),
        (
            Event::Stored { seq: 9, bytes: 20 },
            Level::Info,
            "stored the state behind sequence 9: 20 bytes",
        ),
        (
            Event::SkippedLost { after: 9, first: 15 },
            Level::Error,
            "skipped up to 5 messages behind sequence 9: the stream begins at 15",
        ),
        (
            Event::OutputGone { output: 9 },
            Level::Warn,
            "the output message 9 of this partition is gone, by retention or a purge; going on \
             behind the snapshot; lines that the UDF has sent since the snapshot are sent again; \
             keep output longer than workers are down",
        ),
    ];
    for (event, level, text) in events {
        assert_eq!(event.to_string(), text);
        assert_eq!(event.level(), level, "{event}");
    }
}

#[test]
fn errors_say_why_and_what_to_do() {
    let error = LogError::Fatal("no permission".to_owned());
    let why = "it crashed".to_owned();
    let errors = [
        (
            PartitionError::Log { what: "read the input", error },
            "cannot read the input: no permission",
        ),
        (
            PartitionError::Lost { after: 9, first: 15 },
            "up to 5 messages are lost: the input was read up to sequence 9, and the stream begins \
             at 15; raise the limits of the stream, and use --skip-lost to go on without these \
             messages",
        ),
        (
            PartitionError::Ahead { after: 9, last: 3 },
            "the input was read up to sequence 9, but the stream ends at 3: it was created again, \
             or its server has lost the end of it; use another name, or delete the stored state and \
             the output",
        ),
        (
            PartitionError::Foreign { partition: 2, seq: 9 },
            "the last message of the output of partition 2, at sequence 9, has no header Udf-Upto: \
             another program writes to this output; stop it, and delete its messages",
        ),
        (
            PartitionError::OtherState {
                stored: "`rate`, grouped by host".to_owned(),
                ours: "`rate`, grouped by cpu".to_owned(),
            },
            "the stored state belongs to `rate`, grouped by host, and this worker runs `rate`, \
             grouped by cpu; use another name for another use of the stream",
        ),
        (
            PartitionError::Damaged("its part `x` is missing".to_owned(), "snapshot.2".to_owned()),
            "the stored state is damaged: its part `x` is missing; delete the key `snapshot.2` to \
             begin without a state",
        ),
        (PartitionError::Refused("the UDF refused".to_owned()), "the UDF refused"),
        (
            PartitionError::KeepsEnding { times: 12, why: why.clone() },
            "the UDF has ended 12 times without progress; the last reason: it crashed",
        ),
        (
            PartitionError::Poison { seq: 7, line: 0, why },
            "line 1 of message 7 ends the UDF each time: it crashed; fix the UDF, or leave such \
             lines out with --poison dead-letter",
        ),
        (
            PartitionError::EachLine { lines: 100, why: "no such file".to_owned() },
            "each of the last 100 lines has ended the UDF, the last one with: no such file; they are \
             on the dead-letter subject; fix the UDF, or what it needs on this machine",
        ),
        (
            PartitionError::TooMuchPoison { limit: 1000 },
            "1000 lines have ended the UDF since the last snapshot: it needs a fix",
        ),
    ];
    for (error, text) in errors {
        assert_eq!(error.to_string(), text);
    }
}
