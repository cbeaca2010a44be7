//! Processes of `udf nats`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::server::{LOOK, TIMEOUT};
use crate::world::World;

/// A process of `udf nats`.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a file");
        let child = command.stdout(Stdio::null()).stderr(file).spawn().expect("udf starts");
        Process { child, log }
    }

    /// Returns the number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is a child");
    }

    /// Kills the process with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is a child");
        self.wait();
    }

    /// Stops the process, which keeps its connections open.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets the process go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends SIGTERM.
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the process with SIGTERM, and waits for it.
    #[track_caller]
    pub(crate) fn end(mut self) {
        self.ask_to_end();
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.text());
    }

    /// Waits until the process ends.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status;
            }
            if Instant::now() >= deadline {
                panic!("the process does not end: {}", self.text());
            }
            thread::sleep(LOOK);
        }
    }

    /// Returns the name of the worker.
    pub(crate) fn name(&self, world: &World) -> String {
        let id = format!("-{}-", self.child.id());
        let mut name = None;
        world.until("the worker has a name", || {
            let text = self.text();
            let mut words = text.split([' ', ',']);
            name = words.find(|word| word.contains(&id)).map(str::to_owned);
            name.is_some()
        });
        name.expect("it was found")
    }

    /// Returns the address of the metrics of a process with `--metrics`.
    pub(crate) fn metrics(&self, world: &World) -> SocketAddr {
        let mut address = None;
        world.until("the metrics are served", || {
            let text = self.text();
            let behind = text.split("serving metrics at http://").nth(1);
            let before = behind.and_then(|behind| behind.split('/').next());
            address = before.and_then(|address| address.parse().ok());
            address.is_some()
        });
        address.expect("it was found")
    }

    /// Returns the log.
    pub(crate) fn text(&self) -> String {
        text(&self.log)
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let text = text(&self.log);
            let last: Vec<_> = text.lines().rev().take(20).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            eprintln!("the last lines of {}:\n{}", self.log.display(), last.join("\n"));
        }
    }
}
