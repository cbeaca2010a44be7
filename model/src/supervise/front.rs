//! The front of a connection: the loop around the engine, without clocks and files.

use std::sync::Arc;
use std::time::Instant;

use shuttle::thread;
use udf_proto::Info;
use udf_proto::frame::FrameReader;

use super::core::{Core, Step};
use super::deaths::{Deaths, Next};
use super::handover::Upgrade;
use super::settings::Settings;
use super::start::Start;
use super::talk::{Event, Fault};
use super::udf::{Kind, Udf, Version};
use super::worker;
use super::world::{Stdout, World};

/// The maximum length of a frame.
const LIMIT: usize = 1 << 10;

pub(super) struct Front {
    pub(super) world: Arc<World>,
    kind: Kind,
    /// The version of the program now, and behind an upgrade.
    pub(super) version: Version,
    pub(super) next: Version,
    memory: usize,
    room: usize,
    pub(super) core: Core,
    pub(super) worker: Option<Worker>,
    pub(super) info: Option<Info>,
    deaths: Deaths,
    pub(super) search: Option<Search>,
    pub(super) upgrade: Option<Upgrade>,
    /// The numbers of checkpoints and upgrades that were handled.
    checkpoints: u32,
    pub(super) upgrades: u32,
    pub(super) is_closed: bool,
    end: Option<Result<(), String>>,
}

pub(super) struct Worker {
    pub(super) id: usize,
    pub(super) frames: FrameReader<Stdout>,
    /// None while it serves.
    pub(super) start: Option<Start>,
    has_ended_input: bool,
    /// Whether its output has ended.
    pub(super) has_ended: bool,
}

/// The search for the input that kills the worker.
pub(super) struct Search {
    until: u64,
    step: Option<Step>,
    suspect: Option<u64>,
}

impl Front {
    pub(super) fn new(world: Arc<World>, kind: Kind, next: Version, settings: &Settings) -> Self {
        let room = world.lock().room;
        Front {
            world,
            kind,
            version: Version::Old,
            next,
            memory: settings.memory,
            room,
            core: Core::new(settings),
            worker: None,
            info: None,
            deaths: Deaths::new(settings),
            search: None,
            upgrade: None,
            checkpoints: 0,
            upgrades: 0,
            is_closed: false,
            end: None,
        }
    }

    /// Serves until the end, which is an error if the task fails.
    pub(super) fn run(mut self) -> Result<(), String> {
        loop {
            self.look_after_worker();
            self.look_after_upgrade();
            self.feed();
            self.request_checkpoint();
            if let Some(end) = self.end.take() {
                let mut state = self.world.lock();
                state.processes.iter_mut().for_each(|process| process.stdout.is_closed = true);
                state.is_over = true;
                drop(state);
                self.world.for_worker.notify_all();
                self.world.for_kapacitor.notify_all();
                return end;
            }
            self.exchange();
        }
    }

    /// Waits until something can be read or written, and reads.
    fn exchange(&mut self) {
        let reads_input = !self.is_closed && self.core.may_read(false);
        let is_held = self.upgrade.as_ref().is_some_and(Upgrade::is_restoring);
        let worker = self.worker.as_ref().filter(|worker| !worker.has_ended);
        let reads_from = worker.filter(|_| !is_held).map(|worker| worker.id);
        let candidate = self.upgrade.as_ref().map(|upgrade| &upgrade.worker);
        let mut writes_to = Vec::new();
        for worker in worker.into_iter().chain(candidate) {
            let has_unsent = match &worker.start {
                Some(start) => !start.unsent().is_empty(),
                None => !self.core.unsent().is_empty(),
            };
            writes_to.extend(has_unsent.then_some(worker.id));
        }
        let candidate = candidate.map(|candidate| candidate.id);
        let (checkpoints, upgrades) = (self.checkpoints, self.upgrades);
        let may_begin_upgrade = self.may_begin_upgrade();
        let is_done = self.worker.is_none();
        let (mut has_input, mut has_response, mut has_candidate) = (false, false, false);
        drop(self.world.wait(&self.world.for_front, |state| {
            let is_ready = |id: usize| state.processes[id].stdout.is_ready();
            has_input = reads_input && state.input.is_ready();
            has_response = reads_from.is_some_and(is_ready);
            has_candidate = candidate.is_some_and(is_ready);
            let has_room = |id: &usize| {
                let process = &state.processes[*id];
                process.is_alive() && process.stdin.has_room()
            };
            let is_asked =
                state.checkpoints != checkpoints || may_begin_upgrade && state.upgrades != upgrades;
            let can_do = has_input || has_response || has_candidate || is_asked;
            can_do || is_done || writes_to.iter().any(has_room)
        }));
        if has_response {
            self.read_worker();
        }
        if has_candidate {
            self.read_candidate();
        }
        if has_input {
            self.read_input();
        }
    }

    fn read_input(&mut self) {
        let mut state = self.world.lock();
        let read = state.input.read(self.core.room());
        drop(state);
        self.world.for_kapacitor.notify_all();
        if read == 0 {
            self.is_closed = true;
            return self.core.check_end().expect("Kapacitor sends whole frames");
        }
        self.core.read(read, [LIMIT; 2], |_, _| None).expect("Kapacitor sends frames");
        // The ledger adds a fraction to the input.
        let most = self.memory + self.memory / 2 + self.room;
        assert!(self.core.kept_bytes() <= most, "{} bytes are kept", self.core.kept_bytes());
        self.handle_events();
    }

    // The worker.

    pub(super) fn spawn(&self, known: Option<Info>, version: Version) -> Worker {
        let id = self.world.add_process();
        let (world, udf) = (Arc::clone(&self.world), Udf::new(self.kind, version));
        // It is joined by the end of the check: all threads must end.
        drop(thread::spawn(move || worker::run(&world, id, udf)));
        let stdout = Stdout { world: Arc::clone(&self.world), id };
        let frames = FrameReader::new(stdout);
        let start = Some(Start::new(known));
        Worker { id, frames, start, has_ended_input: false, has_ended: false }
    }

    fn look_after_worker(&mut self) {
        let Some(worker) = &self.worker else {
            let mut worker = self.spawn(self.info.clone(), self.version);
            if let (Some(start), Some(info)) = (&mut worker.start, &self.info) {
                start.restore(&self.core.talk.base, &self.core.window(info.wants));
            }
            self.worker = Some(worker);
            return;
        };
        if worker.has_ended {
            let has_finished = self.world.lock().processes[worker.id].has_finished;
            if has_finished && worker.has_ended_input && !self.core.is_worker_due() {
                return self.finish();
            }
            self.die("it has died".to_owned());
        }
    }

    fn finish(&mut self) {
        if self.core.talk.is_repeating {
            self.core.talk.settle();
            let out = std::mem::take(&mut self.core.talk.out);
            self.pass(&out);
        }
        self.end = Some(Ok(()));
    }

    fn fail(&mut self, why: String) {
        self.end.get_or_insert(Err(why));
    }

    pub(super) fn take_over(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        let Some(start) = &worker.start else { return };
        let Some(info) = start.is_done().cloned() else { return };
        self.core.take_over(&info, start.is_within_batch());
        worker.start = None;
        self.info.get_or_insert(info);
        if self.search.is_some() {
            self.next_step();
        }
    }

    pub(super) fn die(&mut self, reason: String) {
        let Some(worker) = self.worker.take() else { return };
        let unread = self.world.lock().processes[worker.id].stdin.len();
        self.world.kill(worker.id);
        if let Some(upgrade) = self.upgrade.take() {
            self.world.kill(upgrade.worker.id);
        }
        if self.core.talk.is_unprotected {
            return self.fail(format!("{reason}, and cannot be replaced"));
        }
        let mut search = self.search.take();
        if let Some(search) = &mut search
            && let Some(step) = search.step.take_if(|step| step.extent.bytes() > unread as u64)
        {
            if search.suspect == Some(step.extent.start) {
                assert!(step.is_data, "a request kills the worker");
                self.core.leave_out(step.extent);
                return self.deaths.forget();
            }
            search.suspect = Some(step.extent.start);
        }
        let has_data = self.core.talk.has_data();
        let is_search = match self.deaths.note(Instant::now(), has_data, search.is_some()) {
            Next::Restart(_) => false,
            Next::Search(_) => true,
            Next::GiveUp => return self.fail("too many deaths".to_owned()),
        };
        let until = self.core.most_sent();
        let begun = || Search { until, step: None, suspect: None };
        self.search = search.or_else(|| is_search.then(begun));
    }

    fn next_step(&mut self) {
        let Some(search) = &mut self.search else { return };
        let sent = self.core.sent();
        if let Some(suspect) = search.suspect.filter(|suspect| sent < *suspect) {
            return self.core.talk.step_to(suspect);
        }
        if sent < search.until {
            search.step = self.core.step();
        }
        if sent >= search.until || search.step.is_none() {
            self.search = None;
            self.core.end_steps();
        }
    }

    fn feed(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        loop {
            let bytes = match &worker.start {
                Some(start) => start.unsent(),
                None => self.core.unsent(),
            };
            if bytes.is_empty() {
                break;
            }
            let written = self.world.write_to(worker.id, bytes);
            if written == 0 {
                break;
            }
            match &mut worker.start {
                Some(start) => start.note_sent(written),
                None => self.core.note_sent(written),
            }
        }
        let has_ended = worker.start.is_some() || worker.has_ended_input;
        let is_end = self.is_closed && self.search.is_none() && !has_ended;
        if is_end && self.core.may_end_input() {
            self.world.lock().processes[worker.id].stdin.is_closed = true;
            self.world.for_worker.notify_all();
            worker.has_ended_input = true;
            self.core.talk.has_ended = true;
        }
    }

    fn read_worker(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        // It may end within a frame. A socket of a dead process is not read again.
        worker.has_ended = !matches!(worker.frames.fill(), Ok(true));
        let mut passed = Vec::new();
        let fault = loop {
            let length = match worker.frames.buffered_frame() {
                Ok(Some(frame)) => frame.len(),
                Ok(None) => break None,
                Err(error) => break Some(Fault::Death(error.to_string())),
            };
            let taken = worker.frames.taken();
            let whole = &taken[..taken.len() - worker.frames.rest().len()];
            let frame = &whole[whole.len() - length..];
            let took = match &mut worker.start {
                Some(start) => start.respond(frame).map(|()| false),
                None => self.core.respond(frame, whole),
            };
            match took {
                Ok(passes) => {
                    passed.append(&mut self.core.talk.out);
                    passed.extend_from_slice(if passes { whole } else { &[] });
                }
                Err(fault) => break Some(fault),
            }
        };
        self.pass(&passed);
        self.handle_events();
        match fault {
            None => {
                self.core.forget_idle();
                self.take_over();
            }
            Some(Fault::Death(fault)) => self.die(fault),
            Some(Fault::Error(error)) => self.fail(error),
        }
    }

    /// Passes output on to Kapacitor.
    fn pass(&self, bytes: &[u8]) {
        let mut state = self.world.lock();
        state.output.extend_from_slice(bytes);
        let mut rest = bytes;
        while let Some((frame, behind)) = worker::split(rest) {
            rest = behind;
            state.answers += usize::from(!matches!(frame, [0x82 | 0x8a | 0x92, 0x01, ..]));
        }
        drop(state);
        self.world.for_kapacitor.notify_all();
    }

    fn handle_events(&mut self) {
        for event in std::mem::take(&mut self.core.talk.events) {
            match event {
                Event::Checkpoint { .. } | Event::Settled { .. } => self.deaths.end_stretch(),
                Event::NoCheckpoint => self.core.talk.release(),
                Event::Stepped => self.next_step(),
                Event::Unasked(ask) => panic!("{ask:?} was answered without a request"),
                _ => {}
            }
        }
    }

    fn request_checkpoint(&mut self) {
        let talk = &self.core.talk;
        let is_possible = talk.is_started
            && !talk.is_repeating
            && !talk.wants_snapshot
            && !talk.awaits_answer_to_snapshot()
            && talk.has_data()
            && self.search.is_none()
            && self.upgrade.as_ref().is_none_or(Upgrade::is_starting)
            && !self.is_closed
            && self.worker.as_ref().is_some_and(|worker| worker.start.is_none());
        let due = self.world.lock().checkpoints;
        if is_possible
            && (due != self.checkpoints
                || self.core.kept_bytes() >= self.memory / 2
                || self.core.talk.is_unprotected)
        {
            self.core.request_snapshot();
        }
        self.checkpoints = due;
    }
}
