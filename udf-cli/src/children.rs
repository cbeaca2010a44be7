//! The programs that this process has spawned. They end with it.
//!
//! A UDF ends when its input does. A program that does not read its input, or that hangs, would stay
//! when a signal ends this process.

use std::process::{self, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use udf_host::Error;
use udf_host::process::{Killer, Spawned};
use udf_host::settings::Logger;

/// The programs. A thread holds the lock while it spawns a program, or ends this process.
static CHILDREN: Mutex<Vec<Killer>> = Mutex::new(Vec::new());

fn children() -> MutexGuard<'static, Vec<Killer>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Spawns a program that ends with this process, together with the programs that it starts itself.
pub(crate) fn spawn(command: &mut Command, log: Option<Logger>) -> Result<Spawned, Error> {
    let mut children = children();
    let spawned = Spawned::in_group(command, log)?;
    children.retain(Killer::is_needed);
    children.push(spawned.child.killer());
    Ok(spawned)
}

/// Handles the signals that end this process: kills all programs first.
///
/// # Errors
/// When the signals cannot be handled, or no thread can be started.
pub(crate) fn end_with_this_process() -> io::Result<()> {
    // `nohup` ignores some of them for a program, and so does a shell for one in the background.
    let ignored = ignored();
    let is_ignored = |signal: i32| ignored >> (signal - 1) & 1 == 1;
    let signals = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter();
    let mut signals = Signals::new(signals.filter(|signal| !is_ignored(*signal)))?;
    thread::Builder::new().name("children".to_owned()).spawn(move || {
        for signal in &mut signals {
            let children = children();
            children.iter().for_each(Killer::kill);
            // The first process of a container cannot end by a signal.
            if process::id() == 1 || emulate_default_handler(signal).is_err() {
                process::exit(128 + signal);
            }
        }
    })?;
    Ok(())
}

/// Returns the signals that this process ignores, one bit for each. Returns none where the system
/// does not tell.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
