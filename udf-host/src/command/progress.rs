//! The progress bar of a replay.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::replay::Progress;

/// What is done sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);

/// A bar on stderr that appears when a replay takes a while.
pub(super) struct Bar {
    total: Option<u64>,
    start: Instant,
    /// Whether a person sees it, and it disturbs nothing else that they see.
    wanted: bool,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// A bar for a file of `total` bytes; none is shown if that is not known.
    pub(super) fn new(total: Option<u64>) -> Self {
        let wanted = total.is_some() && io::stderr().is_terminal() && !io::stdout().is_terminal();
        Bar { total, start: Instant::now(), wanted, bar: None }
    }

    pub(super) fn show(&mut self, progress: Progress) {
        if !self.wanted || self.bar.is_none() && self.start.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("[{bar:40}] {percent}% {msg}, {eta} left")
                .expect("the template is right");
            let target = ProgressDrawTarget::stderr();
            ProgressBar::with_draw_target(self.total, target)
                .with_style(style.progress_chars("=> "))
                .with_elapsed(self.start.elapsed())
        });
        bar.set_message(format!("{} points", progress.points));
        bar.set_position(progress.bytes);
    }

    /// Removes the bar, so that nothing is left of it.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
