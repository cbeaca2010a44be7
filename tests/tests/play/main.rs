//! Tests of the page that `play` serves: of its server, and in a real browser without a window.
//!
//! The browser is Chromium, which `chromedriver` starts. It is searched in `PATH`. Without it, the
//! tests in the browser are reported as ignored, or fail with `UDF_TEST_BROWSER=required`.

mod browser;
mod driver;
mod page;
mod requests;

use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The variable that makes a missing browser a failure, if it is `required`.
const REQUIRED: &str = "UDF_TEST_BROWSER";

/// A test and its name.
type Test = (&'static str, fn());

/// Lists the tests of a module.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::Test] = &[$((stringify!($name), $name)),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    let requests = requests::TESTS.iter().map(|&(name, run)| {
        Trial::test(format!("requests::{name}"), move || {
            run();
            Ok(())
        })
    });
    let browser = browser::TESTS.iter().map(|&(name, run)| {
        Trial::ignorable_test(format!("browser::{name}"), move || in_browser(run))
    });
    libtest_mimic::run(&Arguments::from_args(), requests.chain(browser).collect()).exit_code()
}

fn in_browser(run: fn()) -> Result<Completion, Failed> {
    match driver::program() {
        Some(_) => {
            run();
            Ok(Completion::Completed)
        }
        None => {
            let why = "no chromedriver in PATH; Debian's packages are chromium and chromium-driver";
            match env::var(REQUIRED) {
                Ok(value) if value == "required" => Err(why.into()),
                _ => Ok(Completion::ignored_with(why)),
            }
        }
    }
}
