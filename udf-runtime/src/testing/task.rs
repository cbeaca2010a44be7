//! A UDF that runs in a test.

use std::panic::Location;
use std::thread;
use std::time::{Duration, Instant};

use udf_host::{Error, Interface};
use udf_proto::{EdgeType, PointBuf};
use udf_text::line_protocol::LineReader;
use udf_text::windows::Batches;

use super::driver::Driver;
use super::lines::{self, Line};
use super::output::Emitted;
use super::{Setup, WholeBatch};
use crate::agent::edge::{Batch, Edge, Stream};
use crate::agent::handler::Handler;

/// A UDF that runs in a test, which plays Kapacitor's part.
///
/// When it is dropped, its input ends; that fails the test if the UDF fails, or has failed unnoticed.
pub struct TestTask<H: Handler<Provides: Emitted>> {
    setup: Setup<H>,
    driver: Driver<H::Provides>,
    /// The time of lines without one.
    time: i64,
    /// What the test did last, and where, for a failure that is told later.
    last: (&'static str, &'static Location<'static>),
}

/// Data that a UDF is fed.
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

    /// Feeds points of line protocol, and waits until the UDF has handled them.
    ///
    /// Each line is a point; blanks before it and empty lines do not count. Times are nanoseconds. A line without a time has that of
    /// the line before it, and the first one 0. A UDF that wants batches gets one for each measurement and
    /// group of the text; the time of a batch is that of its latest point.
    ///
    /// That the UDF fails is told by what follows, so that [`failure`](Self::failure) can ask for it.
    ///
    /// # Panics
    /// When the text is no line protocol, when the UDF has failed or its input has ended, and when it takes
    /// too long.
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
                EdgeType::Batch => batches.push(point.as_point().to_message()),
            }
        }
        Ok(match H::Wants::TYPE {
            EdgeType::Stream => Data::Points(points),
            EdgeType::Batch => Data::Batches(batches.take().collect()),
        })
    }

    /// Sends data, and waits until it is handled or the UDF has failed.
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

    /// Whether the UDF has failed before.
    fn check(&self) -> Result<(), String> {
        let (doing, place) = self.last;
        match &self.driver.failure {
            Some(text) => Err(format!("the UDF failed in `{doing}` at {place}: {text}")),
            None => Ok(()),
        }
    }

    #[track_caller]
    fn note(&mut self, doing: &'static str) {
        // A failure belongs to what was done before it.
        if self.driver.failure.is_none() {
            self.last = (doing, Location::caller());
        }
    }

    /// Sends a keepalive, and waits for its answer. All that was fed is handled then.
    ///
    /// # Panics
    /// When none comes in time, and when the UDF has failed or its input has ended.
    #[track_caller]
    pub fn keepalive(&mut self) {
        self.note("keepalive");
        expect(self.check());
        let awaited = "the answer to a keepalive; is the UDF still busy?";
        expect(self.driver.call(awaited, Interface::keepalive));
    }

    /// The state of the UDF.
    ///
    /// # Panics
    /// When none comes in time, and when the UDF fails or its input has ended.
    #[track_caller]
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.note("snapshot");
        expect(self.try_snapshot())
    }

    fn try_snapshot(&mut self) -> Result<Vec<u8>, String> {
        self.check()?;
        self.driver.call("the answer to a snapshot request", Interface::snapshot)
    }

    /// Gives the UDF an earlier snapshot, of itself or of another one.
    ///
    /// # Panics
    /// When the UDF refuses it, fails, or takes too long, and when its input has ended.
    #[track_caller]
    pub fn restore(&mut self, snapshot: &[u8]) {
        self.note("restore");
        if let Some(text) = expect(self.try_restore(snapshot)) {
            panic!("the UDF refused to restore the snapshot: {text}");
        }
    }

    /// The text with which the UDF refuses to restore this snapshot.
    ///
    /// # Panics
    /// When the UDF takes it, fails, or takes too long, and when its input has ended.
    #[track_caller]
    pub fn restore_refusal(&mut self, snapshot: &[u8]) -> String {
        self.note("restore_refusal");
        match expect(self.try_restore(snapshot)) {
            Some(text) => text,
            None => panic!("the UDF was to refuse the snapshot, but took it"),
        }
    }

    /// The text of the refusal, if it is one.
    fn try_restore(&mut self, snapshot: &[u8]) -> Result<Option<String>, String> {
        self.check()?;
        let snapshot = snapshot.to_vec();
        self.driver.call("the answer to a restore request", |udf| match udf.restore(snapshot) {
            Ok(()) => Ok(None),
            Err(Error::RestoreRefused(text)) => Ok(Some(text)),
            Err(error) => Err(error),
        })
    }

    /// What happens when Kapacitor is restarted: takes a snapshot, ends this UDF, and starts another
    /// one with the same options and the snapshot.
    ///
    /// What was emitted and not taken yet can be taken from the new one.
    ///
    /// # Panics
    /// When any of this fails.
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

    /// Everything that the UDF has emitted by now and that was not taken yet: points, or whole batches.
    ///
    /// What it emits while it handles what it is fed is part of it; for what comes from ticks and
    /// threads, see [`next_within`](Self::next_within).
    ///
    /// # Panics
    /// When the UDF has failed, or is busy for too long.
    #[track_caller]
    pub fn output(&mut self) -> Vec<<H::Provides as Emitted>::Item> {
        self.note("output");
        expect(self.gather());
        self.driver.take()
    }

    /// Takes in what has been emitted by now.
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

    /// As [`output`](Self::output), each point as line protocol, with its tags and fields in the order of
    /// their names.
    ///
    /// # Panics
    /// Those of [`output`](Self::output).
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

    /// Says what the UDF has emitted by now and that was not taken yet, as line protocol, and takes it.
    ///
    /// The order of the points counts, that of the tags and fields of a point does not. Floats and
    /// integers are not the same: `1` is a float, `1i` an integer. A line without a time fits any time. Of batches, the points are
    /// compared; [`output`](Self::output) has the rest.
    ///
    /// # Panics
    /// When it has emitted anything else, and those of [`output`](Self::output).
    #[track_caller]
    pub fn emits(&mut self, text: &str) {
        self.note("emits");
        let expected = expect(lines::expected(text));
        expect(self.gather());
        if let Some(difference) = lines::difference(&expected, &self.take_lines()) {
            panic!("{difference}");
        }
    }

    /// Says that the UDF has emitted nothing by now that was not taken yet, not even an empty batch.
    ///
    /// # Panics
    /// When it has, and those of [`output`](Self::output).
    #[track_caller]
    pub fn emits_nothing(&mut self) {
        self.note("emits_nothing");
        expect(self.gather());
        let output = self.driver.take();
        assert!(output.is_empty(), "the UDF was to emit nothing, but sent {output:#?}");
    }

    /// As [`emits`](Self::emits), and waits for as many points as there are lines: for those of ticks and threads.
    ///
    /// It takes no more than these. Points that come behind them are for the next call.
    ///
    /// # Panics
    /// When they do not come in time, and when others come.
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

    /// The next point or batch that was not taken yet; waits for it, if need be.
    ///
    /// # Panics
    /// When none comes in time, and when the UDF has failed or ended.
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

    /// The text with which the UDF fails; it is what Kapacitor logs as the reason why the task has stopped.
    ///
    /// It waits for the failure, if need be. What was emitted before it can still be taken.
    ///
    /// # Panics
    /// When the UDF does not fail in time.
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

    /// Ends the input, and waits until the UDF has ended. What it emitted until then can be taken.
    ///
    /// # Panics
    /// When that takes too long, and when the UDF had failed before.
    #[track_caller]
    pub fn end(&mut self) {
        expect(self.check());
        self.note("end");
        expect(self.driver.end());
    }
}

impl<H: Handler<Wants = Stream, Provides: Emitted>> TestTask<H> {
    /// Feeds a point, which is grouped as text is, and waits until the UDF has handled it.
    ///
    /// # Panics
    /// Those of [`feed`](Self::feed).
    #[track_caller]
    pub fn feed_point(&mut self, point: &PointBuf) {
        self.note("feed_point");
        let mut point = point.as_point().to_message();
        self.setup.grouping().apply(&mut point);
        expect(self.hand_over(Data::Points(vec![point.into()])));
    }
}

impl<H: Handler<Wants = Batch, Provides: Emitted>> TestTask<H> {
    /// Feeds a batch as it is, and waits until the UDF has handled it.
    ///
    /// # Panics
    /// Those of [`feed`](Self::feed).
    #[track_caller]
    pub fn feed_batch(&mut self, batch: &WholeBatch) {
        self.note("feed_batch");
        expect(self.hand_over(Data::Batches(vec![batch.clone()])));
    }
}

impl<H: Handler<Provides: Emitted>> Drop for TestTask<H> {
    fn drop(&mut self) {
        // A test that has failed already is told why by its own panic.
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
