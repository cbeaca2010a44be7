//! Sends the points of an input to the UDF.

use std::io::BufRead;
use std::rc::Rc;

use udf_proto::EdgeType;
use udf_proto::point::PointIndex;
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::LineReader;
use udf_text::windows::Batches;

use super::Progress;
use super::error::ReplayError;
use super::recording::BatchReader;
use super::source::Counts;
use super::ticks::Ticks;
use super::unseen::TagSearch;
use super::watch::Watch;
use crate::error::Error;
use crate::interface::Interface;
use crate::session::BatchIn;

/// The number of points between two reports of the progress.
const REPORT_EVERY: u64 = 256;

/// The size of a block of frames that is sent at once.
const BLOCK: usize = 64 << 10;

/// The input of a replay.
pub(super) enum Input<'a> {
    Lines(Box<LineReader<Box<dyn BufRead + 'a>>>),
    Batches(BatchReader<Box<dyn BufRead + 'a>>),
}

/// Sends points to the UDF.
pub(super) struct Feed<'a> {
    pub(super) udf: &'a dyn Interface,
    pub(super) counts: Rc<Counts>,
    pub(super) progress: &'a mut dyn FnMut(Progress),
    pub(super) points: u64,
    pub(super) tags: TagSearch,
    pub(super) ticks: Option<Ticks<'a>>,
    pub(super) watch: &'a mut Watch,
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
        let mut index = PointIndex::new();
        let mut block = Vec::with_capacity(BLOCK + BLOCK / 16);
        loop {
            // The UDF gets all points before the wait for a line.
            if block.len() >= BLOCK || self.counts.whole.get() == 0 {
                points.send_encoded(&block)?;
                block.clear();
            }
            let start = block.len();
            let line = match lines.next_frame(&mut block) {
                Ok(Some(line)) => line,
                // The points before an invalid line are played.
                ended => {
                    points.send_encoded(&block)?;
                    self.report();
                    return Ok(ended.map(drop)?);
                }
            };
            self.points += 1;
            if self.points.is_multiple_of(REPORT_EVERY) {
                self.report();
            }
            if (self.watch.sees() || !self.tags.is_over())
                && let Ok(point) = index.parse(&block[line.point])
            {
                self.tags.see(point.tags().map(|(name, _)| name));
                self.watch.point(point);
            }
            if self.ticks.as_ref().is_some_and(|ticks| ticks.are_due(line.time)) {
                points.send_encoded(&block[..start])?;
                block.drain(..start);
                self.tick_before(line.time)?;
            }
        }
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
            self.watch.batch(&batch);
            Ok(sink.send(&batch)?)
        })
    }

    fn recorded(&mut self, batches: &mut BatchReader<impl BufRead>) -> Result<(), ReplayError> {
        let sink = self.udf.batch_in()?;
        while let Some(batch) = batches.next_batch()? {
            self.points += batch.points.len() as u64;
            self.tick_before(batch.tmax)?;
            self.watch.batch(&batch);
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
            self.tags.see(point.tags.keys().map(String::as_str));
        }
        if point.is_none() || self.points.is_multiple_of(REPORT_EVERY) {
            self.report();
        }
        Ok(point)
    }

    fn report(&mut self) {
        (self.progress)(Progress { bytes: self.counts.read.get(), points: self.points });
    }
}
