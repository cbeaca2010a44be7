//! Complete reports: of slow UDFs, of UDFs that die or do not answer, and of an author's own
//! points.

use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{Report, Status};
use udf_host::replay::{Data, Replay};
use udf_text::line_protocol::Grouping;

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
fn a_check_that_got_nothing_back_is_untested() {
    at_once(&[&["swallows"][..], &["swallows", "--batch"]], |args| {
        let report = checked(&peer(args), &settings(&OPTIONS, LONG, &[]));
        assert_eq!((report.failed, report.warned), (0, 0), "{report:#?}");
        let untested = names(&report, Status::Untested);
        assert_eq!(report.untested, untested.len());
        for name in ["data_handled", "int_and_float", "many_groups", "restore_continues"] {
            assert!(untested.contains(&name), "{name}: {untested:?}");
        }
        assert!(found(&report, "data_handled", Status::Untested).ends_with(
            "no point came back for the 200 points that it was sent; \
             pass points that the UDF answers with --points FILE"
        ));
        assert!(found(&report, "many_groups", Status::Untested).ends_with("; see data_handled"));
    });
}

/// A UDF that passes points without its field on, and dies of a point with the field. From outside,
/// sample points seem to be handled.
#[test]
fn a_check_whose_points_came_back_unread_is_untested() {
    at_once(&[&["passes_unread"][..], &["passes_unread", "--batch"]], |args| {
        let report = checked(&peer(args), &settings(&OPTIONS, LONG, &[]));
        assert_eq!((report.failed, report.warned), (0, 0), "{report:#?}");
        let untested = names(&report, Status::Untested);
        for name in ["data_handled", "keepalive_among_data", "many_groups", "restore_continues"] {
            assert!(untested.contains(&name), "{name}: {untested:?}");
        }
        let text = found(&report, "data_handled", Status::Untested);
        assert!(text.contains("came back unchanged: the UDF may have skipped them"), "{text}");
        assert!(text.ends_with("pass points that the UDF changes with --points FILE"), "{text}");
    });
}

#[test]
fn the_point_at_which_a_udf_fails_is_named() {
    let points = "room,name=attic temperature=1 1\nroom,name=hall temperature=2 2\n\
                  room,name=hall temperature=-3 3\nroom,name=hall temperature=4 4\n";
    at_once(&[&["passes_unread"][..], &["passes_unread", "--batch"]], |args| {
        let own = settings(&OPTIONS, LONG, &[]).data(data(points, Grouping::by_all_tags()));
        let report = checked(&peer(args), &own);
        assert_eq!(names(&report, Status::Fail), ["data_handled"], "{report:#?}");
        let text = found(&report, "data_handled", Status::Fail);
        let panic = "it wrote to stderr: the handler panicked: -3 is below zero";
        let place = "; this happened at the point `room,name=hall temperature=-3.0 3`";
        assert!(text.ends_with(&format!("{panic}{place}")), "{text}");
    });
}

/// The user knows whether the UDF should change the user's own points.
#[test]
fn own_points_that_came_back_unchanged_are_a_remark() {
    let target = Target::program(udf_tests::program::example("mirror"));
    let report = checked(&target, &settings(&[], LONG, &["data_handled", "many_groups"]));
    assert_eq!(names(&report, Status::Untested), ["data_handled", "many_groups"]);
    let own = settings(&[], LONG, &[]).data(data(POINTS, Grouping::by_all_tags()));
    let report = checked(&target, &own);
    assert_all_pass(&report);
    let remark = found(&report, "data_handled", Status::Pass);
    assert_eq!(remark, "all 200 points came back unchanged");
}

const POINTS: &str = "\
room,name=attic temperature=19.5,people=0i 1000000000
room,name=hall temperature=21 1000000000
room,name=attic temperature=19.25,people=1i 2000000000
room,name=hall temperature=21.5 2000000000
";

fn data(lines: &str, grouping: Grouping) -> Data {
    let replay = Replay::default().grouping(grouping);
    replay.read(lines.as_bytes(), 100).expect("they are points").data
}

#[test]
fn the_points_of_the_author_are_sent_in_place_of_made_up_ones() {
    let points = data(POINTS, Grouping::by_all_tags());
    for args in [&["wants_temperature"][..], &["wants_temperature", "--batch"]] {
        let made_up = settings(&OPTIONS, LONG, &["data_handled"]);
        found(&checked(&peer(args), &made_up), "data_handled", Status::Untested);
        let own = settings(&OPTIONS, LONG, &[]).data(points.clone());
        assert_all_pass(&checked(&peer(args), &own));
    }
}

#[test]
fn an_echo_of_points_without_a_group_keeps_their_grouping() {
    let report = |fault, grouping| {
        let own = settings(&OPTIONS, LONG, &["grouping_kept"]).data(data(POINTS, grouping));
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
