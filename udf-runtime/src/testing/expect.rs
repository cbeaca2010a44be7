//! The output of a UDF in a test, taken or compared.

use std::time::{Duration, Instant};

use udf_host::Interface;
use udf_proto::EdgeType;

use super::TestTask;
use super::expected::Expected;
use super::lines::Line;
use super::output::Emitted;
use super::task::expect;
use crate::agent::edge::Edge;
use crate::agent::handler::Handler;

impl<H: Handler<Provides: Emitted>> TestTask<H> {
    /// Returns all output that the test has not taken yet: points, or whole batches.
    ///
    /// This includes all output for earlier input. For output of threads, see
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
            let awaited = "the UDF to send its output; the handler may still be busy";
            let handled = self.driver.call(awaited, Interface::keepalive);
            self.unless_failed(handled)?;
            self.check()?;
        }
        Ok(())
    }

    /// Returns the same output as [`output`](Self::output) as lines, with tags and fields in the
    /// order of their names. The points of a batch follow a line `# batch cpu,host=a 60`; see
    /// [`emits`](Self::emits).
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
    /// The order of the points matters, unless you call
    /// [`emits_in_any_order`](Self::emits_in_any_order). The order of tags and fields does not
    /// matter. Floats and integers differ: `1` is a float, `1i` an integer. For floats that are not
    /// exact, see [`Setup::tolerance`](super::Setup::tolerance). A line without a time matches any
    /// time.
    ///
    /// For a UDF that provides batches, the points are compared, and not their batches. To compare
    /// these too, write a line before the points of each batch, as `replay` prints it:
    ///
    /// ```text
    /// # batch cpu,host=a 60
    /// cpu,host=a usage=1 10
    /// cpu,host=a usage=2 20
    /// # batch cpu,host=b 60
    /// cpu,host=b usage=3 10
    /// ```
    ///
    /// The line names the measurement, the tags that all points share, and the time of the batch,
    /// which you can leave out.
    ///
    /// # Panics
    /// Panics if the output differs, and as [`output`](Self::output) does.
    #[track_caller]
    pub fn emits(&mut self, text: &str) {
        self.note("emits");
        let expected = expect(self.expected(text));
        expect(self.gather());
        self.compare(&expected);
    }

    /// Checks the output as [`emits`](Self::emits) does, but ignores the order of the points. If
    /// the text names batches, the batches can come in any order, each with its points in order.
    ///
    /// # Panics
    /// Panics as [`emits`](Self::emits) does.
    #[track_caller]
    pub fn emits_in_any_order(&mut self, text: &str) {
        self.note("emits_in_any_order");
        let expected = expect(self.expected(text)).in_any_order();
        expect(self.gather());
        self.compare(&expected);
    }

    fn expected(&self, text: &str) -> Result<Expected, String> {
        let expected = Expected::parse(text, self.setup.tolerance)?;
        if expected.has_batches && H::Provides::TYPE == EdgeType::Stream {
            return Err("the expected text has batches, but the UDF provides a stream".to_owned());
        }
        Ok(expected)
    }

    #[track_caller]
    fn compare(&mut self, expected: &Expected) {
        let came = expected.compared(self.take_lines());
        if let Some(difference) = expected.difference(&came) {
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
    /// lines. Use it for output of threads.
    ///
    /// Later points are left for the next call.
    ///
    /// # Panics
    /// Panics if the points do not arrive in time, and if they differ.
    #[track_caller]
    pub fn emits_within(&mut self, within: Duration, text: &str) {
        self.note("emits_within");
        let expected = expect(self.expected(text));
        let deadline = Instant::now() + within;
        let mut came = Vec::new();
        while came.len() < expected.len() {
            match self.next(deadline, within, &expected.awaited()) {
                Ok(item) => {
                    let mut lines = Vec::new();
                    H::Provides::lines(&item, &mut lines);
                    came.append(&mut expected.compared(lines));
                }
                Err(error) => {
                    let difference = expected.difference(&came).unwrap_or_default();
                    panic!("{error}\n{difference}");
                }
            }
        }
        if let Some(difference) = expected.difference(&came) {
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
}
