//! The spans that exist, and those that each thread is in.
//!
//! Spans are kept in a map, and a thread knows only those that it has entered: no number of threads is too large.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::Metadata;
use tracing::span::{Attributes, Id, Record};

use super::line::{Fields, Line};
use crate::agent::sync::lock;

/// The fields of a span are cut at this length, however often one is recorded.
const MAX_FIELDS: usize = 4 << 10;

/// A span, for as long as it is open, or is part of one that is.
pub(super) struct Span {
    metadata: &'static Metadata<'static>,
    parent: Option<Arc<Span>>,
    /// As they stand in a line.
    fields: Mutex<String>,
}

impl Span {
    pub(super) fn metadata(&self) -> &'static Metadata<'static> {
        self.metadata
    }

    /// Adds the names and fields of a span, and of those around it, to the beginning of a line.
    pub(super) fn show(&self, line: &mut Line) {
        if let Some(parent) = &self.parent {
            parent.show(line);
        }
        line.put(format_args!("{}", self.metadata.name()));
        let fields = lock(&self.fields);
        if !fields.is_empty() {
            line.put(format_args!("{{{fields}}}"));
        }
        line.put(format_args!(":"));
    }
}

/// The spans that are open, by their numbers.
#[derive(Default)]
pub(super) struct Spans(Mutex<HashMap<u64, Open>>);

struct Open {
    span: Arc<Span>,
    /// How many handles there are.
    handles: usize,
}

thread_local! {
    /// The spans that this thread is in, the innermost one last.
    static ENTERED: RefCell<Vec<(Id, Arc<Span>)>> = const { RefCell::new(Vec::new()) };
}

impl Spans {
    pub(super) fn open(&self, attributes: &Attributes<'_>) -> Id {
        // One for all subscribers, since the spans of a thread are those of all of them.
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        // Nothing is locked while values are shown: that is code of authors, which may log in turn.
        let mut fields = Line::new(MAX_FIELDS);
        attributes.record(&mut Fields::new(&mut fields));
        let parent = if attributes.is_contextual() {
            innermost().map(|(_, span)| span)
        } else {
            attributes.parent().and_then(|id| self.find(id))
        };
        let (metadata, fields) = (attributes.metadata(), Mutex::new(fields.finish()));
        let span = Arc::new(Span { metadata, parent, fields });
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        lock(&self.0).insert(number, Open { span, handles: 1 });
        Id::from_u64(number)
    }

    pub(super) fn find(&self, id: &Id) -> Option<Arc<Span>> {
        lock(&self.0).get(&id.into_u64()).map(|open| Arc::clone(&open.span))
    }

    pub(super) fn record(&self, id: &Id, values: &Record<'_>) {
        let mut more = Line::new(MAX_FIELDS);
        values.record(&mut Fields::new(&mut more));
        let Some(span) = self.find(id).filter(|_| !more.is_empty()) else { return };
        let mut fields = lock(&span.fields);
        if fields.len() < MAX_FIELDS {
            if !fields.is_empty() {
                fields.push(' ');
            }
            fields.push_str(&more.finish());
        }
    }

    pub(super) fn enter(&self, id: &Id) {
        if let Some(span) = self.find(id) {
            // A thread that is ending has no such list any more.
            let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((id.clone(), span)));
        }
    }

    pub(super) fn exit(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // Not always the innermost one: a guard can live longer than one that was made behind it.
            if let Some(place) = entered.iter().rposition(|(entered, _)| entered == id) {
                entered.remove(place);
            }
        });
    }

    pub(super) fn clone(&self, id: &Id) {
        if let Some(open) = lock(&self.0).get_mut(&id.into_u64()) {
            open.handles += 1;
        }
    }

    /// Drops a handle; returns whether it was the last one.
    pub(super) fn close(&self, id: &Id) -> bool {
        let mut spans = lock(&self.0);
        let Some(open) = spans.get_mut(&id.into_u64()) else { return false };
        open.handles -= 1;
        open.handles == 0 && spans.remove(&id.into_u64()).is_some()
    }

    /// Returns how many spans are open.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Returns the span that this thread has entered last, if it is in one.
pub(super) fn innermost() -> Option<(Id, Arc<Span>)> {
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}
