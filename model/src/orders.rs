//! Enumerates every order of the threads, up to a number of preemptions.
//!
//! A few preemptions reveal most errors. Without a limit, there are too many orders.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

/// Enumerates the orders depth first.
#[derive(Debug)]
pub(crate) struct Orders {
    preemptions: usize,
    /// The runnable threads at each step of the current order, and the index of the chosen one.
    steps: Vec<(Vec<TaskId>, usize)>,
    /// The next step.
    next: usize,
    /// The remaining number of preemptions in the current order.
    left: usize,
    begun: bool,
}

impl Orders {
    pub(crate) fn new(preemptions: usize) -> Self {
        Orders { preemptions, steps: Vec::new(), next: 0, left: 0, begun: false }
    }
}

impl Scheduler for Orders {
    fn new_execution(&mut self) -> Option<Schedule> {
        if std::mem::replace(&mut self.begun, true) {
            // Changes the last step with another runnable thread.
            while self.steps.pop_if(|(who, chosen)| *chosen + 1 == who.len()).is_some() {}
            self.steps.last_mut()?.1 += 1;
        }
        (self.next, self.left) = (0, self.preemptions);
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
            let others = runnable.filter(|id| Some(*id) != goes_on);
            let others = others.filter(|_| goes_on.is_none() || self.left > 0);
            self.steps.push((goes_on.into_iter().chain(others).collect(), 0));
        }
        let (who, chosen) = &self.steps[self.next];
        self.next += 1;
        let chosen = who[*chosen];
        self.left -= usize::from(goes_on.is_some_and(|current| current != chosen));
        Some(chosen)
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("no check uses random numbers")
    }
}
