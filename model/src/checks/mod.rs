//! What must hold in whatever order threads run.

mod agent;
mod link;
mod pulse;
mod stop;
mod ticker;
mod watch;
mod wire;

use shuttle::{Config, Runner};

use crate::orders::Orders;

/// A promise, and threads that try to break it.
#[derive(Debug)]
pub struct Check {
    /// The name of its test.
    pub name: &'static str,
    /// What must hold.
    pub promise: &'static str,
    /// How often a thread is preempted at most.
    preemptions: usize,
    threads: fn(),
}

impl Check {
    /// Runs the threads in every order; returns in how many.
    ///
    /// # Panics
    /// When the promise is broken in one of them.
    pub fn run(&self) -> usize {
        let mut config = Config::new();
        // Agents need more than a small one.
        config.stack_size = 256 << 10;
        // That it takes every atomic for a sequential one. Ours order nothing but themselves.
        config.silence_warnings = true;
        Runner::new(Orders::new(self.preemptions), config).run(self.threads)
    }
}

/// All of them.
pub const CHECKS: &[&[Check]] =
    &[link::CHECKS, pulse::CHECKS, watch::CHECKS, ticker::CHECKS, agent::CHECKS, stop::CHECKS];
