//! A row of the table, and a running UDF without its type.

use udf_runtime::testing::{self, Emitted, TestTask, WholeBatch};
use udf_runtime::{Batch, Edge, Handler, OnUnfit, PointBuf, Stream, Udf, UdfHandler};
use udf_text::describe::Description;

use crate::server;

/// A UDF of the box.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Options that work with the points of `series.rs`.
    pub(crate) options: &'static [&'static str],
    /// Other options, each of which a task may have after a change.
    pub(crate) changed: &'static [&'static [&'static str]],
    /// Whether the UDF sends points only at ticks.
    pub(crate) answers_ticks: bool,
    start: fn(&[&str], &Settings<'_>) -> Box<dyn Running>,
    /// Checks the defaults and examples of the options.
    pub(crate) check: fn(),
    pub(crate) description: fn() -> Description,
}

pub(crate) const fn row<T: Udf + 'static>(
    options: &'static [&'static str],
    changed: &'static [&'static [&'static str]],
) -> Row
where
    UdfHandler<T>: Handler<Wants: Fed, Provides: Emitted>,
{
    Row {
        name: T::NAME,
        options,
        changed,
        answers_ticks: false,
        start: start::<T>,
        check: testing::check::<T>,
        description: description::<T>,
    }
}

/// How a UDF is started.
pub(crate) struct Settings<'a> {
    pub(crate) group_by: &'a str,
    pub(crate) tolerance: f64,
}

impl Row {
    /// Marks a UDF that sends points only at ticks.
    pub(crate) const fn at_ticks(self) -> Self {
        Row { answers_ticks: true, ..self }
    }

    /// Starts the UDF, with its points grouped by host.
    pub(crate) fn start(&self, options: &[&str]) -> Box<dyn Running> {
        self.start_with(options, &Settings { group_by: "host", tolerance: 0.0 })
    }

    pub(crate) fn start_with(&self, options: &[&str], settings: &Settings<'_>) -> Box<dyn Running> {
        (self.start)(options, settings)
    }

    /// Returns whether the UDF has ticks.
    pub(crate) fn ticks(&self) -> bool {
        self.start(self.options).ticks()
    }

    /// Returns whether the UDF has an option of this name.
    pub(crate) fn has(&self, option: &str) -> bool {
        (self.description)().options.iter().any(|one| one.name == option)
    }
}

/// A running UDF. It fails if it sends a point that InfluxDB cannot store, such as one with a NaN.
pub(crate) trait Running {
    fn feed(&mut self, lines: &[String]);
    /// Feeds a point that line protocol may not express.
    fn feed_point(&mut self, point: &PointBuf);
    fn ticks(&mut self) -> bool;
    /// Ticks once, if the UDF has ticks.
    fn tick(&mut self);
    fn lines(&mut self) -> Vec<String>;
    fn restart(&mut self);
    fn restart_with(&mut self, options: &[&str]);
    fn snapshot(&mut self) -> Vec<u8>;
    fn emits(&mut self, expected: &str);
    fn end(&mut self);
}

/// An edge that takes single points: a stream, or a batch with one point.
pub(crate) trait Fed: Edge {
    fn feed<H: Handler<Wants = Self, Provides: Emitted>>(task: &mut TestTask<H>, point: &PointBuf);
}

impl Fed for Stream {
    fn feed<H: Handler<Wants = Self, Provides: Emitted>>(task: &mut TestTask<H>, point: &PointBuf) {
        task.feed_point(point);
    }
}

impl Fed for Batch {
    fn feed<H: Handler<Wants = Self, Provides: Emitted>>(task: &mut TestTask<H>, point: &PointBuf) {
        let point = point.as_point();
        let mut batch =
            WholeBatch { name: "m".into(), tmax: point.time(), ..WholeBatch::default() };
        batch.points.push(&point);
        task.feed_batch(&batch);
    }
}

impl<H: Handler<Wants: Fed, Provides: Emitted>> Running for TestTask<H> {
    fn feed_point(&mut self, point: &PointBuf) {
        H::Wants::feed(self, point);
    }

    fn feed(&mut self, lines: &[String]) {
        TestTask::feed(self, &lines.join("\n"));
    }

    fn ticks(&mut self) -> bool {
        self.tick_every().is_some()
    }

    fn tick(&mut self) {
        if self.ticks() {
            TestTask::tick(self);
        }
    }

    fn lines(&mut self) -> Vec<String> {
        TestTask::lines(self)
    }

    fn restart(&mut self) {
        TestTask::restart(self);
    }

    fn restart_with(&mut self, options: &[&str]) {
        TestTask::restart_with(self, options.iter().map(|option| server::real(option)));
    }

    fn snapshot(&mut self) -> Vec<u8> {
        TestTask::snapshot(self)
    }

    fn emits(&mut self, expected: &str) {
        TestTask::emits(self, expected);
    }

    fn end(&mut self) {
        TestTask::end(self);
    }
}

fn start<T: Udf + 'static>(options: &[&str], settings: &Settings<'_>) -> Box<dyn Running>
where
    UdfHandler<T>: Handler<Wants: Fed, Provides: Emitted>,
{
    let setup = testing::udf::<T>().group_by(settings.group_by).tolerance(settings.tolerance);
    let setup = options.iter().fold(setup.unfit_points(OnUnfit::Fail), |setup, option| {
        setup.option(server::real(option))
    });
    Box::new(setup.start())
}

fn description<T: Udf>() -> Description {
    Description {
        name: T::NAME.to_owned(),
        help: T::help(),
        wants: T::Wants::TYPE,
        provides: T::Provides::TYPE,
        options: T::options(),
        complete: true,
    }
}
