//! Reads the data of a file as a replay does, without a UDF.

use std::io::BufRead;
use std::rc::Rc;

use udf_proto::{EdgeType, Points, messages};
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::Precision;
use udf_text::windows::Batches;

use super::Replay;
use super::error::{Recorded, ReplayError};
use super::source::{self, Source};
use super::unseen::{TagSearch, UnseenTag};

/// The data of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Points with their groups.
    Points(Vec<messages::Point>),
    /// Batches that [`every`](Replay::every) has cut.
    Windows(Vec<WholeBatch>),
    /// Batches of a recording.
    Recorded(Vec<WholeBatch>),
}

impl Data {
    /// Returns the number of points.
    pub fn point_count(&self) -> usize {
        match self {
            Data::Points(points) => points.len(),
            Data::Windows(batches) | Data::Recorded(batches) => {
                batches.iter().map(|batch| batch.points.len()).sum()
            }
        }
    }
}

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FileData {
    /// The data.
    pub data: Data,
    /// The grouping tags that no point had. Empty if there were no points.
    pub unseen_tags: Vec<UnseenTag>,
    /// The unit that the times seem to have; see [`Summary`](super::Summary).
    pub likely_precision: Option<Precision>,
}

impl Replay {
    /// Reads the first points of `input` as [`read`](Self::read) does, for a UDF that wants this edge.
    ///
    /// # Errors
    /// Those of [`read`](Self::read), and those of [`run`](Self::run) for settings and inputs that do
    /// not fit the edge.
    pub fn read_for(
        &self,
        wants: EdgeType,
        input: impl BufRead,
        most: usize,
    ) -> Result<FileData, ReplayError> {
        self.check_windows(wants)?;
        let read = self.read(input, most)?;
        if let Data::Recorded(_) = read.data {
            self.refuse_for_recording(wants)?;
        }
        Ok(read)
    }

    /// Reads the first points of `input`, at most `most` of them, as [`run`](Self::run) would play
    /// them. The last batch may be shortened. The grouping does not apply to a recording of
    /// batches, which have groups of their own.
    ///
    /// # Errors
    /// When the input cannot be read, or the settings do not fit it.
    pub fn read(&self, input: impl BufRead, most: usize) -> Result<FileData, ReplayError> {
        if matches!(self.every, Some(..1)) {
            return Err(ReplayError::BadEvery);
        }
        let mut lines = match source::open(input, Rc::default())? {
            Source::Text(text) => self.lines(text),
            Source::Batches(_) if self.every.is_some() => {
                return Err(ReplayError::Recorded(Recorded::Windows));
            }
            Source::Batches(_) if self.precision.is_some() => {
                return Err(ReplayError::Recorded(Recorded::Times));
            }
            Source::Batches(mut reader) => {
                let mut batches = Vec::new();
                let mut left = most;
                while left > 0
                    && let Some(batch) = reader.next_batch()?
                {
                    let batch = shortened(batch, left);
                    left -= batch.points.len();
                    batches.push(batch);
                }
                let (unseen_tags, likely_precision) = (Vec::new(), None);
                return Ok(FileData {
                    data: Data::Recorded(batches),
                    unseen_tags,
                    likely_precision,
                });
            }
        };
        let mut tags = TagSearch::new(self.grouping.tags());
        let (mut points, mut windows) = (Vec::new(), Vec::new());
        let mut window = Batches::new(self.every);
        for _ in 0..most {
            let Some(point) = lines.next_message()? else { break };
            tags.see(point.tags.keys().map(String::as_str));
            if self.every.is_none() {
                points.push(point);
                continue;
            }
            if window.is_past(point.time) {
                return Err(ReplayError::Order { line: lines.line() });
            }
            if window.is_beyond(point.time) {
                windows.extend(window.take());
            }
            window.push(point);
        }
        windows.extend(window.take());
        let data = if self.every.is_some() { Data::Windows(windows) } else { Data::Points(points) };
        let unseen_tags = if data.point_count() == 0 { Vec::new() } else { tags.left() };
        Ok(FileData { data, unseen_tags, likely_precision: lines.likely_precision() })
    }
}

/// Returns the batch with at most this many points.
fn shortened(mut batch: WholeBatch, most: usize) -> WholeBatch {
    if batch.points.len() > most {
        let mut points = Points::new();
        batch.points.iter().take(most).for_each(|point| points.push(&point));
        batch.points = points;
    }
    batch
}
