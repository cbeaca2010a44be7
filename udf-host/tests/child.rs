//! Programs whose stdin and stdout belong to the caller: their exits, and their process groups.

#![allow(clippy::unwrap_used)] // Also in the modules that tests share.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::LONG;
use rustix::process::{Pid, getpgid};
use udf_host::Error;
use udf_host::process::{Child, Exit, Spawned};
use udf_host::settings::Logger;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn status(exit: Option<Exit>) -> String {
    exit.expect("the program exits").to_string()
}

/// Returns whether a process exists, even as a zombie.
fn exists(child: &Child) -> bool {
    Path::new(&format!("/proc/{}", child.id())).exists()
}

fn group_of(child: &Child) -> i32 {
    let id = Pid::from_raw(child.id().cast_signed());
    getpgid(id).unwrap().as_raw_nonzero().get()
}

#[test]
fn an_exit_is_seen_without_waiting() {
    for spawn in [Spawned::new, Spawned::in_group] {
        let Spawned { stdin, mut stdout, child } =
            spawn(&mut shell("echo up; read line; exit 3"), None).unwrap();
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        assert_eq!(child.exited(), None);
        drop(stdin);
        assert_eq!(status(child.wait(Some(LONG))), "exit status: 3");
        assert_eq!(child.exited(), child.wait(None));
    }
}

#[test]
fn an_exit_has_its_status_in_a_group_too() {
    let scripts =
        ["exit 0", "exit 255", "kill -9 $$", "kill -TERM $$", "ulimit -c 0; kill -ABRT $$"];
    for script in scripts {
        let [alone, leader] = [Spawned::new, Spawned::in_group].map(|spawn| {
            let child = spawn(&mut shell(script), None).unwrap().child;
            child.wait(Some(LONG)).expect("the program exits")
        });
        assert_eq!(alone, leader, "{script}");
    }
}

#[test]
fn only_a_program_of_a_group_leads_one() {
    let alone = Spawned::new(&mut shell("cat"), None).unwrap();
    assert_ne!(group_of(&alone.child), alone.child.id().cast_signed());
    let leader = Spawned::in_group(&mut shell("cat"), None).unwrap();
    assert_eq!(group_of(&leader.child), leader.child.id().cast_signed());
}

#[test]
fn a_kill_kills_the_whole_group() {
    let script = "sleep 1000 & echo up; sleep 1000; exit 0";
    let Spawned { stdin: _stdin, stdout, child } =
        Spawned::in_group(&mut shell(script), None).unwrap();
    let mut lines = BufReader::new(stdout).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    child.kill();
    // Stdout ends only when no process of the group holds it.
    assert!(lines.next().is_none());
    let Some(Exit::Status(exit)) = child.wait(Some(LONG)) else { panic!("the program exits") };
    assert_eq!(exit.signal(), Some(9));
    assert!(!exists(&child));
    // There is nothing left to kill.
    child.kill();
}

#[test]
fn orphans_of_a_program_that_has_exited_are_killed() {
    type Ends = fn(Child);
    let ends: [Ends; 2] = [|child| child.kill(), drop];
    for end in ends {
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let weak = Arc::downgrade(&said);
        let log: Logger = Arc::new(move |line| said.lock().unwrap().push(line.to_string()));
        let script = "sleep 1000 & echo 'last words' >&2; exit 7";
        let Spawned { mut stdout, child, .. } =
            Spawned::in_group(&mut shell(script), Some(log)).unwrap();
        // The orphan holds stderr.
        assert_eq!(status(child.wait(Some(LONG))), "exit status: 7");
        assert_eq!(child.last_words().unwrap(), "last words");
        // The ID stays that of the group as long as the group may be killed.
        assert!(exists(&child));
        let id = child.id();
        end(child);
        assert!(!Path::new(&format!("/proc/{id}")).exists(), "a zombie is left");
        assert_eq!(stdout.read_to_end(&mut Vec::new()).unwrap(), 0);
        // The thread that reads stderr ends, and drops the log.
        let begun = std::time::Instant::now();
        while weak.strong_count() > 0 {
            assert!(begun.elapsed() < LONG, "the thread of stderr does not end");
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_program_that_cannot_start_is_an_error_in_a_group_too() {
    let error = Spawned::in_group(&mut Command::new("/nowhere/udf"), None).unwrap_err();
    assert!(matches!(error, Error::Spawn { .. }), "{error}");
}
