//! The command `udf`, built as the tests are.

use std::process::ExitCode;

fn main() -> ExitCode {
    udf_cli::front::main()
}
