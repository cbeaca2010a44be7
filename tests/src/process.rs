//! Facts about a running process, from `/proc`.

use std::fs;
use std::time::Duration;

/// Returns the resident memory in bytes.
///
/// # Panics
/// If the process does not exist.
pub fn memory(pid: u32) -> u64 {
    status(pid, "VmRSS:") << 10
}

/// Returns the peak of the resident memory in bytes.
///
/// # Panics
/// If the process does not exist.
pub fn peak_memory(pid: u32) -> u64 {
    status(pid, "VmHWM:") << 10
}

/// Returns the names of the threads.
///
/// # Panics
/// If the process does not exist.
pub fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    // A thread that is just ending has no name.
    tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect()
}

/// Returns the number of open descriptors.
///
/// # Panics
/// If the process does not exist.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there").count()
}

/// Returns the children of a process that have not ended, the oldest first.
pub fn children(pid: u32) -> Vec<u32> {
    let mut children: Vec<_> = all()
        .filter_map(|child| Some((stat(child)?, child)))
        .filter(|(stat, _)| stat.parent == pid && stat.state != 'Z')
        .map(|(stat, child)| (stat.started, child))
        .collect();
    children.sort_unstable();
    children.into_iter().map(|(_, child)| child).collect()
}

/// Returns the processes with this text in their command lines, except those that have ended.
pub fn with_argument(text: &str) -> Vec<u32> {
    let has = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    all().filter(has).collect()
}

/// Returns the state of a process, such as `T` for a stopped one, or none if it does not exist.
pub fn state(pid: u32) -> Option<char> {
    stat(pid).map(|stat| stat.state)
}

/// Returns the time that a process has used a processor for.
///
/// # Panics
/// If the process does not exist.
pub fn processor_time(pid: u32) -> Duration {
    let stat = stat(pid).expect("the process is there");
    // Linux counts in hundredths of a second.
    Duration::from_millis(10 * stat.busy)
}

/// Returns all processes of the machine.
fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("proc is mounted");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

struct Stat {
    state: char,
    parent: u32,
    /// The time on a processor, in ticks.
    busy: u64,
    /// The time of its start, in ticks after that of the system.
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain anything.
    let (_, rest) = line.rsplit_once(") ")?;
    let mut members = rest.split(' ');
    let (state, parent) = (members.next()?.chars().next()?, members.next()?.parse().ok()?);
    let (user, system): (u64, u64) = (members.nth(9)?.parse().ok()?, members.next()?.parse().ok()?);
    Some(Stat { state, parent, busy: user + system, started: members.nth(6)?.parse().ok()? })
}

/// Returns an unused user id. Each test gets other ids, also in two runs at the same time.
pub fn made_up_user(number: u32) -> u32 {
    (1 << 24) + std::process::id() * 8 + number
}

fn status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)).expect("the process is running");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}
