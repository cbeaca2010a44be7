//! Users as the kernel shows them to this process. In a user namespace, many users can look like
//! one.

use std::fs;

/// The number for "no user" in system calls.
const NO_USER: u32 = u32::MAX;

/// The number that the kernel shows for unmapped users, unless configured otherwise.
const OVERFLOW: u32 = 65534;

/// Returns the reason why connections cannot be restricted to this user, if there is one.
pub(crate) fn why_not(uid: u32) -> Option<String> {
    if uid == NO_USER {
        return Some("this id stands for no user; use the id of a user".to_owned());
    }
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let overflow = read("/proc/sys/kernel/overflowuid").trim().parse().unwrap_or(OVERFLOW);
    (uid == overflow && !maps_all(&read("/proc/self/uid_map"))).then(|| {
        "all unmapped users of this user namespace look like it and would be served as well; map \
         the user to its own id"
            .to_owned()
    })
}

/// Returns whether a `uid_map` maps all users. Its lines are: first id inside, first id outside,
/// count.
fn maps_all(uid_map: &str) -> bool {
    let counts =
        uid_map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    counts.sum::<u64>() >= u64::from(NO_USER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_leaves_users_out_is_recognized() {
        assert!(maps_all("         0          0 4294967295\n"));
        assert!(maps_all("0 0 65536\n65536 65536 4294901759\n"));
        assert!(!maps_all("0 1000 1\n"));
        assert!(!maps_all("0 100000 65536\n"));
        assert!(!maps_all(""), "without /proc, nobody knows");
    }

    #[test]
    fn no_user_is_no_user() {
        assert!(why_not(u32::MAX).is_some_and(|why| why.contains("no user")));
        assert_eq!(why_not(0), None);
        assert_eq!(why_not(1000), None);
    }
}
