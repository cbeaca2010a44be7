//! `restored` sees the state of a snapshot together with the options of the task.

use udf_runtime::testing::{self, Setup, TestTask};
use udf_runtime::{
    Batch, BatchUdf, BatchView, BeginBatch, ConcurrentUdf, Emitter, EndBatch, Point, Result,
    Stream, StreamUdf, Udf, UdfHandler, UnfitSnapshot, WholeBatchUdf, udf,
};

/// Counts the points above each limit.
#[udf(wants = stream, provides = stream)]
struct Above {
    #[option]
    limit: Vec<f64>,
    #[option(flag)]
    strict: bool,
    #[state]
    counts: Vec<i64>,
    #[state]
    points: i64,
}

impl StreamUdf for Above {
    fn init(&mut self, _: &udf_runtime::Task<Stream>) -> Result<()> {
        self.counts.resize(self.limit.len(), 0);
        Ok(())
    }

    fn restored(&mut self) -> Result<()> {
        if self.strict && self.counts.len() != self.limit.len() {
            self.points = -1;
            let (saved, limits) = (self.counts.len(), self.limit.len());
            return Err(format!("{saved} counts were saved for {limits} limits").into());
        }
        self.counts.resize(self.limit.len(), 0);
        Ok(())
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let value = point.number("v")?;
        self.points += 1;
        let mut edit = out.edit(point).clear_fields().field("points", self.points);
        for (index, limit) in self.limit.iter().enumerate() {
            // This panics if the state does not fit the options.
            self.counts[index] += i64::from(value > *limit);
            edit = edit.field(&format!("above{limit}"), self.counts[index]);
        }
        Ok(edit.send()?)
    }
}

fn above(limits: &[i32]) -> Setup<UdfHandler<Above>> {
    with_limits(testing::udf::<Above>(), limits)
}

fn with_limits(setup: Setup<UdfHandler<Above>>, limits: &[i32]) -> Setup<UdfHandler<Above>> {
    limits.iter().fold(setup, |setup, limit| setup.option(format!("limit={limit}")))
}

fn snapshot_of_two_points(limits: &[i32]) -> Vec<u8> {
    let mut task = above(limits).start();
    task.feed("m v=5 1\nm v=50 2");
    task.output();
    task.snapshot()
}

#[test]
fn the_state_is_fitted_to_other_options_before_the_first_point() {
    let snapshot = snapshot_of_two_points(&[1]);
    let mut more = above(&[1, 10]).start();
    more.restore(&snapshot);
    more.feed("m v=20 3");
    more.emits("m points=3i,above1=3i,above10=1i 3");
}

const REMEDY: &str = "; to start without state, add --bad-snapshot fresh to the arguments of the \
                      daemon, or to `args` in kapacitor.conf";

#[test]
fn an_error_refuses_the_snapshot_and_leaves_the_state() {
    let snapshot = snapshot_of_two_points(&[1]);
    let mut strict = above(&[10, 20, 30]).option("strict").start();
    strict.feed("m v=25 1");
    strict.output();
    assert_eq!(
        strict.restore_refusal(&snapshot),
        format!("1 counts were saved for 3 limits{REMEDY}")
    );
    // Neither of the snapshot nor of the failed `restored`.
    strict.feed("m v=15 2");
    strict.emits("m points=2i,above10=2i,above20=1i,above30=0i 2");
}

#[test]
fn a_snapshot_that_does_not_fit_can_start_fresh() {
    let snapshot = snapshot_of_two_points(&[1]);
    let fresh = || UdfHandler::<Above>::new().unfit_snapshots(UnfitSnapshot::StartFresh);
    let mut task = with_limits(testing::handler(fresh), &[10, 20]).option("strict").start();
    task.restore(&snapshot);
    task.feed("m v=15 1");
    task.emits("m points=1i,above10=1i,above20=0i 1");
}

/// Calls of `restored`, for both traits of batches.
macro_rules! counting {
    ($name:ident, $trait:ident { $($methods:tt)* }) => {
        #[udf(wants = batch, provides = batch)]
        struct $name {
            #[option(default = 0)]
            add: i64,
            #[state]
            sum: i64,
        }

        impl $trait for $name {
            fn restored(&mut self) -> Result<()> {
                if self.add < 0 {
                    return Err("it must not shrink".into());
                }
                self.sum += self.add;
                Ok(())
            }

            $($methods)*
        }
    };
}

counting!(ByPoint, BatchUdf {
    fn begin(&mut self, _: &BeginBatch, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Batch>) -> Result<()> {
        Ok(())
    }

    fn end(&mut self, end: &EndBatch, out: &mut Emitter<Batch>) -> Result<()> {
        let mut batch = out.begin(&BeginBatch::default());
        batch.build().field("sum", self.sum).send()?;
        Ok(batch.end(end.tmax)?)
    }
});

counting!(Whole, WholeBatchUdf {
    fn batch(&mut self, batch: &BatchView<'_>, out: &mut Emitter<Batch>) -> Result<()> {
        let mut answer = out.begin(batch.begin());
        answer.build().field("sum", self.sum).send()?;
        Ok(answer.end(batch.tmax())?)
    }
});

fn adds_in_restored<T: Udf<Provides = Batch> + 'static>() {
    let with = |add: &str| -> TestTask<UdfHandler<T>> {
        testing::udf::<T>().option(format!("add={add}")).start()
    };
    let snapshot = with("0").snapshot();
    let mut task = with("5");
    task.restore(&snapshot);
    task.feed("m v=1 1");
    assert_eq!(task.output()[0].points.get(0).expect("it has a point").int("sum"), Ok(5));
    let refusal = with("-1").restore_refusal(&snapshot);
    assert!(refusal.starts_with("it must not shrink"), "{refusal}");
}

#[test]
fn udfs_of_batches_have_the_hook_too() {
    adds_in_restored::<ByPoint>();
    adds_in_restored::<Whole>();
}

/// Sends its sum, on a worker.
#[udf(wants = stream, provides = stream)]
struct OnWorkers {
    #[option]
    add: i64,
    #[state]
    sum: i64,
}

impl ConcurrentUdf for OnWorkers {
    fn workers(&self) -> usize {
        2
    }

    fn restored(&mut self) -> Result<()> {
        self.sum += self.add;
        Ok(())
    }

    fn point(&self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        Ok(out.edit(point).only_field("sum", self.sum).send()?)
    }
}

#[test]
fn udfs_with_workers_have_the_hook_too() {
    let with = |add: i64| testing::udf::<OnWorkers>().option(format!("add={add}")).start();
    let mut task = with(0);
    // The workers hold the UDF when the snapshot is restored.
    task.feed("m v=1 1");
    let snapshot = task.snapshot();
    let mut task = with(5);
    task.feed("m v=1 1");
    task.emits("m sum=0i 1");
    task.restore(&snapshot);
    task.feed("m v=1 2");
    task.emits("m sum=5i 2");
}
