//! Tests of `mirror`.

use udf_runtime::testing;

use super::Mirror;

#[test]
fn what_comes_goes_back_as_it_came() {
    let mut task = testing::udf::<Mirror>().group_by("host").start();
    let points = "cpu,host=a,cpu=cpu0 usage=1.5,cores=8i,busy=true,state=\"a \\\"b\\\"\" 10
                  cpu,host=b usage=-0.25 -5";
    task.feed(points);
    task.emits(points);
    // Compared as a point, because a line contains neither the grouping nor the database.
    let point = testing::point("cpu", |point| {
        point.tag("host", "a").field("usage", f64::NEG_INFINITY).time(i64::MAX)
    });
    task.feed_point(&point);
    let output = task.output();
    let came = output[0].as_point();
    assert_eq!((came.group(), came.time()), ("host=a", i64::MAX));
    assert_eq!((came.database(), came.retention_policy()), ("telegraf", "autogen"));
    assert_eq!(came.number("usage"), Ok(f64::NEG_INFINITY));
    task.end();
    task.emits_nothing();
}

#[test]
fn a_recording_comes_back() {
    let recording: Vec<_> = include_str!("../data/cpu.lp").lines().take(600).collect();
    let recording = recording.join("\n");
    let mut task = testing::udf::<Mirror>().group_by("*").start();
    task.feed(&recording);
    task.emits(&recording);
}
