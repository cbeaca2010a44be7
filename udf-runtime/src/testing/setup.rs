//! Starts a UDF in a test.

use std::sync::Arc;
use std::time::Duration;

use udf_host::{Error, Info, Init, Interface};
use udf_text::line_protocol::Grouping;
use udf_text::options;

use super::driver::Driver;
use super::{Emitted, TestTask};
use crate::agent::handler::Handler;
use crate::agent::link::OnUnfit;
use crate::udf::handler::UdfHandler;
use crate::udf::shared::Shared;
use crate::udf::traits::Udf;

/// Creates a task with the UDF `T`. Start it with [`Setup::start`].
pub fn udf<T: Udf + 'static>() -> Setup<UdfHandler<T>> {
    handler(UdfHandler::new)
}

/// Creates a task with a [`Handler`]. Start it with [`Setup::start`].
///
/// The task calls `make` for each connection: Kapacitor opens one connection to ask for Info, and
/// one for each task.
pub fn handler<H: Handler>(make: impl Fn() -> H + Send + Sync + 'static) -> Setup<H> {
    Setup {
        make: Arc::new(make),
        options: Vec::new(),
        grouping: Vec::new(),
        by_name: false,
        task_id: "test".to_owned(),
        node_id: "udf".to_owned(),
        on_unfit: OnUnfit::default(),
        timeout: Duration::from_secs(10),
        tolerance: 0.0,
    }
}

/// A task that has not been started, with its options and the grouping of its points.
#[must_use = "nothing runs before `start` or `refusal` is called"]
pub struct Setup<H> {
    make: Arc<dyn Fn() -> H + Send + Sync>,
    options: Vec<String>,
    grouping: Vec<String>,
    by_name: bool,
    task_id: String,
    node_id: String,
    on_unfit: OnUnfit,
    timeout: Duration,
    pub(super) tolerance: f64,
}

impl<T: Udf + 'static> Setup<UdfHandler<T>> {
    /// Supplies the thing for `#[shared]` fields of this type.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use udf_runtime::shared::{Arguments, Shared};
    /// # use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, testing, udf};
    /// struct Factor(f64);
    ///
    /// impl Shared for Factor {
    ///     fn open(_: &Arguments) -> Result<Self> {
    ///         Ok(Factor(10.0))
    ///     }
    /// }
    ///
    /// /// Multiplies a field.
    /// #[udf(wants = stream, provides = stream)]
    /// struct Multiply {
    ///     #[shared]
    ///     by: Arc<Factor>,
    /// }
    ///
    /// impl StreamUdf for Multiply {
    ///     fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
    ///         Ok(out.edit(point).field("v", point.number("v")? * self.by.0).send()?)
    ///     }
    /// }
    ///
    /// // #[test]
    /// fn multiplies() {
    ///     let mut task = testing::udf::<Multiply>().shared(Arc::new(Factor(2.0))).start();
    ///     task.feed("m v=4 1");
    ///     task.emits("m v=8 1");
    /// }
    /// # multiplies();
    /// ```
    pub fn shared<S: Shared>(mut self, thing: Arc<S>) -> Self {
        let make = self.make;
        self.make = Arc::new(move || make().shared(Arc::clone(&thing)));
        self
    }
}

/// The reason why the UDF could not be started.
enum NotStarted {
    /// The UDF refused its Init.
    Refused(String),
    /// Any other failure.
    Failed(String),
}

impl<H: Handler<Provides: Emitted>> Setup<H> {
    /// Calls an option, as `-o` of `replay` does: `field=usage`, `window=10,1m`, or the name of a
    /// flag.
    ///
    /// The UDF's own Info decides the types of the arguments. Repeated calls add up, as in a
    /// TICKscript.
    pub fn option(mut self, call: impl Into<String>) -> Self {
        self.options.push(call.into());
        self
    }

    /// Groups the input by these tags, separated by commas. `*` stands for all tags.
    pub fn group_by(mut self, tags: &str) -> Self {
        self.grouping.push(tags.to_owned());
        self
    }

    /// Groups the input by the name of the measurement as well.
    pub fn by_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    /// Sets the name of the task. Defaults to `test`.
    pub fn task_id(mut self, name: impl Into<String>) -> Self {
        self.task_id = name.into();
        self
    }

    /// Sets the name of the node. Defaults to `udf`.
    pub fn node_id(mut self, name: impl Into<String>) -> Self {
        self.node_id = name.into();
        self
    }

    /// Sets what happens to points that Kapacitor cannot store; see [`OnUnfit`]. Defaults to
    /// [`OnUnfit::Drop`].
    pub fn unfit_points(mut self, on_unfit: OnUnfit) -> Self {
        self.on_unfit = on_unfit;
        self
    }

    /// Sets the timeout of every step of the UDF, after which the test fails. Defaults to 10
    /// seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Accepts floats in the output that differ from the expected ones by this much, relative to
    /// the larger of the two. If both are below 1, the difference itself is at most the tolerance.
    /// A usual tolerance is `1e-9`. Defaults to 0, for exact comparisons.
    ///
    /// # Panics
    /// Panics if the tolerance is negative or NaN.
    #[track_caller]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        assert!(tolerance >= 0.0, "a tolerance must be at least 0, but this one is {tolerance}");
        self.tolerance = tolerance;
        self
    }

    /// Starts the UDF.
    ///
    /// # Panics
    /// Panics if the options do not match the UDF's Info, which Kapacitor would report; if the UDF
    /// refuses the options; and if the UDF fails.
    #[track_caller]
    pub fn start(self) -> TestTask<H> {
        let driver = self.start_driver();
        TestTask::new(self, driver)
    }

    #[track_caller]
    pub(super) fn start_driver(&self) -> Driver<H::Provides> {
        match self.try_start() {
            Ok(driver) => driver,
            Err(NotStarted::Refused(text)) => panic!("the UDF refused its options: {text}"),
            Err(NotStarted::Failed(text)) => panic!("{text}"),
        }
    }

    /// Returns the text with which the UDF refuses its options.
    ///
    /// Kapacitor shows this text after "failed to initialize processes".
    ///
    /// # Panics
    /// Panics if the UDF accepts the options, if Kapacitor itself would refuse them, and if the UDF
    /// fails.
    #[track_caller]
    pub fn refusal(self) -> String {
        match self.try_start() {
            Ok(_) => panic!(
                "expected the UDF to refuse its options, but it accepted them: {:?}",
                self.options
            ),
            Err(NotStarted::Refused(text)) => text,
            Err(NotStarted::Failed(text)) => panic!("{text}"),
        }
    }

    fn try_start(&self) -> Result<Driver<H::Provides>, NotStarted> {
        let info = self.info().map_err(NotStarted::Failed)?;
        let options = options::parse(&info, &self.options).map_err(|error| {
            NotStarted::Failed(format!("Kapacitor itself would refuse these options: {error}"))
        })?;
        let mut driver = self.connect().map_err(NotStarted::Failed)?;
        let (task_id, node_id) = (self.task_id.clone(), self.node_id.clone());
        let init = Init { options, task_id, node_id };
        let accepted = driver.call("the answer to Init", |udf| {
            udf.request_ticks(false)?;
            match udf.init(init) {
                Err(Error::InitRefused(text)) => Ok(Err(NotStarted::Refused(text))),
                result => result.map(Ok),
            }
        });
        accepted.map_err(NotStarted::Failed)?.map(|()| driver)
    }

    /// Asks for the UDF's Info on a separate connection.
    fn info(&self) -> Result<Info, String> {
        let mut driver = self.connect()?;
        let info = driver.call("the answer to Info", Interface::info)?;
        driver.end()?;
        Ok(info)
    }

    fn connect(&self) -> Result<Driver<H::Provides>, String> {
        Driver::start(Box::new((self.make)()), self.on_unfit, self.timeout)
    }

    /// Returns a copy of this task.
    pub(super) fn again(&self) -> Self {
        Setup {
            make: Arc::clone(&self.make),
            options: self.options.clone(),
            grouping: self.grouping.clone(),
            by_name: self.by_name,
            task_id: self.task_id.clone(),
            node_id: self.node_id.clone(),
            on_unfit: self.on_unfit,
            timeout: self.timeout,
            tolerance: self.tolerance,
        }
    }

    /// Replaces the calls of options.
    pub(super) fn with_options(self, options: Vec<String>) -> Self {
        Setup { options, ..self }
    }

    pub(super) fn grouping(&self) -> Grouping {
        Grouping::parse(&self.grouping.join(",")).by_name(self.by_name)
    }
}

impl<H> std::fmt::Debug for Setup<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("options", &self.options).finish_non_exhaustive()
    }
}
