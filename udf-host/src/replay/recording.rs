//! Recordings of batches, as Kapacitor writes them (`.brpl`): a zip archive with one file per query
//! of the task. Each file holds JSON objects, one after the other. A file without its archive can
//! also be read.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::error::Category;
use udf_proto::{PointBuf, Points, messages};
use udf_text::batch::WholeBatch;
use udf_text::line_protocol::Grouping;
use udf_text::rfc3339;

use super::archive::Files;
use super::error::{RecordingError, RecordingProblem};

/// Reads the batches of a recording one at a time, from start to end.
pub(super) struct BatchReader<R: BufRead> {
    files: Files<R>,
    batches: u64,
}

impl<R: BufRead> BatchReader<R> {
    pub(super) fn of_archive(reader: R) -> Self {
        BatchReader { files: Files::of_archive(reader), batches: 0 }
    }

    pub(super) fn of_json(reader: R) -> Self {
        BatchReader { files: Files::single(reader), batches: 0 }
    }

    /// Returns the next batch that has points, or `None` at the end.
    // Both callers would contain the parser.
    #[inline(never)]
    pub(super) fn next_batch(&mut self) -> Result<Option<WholeBatch>, RecordingError> {
        loop {
            self.batches += 1;
            let batch = self.read();
            match batch.map_err(|problem| RecordingError { batch: self.batches, problem })? {
                // Kapacitor also leaves out empty batches.
                Some(batch) if batch.points.is_empty() => {}
                batch => return Ok(batch),
            }
        }
    }

    fn read(&mut self) -> Result<Option<WholeBatch>, RecordingProblem> {
        let archived = self.files.is_archive();
        loop {
            if let Some(file) = self.files.file() {
                let mut values = serde_json::Deserializer::from_reader(file).into_iter();
                let recorded: Option<Result<Recorded, _>> = values.next();
                match recorded {
                    Some(Ok(recorded)) => return recorded.into_batch().map(Some),
                    Some(Err(error)) => return Err(json_problem(error, archived)),
                    None => {}
                }
            }
            if !self.files.next_file()? {
                return Ok(None);
            }
        }
    }
}

fn json_problem(error: serde_json::Error, archived: bool) -> RecordingProblem {
    match (error.classify(), archived) {
        (Category::Io, true) => RecordingProblem::from(io::Error::from(error)),
        (Category::Io, false) => RecordingProblem::Io(error.into()),
        (Category::Eof, true) => RecordingProblem::CutShort,
        (Category::Eof, false) => RecordingProblem::HalfBatch,
        (Category::Syntax | Category::Data, _) => RecordingProblem::Json(error),
    }
}

/// A batch in a recording.
#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    name: String,
    tmax: Option<String>,
    #[serde(default)]
    byname: bool,
    tags: Option<BTreeMap<String, String>>,
    points: Option<Vec<RecordedPoint>>,
}

#[derive(Deserialize)]
struct RecordedPoint {
    fields: Option<BTreeMap<String, Value>>,
    tags: Option<BTreeMap<String, String>>,
    time: String,
}

/// The value of a field. All numbers become floats, as when Kapacitor reads its recording.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Bool(bool),
    Number(f64),
    Text(String),
    None(()),
}

impl Recorded {
    fn into_batch(self) -> Result<WholeBatch, RecordingProblem> {
        let tags = self.tags.unwrap_or_default();
        let mut place = messages::Point { name: self.name, tags, ..Default::default() };
        Grouping::by(place.tags.keys()).by_name(self.byname).apply(&mut place);
        let messages::Point { name, tags, group, by_name, .. } = place;
        let mut points = Points::new();
        let mut latest = i64::MIN;
        for point in self.points.into_iter().flatten() {
            let point = point.into_point(&group, &tags)?;
            latest = latest.max(point.as_point().time());
            points.push(&point.as_point());
        }
        // For a batch without a time, Kapacitor writes the year 1 and uses the time of the last
        // point.
        let tmax = self.tmax.as_deref().and_then(rfc3339::nanos).unwrap_or(latest).max(latest);
        Ok(WholeBatch { name, group, tags, by_name, tmax, points })
    }
}

impl RecordedPoint {
    fn into_point(
        self,
        group: &str,
        shared: &BTreeMap<String, String>,
    ) -> Result<PointBuf, RecordingProblem> {
        let Some(time) = rfc3339::nanos(&self.time) else {
            return Err(RecordingProblem::Time(self.time));
        };
        let tags = self.tags.filter(|tags| !tags.is_empty());
        let mut point = messages::Point {
            time,
            group: group.to_owned(),
            tags: tags.unwrap_or_else(|| shared.clone()),
            ..Default::default()
        };
        for (name, value) in self.fields.into_iter().flatten() {
            match value {
                Value::Bool(value) => drop(point.fields_bool.insert(name, value)),
                Value::Number(value) => drop(point.fields_double.insert(name, value)),
                Value::Text(text) => drop(point.fields_string.insert(name, text)),
                Value::None(()) => {}
            }
        }
        Ok(PointBuf::from(point))
    }
}
