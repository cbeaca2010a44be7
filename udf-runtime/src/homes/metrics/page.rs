//! The text that all scrapers share.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::homes::logs;

/// The time for which a text is served before it is rendered again.
const FRESH: Duration = Duration::from_secs(1);

/// Renders metrics in the text format of Prometheus.
pub(in crate::homes) type Render = Box<dyn Fn() -> String + Send>;

/// Renders the metrics at intervals, and hands out the text.
///
/// A slow scraper keeps the text that it has begun to read. At most two texts are in memory,
/// regardless of the number of scrapers: a third text is rendered only after the last reader of the
/// first one is gone.
pub(super) struct Page {
    render: Render,
    text: Arc<String>,
    rendered: Option<Instant>,
    /// The previous text, as long as a scraper reads it.
    previous: Weak<String>,
}

impl Page {
    pub(super) fn new(render: Render) -> Self {
        Page { render, text: Arc::default(), rendered: None, previous: Weak::new() }
    }

    /// Returns the text to serve at this time.
    pub(super) fn text(&mut self, now: Instant) -> Arc<String> {
        let is_fresh = self.rendered.is_some_and(|then| now.duration_since(then) < FRESH);
        if !is_fresh && self.previous.strong_count() == 0 {
            self.previous = Arc::downgrade(&self.text);
            self.text = Arc::new((self.render)() + &logs::to_prometheus());
            self.rendered = Some(now);
        }
        Arc::clone(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::metrics::{Metrics, Refused};

    #[test]
    fn it_is_rendered_once_a_second_and_never_three_times_in_memory() {
        let (metrics, start) = (Metrics::new(), Instant::now());
        let rendered = metrics.clone();
        let mut page = Page::new(Box::new(move || rendered.to_prometheus()));
        let mut refused = 0;
        let mut shown = |after: f64| {
            refused += 1;
            metrics.refused(Refused::Limit);
            let text = page.text(start + Duration::from_secs_f64(after));
            let count = text.lines().find_map(|line| {
                line.strip_prefix("udf_connections_refused_total{reason=\"limit\"} ")?
                    .parse::<u64>()
                    .ok()
            });
            (text, count.unwrap_or_default())
        };
        let (first, count) = shown(0.0);
        assert_eq!(count, 1);
        assert_eq!(shown(0.9).1, 1);
        let (second, count) = shown(1.0);
        assert_eq!(count, 3);
        // The first text is still being read.
        assert_eq!(shown(60.0).1, 3);
        drop(first);
        assert_eq!(shown(60.0).1, 5);
        assert_eq!(shown(120.0).1, 5);
        drop(second);
        assert_eq!(shown(120.0).1, 7);
    }
}
