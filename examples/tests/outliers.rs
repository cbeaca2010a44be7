//! Tests of `outliers`.

use udf_runtime::UdfHandler;
use udf_runtime::testing::{self, TestTask, WholeBatch};

use super::Outliers;

fn outliers(scale: &str) -> TestTask<UdfHandler<Outliers>> {
    let setup = testing::udf::<Outliers>().option("field=v").group_by("host");
    if scale.is_empty() { setup.start() } else { setup.option(format!("scale={scale}")).start() }
}

/// Sends one batch of these values. Returns the values of its outliers.
fn of(task: &mut TestTask<UdfHandler<Outliers>>, values: &[f64]) -> Vec<f64> {
    let mut batch = WholeBatch { name: "m".into(), tmax: 100, ..WholeBatch::default() };
    for (value, time) in values.iter().zip(1..) {
        let point = testing::point("", |point| point.field("v", *value).time(time));
        batch.points.push(&point.as_point());
    }
    task.feed_batch(&batch);
    let batches = task.output();
    assert_eq!((batches.len(), batches[0].tmax, batches[0].name.as_str()), (1, 100, "m"));
    batches[0].points.iter().map(|point| point.number("v").expect("it is passed on")).collect()
}

#[test]
fn what_lies_beyond_the_fences_comes_back() {
    let task = &mut outliers("");
    // Quartiles 3.25 and 7.75 between the ranks: fences -3.5 and 14.5. A value on a fence is no
    // outlier.
    let values = [1.0, 100.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -3.5, 8.0, 14.5, -50.0];
    assert_eq!(of(task, &values), [100.0, -50.0]);
    // Quartiles 10.75 and 12.25: fences 8.5 and 14.5.
    let values = [10.0, 12.0, 11.0, 13.0, 12.0, 11.0, 10.0, 50.0];
    assert_eq!(of(task, &values), [50.0]);
    // Without a spread, every different value is an outlier.
    assert_eq!(of(task, &[5.0, 5.0, 6.0, 5.0, 5.0]), [6.0]);
    // Quartiles 250 and 750.
    assert_eq!(of(task, &[0.0, 1000.0]), [0.0; 0]);
    assert_eq!(of(task, &[7.0]), [0.0; 0]);
    assert_eq!(of(task, &[]), [0.0; 0]);
}

#[test]
fn the_scale_moves_the_fences() {
    // Quartiles 10.75 and 12.25.
    let values = [10.0, 12.0, 11.0, 13.0, 12.0, 11.0, 10.0, 50.0];
    assert_eq!(of(&mut outliers("1"), &values), [50.0]);
    assert_eq!(of(&mut outliers("25"), &values), [50.0]);
    assert_eq!(of(&mut outliers("26"), &values), [0.0; 0]);
}

/// Returns a quantile by its definition: the i-th of n sorted values is at i / (n - 1), with linear
/// interpolation between them.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = |i: usize| i as f64 / (sorted.len() - 1) as f64;
    let above = (1..sorted.len()).find(|&i| place(i) >= share).expect("the last element is at 1");
    let part = (share - place(above - 1)) / (place(above) - place(above - 1));
    sorted[above - 1] * (1.0 - part) + sorted[above] * part
}

#[test]
fn sets_of_all_sizes_are_judged_by_the_definition() {
    let task = &mut outliers("");
    let mut random = 1_u64;
    let mut found = 0;
    for size in 2..60 {
        let values: Vec<f64> = std::iter::repeat_with(|| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Cubed, so that some values are far from the others.
            ((random >> 40) as f64 / f64::from(1 << 23) - 1.0).powi(3)
        })
        .take(size)
        .collect();
        let (q1, q3) = (quantile(&values, 0.25), quantile(&values, 0.75));
        let within = q1 - 1.5 * (q3 - q1)..=q3 + 1.5 * (q3 - q1);
        let expected: Vec<_> = values.iter().copied().filter(|v| !within.contains(v)).collect();
        found += expected.len();
        assert_eq!(of(task, &values), expected, "{values:?}");
    }
    assert!(found > 100, "only {found} outliers");
}

#[test]
fn each_group_has_fences_of_its_own() {
    let mut task = outliers("");
    task.feed(
        "m,host=a v=1 1
         m,host=a v=2 2
         m,host=a v=1i,w=true 3
         m,host=a v=2 4
         m,host=a v=90 5
         m,host=b v=90 5
         m,host=b v=91 6
         m,host=b other=1 7
         m,host=b v=90 8
         m,host=b v=1,w=true 9
         m,host=b v=91 10",
    );
    task.emits("m,host=a v=90 5\nm,host=b v=1,w=true 9");
    task.feed("m,host=c v=1 20");
    let empty = &task.output()[0];
    assert_eq!((empty.tags["host"].as_str(), empty.tmax, empty.points.len()), ("c", 20, 0));
}

#[test]
fn a_scale_below_one_is_refused() {
    assert_eq!(
        testing::udf::<Outliers>().option("field=v").option("scale=0.5").refusal(),
        "UDF outliers: `.scale(0.5)`: the argument must be at least 1.0; write `.scale(1.0)`"
    );
}
