//! One run: workers, a producer, and the faults that happen to them.

use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use udf_nats::partition::{OnPoison, PartitionError};

use crate::oracle;
use crate::sim::{Faults, Sim};
use crate::udf::LONG;
use crate::worker::{Config, Events, RAW, Worker};

/// How often things have happened.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    runs: u64,
    lines: u64,
    kills: u64,
    pauses: u64,
    leaves: u64,
    restarts: u64,
    late_packets: u64,
    fenced: u64,
    fenced_at_state: u64,
    found_in_log: u64,
    deaths: u64,
    poison: u64,
    too_long: u64,
    snapshots: u64,
    replays: u64,
    outages: u64,
}

impl Counts {
    fn all(&mut self) -> [&mut u64; 16] {
        [
            &mut self.runs,
            &mut self.lines,
            &mut self.kills,
            &mut self.pauses,
            &mut self.leaves,
            &mut self.restarts,
            &mut self.late_packets,
            &mut self.fenced,
            &mut self.fenced_at_state,
            &mut self.found_in_log,
            &mut self.deaths,
            &mut self.poison,
            &mut self.too_long,
            &mut self.snapshots,
            &mut self.replays,
            &mut self.outages,
        ]
    }

    pub(crate) fn add(&mut self, other: &Counts) {
        let mut other = Counts { ..*other };
        for (sum, number) in self.all().into_iter().zip(other.all()) {
            *sum += *number;
        }
    }

    /// Returns whether each thing has happened often, if it can happen.
    pub(crate) fn are_all_large(&self, kind: Kind) -> bool {
        let mut copy = Counts { ..*self };
        if kind == Kind::Split {
            // Those of a UDF.
            let udfs = [&mut copy.deaths, &mut copy.poison, &mut copy.snapshots, &mut copy.replays];
            udfs.into_iter().for_each(|count| *count = 100);
        }
        copy.all().into_iter().all(|count| *count >= 100)
    }
}

struct World {
    sim: Rc<Sim>,
    partitions: u32,
    config: Config,
    workers: Vec<Worker>,
    started: u64,
    events: Events,
    counts: Counts,
    /// The messages that the producer still sends.
    left: u64,
    sent: u64,
    /// The lines that kill.
    kills: u64,
    is_calm: bool,
    /// How often somebody does harm, of 1000 steps.
    harm: u32,
}

/// What the workers of a run do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Partitions,
    Split,
}

/// Runs a seed. Returns an error if the output is wrong, or not complete after very many steps.
pub(crate) fn run(kind: Kind, seed: u64, traced: bool) -> Result<Counts, String> {
    let sim = Sim::new(seed, traced);
    let one_of = |values: &[u64]| values[sim.below(values.len() as u64) as usize];
    let config = Config {
        max_payload: one_of(&[60, 90, 200, 2000]) as usize,
        chunk_bytes: one_of(&[1, 200, 400, 100_000]) as usize,
        depth: one_of(&[1, 2, 3, 5]) as usize,
        snapshot_every: Duration::from_millis(one_of(&[5, 100, 1000, 100_000])),
        snapshot_bytes: one_of(&[300, 2000, 100_000]),
        tick_every: [None, Some(Duration::from_millis(one_of(&[50, 1000])))]
            [one_of(&[0, 1]) as usize],
        skip_lost: false,
        on_poison: OnPoison::DeadLetter,
        split: (kind == Kind::Split).then(|| one_of(&[1, 2, 5]) as u32),
    };
    sim.faults.set(Faults {
        refused: one_of(&[0, 20, 50]) as u32,
        lost: one_of(&[0, 20, 100]) as u32,
        late: one_of(&[0, 20, 100]) as u32,
        unanswered: one_of(&[0, 20, 100]) as u32,
        deaths: one_of(&[0, 0, 5, 50]) as u32,
    });
    let (partitions, left, harm) =
        (one_of(&[1, 1, 3]) as u32, one_of(&[5, 20, 40]), one_of(&[0, 5, 20, 60]) as u32);
    sim.trace(|| format!("{config:?} {:?} harm {harm}", sim.faults.get()));
    let (workers, events, counts) = (Vec::new(), Events::default(), Counts::default());
    let mut world = World {
        sim,
        partitions,
        config,
        workers,
        started: 0,
        events,
        counts,
        left,
        sent: 0,
        kills: 0,
        is_calm: false,
        harm,
    };
    world.chaos()?;
    world.calm()?;
    world.check()
}

impl World {
    fn start(&mut self, partition: u32) {
        self.started += 1;
        let partition = if self.config.split.is_some() { RAW } else { partition };
        let worker = Worker::new(&self.sim, partition, self.started, &self.config, &self.events);
        self.sim.trace(|| format!("{} starts on partition {partition}", worker.name));
        self.workers.push(worker);
    }

    /// Sends input while bad things happen.
    fn chaos(&mut self) -> Result<(), String> {
        for _ in 0..600 {
            if self.sim.chance(60) {
                self.produce();
            }
            if self.workers.is_empty() || self.sim.chance(self.harm) {
                self.harm();
            }
            self.step()?;
        }
        Ok(())
    }

    /// Lets one worker for each partition do the rest, without faults.
    fn calm(&mut self) -> Result<(), String> {
        self.sim.trace(|| "the faults end".to_owned());
        self.sim.faults.set(Faults::default());
        self.is_calm = true;
        self.config.tick_every = None;
        while self.left > 0 {
            self.produce();
        }
        self.counts.late_packets += u64::from(!self.sim.is_quiet());
        // Their requests still arrive.
        self.workers.clear();
        for partition in 0..self.partitions {
            self.start(partition);
        }
        let (mut steps, begun) = (0, self.sim.now());
        loop {
            let end = self.sim.server.borrow().bounds().last;
            let is_done = |worker: &Worker| worker.counters.position.get() >= end;
            if self.workers.iter().all(is_done) && self.sim.is_quiet() {
                break;
            }
            self.step()?;
            steps += 1;
            if steps > 100_000 {
                return Err("the workers make no progress".to_owned());
            }
        }
        // Each line that kills costs some pauses.
        let (within, kills) = (Duration::from_nanos(self.sim.now() - begun), self.kills);
        if within > Duration::from_secs(20 * (kills + 1)) {
            return Err(format!("the workers take {within:?} for the rest: they wait for nothing"));
        }
        for worker in &self.workers {
            worker.leave();
        }
        for _ in 0..100_000 {
            if self.workers.is_empty() {
                return Ok(());
            }
            self.step()?;
        }
        let left: Vec<_> = self.workers.iter().map(|worker| &worker.name).collect();
        Err(format!("{left:?} do not leave"))
    }

    fn check(mut self) -> Result<Counts, String> {
        let server = self.sim.server.borrow();
        for partition in 0..self.config.split.unwrap_or(self.partitions) {
            match self.config.split {
                Some(partitions) => oracle::check_split(&server, partition, partitions)?,
                None => oracle::check(&server, partition)?,
            }
            self.counts.lines += server.text(partition).lines().count() as u64;
        }
        let happened =
            |word| self.events.borrow().iter().filter(|event| **event == word).count() as u64;
        if happened("differs") > 0 {
            return Err("a replay has other output than before".to_owned());
        }
        let counts = &mut self.counts;
        counts.runs = 1;
        counts.fenced = happened("fenced");
        counts.fenced_at_state = happened("fenced at the state");
        counts.found_in_log = happened("found in the log");
        counts.deaths = happened("UDF ended");
        counts.poison = happened("poison");
        counts.too_long = happened("line too long");
        counts.snapshots = happened("snapshot");
        counts.replays = happened("replay");
        counts.outages = happened("outage");
        Ok(Counts { ..*counts })
    }

    /// Appends a message with some lines to the input.
    fn produce(&mut self) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        if self.config.split.is_some() {
            return self.produce_raw();
        }
        let partition = self.sim.below(self.partitions.into()) as u32;
        let mut text = String::new();
        for _ in 0..1 + self.sim.below(3) {
            self.sent += 1;
            let word = match self.sim.below(40) {
                0..5 => "drop".to_owned(),
                5..10 => format!("many {}", self.sim.below(8)),
                10 => "long".to_owned(),
                11 => "bad".to_owned(),
                12 => {
                    self.kills += 1;
                    "kill".to_owned()
                }
                _ => "line".to_owned(),
            };
            text.push_str(&format!("{word} {}\n", self.sent));
        }
        self.sim.trace(|| format!("input of {partition}: {text:?}"));
        let time = self.sim.now() as i64;
        self.sim.server.borrow_mut().add_input(partition, time, None, text);
    }

    /// Appends a message with raw lines.
    fn produce_raw(&mut self) {
        let mut text = String::new();
        for _ in 0..1 + self.sim.below(5) {
            self.sent += 1;
            let (host, n) = (self.sim.below(9), self.sent);
            text.push_str(&match self.sim.below(30) {
                0 => format!("bad {n}\n"),
                1 => format!("m,host={host} f=\"{}\" {n}\n", "x".repeat(LONG)),
                2..8 => format!("m,host={host} f={n}\n"),
                _ => format!("m,host={host} f={n} {n}\n"),
            });
        }
        self.sim.trace(|| format!("raw input: {text:?}"));
        let time = self.sim.now() as i64;
        self.sim.server.borrow_mut().add_input(RAW, time, None, text);
    }

    fn harm(&mut self) {
        let any = self.sim.below(self.workers.len().max(1) as u64) as usize;
        match self.sim.below(10) {
            _ if self.workers.is_empty() => {
                for partition in 0..self.partitions {
                    self.start(partition);
                }
            }
            0..2 => {
                let worker = self.workers.swap_remove(any);
                self.sim.trace(|| format!("kill -9 of {}", worker.name));
                self.counts.kills += 1;
            }
            2..5 => {
                let worker = &mut self.workers[any];
                worker.is_paused = !worker.is_paused;
                let (name, is_paused) = (&worker.name, worker.is_paused);
                self.sim.trace(|| format!("{name} is paused: {is_paused}"));
                self.counts.pauses += 1;
            }
            5..7 => {
                self.sim.trace(|| format!("{} leaves", self.workers[any].name));
                self.workers[any].leave();
                self.counts.leaves += 1;
            }
            7 => {
                self.sim.restart_server();
                self.counts.restarts += 1;
            }
            _ if self.workers.len() < 2 * self.partitions as usize + 1 => {
                let partition = self.sim.below(self.partitions.into()) as u32;
                self.start(partition);
            }
            _ => {}
        }
    }

    /// Polls a worker, delivers a packet, or moves the clock.
    fn step(&mut self) -> Result<(), String> {
        let ready: Vec<_> = self.workers.iter().map(Worker::is_ready).collect();
        let ready: Vec<_> = (0..ready.len()).filter(|i| ready[*i]).collect();
        match self.sim.below(100) {
            0..2 if !self.is_calm && self.sim.advance() => {}
            2..40 if self.sim.deliver() => {}
            _ if !ready.is_empty() => {
                let at = ready[self.sim.below(ready.len() as u64) as usize];
                if let Poll::Ready(ended) = self.workers[at].poll() {
                    let worker = self.workers.swap_remove(at);
                    self.sim.trace(|| format!("{} ends: {ended:?}", worker.name));
                    match ended {
                        // Accidents can be many.
                        Ok(()) | Err(PartitionError::KeepsEnding { .. }) => {}
                        Err(error) => return Err(format!("{} fails: {error}", worker.name)),
                    }
                }
            }
            _ => {
                let _ = self.sim.deliver() || self.sim.advance();
            }
        }
        Ok(())
    }
}
