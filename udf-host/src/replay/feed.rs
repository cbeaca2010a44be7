//! Sends the points of an input to the UDF.

use std::cell::Cell;
use std::io::BufRead;
use std::rc::Rc;

use udf_proto::{EdgeType, PointBuf};
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::LineReader;
use udf_text::windows::Batches;

use super::Progress;
use super::error::ReplayError;
use super::recording::BatchReader;
use super::ticks::Ticks;
use super::unseen::TagSearch;
use crate::error::Error;
use crate::interface::Interface;
use crate::session::BatchIn;

/// The number of points between two reports of the progress.
const REPORT_EVERY: u64 = 256;

/// The input of a replay.
pub(super) enum Input<'a> {
    Lines(Box<LineReader<Box<dyn BufRead + 'a>>>),
    Batches(BatchReader<Box<dyn BufRead + 'a>>),
}

/// Sends points to the UDF.
pub(super) struct Feed<'a> {
    pub(super) udf: &'a dyn Interface,
    pub(super) bytes: Rc<Cell<u64>>,
    pub(super) progress: &'a mut dyn FnMut(Progress),
    pub(super) points: u64,
    pub(super) tags: TagSearch,
    pub(super) ticks: Option<Ticks<'a>>,
}

impl Feed<'_> {
    /// Sends the whole input. Cuts lines into batches if the UDF wants batches.
    pub(super) fn play(
        &mut self,
        input: &mut Input<'_>,
        wants: EdgeType,
        every: Option<i64>,
    ) -> Result<(), ReplayError> {
        self.ticks = Ticks::of(self.udf)?;
        match (input, wants) {
            (Input::Lines(lines), EdgeType::Stream) => self.stream(lines),
            (Input::Lines(lines), EdgeType::Batch) => self.batches(lines, every),
            (Input::Batches(batches), _) => self.recorded(batches),
        }?;
        Ok(self.ticks.as_mut().map_or(Ok(()), Ticks::finish)?)
    }

    fn stream(&mut self, lines: &mut LineReader<impl BufRead>) -> Result<(), ReplayError> {
        let points = self.udf.point_in()?;
        while let Some(point) = self.next(lines)? {
            self.tick_before(point.time)?;
            points.send(PointBuf::from(point).as_point())?;
        }
        Ok(())
    }

    fn batches(
        &mut self,
        lines: &mut LineReader<impl BufRead>,
        every: Option<i64>,
    ) -> Result<(), ReplayError> {
        let sink = self.udf.batch_in()?;
        let mut batches = Batches::new(every);
        loop {
            let point = match self.next(lines) {
                Ok(Some(point)) => point,
                // The points before an invalid line are complete and are played.
                ended => {
                    self.send(&sink, batches.take())?;
                    return ended.map(drop);
                }
            };
            if batches.is_past(point.time) {
                self.send(&sink, batches.take())?;
                return Err(ReplayError::Order { line: lines.line() });
            }
            if batches.is_beyond(point.time) {
                self.send(&sink, batches.take())?;
            }
            batches.push(point);
        }
    }

    fn send(
        &mut self,
        sink: &BatchIn,
        mut batches: impl Iterator<Item = WholeBatch>,
    ) -> Result<(), ReplayError> {
        batches.try_for_each(|batch| {
            self.tick_before(batch.tmax)?;
            Ok(sink.send(&batch)?)
        })
    }

    fn recorded(&mut self, batches: &mut BatchReader<impl BufRead>) -> Result<(), ReplayError> {
        let sink = self.udf.batch_in()?;
        while let Some(batch) = batches.next_batch()? {
            self.points += batch.points.len() as u64;
            self.tick_before(batch.tmax)?;
            sink.send(&batch)?;
            self.report();
        }
        Ok(())
    }

    /// Runs the ticks that are due before data of this time.
    fn tick_before(&mut self, time: i64) -> Result<(), Error> {
        self.ticks.as_mut().map_or(Ok(()), |ticks| ticks.before(time))
    }

    fn next(
        &mut self,
        lines: &mut LineReader<impl BufRead>,
    ) -> Result<Option<udf_proto::messages::Point>, ReplayError> {
        let point = lines.next_message()?;
        if let Some(point) = &point {
            self.points += 1;
            self.tags.see(&point.tags);
        }
        if point.is_none() || self.points.is_multiple_of(REPORT_EVERY) {
            self.report();
        }
        Ok(point)
    }

    fn report(&mut self) {
        (self.progress)(Progress { bytes: self.bytes.get(), points: self.points });
    }
}
