//! A running UDF in a test.

use std::panic::Location;
use std::thread;
use std::time::Duration;

use udf_host::{Error, Interface};
use udf_proto::{EdgeType, PointBuf, messages};
use udf_text::line_protocol::LineReader;
use udf_text::windows::Batches;

use super::driver::Driver;
use super::lines;
use super::output::Emitted;
use super::{Setup, WholeBatch};
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::handler::Handler;

/// A UDF that runs in a test, which plays the part of Kapacitor.
///
/// Dropping the task ends its input. The drop panics if the UDF fails, or if it has failed without
/// a call of [`failure`](Self::failure).
pub struct TestTask<H: Handler<Provides: Emitted>> {
    pub(super) setup: Setup<H>,
    pub(super) driver: Driver<H::Provides>,
    /// The time of lines and ticks without a time.
    time: i64,
    /// The last step of the test and its place, for a failure that is reported later.
    last: (&'static str, &'static Location<'static>),
}

/// Input for a UDF.
enum Data {
    Points(Vec<PointBuf>),
    Batches(Vec<WholeBatch>),
}

/// Panics at the line of the test.
#[track_caller]
pub(super) fn expect<T>(result: Result<T, String>) -> T {
    match result {
        Ok(value) => value,
        Err(text) => panic!("{text}"),
    }
}

impl<H: Handler<Provides: Emitted>> TestTask<H> {
    #[track_caller]
    pub(super) fn new(setup: Setup<H>, driver: Driver<H::Provides>) -> Self {
        TestTask { setup, driver, time: 0, last: ("start", Location::caller()) }
    }

    /// Feeds points in line protocol, and waits until the UDF has handled them.
    ///
    /// Each line is a point. Leading blanks and empty lines are ignored. Times are in nanoseconds.
    /// A line without a time has the time of the previous point; the first line defaults to 0.
    ///
    /// A UDF that wants batches gets one batch for each measurement and group of the text. The time
    /// of a batch is the time of its latest point.
    ///
    /// If the UDF fails, this call returns and the next call panics. The next call can be
    /// [`failure`](Self::failure), which returns the error.
    ///
    /// # Panics
    /// Panics if the text is not valid line protocol, if the UDF has failed or its input has ended,
    /// and after the timeout.
    #[track_caller]
    pub fn feed(&mut self, text: &str) {
        self.note("feed");
        let data = expect(self.parse(text));
        expect(self.hand_over(data));
    }

    fn parse(&mut self, text: &str) -> Result<Data, String> {
        let mut reader = LineReader::new(text.as_bytes(), self.setup.grouping());
        reader.set_time(self.time);
        let (mut points, mut batches) = (Vec::new(), Batches::new(None));
        while let Some(point) = lines::read(&mut reader, "what is fed")? {
            self.time = point.as_point().time();
            match H::Wants::TYPE {
                EdgeType::Stream => points.push(point),
                EdgeType::Batch => batches.push(messages::Point::from(point.as_point())),
            }
        }
        Ok(match H::Wants::TYPE {
            EdgeType::Stream => Data::Points(points),
            EdgeType::Batch => Data::Batches(batches.take().collect()),
        })
    }

    /// Sends data, and waits until the UDF has handled it or has failed.
    fn hand_over(&mut self, data: Data) -> Result<(), String> {
        self.check()?;
        let awaited = "the UDF to handle the points; the handler may still be busy";
        let handled = self.driver.call(awaited, move |udf| {
            match data {
                Data::Points(points) => {
                    let input = udf.point_in()?;
                    points.iter().try_for_each(|point| input.send(point.as_point()))?;
                }
                Data::Batches(batches) => {
                    let input = udf.batch_in()?;
                    batches.iter().try_for_each(|batch| input.send(batch))?;
                }
            }
            udf.keepalive()
        });
        self.unless_failed(handled)
    }

    /// Leaves a failure of the UDF to the next call.
    pub(super) fn unless_failed(&self, result: Result<(), String>) -> Result<(), String> {
        if self.driver.failure.is_some() { Ok(()) } else { result }
    }

    /// Returns an error if the UDF has failed before.
    pub(super) fn check(&self) -> Result<(), String> {
        let (doing, place) = self.last;
        match &self.driver.failure {
            Some(text) => Err(format!("the UDF failed in `{doing}` at {place}: {text}")),
            None => Ok(()),
        }
    }

    #[track_caller]
    pub(super) fn note(&mut self, doing: &'static str) {
        // A failure belongs to the step before it.
        if self.driver.failure.is_none() {
            self.last = (doing, Location::caller());
        }
    }

    /// Sends a keepalive, and waits for its answer. The UDF has then handled all earlier input.
    ///
    /// # Panics
    /// Panics after the timeout, and if the UDF has failed or its input has ended.
    #[track_caller]
    pub fn keepalive(&mut self) {
        self.note("keepalive");
        expect(self.check());
        let awaited = "the answer to a keepalive; is the UDF still busy?";
        expect(self.driver.call(awaited, Interface::keepalive));
    }

    /// Returns the state of the UDF.
    ///
    /// # Panics
    /// Panics after the timeout, and if the UDF fails or its input has ended.
    #[track_caller]
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.note("snapshot");
        expect(self.try_snapshot())
    }

    fn try_snapshot(&mut self) -> Result<Vec<u8>, String> {
        self.check()?;
        self.driver.call("the answer to a snapshot request", Interface::snapshot)
    }

    /// Restores an earlier snapshot of this UDF or of another one.
    ///
    /// # Panics
    /// Panics if the UDF refuses the snapshot or fails, after the timeout, and if the input has
    /// ended.
    #[track_caller]
    pub fn restore(&mut self, snapshot: &[u8]) {
        self.note("restore");
        self.expect_restored(snapshot);
    }

    #[track_caller]
    fn expect_restored(&mut self, snapshot: &[u8]) {
        if let Some(text) = expect(self.try_restore(snapshot)) {
            panic!("the UDF refused to restore the snapshot: {text}");
        }
    }

    /// Returns the text with which the UDF refuses to restore this snapshot.
    ///
    /// # Panics
    /// Panics if the UDF accepts the snapshot or fails, after the timeout, and if the input has
    /// ended.
    #[track_caller]
    pub fn restore_refusal(&mut self, snapshot: &[u8]) -> String {
        self.note("restore_refusal");
        match expect(self.try_restore(snapshot)) {
            Some(text) => text,
            None => panic!("expected the UDF to refuse the snapshot, but it accepted it"),
        }
    }

    /// Returns the text of the refusal, if the UDF refuses.
    fn try_restore(&mut self, snapshot: &[u8]) -> Result<Option<String>, String> {
        self.check()?;
        let snapshot = snapshot.to_vec();
        self.driver.call("the answer to a restore request", |udf| match udf.restore(snapshot) {
            Ok(()) => Ok(None),
            Err(Error::RestoreRefused(text)) => Ok(Some(text)),
            Err(error) => Err(error),
        })
    }

    /// Ticks once, and waits until the UDF has handled the tick.
    ///
    /// In a test, the UDF ticks only when the test calls this, whatever the interval is. Points
    /// that `tick` builds without a time have the time of the last point or batch that was fed, or
    /// else 0.
    ///
    /// If the UDF fails, this call returns and the next call panics, as for [`feed`](Self::feed).
    ///
    /// # Panics
    /// Panics if the UDF has no ticks, if the UDF has failed or its input has ended, and after the
    /// timeout.
    #[track_caller]
    pub fn tick(&mut self) {
        self.note("tick");
        expect(self.check());
        let (awaited, time) =
            ("the UDF to handle a tick; the handler may still be busy", self.time);
        let ticked = self.driver.call(awaited, move |udf| match udf.tick_every()? {
            Some(_) => udf.tick(time).map(|()| true),
            None => Ok(false),
        });
        if ticked == Ok(false) {
            panic!("the UDF has no ticks: it has no `tick = ...`, or no interval is set");
        }
        expect(self.unless_failed(ticked.map(drop)));
    }

    /// Returns the interval at which Kapacitor's UDF would tick. `None` without ticks.
    ///
    /// # Panics
    /// Panics if the UDF has failed or its input has ended, and after the timeout.
    #[track_caller]
    pub fn tick_every(&mut self) -> Option<Duration> {
        self.note("tick_every");
        expect(self.check());
        let awaited = "the UDF to start; the handler may still be busy";
        expect(self.driver.call(awaited, |udf| udf.tick_every()))
    }

    /// Simulates a restart of Kapacitor: takes a snapshot, ends this UDF, and starts another one
    /// with the same options and the snapshot.
    ///
    /// Output that the test has not taken yet is kept.
    ///
    /// # Panics
    /// Panics if any of these steps fails.
    #[track_caller]
    pub fn restart(&mut self) {
        self.note("restart");
        self.start_again(self.setup.again());
    }

    /// Simulates a restart of Kapacitor as [`restart`](Self::restart) does, after a change of the
    /// task: the UDF starts with these options in place of the former ones. See
    /// [`Setup::option`].
    ///
    /// # Panics
    /// Panics if any of these steps fails.
    #[track_caller]
    pub fn restart_with<O: Into<String>>(&mut self, options: impl IntoIterator<Item = O>) {
        self.note("restart_with");
        let options = options.into_iter().map(Into::into).collect();
        self.start_again(self.setup.again().with_options(options));
    }

    #[track_caller]
    fn start_again(&mut self, setup: Setup<H>) {
        let snapshot = expect(self.try_snapshot());
        expect(self.driver.end());
        expect(self.check());
        let kept = self.driver.take();
        self.driver = setup.start_driver();
        self.driver.kept = kept.into();
        self.setup = setup;
        self.expect_restored(&snapshot);
    }

    /// Returns the text with which the UDF fails. Kapacitor logs it as the reason why the task has
    /// stopped.
    ///
    /// Waits for the failure if necessary. Output before the failure can still be taken.
    ///
    /// # Panics
    /// Panics if the UDF does not fail in time.
    #[track_caller]
    pub fn failure(&mut self) -> String {
        self.note("failure");
        let waited = match self.driver.failure {
            None => self.driver.wait_for_failure(),
            Some(_) => Ok(()),
        };
        expect(waited.and_then(|()| self.driver.end()));
        self.driver.failure.take().expect("it was waited for")
    }

    /// Ends the input, and waits until the UDF has ended. Output up to then can still be taken.
    ///
    /// # Panics
    /// Panics after the timeout, and if the UDF had failed before.
    #[track_caller]
    pub fn end(&mut self) {
        expect(self.check());
        self.note("end");
        expect(self.driver.end());
    }
}

impl<H: Handler<Wants = Stream, Provides: Emitted>> TestTask<H> {
    /// Feeds a point, grouped as text input is, and waits until the UDF has handled it.
    ///
    /// # Panics
    /// Panics as [`feed`](Self::feed) does.
    #[track_caller]
    pub fn feed_point(&mut self, point: &PointBuf) {
        self.note("feed_point");
        let mut point = messages::Point::from(point.as_point());
        self.time = point.time;
        self.setup.grouping().apply(&mut point);
        expect(self.hand_over(Data::Points(vec![point.into()])));
    }
}

impl<H: Handler<Wants = Batch, Provides: Emitted>> TestTask<H> {
    /// Feeds a batch unchanged, and waits until the UDF has handled it.
    ///
    /// # Panics
    /// Panics as [`feed`](Self::feed) does.
    #[track_caller]
    pub fn feed_batch(&mut self, batch: &WholeBatch) {
        self.note("feed_batch");
        self.time = batch.tmax;
        expect(self.hand_over(Data::Batches(vec![batch.clone()])));
    }
}

impl<H: Handler<Provides: Emitted>> Drop for TestTask<H> {
    fn drop(&mut self) {
        // A test that is already panicking has its own message, and a second panic would abort.
        if !thread::panicking() {
            expect(self.check());
            expect(self.driver.end());
            if let Some(text) = &self.driver.failure {
                panic!("the UDF failed at its end, when the task was dropped: {text}");
            }
        }
    }
}

impl<H: Handler<Provides: Emitted>> std::fmt::Debug for TestTask<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestTask").field("setup", &self.setup).finish_non_exhaustive()
    }
}
