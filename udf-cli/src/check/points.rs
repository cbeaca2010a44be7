//! The points that checks send: sample points, or the user's own points from a file.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::ops::Range;

use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::{BeginBatch, EndBatch, Point};
use udf_proto::{EdgeType, Init};
use udf_text::line_protocol::{LineError, LineReader};

use crate::sample::{STEP, Sample};

/// The number of points in a batch, unless a check needs another number.
pub(super) const BATCH: usize = 10;

/// The most points that are used from a file.
const MOST: usize = 10_000;

/// The approximate limit of points in a test of many groups.
const MOST_GROUPED: usize = 20_000;

/// The number of groups that get more than one point or batch.
const FIRST: usize = 10;

/// Reads the first 10,000 points of a file, for [`CheckSettings::points`](super::CheckSettings::points).
///
/// # Errors
/// When a line is not a valid point or cannot be read.
pub fn read_points(lines: &mut LineReader<impl BufRead>) -> Result<Vec<Point>, LineError> {
    let mut points = Vec::new();
    while points.len() < MOST
        && let Some(point) = lines.next_point()?
    {
        points.push(Point::from(point.as_point()));
    }
    Ok(points)
}

/// An endless numbered source of points. The points of a file repeat, with later times.
#[derive(Debug, Clone)]
pub(super) struct Source {
    sample: Sample,
    own: Vec<Point>,
    /// The same points in batches, one for each measurement and group.
    batches: Vec<Vec<Point>>,
    /// The time shift of each repetition, in nanoseconds.
    span: i64,
}

impl Source {
    /// Creates a source of the points in `own`, or of sample points if `own` is empty.
    pub(super) fn new(own: Vec<Point>) -> Self {
        let mut batches = BTreeMap::<_, Vec<Point>>::new();
        for point in &own {
            let series = (point.name.clone(), point.group.clone());
            batches.entry(series).or_default().push(point.clone());
        }
        let mut batches: Vec<_> = batches.into_values().collect();
        for batch in &mut batches {
            batch.sort_by_key(|point| point.time);
        }
        let times = || own.iter().map(|point| point.time);
        let length = times().max().unwrap_or(0).saturating_sub(times().min().unwrap_or(0));
        let span = length.saturating_add((length / own.len().max(1) as i64).max(STEP));
        Source { sample: Sample::of(&Init::default()), own, batches, span }
    }

    /// Adapts sample points to these options. Points of a file stay as they are.
    pub(super) fn for_options(self, init: &Init) -> Self {
        Source { sample: Sample::of(init), ..self }
    }

    /// Returns whether the points come from a file.
    pub(super) fn is_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Returns the number of points in the file.
    pub(super) fn len(&self) -> usize {
        self.own.len()
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
        let rounds = (0..points.div_ceil(first.len()))
            .flat_map(|round| first.iter().map(move |point| later(point, round, self.span)));
        let long: Vec<_> = rounds.take(points).collect();
        self.gather(&long, 0)
    }

    fn gather(&self, points: &[Point], round: usize) -> Vec<Ask> {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
        let tag = |name: &String| (name.clone(), first.tags.get(name).cloned().unwrap_or_default());
        let tags: BTreeMap<_, _> = first.dimensions.iter().map(tag).collect();
        let begin = BeginBatch {
            name: first.name.clone(),
            group: first.group.clone(),
            tags: tags.clone(),
            size: points.len() as i64,
            by_name: first.by_name,
        };
        let end = EndBatch {
            name: first.name.clone(),
            group: first.group.clone(),
            tmax: later(last, round, self.span).time,
            tags,
            by_name: false,
        };
        let mut asks = vec![Ask::Begin(begin)];
        // Kapacitor sends only these members of a point within a batch.
        asks.extend(points.iter().map(|point| {
            Ask::Point(Point {
                name: String::new(),
                database: String::new(),
                retention_policy: String::new(),
                dimensions: Vec::new(),
                by_name: false,
                ..later(point, round, self.span)
            })
        }));
        asks.push(Ask::End(end));
        asks
    }

    /// Returns the usual number of points in one part of the data: a point or a batch.
    fn usual(&self, wants: EdgeType) -> usize {
        match (wants, self.batches.len()) {
            (EdgeType::Stream, _) => 1,
            (EdgeType::Batch, 0) => BATCH,
            (EdgeType::Batch, count) => (self.own.len() / count).max(1),
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
    use udf_text::line_protocol::Grouping;

    use super::*;

    fn source(lines: &str, group_by: &str) -> Source {
        let mut lines = LineReader::new(lines.as_bytes(), Grouping::parse(group_by));
        Source::new(read_points(&mut lines).unwrap())
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
    fn each_group_is_another_one() {
        for wants in [EdgeType::Stream, EdgeType::Batch] {
            for source in [source(LINES, "host"), Source::new(Vec::new())] {
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
