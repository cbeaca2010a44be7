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
use crate::session::Sink;

/// Takes the points and batches of the UDF.
pub(super) struct Lines {
    pub(super) shared: Arc<Shared>,
    pub(super) reports: Sender<Report>,
}

impl Sink for Lines {
    fn encoded_point(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut is_usual = false;
        lock(&self.shared.stdout).append(|text| is_usual = append_encoded(bytes, text))?;
        self.shared.counts.points_out.fetch_add(u64::from(is_usual), Ordering::Relaxed);
        Ok(is_usual)
    }

    fn point(&mut self, point: Point<'_>) -> io::Result<()> {
        lock(&self.shared.stdout).append(|text| {
            let all = append_point(point, text);
            self.note(
                all,
                |text| {
                    let fields = point.fields().filter(is_finite);
                    append_line(point.name(), point.tags(), fields, point.time(), text)
                },
                text,
            );
        })
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
            lock(&self.shared.stdout).append(|text| {
                let all = append_line(name, tags(), point.fields(), time, text);
                self.note(
                    all,
                    |text| append_line(name, tags(), point.fields().filter(is_finite), time, text),
                    text,
                );
            })?;
        }
        Ok(())
    }

    fn pause(&mut self) -> io::Result<()> {
        lock(&self.shared.stdout).flush()
    }
}

impl Lines {
    /// Counts a point that was appended. Tries `finite`, without fields that are NaN or infinite, if
    /// these are the reason why it was not.
    fn note(
        &self,
        appended: Result<(), Unwritable>,
        finite: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
        text: &mut Vec<u8>,
    ) {
        let appended = appended.or_else(|why| match &why {
            Unwritable::NotFinite { .. } => {
                finite(text).inspect(|()| self.shared.log(&Event::NotFinite(&why)))
            }
            _ => Err(why),
        });
        let counts = &self.shared.counts;
        match appended {
            Ok(()) => &counts.points_out,
            Err(why) => {
                self.shared.log(&Event::Unwritable(&why));
                &counts.unwritable
            }
        }
        .fetch_add(1, Ordering::Relaxed);
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
