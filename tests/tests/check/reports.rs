//! Complete reports: of slow UDFs, of UDFs that die or do not answer, and of an author's own
//! points.

use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{Report, Status, read_points};
use udf_proto::messages::Point;
use udf_text::line_protocol::{Grouping, LineReader};

use super::{Daemon, LONG, OPTIONS, assert_all_pass, at_once, checked, peer, settings};

fn names(report: &Report, status: Status) -> Vec<&str> {
    let found = report.checks.iter().filter(|finding| finding.status == status);
    found.map(|finding| finding.name).collect()
}

/// Returns the text of a finding, and checks its status.
#[track_caller]
fn found<'r>(report: &'r Report, name: &str, status: Status) -> &'r str {
    let finding = report.finding(name).expect("the check was run");
    assert_eq!(finding.status, status, "{finding:#?}");
    finding.found.as_deref().unwrap_or_default()
}

#[test]
fn a_slow_udf_has_time_as_long_as_it_shows_that_it_lives() {
    // Both UDFs handle their points for longer than the timeout for answers.
    let within = Duration::from_secs(4);
    let cases = [
        ("slow_25", &["data_handled"][..]),
        ("slow_25", &["drains_at_end"]),
        ("slow_3", &["many_groups"]),
    ];
    at_once(&cases, |(fault, only)| {
        let report = checked(&peer(&[fault]), &settings(&OPTIONS, within, only));
        assert_eq!(names(&report, Status::Pass), *only, "{report:#?}");
    });
}

#[test]
fn a_udf_that_dies_of_data_is_reported_once() {
    let report = checked(&peer(&["dies_on_data"]), &settings(&OPTIONS, LONG, &[]));
    assert_eq!(names(&report, Status::Fail), ["data_handled"], "{report:#?}");
    assert!(found(&report, "data_handled", Status::Fail).contains("index out of range"));
    assert!(found(&report, "many_groups", Status::Skip).ends_with("; see data_handled"));
    // The program is started again for checks without data.
    assert_eq!(found(&report, "garbage", Status::Pass), "");
}

#[test]
fn a_daemon_that_dies_is_reported_once() {
    let daemon = Daemon::start(&["dies_on_data"]);
    let report = checked(&Target::Socket(daemon.path()), &settings(&OPTIONS, LONG, &[]));
    assert_eq!(names(&report, Status::Fail), ["data_handled"], "{report:#?}");
    let died = found(&report, "data_handled", Status::Fail);
    assert!(died.ends_with("; the daemon no longer answers"), "{died}");
    let skipped = found(&report, "garbage", Status::Skip);
    assert_eq!(skipped, "the daemon no longer answers; see data_handled");
}

#[test]
fn a_udf_that_cannot_refuse_is_reported_once() {
    at_once(&["dies_of_options", "refusal_without_text"], |fault| {
        let report = checked(&peer(&[fault]), &settings(&OPTIONS, LONG, &[]));
        assert_eq!(names(&report, Status::Fail), ["no_options"], "{report:#?}");
        assert!(found(&report, "wrong_type", Status::Skip).ends_with("; see no_options"));
        assert!(found(&report, "refusal_explained", Status::Skip).contains("see "));
    });
}

#[test]
fn a_check_that_cannot_run_is_no_success_on_its_own() {
    let report = checked(&peer(&["dies_on_data"]), &settings(&OPTIONS, LONG, &["many_groups"]));
    assert!(found(&report, "many_groups", Status::Fail).contains("index out of range"));
}

#[test]
fn a_check_that_got_nothing_back_does_not_pass() {
    at_once(&[&["swallows"][..], &["swallows", "--batch"]], |args| {
        let report = checked(&peer(args), &settings(&OPTIONS, LONG, &[]));
        assert_eq!(report.failed, 0, "{report:#?}");
        let warned = names(&report, Status::Warn);
        for name in ["data_handled", "int_and_float", "many_groups", "restore_continues"] {
            assert!(warned.contains(&name), "{name}: {warned:?}");
        }
        assert!(found(&report, "data_handled", Status::Warn).contains("with --points FILE"));
        assert!(found(&report, "many_groups", Status::Warn).ends_with("; see data_handled"));
    });
}

const POINTS: &str = "\
room,name=attic temperature=19.5,people=0i 1000000000
room,name=hall temperature=21 1000000000
room,name=attic temperature=19.25,people=1i 2000000000
room,name=hall temperature=21.5 2000000000
";

fn points(grouping: Grouping) -> Vec<Point> {
    read_points(&mut LineReader::new(POINTS.as_bytes(), grouping)).expect("they are points")
}

#[test]
fn the_points_of_the_author_are_sent_in_place_of_made_up_ones() {
    let points = points(Grouping::by_all_tags());
    for args in [&["wants_temperature"][..], &["wants_temperature", "--batch"]] {
        let made_up = settings(&OPTIONS, LONG, &["data_handled"]);
        found(&checked(&peer(args), &made_up), "data_handled", Status::Warn);
        let own = settings(&OPTIONS, LONG, &[]).points(points.clone());
        assert_all_pass(&checked(&peer(args), &own));
    }
}

#[test]
fn an_echo_of_points_without_a_group_keeps_their_grouping() {
    let report = |fault, grouping| {
        let points = points(grouping);
        let own = settings(&OPTIONS, LONG, &["grouping_kept"]).points(points);
        checked(&peer(&[fault]), &own)
    };
    // All points are in one group, or no point has a tag for one of the dimensions.
    let unusual = || [Grouping::none(), Grouping::by(["name", "floor"])];
    for grouping in unusual() {
        found(&report("none", grouping), "grouping_kept", Status::Pass);
    }
    let [_, grouped] = unusual();
    found(&report("loses_grouping", grouped), "grouping_kept", Status::Warn);
}

#[test]
fn a_udf_that_takes_its_time_to_exit_is_named_with_its_status() {
    let args = ["-c", "exec >&-; sleep 2; exit 7"].map(Into::into).to_vec();
    let target = Target::Program { program: "sh".into(), args };
    let report = checked(&target, &settings(&[], LONG, &["info_answered"]));
    let closed = found(&report, "info_answered", Status::Fail);
    assert!(closed.ends_with(" came (exit status: 7)"), "{closed}");
}
