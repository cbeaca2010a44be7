//! Enumerates every order of the threads, up to a number of preemptions or deviations.
//!
//! A few preemptions reveal most errors. Without a limit, there are too many orders. Threads that
//! often wait for each other have too many orders even without preemptions. Then each choice counts
//! that deviates from the first order.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// Enumerates the orders depth first.
#[derive(Debug)]
pub(crate) struct Orders {
    most: usize,
    /// Whether the choice of the next thread counts after the present one waits, too.
    counts_all: bool,
    /// The runnable threads at each step of the current order, and the index of the chosen one.
    steps: Vec<(Vec<TaskId>, usize)>,
    /// The next step.
    next: usize,
    /// The remaining number of preemptions or deviations in the current order.
    left: usize,
    begun: bool,
}

impl Orders {
    pub(crate) fn new(preemptions: usize) -> Self {
        Orders::with(preemptions, false)
    }

    /// Lets the present thread run as long as it can, then the youngest one. Each other choice is a
    /// deviation.
    pub(crate) fn with_deviations(deviations: usize) -> Self {
        Orders::with(deviations, true)
    }

    fn with(most: usize, counts_all: bool) -> Self {
        Orders { most, counts_all, steps: Vec::new(), next: 0, left: 0, begun: false }
    }
}

impl Scheduler for Orders {
    fn new_execution(&mut self) -> Option<Schedule> {
        if std::mem::replace(&mut self.begun, true) {
            // Changes the last step with another runnable thread.
            while self.steps.pop_if(|(who, chosen)| *chosen + 1 == who.len()).is_some() {}
            self.steps.last_mut()?.1 += 1;
        }
        (self.next, self.left) = (0, self.most);
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let runnable = runnable.iter().map(|task| task.id());
        let goes_on =
            current.filter(|current| !is_yielding && runnable.clone().any(|id| id == *current));
        if self.next == self.steps.len() {
            let others = runnable.rev().filter(|id| Some(*id) != goes_on);
            let mut all = goes_on.into_iter().chain(others).collect::<Vec<_>>();
            if self.left == 0 && (goes_on.is_some() || self.counts_all) {
                all.truncate(1);
            }
            self.steps.push((all, 0));
        }
        let (who, chosen) = &self.steps[self.next];
        self.next += 1;
        let is_other = *chosen > 0 && (goes_on.is_some() || self.counts_all);
        self.left -= usize::from(is_other);
        Some(who[*chosen])
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("no check uses random numbers")
    }
}
