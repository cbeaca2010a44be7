//! Reports what a chunk has left out.

use super::event::Event;
use super::run::Run;
use crate::udf::LeftOut;

impl<L, U, C> Run<'_, L, U, C> {
    pub(super) fn note_left_out(&self, left_out: &LeftOut) {
        let LeftOut { invalid, first_invalid, fields, unwritable, unwritable_why } = left_out;
        self.counters.invalid.add(*invalid);
        self.counters.unwritable.add(*unwritable);
        let report = self.context.report;
        if let Some(first) = first_invalid {
            report.event(&Event::Invalid { count: *invalid, first });
        }
        if *fields > 0 {
            report.event(&Event::FieldsDropped { count: *fields });
        }
        if let Some(why) = unwritable_why {
            report.event(&Event::Unwritable { count: *unwritable, why });
        }
    }
}
