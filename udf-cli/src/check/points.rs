//! The points that checks send: sample points, or the user's own points from a file.

use std::collections::BTreeMap;
use std::ops::Range;

use udf_host::replay::Data;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{BeginBatch, EndBatch, Point};
use udf_proto::{EdgeType, Init};
use udf_text::batch::WholeBatch;
use udf_text::windows::Batches;

use crate::sample::{STEP, Sample};

/// The number of points in a session, unless a file has more.
pub(super) const SESSION: usize = 200;

/// The number of points in a batch, unless a check needs another number.
pub(super) const BATCH: usize = 10;

/// The approximate limit of points in a test of many groups.
const MOST_GROUPED: usize = 20_000;

/// The number of groups that get more than one point or batch.
const FIRST: usize = 10;

/// A batch of the user's own data.
#[derive(Debug, Clone)]
struct OwnBatch {
    name: String,
    group: String,
    tags: BTreeMap<String, String>,
    by_name: bool,
    tmax: i64,
    points: Vec<Point>,
}

impl From<WholeBatch> for OwnBatch {
    fn from(batch: WholeBatch) -> Self {
        let points = batch.points.iter().map(Point::from).collect();
        let WholeBatch { name, group, tags, by_name, tmax, .. } = batch;
        OwnBatch { name, group, tags, by_name, tmax, points }
    }
}

/// An endless numbered source of points. The points of a file repeat, with later times.
#[derive(Debug, Clone)]
pub(super) struct Source {
    sample: Sample,
    /// The user's own points, for a UDF that wants a stream.
    own: Vec<Point>,
    /// The user's own data in batches. Without windows, one batch for each measurement and group.
    batches: Vec<OwnBatch>,
    /// The time shift of each repetition, in nanoseconds.
    span: i64,
}

impl Source {
    /// Creates a source of the user's own data, or of sample points.
    pub(super) fn new(own: Option<Data>) -> Self {
        let (own, batches): (_, Vec<_>) = match own {
            None => (Vec::new(), Vec::new()),
            Some(Data::Windows(batches) | Data::Recorded(batches)) => (Vec::new(), batches),
            Some(Data::Points(points)) => {
                let mut batches = Batches::new(None);
                points.iter().for_each(|point| batches.push(point.clone()));
                (points, batches.take().collect())
            }
        };
        let batches: Vec<_> = batches.into_iter().map(OwnBatch::from).collect();
        let times = || {
            let points = batches.iter().flat_map(|batch| &batch.points);
            points.map(|point| point.time).chain(batches.iter().map(|batch| batch.tmax))
        };
        let length = times().max().unwrap_or(0).saturating_sub(times().min().unwrap_or(0));
        let count = batches.iter().map(|batch| batch.points.len()).sum::<usize>().max(1);
        let span = length.saturating_add((length / count as i64).max(STEP));
        Source { sample: Sample::of(&Init::default()), own, batches, span }
    }

    /// Adapts sample points to these options. Points of a file stay as they are.
    pub(super) fn for_options(self, init: &Init) -> Self {
        Source { sample: Sample::of(init), ..self }
    }

    /// Returns whether the points come from a file.
    pub(super) fn is_own(&self) -> bool {
        !self.batches.is_empty()
    }

    /// Returns the number of points in the file.
    pub(super) fn len(&self) -> usize {
        self.batches.iter().map(|batch| batch.points.len()).sum()
    }

    /// Returns point `number` of a stream.
    fn point(&self, number: usize) -> Point {
        match self.own.len() {
            0 => self.sample.point(number),
            count => later(&self.own[number % count], number / count, self.span),
        }
    }

    /// Returns batch `number`.
    pub(super) fn batch(&self, number: usize) -> Vec<Ask> {
        match self.batches.len() {
            0 => self.sample.batch(number, BATCH),
            count => self.gather(&self.batches[number % count], number / count),
        }
    }

    /// Returns a batch that begins like the first one and has this many points.
    pub(super) fn long_batch(&self, points: usize) -> Vec<Ask> {
        let Some(first) = self.batches.first() else { return self.sample.batch(0, points) };
        let rounds = points.div_ceil(first.points.len().max(1));
        let all = (0..rounds)
            .flat_map(|round| first.points.iter().map(move |point| later(point, round, self.span)));
        let tmax = self.later(first.tmax, rounds);
        self.gather(&OwnBatch { points: all.take(points).collect(), tmax, ..first.clone() }, 0)
    }

    /// Returns the time moved `rounds` repetitions later.
    fn later(&self, time: i64, rounds: usize) -> i64 {
        time.saturating_add(self.span.saturating_mul(rounds as i64))
    }

    fn gather(&self, batch: &OwnBatch, round: usize) -> Vec<Ask> {
        let begin = BeginBatch {
            name: batch.name.clone(),
            group: batch.group.clone(),
            tags: batch.tags.clone(),
            size: batch.points.len() as i64,
            by_name: batch.by_name,
        };
        let end = EndBatch {
            name: batch.name.clone(),
            group: batch.group.clone(),
            tmax: self.later(batch.tmax, round),
            tags: batch.tags.clone(),
            by_name: false,
        };
        let mut asks = vec![Ask::Begin(begin)];
        asks.extend(batch.points.iter().map(|point| Ask::Point(later(point, round, self.span))));
        asks.push(Ask::End(end));
        asks
    }

    /// Returns the usual number of points in one part of the data: a point or a batch.
    fn usual(&self, wants: EdgeType) -> usize {
        match (wants, self.batches.len()) {
            (EdgeType::Stream, _) => 1,
            (EdgeType::Batch, 0) => BATCH,
            (EdgeType::Batch, count) => (self.len() / count).max(1),
        }
    }

    /// Returns the data of these numbers. Batches are whole, so the number of points may differ.
    pub(super) fn data(&self, wants: EdgeType, numbers: Range<usize>) -> Vec<Ask> {
        if wants == EdgeType::Stream {
            return numbers.map(|number| Ask::Point(self.point(number))).collect();
        }
        let usual = self.usual(wants);
        // At least one batch, however long batches are.
        let start = numbers.start.div_ceil(usual);
        let batches = start..numbers.end.div_ceil(usual).max(start + 1);
        batches.flat_map(|number| self.batch(number)).collect()
    }

    /// Returns a point or batch of each of this many groups, and then more for the first groups,
    /// since a UDF may not answer the first point of a group. Returns `None` if the points are not
    /// grouped by tags.
    pub(super) fn grouped(&self, wants: EdgeType, groups: usize) -> Option<Vec<Vec<Ask>>> {
        // Shortens batches so that all of them together have not many more points than
        // `MOST_GROUPED`.
        let most = MOST_GROUPED / (11 * FIRST);
        let part = |number| match wants {
            EdgeType::Stream => vec![Ask::Point(self.point(number))],
            EdgeType::Batch => shortened(self.batch(number), most),
        };
        let groups = groups.min(MOST_GROUPED / self.usual(wants).min(most)).max(FIRST);
        // The number of parts after which a series repeats.
        let cycle = match (wants, self.is_own()) {
            (_, false) => self.sample.group_count(),
            (EdgeType::Stream, true) => self.own.len(),
            (EdgeType::Batch, true) => self.batches.len(),
        };
        let again = (0..10 * FIRST).map(|number| {
            let (group, round) = (number % FIRST, groups / cycle + 1 + number / FIRST);
            (group + cycle * round, group)
        });
        let first = (0..groups).map(|number| (number, number));
        first.chain(again).map(|(number, group)| regrouped(part(number), group)).collect()
    }
}

/// Returns the batch with at most this many points.
pub(super) fn shortened(mut batch: Vec<Ask>, most: usize) -> Vec<Ask> {
    let mut points = 0;
    batch.retain(|ask| {
        points += usize::from(matches!(ask, Ask::Point(_)));
        !matches!(ask, Ask::Point(_)) || points <= most
    });
    sized(&mut batch, points.min(most) as i64);
    batch
}

/// Sets the size in the begin of a batch.
pub(super) fn sized(batch: &mut [Ask], size: i64) {
    for ask in batch {
        if let Ask::Begin(begin) = ask {
            begin.size = size;
        }
    }
}

/// Returns the point moved `rounds` repetitions later.
fn later(point: &Point, rounds: usize, span: i64) -> Point {
    let time = point.time.saturating_add(span.saturating_mul(rounds as i64));
    Point { time, ..point.clone() }
}

/// Returns the point or batch in a group of its own.
fn regrouped(mut part: Vec<Ask>, number: usize) -> Option<Vec<Ask>> {
    let tag = match part.first()? {
        Ask::Point(point) => point.dimensions.first()?.clone(),
        Ask::Begin(begin) => begin.tags.keys().next()?.clone(),
        _ => return None,
    };
    let rename = |tags: &mut BTreeMap<String, String>, group: &mut String| {
        if let Some(value) = tags.get_mut(&tag) {
            let old = format!("{tag}={value}");
            value.push_str(&format!("-{number}"));
            *group = group.replacen(&old, &format!("{tag}={value}"), 1);
        }
    };
    for ask in &mut part {
        match ask {
            Ask::Begin(begin) => rename(&mut begin.tags, &mut begin.group),
            Ask::Point(point) => rename(&mut point.tags, &mut point.group),
            Ask::End(end) => rename(&mut end.tags, &mut end.group),
            _ => {}
        }
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use udf_host::replay::Replay;
    use udf_text::line_protocol::Grouping;

    use super::*;

    fn source(lines: &str, group_by: &str) -> Source {
        let replay = Replay::default().grouping(Grouping::parse(group_by));
        Source::new(Some(replay.read(lines.as_bytes(), 100).unwrap().data))
    }

    const LINES: &str = "cpu,host=a usage=1 10\ncpu,host=b usage=2 20\ncpu,host=a usage=3 30\n";

    #[test]
    fn the_points_of_a_file_are_repeated_later() {
        let source = source(LINES, "host");
        let points: Vec<_> = (0..7).map(|number| source.point(number)).collect();
        assert!(points.is_sorted_by_key(|point| point.time));
        assert_eq!(points[6].time, 10 + 2 * source.span);
        assert_eq!(points[6].fields_double["usage"], 1.0);
        assert_eq!(points[4].group, "host=b");
    }

    #[test]
    fn a_batch_has_one_group_and_its_bare_points() {
        let source = source(LINES, "host");
        let batches = source.data(EdgeType::Batch, 0..3);
        let [Ask::Begin(begin), Ask::Point(first), Ask::Point(_), Ask::End(end), ..] = &batches[..]
        else {
            panic!("{batches:?}")
        };
        assert_eq!((&*begin.name, &*begin.group, begin.size), ("cpu", "host=a", 2));
        assert_eq!((&end.tags, end.tmax), (&begin.tags, 30));
        assert!(first.name.is_empty() && first.dimensions.is_empty());
        assert_eq!(source.long_batch(5).len(), 7);
    }

    #[test]
    fn windows_keep_their_ends_and_repeat_later() {
        let replay = Replay::default().grouping(Grouping::parse("host")).every(20);
        let source = Source::new(Some(replay.read(LINES.as_bytes(), 100).unwrap().data));
        let ends: Vec<_> = source
            .data(EdgeType::Batch, 0..6)
            .into_iter()
            .filter_map(|ask| match ask {
                Ask::End(end) => Some((end.group, end.tmax)),
                _ => None,
            })
            .collect();
        let expected = [("host=a", 20), ("host=a", 40), ("host=b", 40)];
        assert_eq!(ends[..3], expected.map(|(group, tmax)| (group.to_owned(), tmax)));
        assert_eq!(ends[3].1, 20 + source.span);
    }

    #[test]
    fn each_group_is_another_one() {
        for wants in [EdgeType::Stream, EdgeType::Batch] {
            for source in [source(LINES, "host"), Source::new(None)] {
                let groups = source.grouped(wants, 50).expect("they are grouped by a tag");
                let names = groups.iter().map(|part| match &part[0] {
                    Ask::Point(point) => point.group.clone(),
                    Ask::Begin(begin) => begin.group.clone(),
                    other => panic!("{other:?}"),
                });
                assert_eq!(names.collect::<std::collections::HashSet<_>>().len(), 50);
            }
            assert!(source(LINES, "").grouped(wants, 50).is_none());
        }
    }
}
