//! A worker that drives a partition.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::watch;
use udf_nats::partition::{self, Counters, OnPoison, PartitionError, Settings};
use udf_nats::split;
use udf_text::line_protocol::Grouping;

use crate::log::SimLog;
use crate::sim::{Flag, Sim, SimClock};
use crate::udf::SimUdf;

/// What differs between runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) max_payload: usize,
    pub(crate) chunk_bytes: usize,
    pub(crate) depth: usize,
    pub(crate) snapshot_every: Duration,
    pub(crate) snapshot_bytes: u64,
    pub(crate) tick_every: Option<Duration>,
    pub(crate) skip_lost: bool,
    pub(crate) on_poison: OnPoison,
    /// The number of partitions, if the workers split.
    pub(crate) split: Option<u32>,
}

/// The input of a splitter, among the inputs of the partitions.
pub(crate) const RAW: u32 = u32::MAX;

/// The events of all workers of a run, as words.
pub(crate) type Events = Rc<RefCell<Vec<&'static str>>>;

pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) is_paused: bool,
    pub(crate) counters: Arc<Counters>,
    leave: watch::Sender<bool>,
    flag: Arc<Flag>,
    sim: Rc<Sim>,
    task: Pin<Box<dyn Future<Output = Result<(), PartitionError>>>>,
}

impl Worker {
    pub(crate) fn new(
        sim: &Rc<Sim>,
        partition: u32,
        number: u64,
        config: &Config,
        events: &Events,
    ) -> Self {
        let (name, counters) = (format!("w{number}"), Arc::new(Counters::default()));
        let (leave, leaving) = watch::channel(false);
        let splitting = config.split.map(|partitions| {
            split::Settings::new(partitions, name.clone(), Grouping::by(["host"]))
                .save_every(config.snapshot_every)
                .skip_lost(config.skip_lost)
                .chunk_bytes(config.chunk_bytes)
                .depth(config.depth)
        });
        let settings = Settings::new(partition, name.clone())
            .skip_lost(config.skip_lost)
            .on_poison(config.on_poison)
            .state_of("model", "host")
            .snapshot_every(config.snapshot_every)
            .snapshot_bytes(config.snapshot_bytes)
            .chunk_bytes(config.chunk_bytes)
            .depth(config.depth);
        let max_payload = config.max_payload;
        let log = SimLog { sim: sim.clone(), partition, max_payload, name: name.clone() };
        let (tick_every, chunks) = (config.tick_every, Default::default());
        let mut udf = SimUdf { sim: sim.clone(), tick_every, model: None, chunks };
        let (clock, counted, events) = (SimClock(sim.clone()), counters.clone(), events.clone());
        let (of, sim, called) = (sim.clone(), sim.clone(), name.clone());
        let task = Box::pin(async move {
            let report = |event: &partition::Event<'_>| {
                sim.trace(|| format!("{called} of {partition}: {event}"));
                events.borrow_mut().push(word(event));
                if let Some(texts) = &mut *sim.texts.borrow_mut() {
                    texts.push(event.to_string());
                }
            };
            if let Some(settings) = splitting {
                return split::drive(&settings, &log, &clock, &counted, leaving, &report).await;
            }
            partition::drive(&settings, &log, &clock, &mut udf, &counted, leaving, &report).await
        });
        let flag = Arc::new(Flag::default());
        flag.set(true);
        Worker { name, is_paused: false, counters, leave, flag, sim: of, task }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.flag.is_set() && !self.is_paused
    }

    pub(crate) fn poll(&mut self) -> Poll<Result<(), PartitionError>> {
        self.flag.set(false);
        self.sim.looks.set(0);
        let waker = Waker::from(self.flag.clone());
        self.task.as_mut().poll(&mut Context::from_waker(&waker))
    }

    pub(crate) fn leave(&self) {
        self.leave.send_replace(true);
    }
}

fn word(event: &partition::Event<'_>) -> &'static str {
    use partition::{Event, Refused};
    match event {
        Event::Fenced { what: Refused::Output, .. } => "fenced",
        Event::Fenced { what: Refused::State, .. } => "fenced at the state",
        Event::FoundInLog { .. } => "found in the log",
        Event::UdfEnded { .. } => "UDF ended",
        Event::Poison { .. } => "poison",
        Event::LineTooLong { .. } => "line too long",
        Event::Differs { .. } => "differs",
        Event::Stored { .. } => "snapshot",
        Event::Replayed { .. } => "replay",
        Event::Unavailable { .. } => "outage",
        _ => "other",
    }
}
