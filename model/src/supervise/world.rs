//! What the threads of a check share: pipes of bounded size, and processes that can be killed.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::sync::{Arc, PoisonError};

use shuttle::sync::{Condvar, Mutex, MutexGuard};

/// A pipe. It splits frames wherever it is full.
#[derive(Debug)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    room: usize,
    pub(super) is_closed: bool,
}

impl Pipe {
    fn new(room: usize) -> Self {
        Pipe { bytes: VecDeque::new(), room, is_closed: false }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() < self.room
    }

    /// Returns whether a read returns something, or the end.
    pub(super) fn is_ready(&self) -> bool {
        !self.bytes.is_empty() || self.is_closed
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> usize {
        let written = bytes.len().min(self.room - self.bytes.len());
        self.bytes.extend(&bytes[..written]);
        written
    }

    pub(super) fn read(&mut self, room: &mut [u8]) -> usize {
        let read = room.len().min(self.bytes.len());
        for (to, byte) in room.iter_mut().zip(self.bytes.drain(..read)) {
            *to = byte;
        }
        read
    }
}

/// A process of the UDF.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) stdin: Pipe,
    /// Closed at the end of the process.
    pub(super) stdout: Pipe,
    pub(super) has_finished: bool,
    /// The number of ticks that are due.
    pub(super) ticks: u32,
}

impl Process {
    pub(super) fn is_alive(&self) -> bool {
        !self.stdout.is_closed
    }
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) room: usize,
    /// From Kapacitor to the front.
    pub(super) input: Pipe,
    /// What Kapacitor gets.
    pub(super) output: Vec<u8>,
    /// The number of answers in the output.
    pub(super) answers: usize,
    pub(super) processes: Vec<Process>,
    /// The numbers of checkpoints and upgrades that are due.
    pub(super) checkpoints: u32,
    pub(super) upgrades: u32,
    /// The number of ticks of all processes.
    pub(super) ticked: i64,
    /// Whether the front has ended.
    pub(super) is_over: bool,
    /// The number of times that a thread has used what is shared.
    moment: u32,
    /// What happens at a moment.
    pub(super) incidents: Vec<(u32, Incident)>,
}

/// What can happen at any moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incident {
    /// The newest process is killed.
    KillNewest,
    /// The oldest process is killed.
    KillOldest,
    /// A checkpoint is due.
    Checkpoint,
    /// An upgrade is requested.
    Upgrade,
    /// A timer of the newest process is due.
    Tick,
}

impl State {
    pub(super) fn happen(&mut self, incident: Incident) {
        let mut alive = self.processes.iter_mut().filter(|process| process.is_alive());
        match incident {
            Incident::Checkpoint => self.checkpoints += 1,
            Incident::Upgrade => self.upgrades += 1,
            Incident::KillOldest => {
                alive.next().into_iter().for_each(|process| process.stdout.is_closed = true);
            }
            Incident::KillNewest => {
                alive.next_back().into_iter().for_each(|process| process.stdout.is_closed = true);
            }
            Incident::Tick => alive.next_back().into_iter().for_each(|process| process.ticks += 1),
        }
    }
}

/// All threads wait for a change of their own.
#[derive(Debug)]
pub(super) struct World {
    state: Mutex<State>,
    pub(super) for_front: Condvar,
    pub(super) for_worker: Condvar,
    pub(super) for_kapacitor: Condvar,
}

impl World {
    pub(super) fn new(room: usize) -> Arc<Self> {
        Arc::new(World {
            state: Mutex::new(State {
                room,
                input: Pipe::new(room),
                output: Vec::new(),
                answers: 0,
                processes: Vec::new(),
                checkpoints: 0,
                upgrades: 0,
                ticked: 0,
                is_over: false,
                moment: 0,
                incidents: Vec::new(),
            }),
            for_front: Condvar::new(),
            for_worker: Condvar::new(),
            for_kapacitor: Condvar::new(),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.moment += 1;
        let moment = state.moment;
        let due = state.incidents.extract_if(.., |(at, _)| *at == moment).collect::<Vec<_>>();
        due.iter().for_each(|(_, incident)| state.happen(*incident));
        if !due.is_empty() {
            self.for_worker.notify_all();
            self.for_front.notify_all();
        }
        state
    }

    /// Waits until `is_ready`.
    pub(super) fn wait(
        &self,
        condvar: &Condvar,
        mut is_ready: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !is_ready(&mut state) {
            state = condvar.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Adds a process, and returns its number.
    pub(super) fn add_process(&self) -> usize {
        let mut state = self.lock();
        let (stdin, stdout) = (Pipe::new(state.room), Pipe::new(state.room));
        state.processes.push(Process { stdin, stdout, has_finished: false, ticks: 0 });
        state.processes.len() - 1
    }

    /// Ends a process that has done its work.
    pub(super) fn finish(&self, id: usize) {
        let mut state = self.lock();
        state.processes[id].has_finished = state.processes[id].is_alive();
        drop(state);
        self.kill(id);
    }

    /// Kills a process. What it has written can still be read.
    pub(super) fn kill(&self, id: usize) {
        self.lock().processes[id].stdout.is_closed = true;
        self.for_worker.notify_all();
        self.for_front.notify_all();
    }

    pub(super) fn write_to(&self, id: usize, bytes: &[u8]) -> usize {
        let mut state = self.lock();
        let process = &mut state.processes[id];
        let written = if process.is_alive() { process.stdin.write(bytes) } else { 0 };
        drop(state);
        self.for_worker.notify_all();
        written
    }
}

/// The front's end of the output of a process. Nothing in it waits.
pub(super) struct Stdout {
    pub(super) world: Arc<World>,
    pub(super) id: usize,
}

impl Read for Stdout {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut state = self.world.lock();
        let stdout = &mut state.processes[self.id].stdout;
        if !stdout.is_ready() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let read = stdout.read(room);
        drop(state);
        self.world.for_worker.notify_all();
        Ok(read)
    }
}
