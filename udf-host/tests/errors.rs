//! The text of an error holds its cause, or `source()` returns it, but not both: reporters print
//! the text of each.

use std::error::Error;
use std::io;

use udf_host::replay::{RecordingError, RecordingProblem, ReplayError, SourceError};
use udf_proto::info::InfoError;
use udf_text::line_protocol::{LineError, LineProblem};

fn assert_told_once(error: &dyn Error) {
    let text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        assert!(!text.contains(&cause.to_string()), "{text} has {cause}");
        source = cause.source();
    }
}

#[test]
fn causes_are_told_once() {
    let io = || io::Error::other("out of paper");
    let info = InfoError::UnknownEdge { member: "wants", number: 7 };
    assert_told_once(&udf_host::Error::from(info));
    let line = || LineError { line: 3, problem: LineProblem::Io(io()) };
    assert_told_once(&line());
    assert_told_once(&ReplayError::from(line()));
    assert_told_once(&ReplayError::Output(io()));
    assert_told_once(&ReplayError::from(SourceError::from(io())));
    let recording = RecordingError { batch: 2, problem: RecordingProblem::Io(io()) };
    assert_told_once(&ReplayError::from(recording));
}
