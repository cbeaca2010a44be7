//! Converts events and spans to lines for the queue.

use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata};
use tracing_core::span::Current;

use super::kinds::is_limited;
use super::line::Fields;
use super::queue::Queue;
use super::spans::{Spans, innermost};
use super::tell;

/// Libraries whose events repeat those of this kit. They are logged from the level `debug` on.
const QUIET: [&str; 1] = ["async_nats"];

/// Creates a line for each event, with its spans.
pub(super) struct Subscriber {
    level: LevelFilter,
    spans: Spans,
    queue: Arc<Queue>,
}

impl Subscriber {
    pub(super) fn new(level: LevelFilter, queue: Arc<Queue>) -> Self {
        Subscriber { level, spans: Spans::default(), queue }
    }

    #[cfg(test)]
    pub(super) fn open_spans(&self) -> usize {
        self.spans.len()
    }
}

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let library = metadata.target().split("::").next().unwrap_or_default();
        let is_quiet = self.level < LevelFilter::DEBUG && QUIET.contains(&library);
        *metadata.level() <= self.level && !is_quiet
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let is_limited = is_limited(metadata);
        if is_limited && !self.queue.admit(metadata) {
            return;
        }
        let mut line = self.queue.begin(*metadata.level());
        let span = if event.is_contextual() {
            innermost().map(|(_, span)| span)
        } else {
            event.parent().and_then(|id| self.spans.find(id))
        };
        if let Some(span) = span {
            span.show(&mut line);
            line.put(format_args!(" "));
        }
        let words = line.len();
        // Hold no lock here: formatting the values runs the author's code, which may log as well.
        event.record(&mut Fields::new(&mut line));
        let line = line.finish();
        tell(&line);
        if is_limited {
            self.queue.push_limited(line, metadata, words);
        } else {
            self.queue.push(line);
        }
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.spans.open(attributes)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.spans.record(id, values);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, id: &Id) {
        self.spans.enter(id);
    }

    fn exit(&self, id: &Id) {
        self.spans.exit(id);
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.spans.clone(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.spans.close(&id)
    }

    fn current_span(&self) -> Current {
        innermost().map_or_else(Current::none, |(id, span)| Current::new(id, span.metadata()))
    }
}
