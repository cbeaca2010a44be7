//! Every fault of a UDF is reported by the check for it.

use std::time::Duration;

use udf_cli::Target;
use udf_cli::check::{self, Status};

use super::{Daemon, LONG, OPTIONS, checked, peer, settings};

/// The timeout for faults that hang. Longer than anything else takes on a busy machine.
const HANGING: Duration = Duration::from_secs(10);

/// The expected report of a fault: the check, its status, a part of the finding, and whether the
/// UDF hangs.
struct Fault {
    name: &'static str,
    check: &'static str,
    status: Status,
    found: &'static str,
    hangs: bool,
}

const fn fails(name: &'static str, check: &'static str, found: &'static str) -> Fault {
    Fault { name, check, status: Status::Fail, found, hangs: false }
}

const fn warns(name: &'static str, check: &'static str, found: &'static str) -> Fault {
    Fault { name, check, status: Status::Warn, found, hangs: false }
}

const fn hangs(name: &'static str, check: &'static str, found: &'static str) -> Fault {
    Fault { name, check, status: Status::Fail, found, hangs: true }
}

const OF_STREAMS: [Fault; 74] = [
    hangs("no_info", "info_answered", "an answer to Info did not come within 10s"),
    hangs("init_for_info", "info_answered", "expected an answer to Info, but an Init answer came"),
    fails("unknown_edge", "info_edges", "`wants` is 7, which is neither STREAM (0) nor BATCH (1)"),
    fails("unknown_type", "info_edges", "argument 1 of the UDF's option `odd` has the type 9"),
    fails("uncallable_option", "info_options", "no TICKscript can call `window size`"),
    fails("changing_info", "info_stable", "a second connection was answered differently"),
    Fault { hangs: true, ..warns("slow_info", "info_prompt", "the answer took ") },
    hangs(
        "hangs_after_info",
        "info_then_close",
        "did not close its output within 10s after the end of its input",
    ),
    fails("fails_after_info", "info_then_close", "it exited with a failure (exit status: 1)"),
    fails("chatty_start", "silent_until_asked", "it sent a point without being asked"),
    fails(
        "prints_at_start",
        "info_answered",
        "it printed text where only protocol frames may go: `",
    ),
    fails(
        "prints_at_start",
        "only_messages",
        "it printed text where only protocol frames may go: `",
    ),
    fails(
        "prints_at_point",
        "only_messages",
        "it printed text where only protocol frames may go: `",
    ),
    hangs("deaf_before_init", "keepalive_before_init", "the echo of a keepalive did not come"),
    fails(
        "refuses_all",
        "init_accepted",
        "it refused the options: not today; pass options that it accepts",
    ),
    fails("answers_init_twice", "init_answered_once", "it answered 2 times"),
    fails("point_before_answer", "init_answered_once", "a point came before the answer to Init"),
    fails(
        "picky_about_names",
        "any_task_name",
        "it refused a task with an empty name: a task must have a name",
    ),
    hangs("silent_refusal", "no_options", "an answer to Init did not come within 10s"),
    warns("accepts_unknown", "unknown_option", "it accepted the option `noSuchOption`"),
    fails(
        "dies_of_options",
        "unknown_option",
        "it closed its output before an answer to Init came",
    ),
    warns("accepts_wrong_type", "wrong_type", "it accepted a value of another type for `field`"),
    fails("dies_of_options", "wrong_type", "(exit status: 4)"),
    warns("accepts_wrong_count", "wrong_count", "it accepted one more argument for `field`"),
    warns(
        "accepts_no_value",
        "value_missing",
        "it accepted an argument for `field` that has no value",
    ),
    fails("refusal_without_text", "no_options", "it refused the options without a text"),
    fails("refusal_without_text", "refusal_explained", "it refused the options without a text"),
    warns("vague_refusal", "refusal_explained", "does not name `noSuchOption`: bad options"),
    fails("dies_after_refusal", "refusal_survived", "(exit status: 1)"),
    hangs("deaf", "keepalive_echoed", "the echo of a keepalive did not come within 10s"),
    warns("wrong_echo", "keepalive_any_time", "the time 0 came back as 1"),
    hangs("deaf_among_data", "keepalive_among_data", "the echo of each keepalive did not come"),
    hangs("hangs_when_busy", "keepalive_while_busy", "it sent nothing for 10s"),
    fails("error_on_data", "data_handled", "it reported an error: the moon is full"),
    fails("dies_on_data", "data_handled", "index out of range"),
    fails("sends_batches", "right_edge", "it sent the begin of a batch"),
    fails("empty_response", "no_empty_response", "it sent an empty response (1 in all)"),
    warns("unasked_snapshot", "no_unasked_answer", "a Snapshot answer came"),
    warns("loses_grouping", "grouping_kept", "of 200 points that came back, 200 lack dimensions"),
    warns("loses_fields", "fields_kept", "200 points came back without a field"),
    fails("floats_only", "int_and_float", "it reported an error: no float"),
    warns("reads_ints_as_zero", "int_and_float", "integers are read as 0: with integers for "),
    warns("skips_ints", "int_and_float", "integers are skipped: with integers for "),
    warns("reads_missing_as_zero", "field_missing", "a missing field is read as 0: for points"),
    Fault {
        status: Status::Untested,
        ..warns(
            "swallows",
            "data_handled",
            "no point came back for the 200 points that it was sent",
        )
    },
    Fault {
        status: Status::Untested,
        ..warns("passes_unread", "data_handled", "all 200 points came back unchanged")
    },
    fails(
        "dies_without_field",
        "field_missing",
        "with a point without its field: it closed its output",
    ),
    fails("dies_of_text", "odd_points", "with a point with text where numbers were: it closed"),
    fails("small_buffer", "large_message", "(exit status: 4)"),
    fails("few_groups", "many_groups", "(exit status: 4)"),
    hangs("no_snapshot", "snapshot_answered", "an answer to Snapshot did not come within 10s"),
    hangs("info_for_snapshot", "snapshot_answered", "expected an answer to Snapshot, but an Info"),
    hangs(
        "no_snapshot_after_data",
        "snapshot_among_data",
        "to each Snapshot among data did not come",
    ),
    fails("refuses_own", "restore_own", "it refused its own snapshot: no snapshot of mine"),
    fails("forgets", "restore_continues", "the output for the same data differs"),
    fails("accepts_garbage", "restore_garbage", "it accepted 19 bytes of garbage"),
    fails("dies_of_garbage", "restore_garbage", "(exit status: 4)"),
    warns("accepts_damaged", "restore_damaged", "it accepted the first half of its own snapshot"),
    fails("dies_of_empty_snapshot", "restore_empty", "(exit status: 4)"),
    hangs(
        "never_closes",
        "closes_at_end",
        "did not close its output within 10s after the end of its input",
    ),
    hangs(
        "hangs_unused",
        "closes_unused",
        "did not close its output within 10s after the end of its input",
    ),
    fails("drops_at_end", "drains_at_end", "0 messages came back instead of 200"),
    fails("cut_at_end", "ends_whole", "17 of its 20 bytes are missing"),
    fails("bad_status", "exit_status", "it ended (exit status: 3)"),
    hangs("orphan", "abrupt_end", "did not exit within 10s"),
    fails("dies_of_empty", "empty_request", "(exit status: 4)"),
    fails("dies_of_unknown", "unknown_request", "(exit status: 4)"),
    fails("strict_members", "unknown_members", "(exit status: 4)"),
    fails("aborts_on_oversized", "oversized_frame", "it died of signal 6"),
    hangs("hangs_on_cut", "cut_frame", "did not close its output within 10s"),
    hangs("hangs_on_length", "endless_length", "did not close its output within 10s"),
    fails("aborts_on_garbage", "garbage", "it died of signal 6"),
    warns("logs_each_point", "stderr_amount", "it wrote 1000 lines over 1000 points"),
    fails("long_line", "stderr_lines", "it wrote a line of 102409 bytes or more"),
];

const OF_BATCHES: [Fault; 16] = [
    fails("end_without_begin", "batches_balanced", "it ended `cpu` without beginning it"),
    fails("nested_batches", "batches_balanced", "it began `cpu` within `cpu`"),
    fails("never_ends", "batches_balanced", "it never ended `cpu`"),
    fails("negative_size", "batch_sizes", "it began a batch with the size -1"),
    fails("absurd_size", "batch_sizes", "with the size 9223372036854775807"),
    fails("nameless_end", "batch_ends", "began as `cpu` with 2 tags ended as `` with 0"),
    fails("nameless_batches", "batch_ends", "came back without the name and tags"),
    warns("tagless_batches", "batch_ends", "a batch `cpu` came back without tags"),
    warns(
        "mixes_groups",
        "batch_ends",
        "came back with other tags: `cpu=cpu0,host=host00` instead of `",
    ),
    fails("dies_of_short_batches", "short_batches", "with a batch of two points: it closed its"),
    Fault {
        status: Status::Untested,
        ..warns(
            "swallows",
            "data_handled",
            "no point came back for the 200 points that it was sent",
        )
    },
    Fault {
        status: Status::Untested,
        ..warns("passes_unread", "data_handled", "all 200 points came back unchanged")
    },
    fails("sends_points", "right_edge", "it sent a point outside of a batch"),
    fails(
        "trusts_size",
        "batch_size_hint",
        "a batch of 10 points with the size 0: it closed its output",
    ),
    fails("open_at_end", "ends_whole", "it closed its output within a batch"),
    hangs("hangs_when_busy", "keepalive_while_busy", "it sent nothing for 10s"),
];

const OF_DAEMONS: [Fault; 3] = [
    fails("daemon_dies", "others_unharmed", "it closed its output"),
    hangs("one_at_a_time", "init_twice", "an answer to Init did not come within 10s"),
    hangs("one_at_a_time", "several_connections", "an answer to Init did not come within 10s"),
];

/// Returns how the report of this fault differs from the expected one, if it does.
fn wrong(target: &Target, fault: &Fault) -> Option<String> {
    let within = if fault.hangs { HANGING } else { LONG };
    let report = checked(target, &settings(&OPTIONS, within, &[fault.check]));
    let finding = report.finding(fault.check).expect("the check was run");
    let found = finding.found.clone().unwrap_or_default();
    let right =
        finding.status == fault.status && found.contains(fault.found) && !found.contains('\n');
    (!right).then(|| format!("{}: {finding:#?}", fault.name))
}

/// Checks faults that hang all at once, because they only wait, and other faults four at a time.
#[track_caller]
fn assert_named(faults: &[Fault], wrong: impl Fn(&Fault) -> Option<String> + Sync) {
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let wrong = &wrong;
        let (hanging, others): (Vec<_>, Vec<_>) = faults.iter().partition(|fault| fault.hangs);
        let parts = others.chunks(others.len().div_ceil(4).max(1)).map(<[&Fault]>::to_vec);
        let parts = parts.chain(hanging.into_iter().map(|fault| vec![fault]));
        let part = |part: Vec<_>| move || part.into_iter().filter_map(wrong).collect();
        let threads: Vec<_> = parts.map(|faults| scope.spawn(part(faults))).collect();
        threads
            .into_iter()
            .flat_map(|thread| {
                thread.join().unwrap_or_else(|_| vec!["the thread panicked".to_owned()])
            })
            .collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_faults_of_a_stream_are_named() {
    assert_named(&OF_STREAMS, |fault| wrong(&peer(&[fault.name]), fault));
}

#[test]
fn the_faults_of_batches_are_named() {
    assert_named(&OF_BATCHES, |fault| wrong(&peer(&[fault.name, "--batch"]), fault));
}

#[test]
fn the_faults_of_daemons_are_named() {
    assert_named(&OF_DAEMONS, |fault| {
        let daemon = Daemon::start(&[fault.name]);
        wrong(&Target::Socket(daemon.path()), fault)
    });
}

#[test]
fn each_check_can_find_something() {
    let faults = || OF_STREAMS.iter().chain(&OF_BATCHES).chain(&OF_DAEMONS);
    let unproven: Vec<_> =
        check::names().filter(|name| !faults().any(|fault| fault.check == *name)).collect();
    // The system decides how a pipe splits what was written to it.
    assert_eq!(unproven, ["split_writes"]);
}
