//! The tables of all cases in the document.

use udf_tests::cases::{Group, Suite};

/// The groups of cases with their headings.
const GROUPS: &[Group] =
    &[("What Telegraf does", crate::own::CASES), ("Telegraf stops", crate::stops::CASES)];

const SUITE: Suite = Suite { target: "telegraf", groups: GROUPS };

#[test]
fn table_of_the_document_is_current() {
    SUITE.check_document();
}

#[test]
fn every_fault_has_a_name_of_its_own() {
    SUITE.check_names();
}
