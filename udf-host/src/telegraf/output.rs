//! Writes the points of the UDF as lines.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use udf_proto::Point;
use udf_proto::point::FieldValue;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{Unwritable, append_encoded, append_line, append_point};

use super::event::Event;
use super::shared::{Report, Shared, lock};
use super::stdout::CHUNK;
use crate::session::Sink;

/// Takes the points and batches of the UDF.
pub(super) struct Lines {
    shared: Arc<Shared>,
    reports: Sender<Report>,
    /// Lines that are not written yet.
    text: Vec<u8>,
    /// The number of points in `text`.
    points: u64,
}

impl Sink for Lines {
    fn encoded_point(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !append_encoded(bytes, &mut self.text) {
            return Ok(false);
        }
        self.points += 1;
        self.flush_if_much().map(|()| true)
    }

    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        let all = append_point(point, &mut self.text);
        self.note(all, |text| {
            let fields = point.fields().filter(is_finite);
            append_line(point.name(), point.tags(), fields, point.time(), text)
        });
        self.flush_if_much()
    }

    fn batch(&mut self, batch: &WholeBatch) -> io::Result<()> {
        for point in batch.points.iter() {
            // The tags of a batch apply to all its points, even to points that do not repeat them.
            let tags = || {
                let shared = batch.tags.iter().filter(|(name, _)| point.tag(name).is_none());
                let shared = shared.map(|(name, value)| (name.as_str(), value.as_str()));
                shared.chain(point.tags())
            };
            let (name, time) = (&batch.name, point.time());
            let all = append_line(name, tags(), point.fields(), time, &mut self.text);
            self.note(all, |text| {
                append_line(name, tags(), point.fields().filter(is_finite), time, text)
            });
            self.flush_if_much()?;
        }
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        self.shared.counts.points_out.fetch_add(self.points, Ordering::Relaxed);
        self.points = 0;
        lock(&self.shared.stdout).write(&mut self.text)
    }
}

impl Lines {
    pub(super) fn new(shared: Arc<Shared>, reports: Sender<Report>) -> Self {
        Lines { shared, reports, text: Vec::new(), points: 0 }
    }

    fn flush_if_much(&mut self) -> io::Result<()> {
        if self.text.len() >= CHUNK { self.pause() } else { Ok(()) }
    }

    /// Counts a point that was appended. Tries `finite`, without fields that are NaN or infinite, if
    /// these are the reason why it was not.
    fn note(
        &mut self,
        appended: Result<(), Unwritable>,
        finite: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
    ) {
        let appended = appended.or_else(|why| match &why {
            Unwritable::NotFinite { .. } => {
                finite(&mut self.text).inspect(|()| self.shared.log(&Event::NotFinite(&why)))
            }
            _ => Err(why),
        });
        match appended {
            Ok(()) => self.points += 1,
            Err(why) => {
                self.shared.log(&Event::Unwritable(&why));
                self.shared.counts.unwritable.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.reports.send(Report::OutputEnded);
    }
}

fn is_finite((_, value): &(&str, FieldValue<'_>)) -> bool {
    !matches!(value, FieldValue::Float(value) if !value.is_finite())
}
