//! Promises that must hold in every order of threads.

mod agent;
mod crew;
mod link;
mod pulse;
mod stop;
mod supervise;
mod ticker;
mod watch;
mod wire;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

use crate::orders::Orders;

/// A promise, and threads that try to break it.
#[derive(Debug)]
pub struct Check {
    /// The name of the test.
    pub name: &'static str,
    /// The promise.
    pub promise: &'static str,
    tries: Tries,
    threads: fn(),
}

/// The orders that are tried.
#[derive(Debug, Clone, Copy)]
enum Tries {
    /// All orders with up to this number of preemptions.
    Preemptions(usize),
    /// All orders with up to this number of deviations from the first one.
    Deviations(usize),
    /// This number of random orders, with threads that run at random and with threads that have
    /// random priorities in turns.
    Random(usize),
}

/// Begins the random orders, so that each run tries the same ones.
const SEED: u64 = 1;

/// The number of changes of the random priorities.
const CHANGES: usize = 4;

impl Check {
    /// Runs the threads in every order that is tried. Returns the number of orders.
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
        let orders = match self.tries {
            Tries::Preemptions(most) => Orders::new(most),
            Tries::Deviations(most) => Orders::with_deviations(most),
            Tries::Random(tries) => {
                let by_chance = RandomScheduler::new_from_seed(SEED, tries / 2);
                let by_rank = PctScheduler::new_from_seed(SEED, CHANGES, tries - tries / 2);
                return Runner::new(by_chance, config.clone()).run(self.threads)
                    + Runner::new(by_rank, config).run(self.threads);
            }
        };
        Runner::new(orders, config).run(self.threads)
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
    supervise::CHECKS,
];
