//! Collects the lines of a UDF until a mark completes a chunk.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use udf_host::Sink;
use udf_proto::Point;
use udf_proto::point::FieldValue;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{Unwritable, append_encoded, append_line, append_point};

use super::Work;
use crate::lines::Lines;
use crate::udf::{LeftOut, Output, UdfError};

/// What the feeding thread knows of the chunks whose marks have not come back. The lines are empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Marked(Arc<Mutex<VecDeque<Output>>>);

impl Marked {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Output>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, output: Output) {
        self.queue().push_back(output);
    }
}

/// Collects the lines of a UDF.
pub(super) struct Collect {
    pub(super) marked: Marked,
    pub(super) lines: Lines,
    pub(super) left_out: LeftOut,
    pub(super) outputs: UnboundedSender<Result<Output, UdfError>>,
    pub(super) work: mpsc::Sender<Work>,
}

impl Collect {
    fn unwritable(&mut self, why: &Unwritable) {
        self.left_out.unwritable += 1;
        self.left_out.unwritable_why.get_or_insert_with(|| why.to_string());
    }
}

impl Sink for Collect {
    fn encoded_point(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let before = self.lines.len();
        self.lines.push(|text| {
            append_encoded(bytes, text);
        });
        Ok(self.lines.len() > before)
    }

    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        let mut appended = Ok(());
        self.lines.push(|text| appended = append_point(point, text));
        if let Err(why) = appended {
            self.unwritable(&why);
            if let Unwritable::NotFinite { .. } = why {
                let fields = point.fields().filter(is_finite);
                let mut finite = Ok(());
                self.lines.push(|text| {
                    finite = append_line(point.name(), point.tags(), fields, point.time(), text);
                });
                if let Err(why) = finite {
                    self.unwritable(&why);
                }
            }
        }
        Ok(())
    }

    fn batch(&mut self, _batch: &WholeBatch) -> io::Result<()> {
        // The session refuses batches of a UDF that provides a stream.
        Err(io::Error::other("the UDF sent a batch"))
    }

    fn mark(&mut self, _mark: u32) -> io::Result<()> {
        let Some(output) = self.marked.queue().pop_front() else {
            return Err(io::Error::other("the UDF sent a keepalive that nobody asked for"));
        };
        let room = self.lines.bytes() + self.lines.bytes() / 8;
        let lines = std::mem::replace(&mut self.lines, Lines::with_capacity(room));
        let LeftOut { unwritable, unwritable_why, .. } = std::mem::take(&mut self.left_out);
        let left_out = LeftOut { unwritable, unwritable_why, ..output.left_out };
        // Without an owner, nobody needs the output.
        let _ = self.outputs.send(Ok(Output { lines, left_out, ..output }));
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Collect {
    fn drop(&mut self) {
        let _ = self.work.send(Work::SinkGone);
    }
}

fn is_finite((_, value): &(&str, FieldValue<'_>)) -> bool {
    !matches!(value, FieldValue::Float(value) if !value.is_finite())
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;
    use udf_proto::{PointBuf, messages};

    use super::*;

    #[test]
    fn fields_that_no_line_can_hold_are_dropped_and_counted() {
        let (outputs, mut received) = unbounded_channel();
        let marked = Marked::default();
        let (lines, left_out) = (Lines::default(), LeftOut::default());
        let work = mpsc::channel().0;
        let mut sink = Collect { marked: marked.clone(), lines, left_out, outputs, work };
        let values = [("a", 1.0), ("b", f64::NAN), ("c", f64::INFINITY)];
        for fields in [&values[..], &values[1..]] {
            let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), *value));
            let (name, fields_double) = ("m".to_owned(), fields.collect());
            let point = messages::Point { name, fields_double, ..messages::Point::default() };
            sink.point(PointBuf::from(point).as_point()).expect("it is taken");
        }
        marked.push(Output { lines_in: 2, ..Output::default() });
        sink.mark(1).expect("it was asked for");
        assert!(sink.mark(2).is_err(), "it was not asked for");
        let output = received.try_recv().expect("it is complete").expect("it runs");
        assert_eq!(output.lines_in, 2);
        assert_eq!(output.left_out.unwritable, 3);
        let why = output.left_out.unwritable_why.as_deref();
        assert_eq!(why, Some("the field `b` is NaN, which line protocol cannot represent"));
        assert_eq!(output.lines.into_text(), b"m a=1.0 0\n");
    }
}
