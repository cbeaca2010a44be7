//! Promises that must hold in every order of threads.

mod agent;
mod crew;
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
    /// The name of the test.
    pub name: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// The maximum number of preemptions.
    preemptions: usize,
    threads: fn(),
}

impl Check {
    /// Runs the threads in every order. Returns the number of orders.
    ///
    /// # Panics
    /// If the promise is broken in one of the orders.
    pub fn run(&self) -> usize {
        let mut config = Config::new();
        // Agents need larger stacks than the default.
        config.stack_size = 256 << 10;
        // The checker warns that it treats every atomic as sequentially consistent. The runtime's
        // atomics order no other memory, so the results hold.
        config.silence_warnings = true;
        Runner::new(Orders::new(self.preemptions), config).run(self.threads)
    }
}

/// All checks.
pub const CHECKS: &[&[Check]] = &[
    link::CHECKS,
    pulse::CHECKS,
    watch::CHECKS,
    ticker::CHECKS,
    agent::CHECKS,
    crew::CHECKS,
    stop::CHECKS,
];
