//! The table of all cases, and the document that contains it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use udf_tests::program::Transport;

use crate::Case;

/// The groups of cases with their headings.
const GROUPS: &[(&str, &[Case])] = &[
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

const BEGIN: &str = "<!-- The table of the fault suite; its test `table` renews it. -->\n";
const END: &str = "<!-- The end of the table. -->\n";

fn table() -> String {
    let mut table = String::new();
    for (group, cases) in GROUPS {
        let _ = write!(table, "\n## {group}\n\n| fault | over | promise |\n| --- | --- | --- |\n");
        for case in *cases {
            let over = case.on.iter().map(|on| match on {
                Transport::Pipe => "pipe",
                Transport::Socket => "socket",
            });
            let over = over.collect::<Vec<_>>().join(", ");
            let _ =
                writeln!(table, "| {} | {over} | {} |", case.name.replace('_', " "), case.promise);
        }
    }
    let count = GROUPS.iter().map(|(_, cases)| cases.len()).sum::<usize>();
    let done = GROUPS.iter().flat_map(|(_, cases)| *cases).map(|case| case.on.len()).sum::<usize>();
    format!("{BEGIN}\n{count} faults, injected into running programs {done} times.\n{table}\n{END}")
}

#[test]
fn table_of_the_document_is_current() {
    let table = table();
    println!("{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    let found = fs::read_to_string(&path).expect("docs/faults.md is there");
    let (before, rest) =
        found.split_once(BEGIN).expect("the document marks the begin of the table");
    let (_, after) = rest.split_once(END).expect("the document marks the end of the table");
    let current = format!("{before}{table}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).expect("docs/faults.md is writable");
    } else {
        assert!(
            found == current,
            "docs/faults.md differs from the suite; to renew it, run\n  \
             UPDATE=1 cargo test -p udf-tests --test faults table"
        );
    }
}

#[test]
fn every_fault_has_a_name_of_its_own() {
    let mut names: Vec<_> =
        GROUPS.iter().flat_map(|(_, cases)| *cases).map(|case| case.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 60, "{count}");
}
