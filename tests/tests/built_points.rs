//! Points that a UDF builds: the default of their time, and names that cannot be stored.

use std::time::{Duration, SystemTime};

use udf_proto::{BeginBatch, EndBatch};
use udf_runtime::{
    Batch, BatchUdf, Emitter, OnUnfit, Point, Result, Stream, StreamUdf, Tick, testing, udf,
};

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("it is later than 1970").as_nanos() as i64
}

/// Builds points without a time in every method that can.
#[udf(wants = stream, provides = stream, tick = "10s")]
struct Timeless {
    ticks: u64,
}

impl StreamUdf for Timeless {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        out.build("built").field("x", point.number("x")?).send()?;
        out.edit(point).name("edited").send()?;
        Ok(out.build("epoch").time(0).field("x", 1.0).send()?)
    }

    fn finish(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.build("finish").field("x", 1.0).send()?)
    }
}

impl Tick for Timeless {
    fn tick(&mut self, out: &mut Emitter<Stream>) -> Result<()> {
        self.ticks += 1;
        if self.ticks == 1 {
            let remote = out.remote();
            std::thread::spawn(move || {
                remote.emit(|out| out.build("remote").field("x", 1.0).send())
            });
        }
        Ok(out.build("tick").field("x", 1.0).send()?)
    }
}

#[test]
fn a_built_point_has_the_time_of_the_point_at_hand_or_of_the_clock() {
    let before = now();
    let mut task = testing::udf::<Timeless>().start();
    task.feed("m x=1 20\nm x=2 30");
    // In a test, a tick has the time of the last point.
    task.tick();
    let mut seen = Vec::new();
    while ["tick", "remote"].iter().any(|name| !seen.iter().any(|(seen, _)| seen == name)) {
        let point = task.next_within(Duration::from_secs(60));
        seen.push((point.as_point().name().to_owned(), point.as_point().time()));
    }
    task.end();
    for point in task.output() {
        seen.push((point.as_point().name().to_owned(), point.as_point().time()));
    }
    let after = now();
    let times = |name: &str| -> Vec<i64> {
        seen.iter().filter(|(seen, _)| seen == name).map(|(_, time)| *time).collect()
    };
    assert_eq!((times("built"), times("edited")), (vec![20, 30], vec![20, 30]));
    assert_eq!(times("epoch"), [0, 0], "a time that is set stays");
    assert_eq!(times("tick"), [30]);
    for name in ["remote", "finish"] {
        assert!(!times(name).is_empty(), "{name}");
        assert!(times(name).iter().all(|time| (before..=after).contains(time)), "{name}: {seen:?}");
    }
}

/// Builds points without a time in every call of a batch.
#[udf(wants = batch, provides = batch)]
struct TimelessBatches {}

impl TimelessBatches {
    fn send(name: &str, tmax: i64, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&BeginBatch { name: name.to_owned(), ..Default::default() });
        batch.build().field("x", 1.0).send()?;
        batch.build().time(0).field("x", 2.0).send()?;
        Ok(batch.end(tmax)?)
    }
}

impl BatchUdf for TimelessBatches {
    fn begin(&mut self, _: &BeginBatch, out: &mut Emitter<Batch>) -> Result<()> {
        TimelessBatches::send("begin", i64::MAX, out)
    }

    fn point(&mut self, _: &Point<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        TimelessBatches::send("point", i64::MAX, out)
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        TimelessBatches::send("end", end.tmax, out)
    }
}

#[test]
fn a_point_that_is_built_in_a_batch_has_the_time_of_the_point_or_the_batch_at_hand() {
    let before = now();
    let mut task = testing::udf::<TimelessBatches>().start();
    task.feed("m x=1 20\nm x=2 30");
    let batches = task.output();
    let times: Vec<Vec<i64>> = batches
        .iter()
        .map(|batch| batch.points.iter().map(|point| point.time()).collect())
        .collect();
    let names: Vec<&str> = batches.iter().map(|batch| &*batch.name).collect();
    assert_eq!(names, ["begin", "point", "point", "end"]);
    assert!((before..=now()).contains(&times[0][0]), "{times:?}");
    assert_eq!(times[1..], [[20, 0], [30, 0], [30, 0]]);
}

/// Uses names from the point.
#[udf(wants = stream, provides = stream)]
struct Names {}

impl StreamUdf for Names {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let name = point.string("name")?;
        match point.string("what")? {
            "field" => out.edit(point).only_field(name, 1.0).send()?,
            "fields" => out.build("m").field("x", 1.0).field(name, 2).send()?,
            "tag" => out.edit(point).tag(name, "a").send()?,
            "measurement" => out.edit(point).name(name).send()?,
            "build" => out.build(name).field("x", 1.0).send()?,
            "removed" => out
                .edit(point)
                .field("", 1.0)
                .tag("", "a")
                .remove_field("")
                .remove_tag("")
                .send()?,
            _ => out.edit(point).field("infinite", f64::INFINITY).send()?,
        }
        Ok(())
    }
}

#[test]
fn a_point_with_an_empty_name_is_not_sent() {
    let mut task = testing::udf::<Names>().group_by("host").start();
    for what in ["field", "fields", "tag", "measurement", "build", "infinite"] {
        task.feed(&format!("m,host=a what=\"{what}\",name=\"\" 1"));
    }
    task.emits_nothing();
    task.feed("m,host=a what=\"field\",name=\"y\" 1");
    task.emits("m,host=a y=1 1");
    task.feed("m,host=a what=\"removed\",name=\"y\" 1");
    task.emits("m,host=a what=\"removed\",name=\"y\" 1");
}

#[test]
fn the_reason_names_the_point_and_what_is_wrong_with_it() {
    for (what, reason) in [
        ("field", "one of its fields has an empty name (measurement `m`, group `host=a`)"),
        ("fields", "one of its fields has an empty name (measurement `m`)"),
        ("tag", "one of its tags has an empty name (measurement `m`, group `host=a`)"),
        ("measurement", "the name of its measurement is empty (group `host=a`)"),
        ("build", "the name of its measurement is empty"),
        ("infinite", "its field `infinite` is infinite (measurement `m`, group `host=a`)"),
    ] {
        let mut task = testing::udf::<Names>().group_by("host").unfit_points(OnUnfit::Fail).start();
        task.feed(&format!("m,host=a what=\"{what}\",name=\"\" 1"));
        assert_eq!(task.failure(), format!("a point cannot be sent: {reason}"));
    }
}
