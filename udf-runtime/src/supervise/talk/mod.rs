//! The conversation with a worker: its requests and responses, and the output for Kapacitor.

mod input;
mod responses;

use crate::supervise::ledger::Ledger;
use crate::supervise::log::{Extent, Frame};
use crate::supervise::output::Checker;
use crate::supervise::requests::{self, Ask, Input, Requests, classify};
use crate::supervise::settings::{OnError, Settings};
use crate::supervise::store::{Given, Saved};

/// Why a worker cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) enum Fault {
    /// The worker has broken the protocol, which counts as a death.
    Death(String),
    /// The UDF has failed, and the reason goes to Kapacitor.
    Error(String),
}

/// The state that a new worker begins with.
#[derive(Debug, Default, Clone)]
pub(in crate::supervise) struct Base {
    /// The position of the first input that is not part of this state.
    pub(in crate::supervise) position: u64,
    /// The frame of the Init. None before the first checkpoint: the Init is in the log.
    pub(in crate::supervise) init: Option<Vec<u8>>,
    /// The snapshot. None if it is empty, or if there is none.
    pub(in crate::supervise) snapshot: Option<Vec<u8>>,
}

/// An event of the conversation.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::supervise) enum Event {
    /// Kapacitor has sent the Init of this task and node.
    Init { task: String, node: String },
    /// The worker has accepted the Init.
    Started,
    /// A new worker can begin with a new state. `is_passed` if Kapacitor has got it as well.
    Checkpoint { is_passed: bool },
    /// A snapshot is no checkpoint, since the worker is within a batch.
    NoCheckpoint,
    /// The worker has handled all input that the last one may have handled. It has sent `known`
    /// outputs again, and `differs` if it has sent others as well.
    Settled { known: u64, differs: bool },
    /// The worker has handled a [step](super::core::Step).
    Stepped,
    /// The saved checkpoint takes the place of the snapshot of Kapacitor.
    RestoredSaved,
    /// The worker has answered a request that it did not get.
    Unasked(Ask),
}

/// Counts of messages that have passed.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::supervise) struct Traffic {
    pub(in crate::supervise) points_in: u64,
    pub(in crate::supervise) batches_in: u64,
    pub(in crate::supervise) points_out: u64,
    pub(in crate::supervise) batches_out: u64,
}

/// A request that the front inserts into the input.
#[derive(Debug)]
struct Inserted {
    at: u64,
    frame: Vec<u8>,
    is_sent: bool,
}

/// A keepalive. Its answer shows that the worker has handled the input before it.
#[derive(Debug)]
struct Barrier {
    inserted: Inserted,
    time: i64,
    behind: Behind,
}

/// The input before a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// A [step](super::core::Step).
    Step,
    /// The input that the last worker may have handled.
    Repetition,
    /// All input.
    All,
}

/// The conversation with one worker after the other.
#[derive(Debug)]
pub(in crate::supervise) struct Talk {
    requests: Requests,
    pub(in crate::supervise) base: Base,
    /// The frame of an Init in the log.
    init: Option<Vec<u8>>,
    /// The snapshot of a Restore in the log.
    restored: Option<Vec<u8>>,
    /// The saved checkpoint, until it is clear whether it is restored.
    saved: Option<Saved>,
    /// The snapshots that Kapacitor has.
    pub(in crate::supervise) given: Given,
    pub(in crate::supervise) is_started: bool,
    pub(in crate::supervise) is_within_batch: bool,
    /// The end of the last data.
    data_end: u64,
    /// A range of the input that takes no part: the Restore that another one replaces.
    pub(in crate::supervise) left_out: Option<Extent>,
    /// A snapshot is requested at the next place outside of a batch.
    pub(in crate::supervise) wants_snapshot: bool,
    snapshot: Option<Inserted>,
    restore: Option<Inserted>,
    barrier: Option<Barrier>,
    /// The position of the last barrier that the present worker has answered.
    handled: u64,
    /// The time of the last barrier. Each has another one.
    last_time: i64,
    /// The position behind which nothing is sent to the worker.
    hold: u64,
    /// A request that is being sent between two frames.
    pending: Vec<u8>,
    pending_at: usize,
    checker: Checker,
    pub(in crate::supervise) ledger: Ledger,
    /// A batch of the worker that has not ended.
    held: Vec<u8>,
    /// Whether the begin of such a batch was passed on, because the batch is too large to be held.
    is_batch_exposed: bool,
    /// Whether such a batch is dropped.
    is_batch_dropped: bool,
    /// Output that is passed on before the response at hand.
    pub(in crate::supervise) out: Vec<u8>,
    pub(in crate::supervise) is_repeating: bool,
    /// Whether a worker has got the end of the input. A repetition then ends with the worker.
    pub(in crate::supervise) has_ended: bool,
    /// The number of responses, without signs of life that nobody asked for.
    pub(in crate::supervise) responses: u64,
    /// Whether input or output since the last checkpoint is no longer known, so that a death of the
    /// worker cannot be repaired.
    pub(in crate::supervise) is_unprotected: bool,
    on_error: OnError,
    pub(in crate::supervise) events: Vec<Event>,
    pub(in crate::supervise) traffic: Traffic,
}

impl Talk {
    pub(in crate::supervise) fn new(settings: &Settings) -> Self {
        Talk {
            requests: Requests::default(),
            base: Base::default(),
            init: None,
            restored: None,
            saved: None,
            given: Given::new(None),
            is_started: false,
            is_within_batch: false,
            data_end: 0,
            left_out: None,
            wants_snapshot: false,
            snapshot: None,
            restore: None,
            barrier: None,
            handled: 0,
            last_time: 0,
            hold: u64::MAX,
            pending: Vec::new(),
            pending_at: 0,
            checker: Checker::new(),
            ledger: Ledger::new(settings.at_least_once),
            held: Vec::new(),
            is_batch_exposed: false,
            is_batch_dropped: false,
            out: Vec::new(),
            is_repeating: false,
            has_ended: false,
            responses: 0,
            is_unprotected: false,
            on_error: settings.on_error,
            events: Vec::new(),
            traffic: Traffic::default(),
        }
    }

    // The input.

    /// Takes a frame from Kapacitor; see [`Core::read`](super::core::Core::read).
    #[inline]
    pub(in crate::supervise) fn input(
        &mut self,
        frame: &Frame<'_>,
        load: &mut impl FnMut(&str, &str) -> Option<Saved>,
    ) {
        match classify(frame.body) {
            Input::Point => {
                self.traffic.points_in += 1;
                self.data(frame.extent);
            }
            Input::Begin => {
                self.traffic.batches_in += 1;
                self.data(frame.extent);
                self.is_within_batch = true;
            }
            Input::End => {
                self.data(frame.extent);
                self.is_within_batch = false;
                self.place_snapshot(frame.extent.end);
            }
            Input::Init { task, node } => {
                if !self.has_init() {
                    self.saved = load(&task, &node);
                }
                // The last one before one is accepted.
                if !self.is_started {
                    self.init = Some(frame.whole.to_vec());
                }
                self.requests.add(frame.extent.end, Ask::Init, false);
                self.events.push(Event::Init { task, node });
            }
            Input::Restore { snapshot } => self.restore(frame.extent, snapshot),
            Input::Ask(ask) => {
                self.requests.add(frame.extent.end, ask, false);
                if self.is_within_batch {
                    self.requests.note_within_batch();
                }
            }
            Input::Other => {}
        }
    }

    #[inline]
    fn data(&mut self, extent: Extent) {
        if self.data_end == 0 {
            self.restore_saved(extent.start, None);
        }
        self.data_end = extent.end;
    }

    /// Returns whether data has come since the last checkpoint.
    pub(in crate::supervise) fn has_data(&self) -> bool {
        self.data_end > self.base.position
    }

    /// Returns whether the present worker has shown that it has handled all data.
    pub(in crate::supervise) fn has_handled_data(&self) -> bool {
        self.data_end <= self.handled.max(self.base.position)
    }

    fn restore(&mut self, extent: Extent, snapshot: Vec<u8>) {
        self.given = Given::new(Some(&snapshot));
        if self.restore_saved(extent.start, Some(&snapshot)) {
            self.left_out = Some(extent);
        } else {
            self.restored = Some(snapshot);
        }
        self.requests.add(extent.end, Ask::Restore, false);
    }

    /// Restores the saved checkpoint at `at`, if it wins over the snapshot of Kapacitor. Returns
    /// whether it does.
    fn restore_saved(&mut self, at: u64, restored: Option<&[u8]>) -> bool {
        let Some(saved) = self.saved.take().filter(|saved| saved.wins(restored)) else {
            return false;
        };
        let mut frame = Vec::new();
        requests::append_restore(&saved.snapshot, &mut frame);
        if restored.is_none() {
            self.requests.add(at, Ask::Restore, true);
        }
        self.restore = Some(Inserted { at, frame, is_sent: false });
        self.restored = Some(saved.snapshot);
        self.events.push(Event::RestoredSaved);
        true
    }

    /// Returns the frame of the last Init.
    pub(in crate::supervise) fn init(&self) -> Option<&[u8]> {
        self.base.init.as_deref().or(self.init.as_deref())
    }

    /// Returns whether an Init has come.
    pub(in crate::supervise) fn has_init(&self) -> bool {
        self.init().is_some()
    }

    /// Places a snapshot request behind `at`, if one is wanted and possible.
    pub(in crate::supervise) fn place_snapshot(&mut self, at: u64) {
        if self.wants_snapshot && !self.is_within_batch && self.is_started {
            let mut frame = Vec::new();
            requests::append_snapshot(&mut frame);
            self.requests.add(at, Ask::Snapshot, true);
            self.snapshot = Some(Inserted { at, frame, is_sent: false });
            self.wants_snapshot = false;
        }
    }

    /// Returns whether a snapshot request was placed, and is not answered.
    pub(in crate::supervise) fn awaits_answer_to_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Returns the place of the first snapshot request that is not answered.
    pub(in crate::supervise) fn next_snapshot(&self) -> Option<u64> {
        self.requests.next(Ask::Snapshot)
    }
}

/// Returns why the task ends if a new worker cannot go on.
pub(in crate::supervise) fn cannot_go_on(why: &str) -> String {
    format!(
        "the worker was replaced, and the new one cannot go on: {why}; fix the program, then disable and enable the \
         task"
    )
}

/// Returns why a worker that refuses options cannot go on.
pub(in crate::supervise) fn refused_options(why: &str) -> String {
    format!("it refuses the options: {why}")
}

/// Returns why a worker that refuses a snapshot cannot go on.
pub(in crate::supervise) fn refused_snapshot(why: &str) -> String {
    format!("it refuses the last checkpoint: {why}")
}
