//! Keeps the partitions that belong to this process running.

mod leave;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::metrics::{Counts, Metrics};
use super::signals::Signals;
use super::slot::{self, Ended, Job, JobError, Task};
use super::{RunError, Settings};
use crate::log::{LogError, PutError};
use crate::nats::{Connection, Names, Session};
use crate::owner::{Action, BEAT, Members, Registry, Role, Slot, View, Worker, assign, plan};

/// The pauses before a partition that has failed is tried again.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(super) struct Manager<'a> {
    session: Session,
    connection: Arc<Connection>,
    names: Names,
    settings: &'a Settings,
    metrics: &'a Metrics,
    job: Job,
    registry: Registry,
    start: Instant,
    members: Members,
    me: Worker,
    running: BTreeMap<u32, Running>,
    /// The revisions of the leases of this process.
    leases: BTreeMap<u32, u64>,
    failures: BTreeMap<u32, Failure>,
    /// With `until_end`: the partitions that are not finished, with the sequence to reach.
    targets: Option<BTreeMap<u32, u64>>,
    is_away: bool,
    to_ended: mpsc::UnboundedSender<Ended>,
    ended: mpsc::UnboundedReceiver<Ended>,
}

struct Running {
    leave: watch::Sender<bool>,
    counts: Arc<Counts>,
    /// Whether the lease is given back at the end.
    gives_back: bool,
}

struct Failure {
    pause: Duration,
    until: Instant,
}

impl<'a> Manager<'a> {
    pub(super) fn new(
        session: Session,
        connection: Arc<Connection>,
        names: Names,
        settings: &'a Settings,
        metrics: &'a Metrics,
        job: Job,
    ) -> Self {
        let registry = Registry::new(session.clone(), &names.name, settings.role);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let me = Worker {
            host: settings.host.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
            leaving: false,
            positions: BTreeMap::new(),
            failed: BTreeMap::new(),
            retrying: BTreeMap::new(),
        };
        let (to_ended, ended) = mpsc::unbounded_channel();
        Manager {
            session,
            connection,
            names,
            settings,
            metrics,
            job,
            registry,
            start: Instant::now(),
            members: Members::default(),
            me,
            running: BTreeMap::new(),
            leases: BTreeMap::new(),
            failures: BTreeMap::new(),
            targets: None,
            is_away: false,
            to_ended,
            ended,
        }
    }

    /// Returns the number of things to own.
    fn slots(&self) -> u32 {
        match self.settings.role {
            Role::Worker => self.names.partitions,
            Role::Splitter => 1,
        }
    }

    /// Returns the name of a thing to own, for people.
    fn title(&self, slot: u32) -> String {
        match self.settings.role {
            Role::Worker => format!("partition {slot}"),
            Role::Splitter => "the splitting of raw lines".to_owned(),
        }
    }

    /// Works until a signal, or until the end of the input.
    pub(super) async fn run(mut self, mut signals: Signals) -> Result<(), RunError> {
        if self.settings.until_end {
            self.targets = Some(self.ends().await?);
        }
        tracing::info!(
            "{} of `{}`: {}, {} partitions",
            self.settings.role.name(),
            self.names.name,
            self.settings.worker,
            self.names.partitions
        );
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let failed = loop {
            tokio::select! {
                _ = beat.tick() => {
                    let turn = self.turn();
                    let turned = tokio::select! {
                        turned = turn => turned,
                        name = signals.next() => {
                            tracing::info!("{name}: finishing; a second signal exits at once");
                            break None;
                        }
                    };
                    if self.answers(turned) && self.is_done() {
                        tracing::info!("all input is handled");
                        break None;
                    }
                }
                Some(ended) = self.ended.recv() => {
                    if let Err(error) = self.end(ended).await {
                        break Some(error);
                    }
                }
                name = signals.next() => {
                    tracing::info!("{name}: finishing; a second signal exits at once");
                    break None;
                }
            }
        };
        tokio::select! {
            () = self.leave() => {}
            _ = signals.exit() => {}
        }
        failed.map_or(Ok(()), Err)
    }

    /// Returns the last sequence of each input that has messages.
    async fn ends(&self) -> Result<BTreeMap<u32, u64>, RunError> {
        let mut ends = BTreeMap::new();
        for slot in 0..self.slots() {
            let (stream, subjects) = match self.settings.role {
                Role::Worker => {
                    let subjects = vec![self.names.lines(slot), self.names.ticks(slot)];
                    (self.names.partitions_stream(), subjects)
                }
                Role::Splitter => (self.names.raw.clone(), vec![self.names.input.clone()]),
            };
            for subject in subjects {
                let last = self.session.last(&stream, &subject).await;
                let last = last.map_err(|refusal| RunError::System(refusal.text().to_owned()))?;
                let Some(last) = last else { continue };
                let end = ends.entry(slot).or_default();
                *end = last.sequence.max(*end);
            }
        }
        Ok(ends)
    }

    /// Logs when the server stops and begins to answer. Returns whether it does.
    fn answers(&mut self, turned: Result<(), LogError>) -> bool {
        match turned {
            Ok(()) if self.is_away => {
                tracing::info!("the server answers again");
                self.is_away = false;
            }
            Ok(()) => {}
            Err(error) => {
                if !self.is_away {
                    tracing::warn!("cannot renew the leases: {error}; trying again");
                }
                self.is_away = true;
            }
        }
        !self.is_away
    }

    async fn turn(&mut self) -> Result<(), LogError> {
        let running = self.running.iter();
        let position = |running: &Running| running.counts.driver.position.get();
        self.me.positions = running.map(|(number, running)| (*number, position(running))).collect();
        let running = self.running.iter();
        let retrying =
            running.filter_map(|(number, running)| Some((*number, running.counts.retrying()?)));
        self.me.retrying = retrying.collect();
        self.registry.beat(&self.settings.worker, &self.me).await?;
        let view = self.registry.view().await?;
        let now = self.start.elapsed();
        self.members.observe(now, view.signs());
        let forgotten: Vec<_> = self.members.forgotten(now).map(str::to_owned).collect();
        for worker in forgotten {
            self.registry.forget(&worker).await?;
        }
        self.finish(&view);
        let is_mine = |partition| {
            let lease = view.leases.get(&partition);
            lease.is_some_and(|lease| lease.value.worker == self.settings.worker)
        };
        self.metrics.retain(|shown| self.running.contains_key(&shown) || is_mine(shown));
        for action in self.plan(&view, now) {
            self.act(action, &view).await?;
        }
        Ok(())
    }

    fn plan(&self, view: &View, now: Duration) -> Vec<Action> {
        let me = &self.settings.worker[..];
        let mut staying = self.members.staying(now);
        if !staying.contains(&me) {
            staying.push(me);
            staying.sort_unstable();
        }
        let assigned = assign(&staying, self.slots());
        let slots = (0..).zip(assigned).map(|(partition, assigned)| {
            let owner = view.leases.get(&partition).map(|lease| &lease.value.worker[..]);
            let owner = owner.filter(|owner| !owner.is_empty());
            let lives = owner.is_some_and(|owner| self.members.lives(owner, now));
            let is_finished = |targets: &BTreeMap<_, _>| !targets.contains_key(&partition);
            let is_mine = assigned == Some(me);
            let assigned =
                assigned.filter(|_| !(is_mine && self.targets.as_ref().is_some_and(is_finished)));
            Slot { owner, lives, assigned }
        });
        let running: BTreeSet<_> = self.running.keys().copied().collect();
        plan(me, &slots.collect::<Vec<_>>(), &running)
    }

    async fn act(&mut self, action: Action, view: &View) -> Result<(), LogError> {
        let revision = |partition: &u32| view.leases.get(partition).map_or(0, |seen| seen.revision);
        match action {
            Action::Claim(partition) => {
                let failure = self.failures.get(&partition);
                if failure.is_some_and(|failure| failure.until > Instant::now()) {
                    return Ok(());
                }
                let owner = &self.settings.worker;
                match self.registry.lease(partition, owner, revision(&partition)).await {
                    Ok(revision) => {
                        let before = view.leases.get(&partition).map(|lease| &lease.value.worker);
                        if let Some(dead) = before.filter(|dead| !dead.is_empty() && *dead != owner)
                        {
                            tracing::warn!(
                                "taking over {}: {dead} has died",
                                self.title(partition)
                            );
                        }
                        self.leases.insert(partition, revision);
                        self.start(partition);
                    }
                    Err(PutError::Conflict) => {}
                    Err(error) => return Err(LogError::Unavailable(error.to_string())),
                }
            }
            Action::GiveUp(partition) => self.stop(partition, true),
            Action::Abandon(partition) => {
                // The view of a server that lags behind may be older than the claim.
                let claimed = self.leases.get(&partition).copied().unwrap_or_default();
                if revision(&partition) >= claimed {
                    self.stop(partition, false);
                }
            }
            Action::Release(partition) => {
                self.leases.insert(partition, revision(&partition));
                self.release(partition).await?;
            }
        }
        Ok(())
    }

    fn start(&mut self, partition: u32) {
        let (leave, is_left) = watch::channel(false);
        let label = match self.settings.role {
            Role::Worker => partition.to_string(),
            Role::Splitter => "raw".to_owned(),
        };
        let counts = self.metrics.add(partition, label.clone());
        let (names, worker) = (self.names.clone(), self.settings.worker.clone());
        let task = {
            let counts = Arc::clone(&counts);
            move |session| Task { partition, session, names, worker, leave: is_left, counts }
        };
        let name = format!("{}-{partition}", self.names.name);
        let (connection, job) = (Arc::clone(&self.connection), Arc::clone(&self.job));
        let started =
            slot::start(connection, job, task, (partition, label, name), self.to_ended.clone());
        self.running.insert(partition, Running { leave, counts, gives_back: false });
        if let Err(error) = started {
            let result = Err(JobError::Failed(format!("cannot start a thread: {error}")));
            let _ = self.to_ended.send(Ended { partition, result });
        }
    }

    fn stop(&mut self, partition: u32, gives_back: bool) {
        let title = self.title(partition);
        let Some(running) = self.running.get_mut(&partition) else { return };
        running.gives_back = gives_back;
        if !running.leave.send_replace(true) {
            match gives_back {
                true => tracing::info!("giving up {title}"),
                false => tracing::warn!("another worker has taken {title}"),
            }
        }
    }

    /// Notes the partitions that have handled their input, if the process ends with the input. Other
    /// workers show how far theirs are.
    fn finish(&mut self, view: &View) {
        let Some(targets) = &mut self.targets else { return };
        let positions = view.workers.values().flat_map(|worker| &worker.value.positions);
        for (partition, position) in positions.chain(&self.me.positions) {
            if targets.get(partition).is_some_and(|target| position >= target) {
                targets.remove(partition);
            }
        }
    }

    /// Returns whether the process ends with the input, and all of it is handled.
    fn is_done(&self) -> bool {
        self.targets.as_ref().is_some_and(BTreeMap::is_empty)
    }

    /// Returns whether a UDF of this process has handled input.
    fn has_worked(&self) -> bool {
        let mut running = self.running.values();
        running.any(|running| running.counts.driver.messages_in.get() > 0)
    }

    /// Handles the end of a thread.
    async fn end(&mut self, Ended { partition, result }: Ended) -> Result<(), RunError> {
        let running = self.running.remove(&partition);
        match result {
            Ok(()) => {
                self.failures.remove(&partition);
                self.metrics.retain(|shown| shown != partition);
                if running.is_some_and(|running| running.gives_back) {
                    // If it fails, the next turn releases the lease.
                    let _ = self.release(partition).await;
                }
            }
            // The first partitions would all be refused. Later, only one state does not fit.
            Err(JobError::Refused(why)) if !self.has_worked() => {
                return Err(RunError::Refused(why));
            }
            Err(JobError::Refused(why) | JobError::Failed(why)) if self.settings.until_end => {
                return Err(RunError::Partition { partition, why });
            }
            Err(JobError::Refused(why) | JobError::Failed(why)) => {
                let pause = self.failures.get(&partition).map(|failure| failure.pause * 2);
                let pause = pause.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
                tracing::error!(
                    "{} has stopped: {why}; trying again in {pause:?}",
                    self.title(partition)
                );
                self.metrics.stopped(partition);
                self.failures.insert(partition, Failure { pause, until: Instant::now() + pause });
                self.me.failed.insert(partition, why);
            }
        }
        self.me.failed.retain(|partition, _| self.failures.contains_key(partition));
        Ok(())
    }
}
