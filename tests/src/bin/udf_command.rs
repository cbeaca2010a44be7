//! The command `udf`, built with the profile of the tests.

use std::process::ExitCode;

fn main() -> ExitCode {
    udf_cli::front::main()
}
