//! Finds the message of the user's own data at which a UDF fails.

use udf_proto::PointBuf;
use udf_proto::messages::request::Message as Ask;
use udf_text::line_protocol::append_line;

use super::fault::{Fault, said};
use super::points::SESSION;
use super::wire::Wire;

/// Adds the message at which a fault occurs. To find it, sends the data again on a new connection:
/// in one go up to the number `handled`, and then one by one. Returns the fault as it is if it does
/// not occur again.
pub(super) fn located(mut wire: Wire, fault: Fault, sent: &[Ask], handled: usize) -> Fault {
    for part in sent[..handled].chunks(SESSION) {
        part.iter().for_each(|ask| wire.ask(ask.clone()));
        if wire.settle().is_err() {
            return fault;
        }
    }
    let mut batch = "";
    for (number, ask) in sent.iter().enumerate().take(handled + SESSION) {
        if let Ask::Begin(begin) = ask {
            batch = &begin.name;
        }
        if number < handled {
            continue;
        }
        wire.ask(ask.clone());
        if wire.settle().is_err() {
            return Fault::At(Box::new(fault), described(ask, batch));
        }
    }
    fault
}

/// Describes a message of data, which may be of a batch with this name.
fn described(ask: &Ask, batch: &str) -> String {
    match ask {
        Ask::Point(point) => {
            let point = PointBuf::from(point.clone());
            let point = point.as_point();
            let name = if point.name().is_empty() { batch } else { point.name() };
            let mut line = Vec::new();
            match append_line(name, point.tags(), point.fields(), point.time(), &mut line) {
                Ok(()) => format!("the point `{}`", said(&String::from_utf8_lossy(&line))),
                Err(_) => format!("a point of `{name}` with the time {}", point.time()),
            }
        }
        Ask::End(end) => {
            format!("the end of the batch `{}` with the time {}", end.name, end.tmax)
        }
        _ => format!("the begin of a batch `{batch}`"),
    }
}
