//! Handlers without their types: with these, the agent, the server and the homes of a UDF are
//! compiled once, and not in the crate of each author.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use udf_proto::{BeginBatch, EdgeType, EndBatch, Init, Point, ValueType};

use crate::agent::crew::Crew;
use crate::agent::edge::Edge;
use crate::agent::emitter::{Emitter, Output};
use crate::agent::error::Result;
use crate::agent::handler::{Handler, Verdict};
use crate::agent::link::Link;

/// A handler of any type.
pub(crate) trait AnyHandler: Send {
    /// Gives the handler an emitter that writes to `link`.
    fn connect(self: Box<Self>, link: &Arc<Link>) -> Box<dyn Connected>;
}

impl<H: Handler> AnyHandler for H {
    fn connect(self: Box<Self>, link: &Arc<Link>) -> Box<dyn Connected> {
        Box::new(Pair { handler: *self, out: Emitter::new(Arc::clone(link)) })
    }
}

/// A handler of any type with its emitter. The methods are those of [`Handler`].
pub(crate) trait Connected: Send {
    /// Returns the edge that the UDF reads from, and the edge that it writes to.
    fn edges(&self) -> (EdgeType, EdgeType);
    fn output(&mut self) -> &mut Output;
    fn info(&self) -> BTreeMap<String, Vec<ValueType>>;
    fn init(&mut self, init: Init) -> Result<Verdict>;
    fn snapshot(&mut self) -> Result<Vec<u8>>;
    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict>;
    fn begin_batch(&mut self, begin: &BeginBatch) -> Result<()>;
    fn point(&mut self, point: &Point<'_>) -> Result<()>;
    fn end_batch(&mut self, end: &EndBatch) -> Result<()>;
    fn tick_every(&self) -> Option<Duration>;
    fn tick(&mut self) -> Result<()>;
    fn finish(&mut self) -> Result<()>;
    fn crew(&self) -> Option<Arc<Crew>>;
    fn stop(&mut self);
}

struct Pair<H: Handler> {
    handler: H,
    out: Emitter<H::Provides>,
}

impl<H: Handler> Connected for Pair<H> {
    fn edges(&self) -> (EdgeType, EdgeType) {
        (H::Wants::TYPE, H::Provides::TYPE)
    }

    fn output(&mut self) -> &mut Output {
        &mut self.out.output
    }

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        self.handler.info()
    }

    fn init(&mut self, init: Init) -> Result<Verdict> {
        self.handler.init(init, &self.out.remote())
    }

    fn snapshot(&mut self) -> Result<Vec<u8>> {
        self.handler.snapshot()
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<Verdict> {
        self.handler.restore(snapshot)
    }

    fn begin_batch(&mut self, begin: &BeginBatch) -> Result<()> {
        self.handler.begin_batch(begin, &mut self.out)
    }

    fn point(&mut self, point: &Point<'_>) -> Result<()> {
        self.out.output.set_time(Some(point.time()));
        self.handler.point(point, &mut self.out)
    }

    fn end_batch(&mut self, end: &EndBatch) -> Result<()> {
        self.handler.end_batch(end, &mut self.out)
    }

    fn tick_every(&self) -> Option<Duration> {
        self.handler.tick_every()
    }

    fn tick(&mut self) -> Result<()> {
        self.handler.tick(&mut self.out)
    }

    fn finish(&mut self) -> Result<()> {
        self.handler.finish(&mut self.out)
    }

    fn crew(&self) -> Option<Arc<Crew>> {
        self.handler.crew()
    }

    fn stop(&mut self) {
        self.handler.stop();
    }
}
