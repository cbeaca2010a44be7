//! The cases of a fault suite: each is a separate test, and a line of a table in `docs/faults.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::program::Transport;

/// A fault, and the promise for it.
pub struct Case {
    /// The name of the test.
    pub name: &'static str,
    /// The promise, a sentence of the table.
    pub promise: &'static str,
    /// The transports over which the fault is injected.
    pub on: Transports,
    /// Injects the fault and checks the promise.
    pub run: fn(Transport),
}

/// The transports of a case.
pub type Transports = &'static [Transport];

/// Over pipes and over a socket.
pub const BOTH: Transports = &[Transport::Pipe, Transport::Socket];

/// Over pipes only.
pub const PIPE: Transports = &[Transport::Pipe];

/// Over a socket only.
pub const SOCKET: Transports = &[Transport::Socket];

/// Defines a table of cases, and one test per case: `name, transports, promise;`. The function
/// `name` runs once per transport.
#[macro_export]
macro_rules! cases {
    ($($name:ident, $on:expr, $promise:literal;)*) => {
        pub(crate) const CASES: &[$crate::cases::Case] = &[$(
            $crate::cases::Case {
                name: stringify!($name), promise: $promise, on: $on, run: $name
            },
        )*];

        mod case {
            $(
                #[test]
                fn $name() {
                    let case = super::CASES.iter().find(|case| case.name == stringify!($name));
                    let case = case.expect("the case is in the table");
                    case.on.iter().for_each(|transport| (case.run)(*transport));
                }
            )*
        }
    };
}

/// The cases of one file, with the heading of their table.
pub type Group = (&'static str, &'static [Case]);

/// All cases of a suite.
pub struct Suite {
    /// The name of the test target, also in the marks around the tables.
    pub target: &'static str,
    /// The groups of cases, in the order of the document.
    pub groups: &'static [Group],
}

impl Suite {
    /// Compares the tables in `docs/faults.md` with the cases. With the variable `UPDATE`, writes
    /// them.
    ///
    /// # Panics
    /// If the document differs.
    pub fn check_document(&self) {
        check_document(self.target, &self.tables());
    }

    /// Checks that no two cases have the same name.
    ///
    /// # Panics
    /// If two have.
    pub fn check_names(&self) {
        let mut names: Vec<_> = self.cases().map(|case| case.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    fn cases(&self) -> impl Iterator<Item = &Case> {
        self.groups.iter().flat_map(|(_, cases)| *cases)
    }

    fn tables(&self) -> String {
        let count = self.cases().count();
        let done = self.cases().map(|case| case.on.len()).sum::<usize>();
        let mut tables =
            format!("\n{count} faults, injected into running programs {done} times.\n");
        for (group, cases) in self.groups {
            let head = "| fault | over | promise |\n| --- | --- | --- |\n";
            let _ = write!(tables, "\n## {group}\n\n{head}");
            for case in *cases {
                let over = case.on.iter().map(|on| match on {
                    Transport::Pipe => "pipe",
                    Transport::Socket => "socket",
                });
                let over = over.collect::<Vec<_>>().join(", ");
                let name = case.name.replace('_', " ");
                let _ = writeln!(tables, "| {name} | {over} | {} |", case.promise);
            }
        }
        tables.push('\n');
        tables
    }
}

/// Compares the tables of a test target in `docs/faults.md` with these. With the variable `UPDATE`,
/// writes them.
///
/// # Panics
/// If the document differs.
pub fn check_document(target: &str, tables: &str) {
    let begin = format!("<!-- The tables of `{target}`; its test `table` renews them. -->\n");
    let end = format!("<!-- The end of the tables of `{target}`. -->\n");
    println!("{tables}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    let found = fs::read_to_string(&path).expect("docs/faults.md is there");
    let (before, rest) =
        found.split_once(&begin).expect("the document marks the begin of the tables");
    let (_, after) = rest.split_once(&end).expect("the document marks the end of the tables");
    let current = format!("{before}{begin}{tables}{end}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).expect("docs/faults.md is writable");
    } else {
        assert!(
            found == current,
            "docs/faults.md differs from the suite; to renew it, run\n  \
             UPDATE=1 cargo test -p udf-tests --test {target} table"
        );
    }
}
