//! A running UDF in a test.

use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use udf_host::{Error, Interface};
use udf_proto::{EdgeType, PointBuf, messages};
use udf_text::line_protocol::LineReader;
use udf_text::windows::Batches;

use super::driver::Driver;
use super::lines::{self, Line};
use super::output::Emitted;
use super::{Setup, WholeBatch};
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::handler::Handler;

/// A UDF that runs in a test, which plays the part of Kapacitor.
///
/// Dropping the task ends its input. The drop panics if the UDF fails, or if it has failed without
/// a call of [`failure`](Self::failure).
pub struct TestTask<H: Handler<Provides: Emitted>> {
    setup: Setup<H>,
    driver: Driver<H::Provides>,
    /// The time of lines without a time.
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
fn expect<T>(result: Result<T, String>) -> T {
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
    /// A line without a time has the time of the previous line; the first line defaults to 0. A UDF
    /// that wants batches gets one batch for each measurement and group of the text. The time of a
    /// batch is the time of its latest point.
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
        let awaited = "the UDF to handle what it was fed; is it still busy?";
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
    fn unless_failed(&self, result: Result<(), String>) -> Result<(), String> {
        if self.driver.failure.is_some() { Ok(()) } else { result }
    }

    /// Returns an error if the UDF has failed before.
    fn check(&self) -> Result<(), String> {
        let (doing, place) = self.last;
        match &self.driver.failure {
            Some(text) => Err(format!("the UDF failed in `{doing}` at {place}: {text}")),
            None => Ok(()),
        }
    }

    #[track_caller]
    fn note(&mut self, doing: &'static str) {
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

    /// Simulates a restart of Kapacitor: takes a snapshot, ends this UDF, and starts another one
    /// with the same options and the snapshot.
    ///
    /// The new task keeps the output that the test has not taken yet.
    ///
    /// # Panics
    /// Panics if any of these steps fails.
    #[track_caller]
    pub fn restart(mut self) -> Self {
        let snapshot = self.snapshot();
        self.end();
        expect(self.check());
        let mut next = self.setup.again().start();
        next.time = self.time;
        next.driver.kept = self.driver.take().into();
        next.restore(&snapshot);
        next
    }

    /// Returns all output that the test has not taken yet: points, or whole batches.
    ///
    /// This includes all output for earlier input. For output of ticks and threads, see
    /// [`next_within`](Self::next_within).
    ///
    /// # Panics
    /// Panics if the UDF has failed, and after the timeout.
    #[track_caller]
    pub fn output(&mut self) -> Vec<<H::Provides as Emitted>::Item> {
        self.note("output");
        expect(self.gather());
        self.driver.take()
    }

    /// Receives the output up to now.
    fn gather(&mut self) -> Result<(), String> {
        self.check()?;
        if self.driver.is_open() {
            let awaited = "the UDF to send what it has emitted; is it still busy?";
            let handled = self.driver.call(awaited, Interface::keepalive);
            self.unless_failed(handled)?;
            self.check()?;
        }
        Ok(())
    }

    /// Returns the same points as [`output`](Self::output) in line protocol, with tags and fields
    /// in the order of their names.
    ///
    /// # Panics
    /// Panics as [`output`](Self::output) does.
    #[track_caller]
    pub fn lines(&mut self) -> Vec<String> {
        self.note("lines");
        expect(self.gather());
        self.take_lines().iter().map(Line::to_string).collect()
    }

    fn take_lines(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        for item in self.driver.take() {
            H::Provides::lines(&item, &mut lines);
        }
        lines
    }

    /// Checks that the output that the test has not taken yet equals this line protocol, and takes
    /// it.
    ///
    /// The order of the points matters. The order of the tags and fields of a point does not.
    /// Floats and integers differ: `1` is a float, `1i` an integer. A line without a time matches
    /// any time. For batches, only the points are compared; [`output`](Self::output) returns the
    /// rest.
    ///
    /// # Panics
    /// Panics if the output differs, and as [`output`](Self::output) does.
    #[track_caller]
    pub fn emits(&mut self, text: &str) {
        self.note("emits");
        let expected = expect(lines::expected(text));
        expect(self.gather());
        if let Some(difference) = lines::difference(&expected, &self.take_lines()) {
            panic!("{difference}");
        }
    }

    /// Checks that there is no output that the test has not taken yet, not even an empty batch.
    ///
    /// # Panics
    /// Panics if there is output, and as [`output`](Self::output) does.
    #[track_caller]
    pub fn emits_nothing(&mut self) {
        self.note("emits_nothing");
        expect(self.gather());
        let output = self.driver.take();
        assert!(output.is_empty(), "expected no output, but the UDF sent {output:#?}");
    }

    /// Checks the output as [`emits`](Self::emits) does, but waits for as many points as there are
    /// lines. Use it for output of ticks and threads.
    ///
    /// Later points are left for the next call.
    ///
    /// # Panics
    /// Panics if the points do not arrive in time, and if they differ.
    #[track_caller]
    pub fn emits_within(&mut self, within: Duration, text: &str) {
        self.note("emits_within");
        let expected = expect(lines::expected(text));
        let deadline = Instant::now() + within;
        let awaited = match expected.len() {
            1 => "one point".to_owned(),
            count => format!("{count} points"),
        };
        let mut came = Vec::new();
        while came.len() < expected.len() {
            match self.next(deadline, within, &awaited) {
                Ok(item) => H::Provides::lines(&item, &mut came),
                Err(error) => {
                    let difference = lines::difference(&expected, &came).unwrap_or_default();
                    panic!("{error}\n{difference}");
                }
            }
        }
        if let Some(difference) = lines::difference(&expected, &came) {
            panic!("{difference}");
        }
    }

    /// Returns the next point or batch that the test has not taken yet, and waits for it if
    /// necessary.
    ///
    /// # Panics
    /// Panics if no output arrives in time, and if the UDF has failed or ended.
    #[track_caller]
    pub fn next_within(&mut self, within: Duration) -> <H::Provides as Emitted>::Item {
        self.note("next_within");
        let awaited = match H::Provides::TYPE {
            EdgeType::Stream => "a point",
            EdgeType::Batch => "a batch",
        };
        expect(self.next(Instant::now() + within, within, awaited))
    }

    fn next(
        &mut self,
        deadline: Instant,
        within: Duration,
        awaited: &str,
    ) -> Result<<H::Provides as Emitted>::Item, String> {
        match self.driver.take_next() {
            Some(item) => Ok(item),
            None => {
                self.check()?;
                self.driver.wait_for_next(deadline, within, awaited)
            }
        }
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
