//! CPU time and memory of processes, from `/proc`. Unknown on systems without `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// The unit of CPU time in `/proc`, on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The resources that some processes have used since they started.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// The CPU time of all their threads, in user code and in the kernel.
    pub(super) cpu: Duration,
    /// The peak memory, in bytes.
    pub(super) peak: u64,
}

impl Usage {
    /// Returns the sum over these processes, or `None` if one of them is unknown.
    pub(super) fn of(pids: &BTreeSet<u32>) -> Option<Self> {
        let mut sum = Usage::default();
        for pid in pids {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            sum.cpu += cpu(&stat)?;
            sum.peak += peak(&status)?;
        }
        (!pids.is_empty()).then_some(sum)
    }
}

fn cpu(stat: &str) -> Option<Duration> {
    // Skip the name, which may contain any character. User and system time are the fields 14 and
    // 15.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut members = behind.split_whitespace().skip(11);
    let mut ticks = || members.next()?.parse::<u32>().ok();
    Some(TICK * (ticks()? + ticks()?))
}

fn peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_behind_any_name() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(peak("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2 << 20));
        assert_eq!(peak("Name:\tx\n"), None);
    }
}
