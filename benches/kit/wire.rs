//! Sends requests without the host library.

use std::io::{self, Write};

use udf_proto::frame;
use udf_proto::messages::Request;
use udf_proto::messages::request::Message;

/// Appends a request as a frame.
pub(crate) fn append(message: Message, out: &mut Vec<u8>) {
    frame::append(&Request { message: Some(message) }, out);
}

/// Sends a request.
pub(crate) fn send(writer: &mut impl Write, message: Message) -> io::Result<()> {
    let mut frame = Vec::new();
    append(message, &mut frame);
    writer.write_all(&frame)
}
