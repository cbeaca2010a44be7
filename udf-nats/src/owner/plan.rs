//! What a worker does about its partitions.

use std::collections::BTreeSet;

/// The lease of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot<'a> {
    /// The owner, or nothing without one.
    pub owner: Option<&'a str>,
    /// Whether the owner lives.
    pub lives: bool,
    /// Who the partition is assigned to.
    pub assigned: Option<&'a str>,
}

/// What a worker does about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Takes the lease, and then runs the partition.
    Claim(u32),
    /// Stores a snapshot, ends the partition, and then gives the lease back.
    GiveUp(u32),
    /// Ends the partition, whose lease another worker has taken.
    Abandon(u32),
    /// Gives the lease of a partition back that this worker does not run.
    Release(u32),
}

/// Returns what the worker `me` does, which runs the partitions in `running`.
pub fn plan(me: &str, slots: &[Slot<'_>], running: &BTreeSet<u32>) -> Vec<Action> {
    let mut actions = Vec::new();
    for (partition, slot) in (0..).zip(slots) {
        let is_mine = slot.owner == Some(me);
        let is_assigned = slot.assigned == Some(me);
        actions.extend(match (running.contains(&partition), is_mine, is_assigned) {
            (true, true, false) => Some(Action::GiveUp(partition)),
            (true, false, _) => Some(Action::Abandon(partition)),
            (false, true, false) => Some(Action::Release(partition)),
            // Also a lease of its own: the answer to the claim was lost.
            (false, true, true) => Some(Action::Claim(partition)),
            (false, false, true) if slot.owner.is_none() || !slot.lives => {
                Some(Action::Claim(partition))
            }
            _ => None,
        });
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::Action::{Abandon, Claim, GiveUp, Release};
    use super::*;

    #[test]
    fn a_worker_waits_for_an_owner_that_lives() {
        let of = |owner: &'static str, lives, assigned: &'static str, runs: bool| {
            let some = |name: &'static str| Some(name).filter(|name| !name.is_empty());
            let slot = Slot { owner: some(owner), lives, assigned: some(assigned) };
            let running = runs.then_some(0).into_iter().collect();
            plan("me", &[slot], &running).into_iter().next()
        };
        for (owner, lives, assigned, runs, expected) in [
            ("", false, "me", false, Some(Claim(0))),
            ("b", true, "me", false, None),
            ("b", false, "me", false, Some(Claim(0))),
            ("", false, "b", false, None),
            ("b", false, "b", false, None),
            ("me", true, "me", true, None),
            ("me", true, "b", true, Some(GiveUp(0))),
            ("me", true, "", true, Some(GiveUp(0))),
            ("b", true, "me", true, Some(Abandon(0))),
            ("", false, "me", true, Some(Abandon(0))),
            ("me", true, "me", false, Some(Claim(0))),
            ("me", true, "b", false, Some(Release(0))),
        ] {
            let found = of(owner, lives, assigned, runs);
            assert_eq!(found, expected, "{owner} {lives} {assigned} {runs}");
        }
    }
}
