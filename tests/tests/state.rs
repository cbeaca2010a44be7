//! `#[state]`: its fields are saved and loaded by name. All other fields are working memory.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use udf_proto::Value::Int;
use udf_runtime::state::{Groups, StateReader, StateWriter};
use udf_runtime::{
    Batch, BatchUdf, BeginBatch, Emitter, EndBatch, Group, Point, PointBuf, Points, Result, Stream,
    StreamUdf, Udf, testing, udf,
};
use udf_tests::{handles_nothing, parse};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Window {
    values: Vec<f64>,
}

#[udf(wants = stream, provides = stream)]
struct Keeping {
    #[option(default = 1)]
    size: u8,
    #[state]
    windows: BTreeMap<String, Window>,
    #[state(name = "seen")]
    count: u64,
    #[state]
    groups: Groups<u32>,
    memory: Vec<u8>,
}
handles_nothing!(Keeping);

fn saved(udf: &Keeping) -> Vec<u8> {
    let mut state = StateWriter::new(Keeping::NAME);
    udf.save(&mut state).expect("it can be serialized");
    state.finish()
}

fn full() -> Keeping {
    let mut udf: Keeping = parse(&[("size", &[Int(9)])]).expect("it is accepted");
    udf.windows.insert("a".into(), Window { values: vec![0.5, f64::INFINITY] });
    udf.count = 7;
    *udf.groups.of("host=a") = 3;
    udf.memory.push(1);
    udf
}

#[test]
fn state_is_saved_by_name_and_nothing_else_is() {
    let bytes = saved(&full());
    let mut udf: Keeping = parse(&[]).unwrap();
    udf.memory.push(2);
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!(udf.windows, full().windows);
    assert_eq!((udf.count, *udf.groups.of("host=a")), (7, 3));
    assert_eq!((udf.size, &udf.memory[..]), (1, &[2][..]), "neither options nor memory");

    let mut reader = StateReader::open(Keeping::NAME, &bytes).unwrap();
    assert_eq!(reader.field::<u64>("seen").unwrap(), Some(7));
    reader.field::<BTreeMap<String, Window>>("windows").unwrap().unwrap();
    assert_eq!(reader.left().collect::<Vec<_>>(), ["groups"]);
}

#[test]
fn a_field_that_the_snapshot_lacks_is_its_default() {
    let mut state = StateWriter::new(Keeping::NAME);
    state.field("seen", &5u64).unwrap();
    let bytes = state.finish();
    let mut udf = full();
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!((udf.count, udf.windows.len(), udf.groups.len()), (5, 0, 0));
}

#[test]
fn an_error_in_any_field_changes_nothing() {
    let mut state = StateWriter::new(Keeping::NAME);
    state.field("windows", &BTreeMap::<String, Window>::new()).unwrap();
    state.field("seen", &"text").unwrap();
    let bytes = state.finish();
    let mut udf = full();
    let error = udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap());
    assert!(error.unwrap_err().to_string().contains("`seen`"));
    assert_eq!((udf.count, &udf.windows), (7, &full().windows));
}

#[test]
fn the_limits_of_groups_outlive_a_restore() {
    let mut udf = full();
    for group in ["b", "c", "d"] {
        udf.groups.of(group);
    }
    let bytes = saved(&udf);
    let mut udf: Keeping = parse(&[]).unwrap();
    udf.groups.limit_count(2);
    udf.load(&mut StateReader::open(Keeping::NAME, &bytes).unwrap()).unwrap();
    assert_eq!(udf.groups.len(), 2, "restored ones are held to them");
    udf.groups.of("e");
    assert!(udf.groups.len() <= 2);
}

/// Keeps points and batches in every form, and sends all of them at the end.
#[udf(wants = batch, provides = batch)]
struct Kept {
    #[state]
    begin: BeginBatch,
    #[state]
    newest: PointBuf,
    #[state]
    batches: Groups<Vec<Points>>,
    #[state]
    group: Option<Group>,
}

impl BatchUdf for Kept {
    fn begin(&mut self, begin: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        self.begin = begin.clone();
        self.group = Some(begin.into());
        self.batches.of(begin).push(Points::new());
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        self.newest = point.to_buf();
        self.batches.of(point).last_mut().expect("its batch has begun").push(point);
        Ok(())
    }

    fn end(&mut self, _: &EndBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, out: &mut Emitter<Batch>) -> Result<()> {
        for (group, batches) in self.batches.iter_mut() {
            for points in batches.drain(..) {
                let mut batch = out.begin_in(group);
                points.iter().for_each(|point| batch.pass(&point));
                batch.end(9)?;
            }
        }
        let group = self.group.clone().expect("a batch has come");
        assert_eq!(
            (&group, &BeginBatch::from(&group).tags),
            (&(&self.begin).into(), &self.begin.tags)
        );
        let mut batch = out.begin(&self.begin);
        batch.edit(&self.newest.as_point()).field("newest", true).send()?;
        Ok(batch.end(10)?)
    }
}

#[test]
fn points_batches_and_groups_outlive_a_restart() {
    let mut task = testing::udf::<Kept>().group_by("host").by_name().start();
    task.feed("cpu,host=b usage=1 1\ncpu,host=b usage=2 2\ncpu,host=a usage=3 3");
    task.restart();
    // What the first task sent at its end.
    task.output();
    task.end();
    let batches = task.output();
    let shown = batches.iter().map(|batch| {
        let fields = batch.points.iter().map(|point| point.fields().count());
        (&*batch.name, &*batch.tags["host"], batch.by_name, batch.tmax, fields.collect::<Vec<_>>())
    });
    let expected = [
        ("cpu", "a", true, 9, vec![1]),
        ("cpu", "b", true, 9, vec![1, 1]),
        ("cpu", "b", true, 10, vec![2]),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// Counts the points of each group, and sends the counts at the end, in the group.
#[udf(wants = stream, provides = stream)]
struct Counts {
    #[state]
    counts: Groups<i64>,
}

impl StreamUdf for Counts {
    fn point(&mut self, point: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        point.require_tag("rack")?;
        *self.counts.of(point) += 1;
        Ok(())
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        for (group, count) in self.counts.iter_mut() {
            out.build_in(group).field("count", *count).send()?;
        }
        Ok(())
    }
}

#[test]
fn a_point_that_is_built_in_a_group_has_its_dimensions_and_no_other_tag() {
    let mut task = testing::udf::<Counts>().group_by("host, dc").by_name().start();
    task.feed("cpu,host=b,rack=r v=1 1\ncpu,dc=x,host=a,rack=r v=1 2\ncpu,host=a v=1 3");
    task.restart();
    // What the first task sent at its end.
    task.output();
    task.feed("cpu,host=b,rack=s v=1 3");
    task.end();
    let points = task.output();
    let groups: Vec<_> = points.iter().map(|point| Group::from(point.as_point())).collect();
    let tags: Vec<Vec<_>> = groups.iter().map(|group| group.tags().collect()).collect();
    assert_eq!(tags, [[("dc", ""), ("host", "b")], [("dc", "x"), ("host", "a")]]);
    assert!(groups.iter().all(|group| group.by_name() && group.name() == "cpu"));
    // An empty tag is not sent: line protocol cannot write it.
    let tags: Vec<_> = points.iter().map(|point| point.as_point().tags().count()).collect();
    assert_eq!(tags, [1, 2]);
    let counts = points.iter().map(|point| point.as_point().int("count"));
    assert_eq!(counts.collect::<Vec<_>>(), [Ok(2), Ok(1)], "a point without a rack is skipped");
}
