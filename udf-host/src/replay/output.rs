//! Writes the UDF's output while more points are sent to the UDF.

use std::io::Write;
use std::thread::{Scope, ScopedJoinHandle};

use udf_proto::EdgeType;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::{Unwritable, append_batch, append_line, append_point};

use super::error::ReplayError;
use crate::error::Error;
use crate::interface::Interface;
use crate::session::{ReceiveError, Receiver};

/// The size of a write, unless the UDF pauses earlier.
const CHUNK: usize = 64 << 10;

/// Starts to write the data from the UDF. The thread returns the number of written points.
///
/// If a write fails, the connection is aborted.
pub(super) fn start<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    udf: &'env dyn Interface,
    provides: EdgeType,
    output: impl Write + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, Result<u64, ReplayError>>, Error> {
    let writer = Writer { output, text: Vec::new(), points: 0, lost: 0, first: None };
    let give_up = move |error: ReplayError| {
        if let ReplayError::Output(_) = error {
            udf.abort(Error::Aborted(error.to_string()));
        }
        error
    };
    Ok(match provides {
        EdgeType::Stream => {
            let points = udf.point_out()?;
            scope.spawn(move || {
                let append = |writer: &mut Writer<_>, point: udf_proto::PointBuf| {
                    writer.append(|text| append_point(point.as_point(), text));
                    Ok(())
                };
                writer.write_all(&points, append).map_err(give_up)
            })
        }
        EdgeType::Batch => {
            let batches = udf.batch_out()?;
            scope.spawn(move || writer.write_all(&batches, Writer::append_batch).map_err(give_up))
        }
    })
}

struct Writer<W> {
    output: W,
    /// Whole lines that are not yet written.
    text: Vec<u8>,
    points: u64,
    /// The number of points that line protocol cannot express; `first` is the reason for the first
    /// one.
    lost: u64,
    first: Option<Unwritable>,
}

impl<W: Write> Writer<W> {
    fn write_all<T>(
        mut self,
        received: &Receiver<T>,
        mut append: impl FnMut(&mut Self, T) -> Result<(), ReplayError>,
    ) -> Result<u64, ReplayError> {
        loop {
            let item = match received.try_recv() {
                // The UDF is pausing: show the points so far.
                Err(ReceiveError::Timeout) => {
                    self.write()?;
                    self.output.flush().map_err(ReplayError::Output)?;
                    received.recv()
                }
                item => item.ok(),
            };
            let Some(item) = item else { break };
            append(&mut self, item)?;
            self.write_if_much()?;
        }
        self.write()?;
        self.output.flush().map_err(ReplayError::Output)?;
        match self.first {
            None => Ok(self.points),
            Some(first) => Err(ReplayError::Unwritable { count: self.lost, first }),
        }
    }

    fn append_batch(&mut self, batch: WholeBatch) -> Result<(), ReplayError> {
        let tags = batch.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // If this fails, line protocol has no form for the points of the batch either, but for its
        // time, which is only a comment.
        let _ = append_batch(&batch.name, tags, batch.tmax, &mut self.text);
        for point in batch.points.iter() {
            // The tags of a batch apply to all its points, even to points that do not repeat them.
            let shared = batch.tags.iter().filter(|(name, _)| point.tag(name).is_none());
            let shared = shared.map(|(name, value)| (name.as_str(), value.as_str()));
            self.append(|text| {
                append_line(
                    &batch.name,
                    shared.chain(point.tags()),
                    point.fields(),
                    point.time(),
                    text,
                )
            });
            self.write_if_much()?;
        }
        Ok(())
    }

    fn append(&mut self, append: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>) {
        match append(&mut self.text) {
            Ok(()) => self.points += 1,
            Err(why) => {
                self.lost += 1;
                self.first.get_or_insert(why);
            }
        }
    }

    fn write_if_much(&mut self) -> Result<(), ReplayError> {
        if self.text.len() >= CHUNK { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), ReplayError> {
        self.output.write_all(&self.text).map_err(ReplayError::Output)?;
        self.text.clear();
        Ok(())
    }
}
