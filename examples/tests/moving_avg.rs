//! Tests of `moving_avg`.

use std::collections::HashMap;

use udf_runtime::testing::{self, Setup};
use udf_runtime::{Point, UdfHandler};

use super::MovingAvg;

fn average_of_2() -> Setup<UdfHandler<MovingAvg>> {
    testing::udf::<MovingAvg>().option("field=usage").option("size=2").group_by("host")
}

#[test]
fn each_group_is_averaged_over_its_last_points() {
    let mut task = average_of_2().start();
    task.feed(
        "cpu,host=a usage=1,idle=99 10
         cpu,host=b usage=10 10
         cpu,host=a usage=2 20
         cpu,host=a usage=4i 30
         cpu,host=b usage=20 30",
    );
    task.emits(
        "cpu,host=a avg=1 10
         cpu,host=b avg=10 10
         cpu,host=a avg=1.5 20
         cpu,host=a avg=3 30
         cpu,host=b avg=15 30",
    );
}

#[test]
fn points_without_the_field_do_not_count() {
    let mut task = average_of_2().start();
    task.feed(
        "cpu,host=a usage=1 10
         cpu,host=a idle=99 20
         cpu,host=a usage=\"much\" 30
         cpu,host=a usage=3 40",
    );
    task.emits("cpu,host=a avg=1 10\ncpu,host=a avg=2 40");
}

#[test]
fn the_result_is_named_as_it_is_asked_for() {
    let mut task = average_of_2().option("as=smooth").start();
    task.feed("cpu,host=a usage=1 10");
    task.emits("cpu,host=a smooth=1 10");
}

#[test]
fn a_restart_of_kapacitor_does_not_show() {
    let mut task = average_of_2().start();
    task.feed("cpu,host=a usage=1 10\ncpu,host=b usage=5 10");
    task.restart();
    task.feed("cpu,host=a usage=3 20\ncpu,host=b usage=6 20");
    task.emits(
        "cpu,host=a avg=1 10
         cpu,host=b avg=5 10
         cpu,host=a avg=2 20
         cpu,host=b avg=5.5 20",
    );
}

#[test]
fn a_smaller_size_counts_also_after_a_restore() {
    let of_size = |size: &str| testing::udf::<MovingAvg>().option("field=usage").option(size);
    let mut wide = of_size("size=4").start();
    wide.feed("cpu usage=1 10\ncpu usage=2 20\ncpu usage=3 30\ncpu usage=4 40");
    wide.output();
    let mut narrow = of_size("size=2").start();
    narrow.restore(&wide.snapshot());
    narrow.feed("cpu usage=6 50\ncpu usage=8 60");
    narrow.emits("cpu avg=5 50\ncpu avg=7 60");
}

#[test]
fn a_smaller_size_cuts_the_windows_of_all_groups() {
    let mut task = testing::udf::<MovingAvg>().option("field=usage").option("size=100").start();
    task.feed(&(0..100).map(|time| format!("cpu usage=1 {time}\n")).collect::<String>());
    task.output();
    let wide = task.snapshot();
    let mut narrow = average_of_2().start();
    narrow.restore(&wide);
    // The group gets no point any more.
    assert!(narrow.snapshot().len() + 98 * 8 < wide.len());
}

#[test]
fn an_empty_name_is_refused() {
    assert_eq!(
        average_of_2().option("as=").refusal(),
        "UDF moving_avg: `.as('')`: the argument must be the name of a field, not empty or 'time'; \
         write `.as('avg')`"
    );
}

#[test]
fn a_garbled_snapshot_is_refused_and_changes_nothing() {
    let mut task = average_of_2().start();
    task.feed("cpu,host=a usage=1 10");
    let mut snapshot = task.snapshot();
    let last = snapshot.len() - 1;
    snapshot[last] ^= 1;
    let refusal = task.restore_refusal(&snapshot);
    assert!(refusal.contains("snapshot"), "{refusal}");
    task.feed("cpu,host=a usage=3 20");
    task.emits("cpu,host=a avg=1 10\ncpu,host=a avg=2 20");
}

#[test]
fn a_recording_is_averaged_by_the_definition() {
    let recording: Vec<_> = include_str!("../data/cpu.lp").lines().take(600).collect();
    let user = || testing::udf::<MovingAvg>().option("field=usage_user").group_by("cpu");
    let mut task = user().option("size=10").start();
    task.feed(&recording.join("\n"));
    let output = task.output();
    assert_eq!(output.len(), recording.len());

    let mut values = user().option("size=1").start();
    values.feed(&recording.join("\n"));
    let mut seen: HashMap<String, Vec<f64>> = HashMap::new();
    for (value, average) in values.output().iter().zip(&output) {
        let group = average.as_point().group().to_owned();
        let values = seen.entry(group).or_default();
        values.push(avg(value.as_point()));
        let window = &values[values.len().saturating_sub(10)..];
        let mean = window.iter().sum::<f64>() / window.len() as f64;
        assert!((avg(average.as_point()) - mean).abs() < 1e-9, "{average:?}");
    }
    assert!(seen.len() > 1, "the recording has several CPUs");
}

fn avg(point: Point<'_>) -> f64 {
    point.number("avg").expect("every point has an average")
}

#[test]
fn what_is_wrong_with_the_options_is_told_at_once() {
    assert_eq!(
        testing::udf::<MovingAvg>().option("size=0").refusal(),
        "UDF moving_avg: 2 problems with its options: \
         (1) `.field` is missing; write `.field('value')`; \
         (2) `.size(0)`: the argument must be at least 1; write `.size(1)`"
    );
}
