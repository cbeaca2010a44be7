//! The cause of an error is in its text, or behind `source()`, but not in both: reporters print the text of each.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::error::Error;
use std::io;

use udf_proto::frame::FrameError;
use udf_proto::point::PointIndex;
use udf_proto::request::decode;
use udf_proto::response;

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
    assert_told_once(&FrameError::Io(io::Error::other("out of paper")));
    assert_told_once(&FrameError::NoRoom("full".into()));
    // A field of a wire type that does not exist, and a point that is cut.
    for frame in [&[0x0f][..], &[0x8a, 0x01, 0x05]] {
        let (mut index, mut spare) = (PointIndex::new(), Vec::new());
        let error = decode(frame, &mut index, &mut spare).unwrap_err();
        assert_told_once(&error);
        assert_told_once(&response::decode(frame).unwrap_err());
    }
}
