//! The tables of all cases in the document.

use udf_tests::cases::{Group, Suite};

/// The groups of cases with their headings.
const GROUPS: &[Group] = &[
    ("A supervised UDF is killed", crate::kills::CASES),
    ("Supervised examples", crate::examples::CASES),
    ("A supervised UDF fails", crate::deaths::CASES),
    ("Input that kills a UDF", crate::poison::CASES),
    ("A supervised UDF that is busy", crate::liveness::CASES),
    ("Limits of a supervisor", crate::limits::CASES),
    ("The end of a supervisor", crate::fronts::CASES),
    ("State of a supervised UDF", crate::states::CASES),
    ("Upgrades of a supervised UDF", crate::changes::CASES),
];

const SUITE: Suite = Suite { target: "supervise", groups: GROUPS };

#[test]
fn table_of_the_document_is_current() {
    SUITE.check_document();
}

#[test]
fn every_fault_has_a_name_of_its_own() {
    SUITE.check_names();
}
