//! The command `udf`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    udf_cli::front::main()
}
