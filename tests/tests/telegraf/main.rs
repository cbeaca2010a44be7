//! Fault tests of the Telegraf home: a double of Telegraf starts a UDF as `processors.execd` does,
//! and each test checks a promise for one fault.
//!
//! The tables of `docs/faults.md` list the cases. To update them, run
//! `UPDATE=1 cargo test -p udf-tests --test telegraf table`.

mod crashes;
mod double;
mod lines;
mod options;
mod own;
mod pipes;
mod states;
mod stops;
mod table;
mod udfs;
mod windows;

use udf_tests::cases;
