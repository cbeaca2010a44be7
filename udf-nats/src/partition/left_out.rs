//! Reports what a chunk has left out.

use super::event::Event;
use super::run::Run;
use crate::udf::Invalid;

impl<L, U, C> Run<'_, L, U, C> {
    pub(super) fn note_left_out(&self, invalid: &[Invalid], unwritable: u64, why: Option<String>) {
        self.counters.invalid.add(invalid.len() as u64);
        self.counters.unwritable.add(unwritable);
        let report = self.context.report;
        if let Some(first) = invalid.first() {
            report.event(&Event::Invalid { count: invalid.len(), first });
        }
        if let Some(why) = why {
            report.event(&Event::Unwritable { count: unwritable, why: &why });
        }
    }
}
