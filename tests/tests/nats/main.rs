//! Fault tests of UDFs on several machines, over real NATS servers on loopback.
//!
//! Each test compares the output line for line with `udf replay` of the same lines. A server is
//! searched in `UDF_TEST_NATS_SERVER`, in `target/nats-server`, where `.ci/run` installs one, and in
//! `PATH`. Without one, the tests are reported as ignored, or fail with `UDF_TEST_NATS=required`.
//!
//! The tables of `docs/faults.md` list the cases. To update them, run
//! `UPDATE=1 cargo test -p udf-tests --test nats table`.

mod cluster;
mod commands;
mod limits;
mod logins;
mod poison;
mod process;
mod proxy;
mod server;
mod servers;
mod takeover;
mod workers;
mod world;

use std::fmt::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// A test, with the promise that it checks.
pub(crate) struct Case {
    name: &'static str,
    promise: &'static str,
    run: fn(),
}

/// Lists the tests of a module: `name, "promise";`
macro_rules! cases {
    ($($name:ident, $promise:literal;)*) => {
        pub(crate) const CASES: &[$crate::Case] = &[
            $($crate::Case { name: stringify!($name), promise: $promise, run: $name },)*
        ];
    };
}
pub(crate) use cases;

/// The modules, with the headings of their tables.
const MODULES: [(&str, &str, &[Case]); 9] = [
    ("workers", "Workers and splitters die, hang, come back, join and leave", workers::CASES),
    ("servers", "A server dies, hangs or is late", servers::CASES),
    ("proxy", "The network cuts, delays and drops", proxy::CASES),
    ("cluster", "A cluster loses servers", cluster::CASES),
    ("poison", "Lines and options that a UDF does not take", poison::CASES),
    ("limits", "Messages that are too large", limits::CASES),
    ("takeover", "Large states move", takeover::CASES),
    ("commands", "Commands that contradict each other", commands::CASES),
    ("logins", "Logins and encryption", logins::CASES),
];

fn main() -> ExitCode {
    let mut trials = vec![Trial::test("table_of_the_document_is_current", || {
        udf_tests::cases::check_document("nats", &tables());
        Ok(())
    })];
    for (module, _, cases) in MODULES {
        for Case { name, promise, run } in cases {
            assert!(promise.ends_with('.'), "{name}: the promise is a sentence");
            trials.push(Trial::ignorable_test(format!("{module}::{name}"), move || trial(*run)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(run: fn()) -> Result<Completion, Failed> {
    match server::program() {
        Ok(_) => {
            run();
            Ok(Completion::Completed)
        }
        Err(why) if server::is_required() => Err(why.into()),
        Err(why) => Ok(Completion::ignored_with(why)),
    }
}

fn tables() -> String {
    let count: usize = MODULES.iter().map(|(_, _, cases)| cases.len()).sum();
    let mut tables = format!("\n{count} faults, injected into running servers and programs.\n");
    for (_, heading, cases) in MODULES {
        // Writing to a string does not fail.
        let _ = write!(tables, "\n## {heading}\n\n| fault | promise |\n| --- | --- |\n");
        for Case { name, promise, .. } in cases {
            let _ = writeln!(tables, "| {} | {promise} |", name.replace('_', " "));
        }
    }
    tables.push('\n');
    tables
}
