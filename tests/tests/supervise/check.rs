//! `udf check` passes for a supervised UDF.

use std::ffi::OsString;
use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{self, CheckSettings, Report, Status};
use udf_tests::program::{Transport, example};

use crate::front::{Udf, has_python, launch, plain, program, udf_command};

/// The timeout for UDFs that do not hang, even on a busy machine.
const LONG: Duration = Duration::from_secs(20);

fn checked(target: &Target, options: &[&str]) -> Report {
    let settings = CheckSettings::default().options(options.iter().copied()).within(LONG);
    check::run(target, &settings, &mut |_, _| {}).expect("there is a report")
}

#[track_caller]
fn assert_all_pass(report: &Report) {
    let is_bad = |status| status != Status::Pass && status != Status::Skip;
    let bad: Vec<_> = report.checks.iter().filter(|finding| is_bad(finding.status)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(report.passed > 40, "{} passed", report.passed);
}

/// Returns the same fronts as `udf check` starts them, or connects to them.
fn pass(udf: &Udf, options: &[&str]) {
    let command = crate::front::command(udf, None, &[]);
    let args: Vec<OsString> = command.get_args().map(Into::into).collect();
    let target = Target::Program { program: command.get_program().into(), args };
    assert_all_pass(&checked(&target, options));
    let daemon = launch(udf, Transport::Socket, &[]);
    assert_all_pass(&checked(&Target::Socket(daemon.socket().to_owned()), options));
}

#[test]
fn a_udf_that_supervises_itself_passes() {
    pass(&Udf::Example("moving_avg"), &["field=usage", "size=10"]);
    pass(&Udf::Example("outliers"), &["field=usage"]);
}

#[test]
fn a_udf_under_the_command_passes() {
    let path = example("moving_avg");
    let udf = program(path.to_str().expect("the path is text"), &[]);
    pass(&udf, &["field=usage", "size=10"]);
}

#[test]
fn the_command_passes_as_the_target_of_the_command() {
    let udf = udf_command();
    let output = std::process::Command::new(&udf)
        .args(["check", "-o", "field=usage", "-o", "size=10", "--"])
        .arg(&udf)
        .args(["supervise", "--"])
        .arg(example("moving_avg"))
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_check_that_passes_without_a_front_passes_with_one() {
    if !has_python() {
        return;
    }
    let Udf::Program(command) = plain(&[]) else { panic!("a program") };
    let alone = Target::Program {
        program: (&command[0]).into(),
        args: command[1..].iter().map(Into::into).collect(),
    };
    let front = crate::front::command(&plain(&[]), None, &[]);
    let front = Target::Program {
        program: front.get_program().into(),
        args: front.get_args().map(Into::into).collect(),
    };
    let [alone, front] = [alone, front].map(|target| checked(&target, &["field=value"]));
    for (with, without) in front.checks.iter().zip(&alone.checks) {
        let is_bad = with.status == Status::Fail && without.status == Status::Pass;
        assert!(!is_bad, "{with:#?}, without a front {without:#?}");
    }
}
