//! Facts about a running process, from `/proc`.

use std::fs;

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
