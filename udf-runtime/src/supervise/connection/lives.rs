//! The lives of the workers of a connection: start, death, replacement.

use std::sync::atomic::Ordering;
use std::time::Instant;

use udf_proto::point::PointIndex;
use udf_proto::request::{Incoming, decode};

use super::{Connection, SIGN_OF_LIFE};
use crate::agent::counters::Count;
use crate::supervise::core::Step;
use crate::supervise::deaths::{BEFORE_SEARCH, Next};
use crate::supervise::settings::Poison;
use crate::supervise::worker::{EXIT_WITHIN, Worker};

/// A worker that has died, until a replacement has repeated its work.
pub(super) struct Replacing {
    died: Instant,
    /// When the next replacement starts.
    pub(super) resume: Instant,
    /// The number of replacements, with those that could not be started.
    attempts: u32,
    /// The input that all replacements have got again.
    pub(super) bytes: u64,
}

/// A search for the part of the input that kills the worker.
pub(super) struct Search {
    /// The end of the input that the workers may have read.
    until: u64,
    step: Option<Step>,
    /// The part at which a worker has died alone. A second death there shows that it is no accident.
    suspect: Option<u64>,
}

impl Connection {
    /// Starts a worker if none is there, and buries one that has died.
    pub(super) fn look_after_worker(&mut self, now: Instant) {
        if self.is_ending() {
            return;
        }
        let is_done = self.is_done();
        let Some(worker) = &self.worker else {
            if self.replacing.as_ref().is_none_or(|replacing| replacing.resume <= now) {
                self.start_worker();
            }
            return;
        };
        let exited = worker.exited();
        if exited.is_some() && self.ended.is_none() && worker.unread_output() == 0 {
            // A process that it has left behind may hold its output open.
            self.ended = Some(now);
        }
        let Some(ended) = self.ended else { return self.look_at_progress(now) };
        let within = if worker.has_ended_input() { self.limits.shutdown } else { EXIT_WITHIN };
        match exited {
            None if now.duration_since(ended) < within => {}
            Some(exit) if is_done && !exit.is_failure() => self.finish(),
            None if is_done => {
                tracing::warn!(
                    "worker {} did not exit within {within:?} of the end of its output, and was killed",
                    worker.id()
                );
                self.finish();
            }
            _ => self.die(None),
        }
    }

    /// Returns whether the worker has got everything, and has answered with whole responses and
    /// batches.
    fn is_done(&mut self) -> bool {
        let is_whole =
            |worker: &Worker| worker.has_ended_input() && !worker.frames.is_within_frame();
        self.worker.as_ref().is_some_and(is_whole)
            && self.is_closed()
            && self.core.talk.held_bytes() == 0
            && !self.core.is_worker_due()
    }

    fn start_worker(&mut self) {
        let limit = self.limits.frame;
        // This worker has the program of the requests up to now. A later request finds a worker that
        // may have loaded the old program already.
        self.upgrades_seen = self.shared.upgrades.load(Ordering::SeqCst);
        match Worker::spawn(&self.shared.program, limit, self.info.clone()) {
            Ok(mut worker) => {
                let mut window = Vec::new();
                if let (Some(start), Some(info)) = (&mut worker.start, &self.info) {
                    window = self.core.window(info.wants);
                    start.restore(&self.core.talk.base, &window);
                }
                if self.replacing.is_some() {
                    self.link.counters.add(Count::Restarts, 1);
                    self.note_replayed(window.len() as u64);
                }
                self.worker = Some(worker);
                self.enlarge_worker();
                (self.ended, self.progress) = (None, Instant::now());
            }
            Err(error) => self.replace(format!("no worker could be started: {error}")),
        }
    }

    /// Serves a worker that has started.
    pub(super) fn take_over(&mut self) {
        let Some(worker) = &mut self.worker else { return };
        let Some(start) = &worker.start else { return };
        let Some(info) = start.is_done().cloned() else { return };
        self.core.take_over(&info, start.is_within_batch());
        worker.start = None;
        self.info.get_or_insert(info);
        if self.search.is_some() {
            self.next_step();
        } else if !self.core.talk.is_repeating {
            self.settled(0, false);
        }
    }

    /// Notes that a replacement has done what the worker before had done.
    pub(super) fn settled(&mut self, known: u64, differs: bool) {
        let Some(Replacing { died, attempts, bytes, .. }) = self.replacing.take() else { return };
        let id = self.worker.as_ref().map_or(0, Worker::id);
        let took = died.elapsed().as_millis();
        let attempt = if attempts > 1 { format!(", in attempt {attempts}") } else { String::new() };
        let plural = if known == 1 { "" } else { "s" };
        let differs = match differs {
            true => {
                "; it has not sent the same output again, so output of timers may be missing or doubled"
            }
            false => "",
        };
        tracing::warn!(
            "worker {id} took over after {took} ms{attempt}: {bytes} bytes of input sent again, {known} repeated \
             output{plural} left out{differs}"
        );
    }

    /// Kills a worker that makes no progress.
    fn look_at_progress(&mut self, now: Instant) {
        let is_due = match self.worker.as_ref().and_then(|worker| worker.start.as_ref()) {
            Some(start) => start.is_due(),
            None => self.core.is_worker_due() || self.is_closed(),
        };
        if !is_due || !self.reads_worker() {
            self.progress = now;
        }
        let Some(budget) = self.limits.busy else { return };
        if now.duration_since(self.progress) >= budget.min(SIGN_OF_LIFE) {
            // A worker without output makes progress, too, while it reads.
            let unread = self.worker.as_ref().map_or(0, Worker::unread);
            if unread < self.unread {
                self.progress = now;
            }
            self.unread = unread;
        }
        if now.duration_since(self.progress) >= budget {
            self.die(Some(&format!("it made no progress for {budget:?}")));
        }
    }

    /// Buries the worker, and decides what comes next. `fault` is the reason why it is killed.
    pub(super) fn die(&mut self, fault: Option<&str>) {
        let Some(worker) = self.worker.take() else { return };
        let unread = worker.unread();
        if let Some(search) = &mut self.search {
            // A worker that has read nothing of the step has not died of it.
            search.step.take_if(|step| unread >= step.extent.bytes());
        }
        self.replace(worker.bury(fault));
    }

    fn replace(&mut self, reason: String) {
        tracing::warn!("{reason}");
        self.ended = None;
        self.upgrade = None;
        // The request has died with the worker.
        self.checkpoints.asked = None;
        if self.is_ending() {
            return;
        }
        if self.core.talk.is_unprotected {
            return self.fail(format!(
                "{reason}; it cannot be replaced, because its input and output since the last checkpoint are more \
                 than --memory-limit {}; raise --memory-limit",
                self.shared.settings.memory
            ));
        }
        let now = Instant::now();
        let mut search = self.search.take();
        if let Some(search) = &mut search
            && let Some(step) = search.step.take()
        {
            if search.suspect == Some(step.extent.start) {
                return self.found(step, reason);
            }
            search.suspect = Some(step.extent.start);
        }
        let settings = &self.shared.settings;
        let has_data = self.core.talk.has_data();
        let (pause, is_search) = match self.deaths.note(now, has_data, search.is_some()) {
            Next::Restart(pause) => (pause, false),
            Next::Search(pause) => (pause, true),
            Next::GiveUp => {
                return self.fail(format!(
                    "the worker needed more than {} restarts within {:?}, the last time because {reason}",
                    settings.restarts, settings.restart_window
                ));
            }
        };
        if is_search && search.is_none() {
            tracing::warn!(
                "the same input has killed {BEFORE_SEARCH} workers: searching {} bytes of input for the part that \
                 kills them, by sending one part at a time",
                self.core.bytes_to_repeat()
            );
            search = Some(Search { until: self.core.most_sent(), step: None, suspect: None });
        }
        self.search = search;
        self.resume(now, now + pause);
    }

    fn resume(&mut self, died: Instant, resume: Instant) {
        let replacing = self.replacing.take();
        let replacing = replacing.unwrap_or(Replacing { died, resume, attempts: 0, bytes: 0 });
        let attempts = replacing.attempts + 1;
        self.replacing = Some(Replacing { resume, attempts, ..replacing });
    }

    // The search.

    /// Sends the next part of the input alone, or ends the search.
    pub(super) fn next_step(&mut self) {
        let Some(search) = &mut self.search else { return };
        let sent = self.core.sent();
        if let Some(suspect) = search.suspect.filter(|suspect| sent < *suspect) {
            return self.core.talk.step_to(suspect);
        }
        if sent < search.until {
            search.step = self.core.step();
        }
        if sent >= search.until || search.step.is_none() {
            tracing::warn!("the search is over: no part of the input has killed a worker twice");
            self.search = None;
            self.core.end_steps();
        }
    }

    /// Handles a worker that died at this part of the input.
    fn found(&mut self, step: Step, reason: String) {
        let what = describe(&step);
        let settings = &self.shared.settings;
        let why = format!("{what} kills the worker: {reason}");
        if !step.is_data || settings.poison == Poison::Stop {
            return self.fail(why);
        }
        let (task, node) = self.link.pulse.task();
        let frames: Vec<_> = step.frames.iter().map(Vec::as_slice).collect();
        if let Some(file) = &self.shared.poison_file
            && let Err(error) = file.append(task, node, &frames, &reason)
        {
            return self.fail(format!("{why}; it cannot be skipped: {error}"));
        }
        tracing::error!("skipped: {why}");
        self.link.counters.add(Count::Skipped, 1);
        self.core.leave_out(step.extent);
        self.deaths.forget();
        let now = Instant::now();
        self.resume(now, now);
    }
}

/// Returns what a part of the input is.
fn describe(step: &Step) -> String {
    let first = step.frames.first().map(Vec::as_slice).unwrap_or_default();
    let group = |group: &str| match group {
        "" => String::new(),
        group => format!(" of group `{}`", group.replace('\n', ",")),
    };
    match decode(first, &mut PointIndex::new(), &mut Vec::new()) {
        Ok(Incoming::Point(point)) => {
            format!("the point `{}`{} at {} ns", point.name(), group(point.group()), point.time())
        }
        Ok(Incoming::Begin(begin)) => {
            let whole = if step.is_data { "" } else { "beginning of the " };
            format!("the {whole}batch `{}`{}", begin.name, group(&begin.group))
        }
        Ok(_) => "a request without data".to_owned(),
        Err(_) => "a malformed request".to_owned(),
    }
}
