//! The existing spans, and the spans that each thread has entered.
//!
//! The spans are in a map, and a thread stores only the spans that it has entered. The number of
//! threads is therefore unlimited.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::Metadata;
use tracing::span::{Attributes, Id, Record};

use super::line::{Fields, Line};
use crate::agent::sync::lock;

/// The maximum length of the fields of a span, however often a field is recorded.
const MAX_FIELDS: usize = 4 << 10;

/// A span, which exists while it or one of its children is open.
pub(super) struct Span {
    metadata: &'static Metadata<'static>,
    parent: Option<Arc<Span>>,
    /// The fields as they appear in a line.
    fields: Mutex<String>,
}

impl Span {
    pub(super) fn metadata(&self) -> &'static Metadata<'static> {
        self.metadata
    }

    /// Appends the names and fields of this span and of its parents to the begin of a line.
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

/// The open spans by number.
#[derive(Default)]
pub(super) struct Spans(Mutex<HashMap<u64, Open>>);

struct Open {
    span: Arc<Span>,
    /// The number of handles.
    handles: usize,
}

thread_local! {
    /// The spans that this thread has entered. The innermost one is last.
    static ENTERED: RefCell<Vec<(Id, Arc<Span>)>> = const { RefCell::new(Vec::new()) };
}

impl Spans {
    pub(super) fn open(&self, attributes: &Attributes<'_>) -> Id {
        // All subscribers share this counter, because they share the spans of a thread.
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        // Hold no lock while the fields are formatted: formatting runs the author's code, which may
        // log as well.
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
            // A thread that is ending no longer has this list.
            let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((id.clone(), span)));
        }
    }

    pub(super) fn exit(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // This is not always the innermost span: a guard can outlive a guard that was created
            // later.
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

    /// Drops a handle. Returns whether it was the last one.
    pub(super) fn close(&self, id: &Id) -> bool {
        let mut spans = lock(&self.0);
        let Some(open) = spans.get_mut(&id.into_u64()) else { return false };
        open.handles -= 1;
        open.handles == 0 && spans.remove(&id.into_u64()).is_some()
    }

    /// Returns the number of open spans.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Returns the span that this thread has entered last, if any.
pub(super) fn innermost() -> Option<(Id, Arc<Span>)> {
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}
