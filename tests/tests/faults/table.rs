//! The tables of all cases in the document.

use udf_tests::cases::{Group, Suite};

/// The groups of cases with their headings.
const GROUPS: &[Group] = &[
    ("Frames", crate::frames::CASES),
    ("Points", crate::points::CASES),
    ("Order, and batches", crate::order::CASES),
    ("Options", crate::options::CASES),
    ("Snapshots", crate::snapshots::CASES),
    ("Handlers", crate::handlers::CASES),
    ("Work that waits", crate::waiting::CASES),
    ("Long inputs", crate::liveness::CASES),
    ("The other side, and memory", crate::memory::CASES),
    ("Kapacitor leaves", crate::hangups::CASES),
    ("Signals and restarts", crate::signals::CASES),
    ("The socket's file", crate::sockets::CASES),
    ("Other users of the machine", crate::neighbours::CASES),
    ("systemd", crate::systemd::CASES),
    ("Many connections", crate::crowds::CASES),
    ("More connections than there may be", crate::descriptors::CASES),
    ("Metrics", crate::metrics::CASES),
    ("Limits", crate::limits::CASES),
    ("Logs", crate::logs::CASES),
    ("A log that nobody reads", crate::unread::CASES),
    ("The process", crate::process::CASES),
    ("Several UDFs, and things that tasks share", crate::programs::CASES),
];

const SUITE: Suite = Suite { target: "faults", groups: GROUPS };

#[test]
fn table_of_the_document_is_current() {
    SUITE.check_document();
}

#[test]
fn every_fault_has_a_name_of_its_own() {
    SUITE.check_names();
    assert!(GROUPS.len() > 20);
}
