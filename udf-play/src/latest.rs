//! Runs only the latest of several requests: a newer request aborts the run of the older one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use udf_proto::{EdgeType, PointBuf};
use udf_text::batch::WholeBatch;

use udf_host::Error;
use udf_host::{BatchIn, PointIn, Receiver, Sink};
use udf_host::{Info, Init, Interface};

/// The runs of a page.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Held by the request that runs.
    turn: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The number of the latest request.
    latest: u64,
    /// The open connections of the present run.
    open: Vec<Arc<dyn Interface>>,
}

/// One run.
#[derive(Clone)]
pub(crate) struct Run {
    runs: Runs,
    number: u64,
}

impl Runs {
    /// Runs `work` when the earlier run has ended. Returns `None` if a newer request has come.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&Run) -> T) -> Option<T> {
        let run = {
            let mut state = self.state();
            state.latest += 1;
            state.open.drain(..).for_each(|udf| udf.abort(superseded()));
            Run { runs: self.clone(), number: state.latest }
        };
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if !run.is_latest() {
            return None;
        }
        let done = work(&run);
        let mut state = self.state();
        state.open.clear();
        (state.latest == run.number).then_some(done)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn superseded() -> Error {
    Error::Aborted("a newer request has come".to_owned())
}

impl Run {
    fn is_latest(&self) -> bool {
        self.runs.state().latest == self.number
    }

    /// Returns a connection that a newer request aborts.
    pub(crate) fn watch(&self, udf: Box<dyn Interface>) -> Box<dyn Interface> {
        Box::new(Watched { udf: udf.into(), run: self.clone() })
    }
}

struct Watched {
    udf: Arc<dyn Interface>,
    run: Run,
}

impl Interface for Watched {
    fn open(&self) -> Result<(), Error> {
        self.udf.open()?;
        let mut state = self.run.runs.state();
        if state.latest == self.run.number {
            state.open.push(Arc::clone(&self.udf));
        } else {
            self.udf.abort(superseded());
        }
        Ok(())
    }

    fn info(&self) -> Result<Info, Error> {
        self.udf.info()
    }

    fn init(&self, init: Init) -> Result<(), Error> {
        self.udf.init(init)
    }

    fn keepalive(&self) -> Result<(), Error> {
        self.udf.keepalive()
    }

    fn abort(&self, error: Error) {
        self.udf.abort(error);
    }

    fn close(&self) -> Result<(), Error> {
        self.udf.close()
    }

    fn snapshot(&self) -> Result<Vec<u8>, Error> {
        self.udf.snapshot()
    }

    fn restore(&self, snapshot: Vec<u8>) -> Result<(), Error> {
        self.udf.restore(snapshot)
    }

    fn point_in(&self) -> Result<PointIn, Error> {
        self.udf.point_in()
    }

    fn batch_in(&self) -> Result<BatchIn, Error> {
        self.udf.batch_in()
    }

    fn point_out(&self) -> Result<Receiver<PointBuf>, Error> {
        self.udf.point_out()
    }

    fn batch_out(&self) -> Result<Receiver<WholeBatch>, Error> {
        self.udf.batch_out()
    }

    fn data_to(&self, provides: EdgeType, sink: Box<dyn Sink>) -> Result<(), Error> {
        self.udf.data_to(provides, sink)
    }

    fn request_ticks(&self, strict: bool) -> Result<(), Error> {
        self.udf.request_ticks(strict)
    }

    fn tick_every(&self) -> Result<Option<Duration>, Error> {
        self.udf.tick_every()
    }

    fn tick(&self, time: i64) -> Result<(), Error> {
        self.udf.tick(time)
    }
}
