//! Invalid snapshots, and snapshots at the wrong time.

use udf_proto::Value;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{RestoreRequest, SnapshotRequest};
use udf_runtime::state::StateWriter;
use udf_tests::process::memory;
use udf_tests::program::{Connection, Transport, example, frame};

use crate::subject::{Subject, point};
use crate::{BOTH, PIPE, cases};

cases! {
    a_snapshot_of_garbage, BOTH, "Bytes that are not a snapshot are refused in an answer that says so, without any change.";
    a_snapshot_of_nothing, BOTH, "An empty snapshot, as of a UDF without state, is accepted without any change.";
    a_snapshot_that_is_cut, BOTH, "A snapshot that is truncated anywhere is refused without any change.";
    a_snapshot_with_a_flipped_bit, BOTH, "A snapshot with one flipped bit, at any place, is refused without any change.";
    a_snapshot_of_another_udf, BOTH, "The refusal of a snapshot of another UDF names that UDF.";
    a_snapshot_of_a_newer_format, BOTH, "The refusal of a snapshot in a newer format names its version.";
    a_snapshot_of_another_shape, BOTH, "The refusal of a state with a changed type names the field.";
    a_snapshot_from_before_a_field, BOTH, "A snapshot without a new field is restored; the new field has its default.";
    a_snapshot_with_a_field_too_many, BOTH, "A warning names a removed field, and the rest is restored.";
    a_snapshot_with_many_fields_too_many, BOTH, "One warning names ten of 100,000 removed fields, and counts the others.";
    a_snapshot_that_may_not_fit, BOTH, "With `--bad-snapshot fresh`, a warning replaces the refusal, and the task starts without state.";
    a_state_over_the_limit, BOTH, "A state that is too large to be restored is not saved; the log reports it, and the task goes on.";
    a_snapshot_of_32_mib, PIPE, "The memory of a large refused snapshot is freed.";
    a_snapshot_before_init, BOTH, "A request for a snapshot before Init is answered.";
    a_restore_before_init, BOTH, "A restore before Init is refused in its answer.";
    a_snapshot_between_points, BOTH, "A snapshot contains the points from before the request, and no later ones.";
    a_snapshot_that_panics, BOTH, "A panic while the state is saved ends the connection with an error.";
    a_snapshot_that_fails, BOTH, "A state that cannot be saved ends the connection with an error that names it.";
    a_restore_that_panics, BOTH, "A panic while the state is restored ends the connection with an error.";
}

fn restore(connection: &mut Connection, snapshot: &[u8]) -> (bool, String) {
    connection.ask(Ask::Restore(RestoreRequest { snapshot: snapshot.to_vec() }));
    match connection.answer() {
        Answer::Restore(restore) => (restore.success, restore.error),
        other => panic!("not an answer to Restore: {other:?}"),
    }
}

fn snapshot(connection: &mut Connection) -> Vec<u8> {
    connection.ask(Ask::Snapshot(SnapshotRequest {}));
    match connection.answer() {
        Answer::Snapshot(snapshot) => snapshot.snapshot,
        other => panic!("not a snapshot: {other:?}"),
    }
}

fn average(connection: &mut Connection, value: i64) -> f64 {
    connection.ask(Ask::Point(point(value)));
    match connection.answer() {
        Answer::Point(point) => point.fields_double["avg"],
        other => panic!("not a point: {other:?}"),
    }
}

/// The end of every refusal.
const REMEDY: &str = "; to start without state, add --bad-snapshot fresh to the arguments of the daemon, \
                      or to `args` in kapacitor.conf";

/// Restores each of these snapshots. Each is refused with `with`, and the state stays unchanged.
fn refused(on: Transport, with: &str, snapshots: impl Fn(Vec<u8>) -> Vec<Vec<u8>>) {
    let mut udf = Subject::moving_avg(on);
    average(&mut udf.connection, 2);
    let taken = snapshot(&mut udf.connection);
    for wrong in snapshots(taken) {
        let (success, error) = restore(&mut udf.connection, &wrong);
        assert!(!success && error.contains(with), "`{with}` is not in `{error}`");
        assert!(error.ends_with(REMEDY), "{error}");
    }
    assert_eq!(average(&mut udf.connection, 4), 3.0);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_of_garbage(on: Transport) {
    refused(on, "are not a snapshot", |_| vec![b"garbage".to_vec(), vec![0; 5000]]);
}

fn a_snapshot_of_nothing(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    average(&mut udf.connection, 2);
    assert_eq!(restore(&mut udf.connection, &[]), (true, String::new()));
    assert_eq!(average(&mut udf.connection, 4), 3.0);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_that_is_cut(on: Transport) {
    refused(on, "snapshot", |taken| {
        (1..taken.len()).map(|length| taken[..length].to_vec()).collect()
    });
}

fn a_snapshot_with_a_flipped_bit(on: Transport) {
    refused(on, "snapshot", |taken| {
        let flipped = |bit: usize| {
            let mut wrong = taken.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            wrong
        };
        (0..8 * taken.len()).map(flipped).collect()
    });
}

fn a_snapshot_of_another_udf(on: Transport) {
    refused(on, "belongs to the UDF `mean`, not to `moving_avg`", |_| {
        vec![StateWriter::new("mean").finish()]
    });
}

fn a_snapshot_of_a_newer_format(on: Transport) {
    refused(on, "format 258", |mut taken| {
        taken[4..6].copy_from_slice(&[2, 1]);
        vec![taken]
    });
}

fn a_snapshot_of_another_shape(on: Transport) {
    refused(on, "`windows` does not fit", |_| {
        let mut state = StateWriter::new("moving_avg");
        state.field("windows", &"text").expect("text can be serialized");
        vec![state.finish()]
    });
}

fn a_snapshot_from_before_a_field(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    average(&mut udf.connection, 100);
    let older = StateWriter::new("moving_avg").finish();
    assert_eq!(restore(&mut udf.connection, &older), (true, String::new()));
    assert_eq!(average(&mut udf.connection, 4), 4.0);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_with_a_field_too_many(on: Transport) {
    let mut udf = Subject::mirror(on);
    let mut older = StateWriter::new("mirror");
    older.field("gone", &1).expect("a number can be serialized");
    assert_eq!(restore(&mut udf.connection, &older.finish()), (true, String::new()));
    let warning = udf.program.wait_for_log("`gone`");
    assert!(warning.contains("WARN"), "{warning}");
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_with_many_fields_too_many(on: Transport) {
    let mut udf = Subject::mirror(on);
    let mut older = StateWriter::new("mirror");
    for number in 0..100_000 {
        let name = format!("gone{number:05}{}", "x".repeat(100));
        older.field(name.leak(), &1).expect("a number can be serialized");
    }
    assert_eq!(restore(&mut udf.connection, &older.finish()), (true, String::new()));
    let warning = udf.program.wait_for_log("WARN");
    assert!(warning.contains("the snapshot has `gone00000xxx"), "{warning}");
    assert!(
        warning.contains("x ...` and 99990 more fields, which this UDF no longer has"),
        "{warning}"
    );
    assert!(warning.len() < 1 << 10, "{warning}");
    // The log contains no other warning.
    let (_, log) = udf.finishes_with_log();
    assert!(!log.iter().any(|line| line.contains("WARN")), "{log:?}");
}

fn options() -> [(&'static str, Vec<Value>); 2] {
    [("field", vec!["usage".into()]), ("size", vec![Value::Int(1_000_000)])]
}

fn moving_avg(on: Transport, args: &[&str]) -> Subject {
    let options = options();
    let options: Vec<_> = options.iter().map(|(name, values)| (*name, &values[..])).collect();
    Subject::start(example("moving_avg"), on, args).init(&options)
}

fn a_snapshot_that_may_not_fit(on: Transport) {
    let mut udf = moving_avg(on, &["--bad-snapshot", "fresh"]);
    assert_eq!(restore(&mut udf.connection, b"garbage"), (true, String::new()));
    let warning = udf.program.wait_for_log("starting without state");
    assert!(warning.contains("WARN") && warning.contains("are not a snapshot"), "{warning}");
    assert_eq!(average(&mut udf.connection, 4), 4.0);
    assert_eq!(udf.lives(), []);
}

fn a_state_over_the_limit(on: Transport) {
    let mut udf = moving_avg(on, &["--frame-limit", "1024"]);
    average(&mut udf.connection, 1);
    assert!(!snapshot(&mut udf.connection).is_empty());
    for value in 0..1000 {
        average(&mut udf.connection, value);
    }
    assert!(snapshot(&mut udf.connection).is_empty());
    let line = udf.program.wait_for_log("the snapshot was skipped");
    assert!(line.contains("ERROR") && line.contains("over the limit of 992"), "{line}");
    average(&mut udf.connection, 1);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_of_32_mib(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    average(&mut udf.connection, 2);
    let before = memory(udf.program.pid());
    let (success, error) = restore(&mut udf.connection, &vec![7; 32 << 20]);
    assert!(!success && error.contains("33554432 bytes are not a snapshot"), "{error}");
    // An answer arrives after the UDF has finished the request before it.
    average(&mut udf.connection, 4);
    average(&mut udf.connection, 6);
    let kept = memory(udf.program.pid()).saturating_sub(before);
    assert!(kept < 8 << 20, "{kept} bytes are kept behind a snapshot of 32 MiB");
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_before_init(on: Transport) {
    let mut udf = Subject::example("moving_avg", on);
    snapshot(&mut udf.connection);
    assert_eq!(udf.lives(), []);
}

fn a_restore_before_init(on: Transport) {
    let mut udf = Subject::example("moving_avg", on);
    let (success, error) = restore(&mut udf.connection, &StateWriter::new("moving_avg").finish());
    assert!(!success && error.contains("after Init"), "{error}");
    let (field, size) = (["usage".into()], [Value::Int(3)]);
    let udf = udf.init(&[("field", &field), ("size", &size)]);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_between_points(on: Transport) {
    let mut udf = Subject::moving_avg(on);
    let points =
        |times: std::ops::Range<i64>| times.flat_map(|time| frame(Ask::Point(point(time))));
    let mut bytes = points(0..50).collect::<Vec<_>>();
    bytes.extend(frame(Ask::Snapshot(SnapshotRequest {})));
    bytes.extend(points(1000..1050));
    udf.send(&bytes);
    let answers = (0..101).map(|_| udf.connection.answer()).collect::<Vec<_>>();
    let Answer::Snapshot(taken) = &answers[50] else { panic!("not a snapshot: {:?}", answers[50]) };
    assert_eq!(restore(&mut udf.connection, &taken.snapshot), (true, String::new()));
    // The window also contains 48 and 49.
    assert_eq!(average(&mut udf.connection, 50), 49.0);
    assert_eq!(udf.lives(), []);
}

fn a_snapshot_that_panics(on: Transport) {
    let mut udf = Subject::troubled(on, "panicSnapshot");
    udf.echo(1);
    udf.ask(Ask::Snapshot(SnapshotRequest {}));
    assert_eq!(udf.fails("the handler panicked in snapshot: the state is broken"), []);
}

fn a_snapshot_that_fails(on: Transport) {
    let mut udf = Subject::troubled(on, "errorSnapshot");
    udf.ask(Ask::Snapshot(SnapshotRequest {}));
    assert_eq!(udf.fails("the state `kept` cannot be serialized: the state is broken"), []);
}

fn a_restore_that_panics(on: Transport) {
    let mut udf = Subject::troubled(on, "panicRestore");
    let snapshot = snapshot(&mut udf.connection);
    udf.ask(Ask::Restore(RestoreRequest { snapshot }));
    assert_eq!(udf.fails("the handler panicked in restore: the state is broken"), []);
}
