//! Checks of Snapshot and Restore: a task must continue where it was when Kapacitor restarts.

use udf_proto::EdgeType;
use udf_proto::messages::SnapshotRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::fault::{Fault, is_data, said};
use super::wire::Wire;
use super::{Check, CheckResult, Needs, Outcome, check};

pub(super) const CHECKS: [Check; 7] = [
    check(
        "snapshot_answered",
        Needs::Init,
        snapshot_answered,
        "Kapacitor asks every minute and waits forever for an answer of this kind",
    ),
    check(
        "snapshot_among_data",
        Needs::Data,
        snapshot_among_data,
        "the request comes at any time, even in the middle of a batch",
    )
    .after(&["snapshot_answered"]),
    check(
        "restore_own",
        Needs::Data,
        restore_own,
        "a snapshot that the UDF does not restore stops the task at each start",
    )
    .after(&["snapshot_answered"]),
    check(
        "restore_continues",
        Needs::Data,
        restore_continues,
        "a restart of Kapacitor does not change the results",
    )
    .after(&["snapshot_answered"]),
    check(
        "restore_garbage",
        Needs::Data,
        restore_garbage,
        "bytes that are not a snapshot are refused, not used as state",
    )
    .after(&["snapshot_answered"]),
    check(
        "restore_damaged",
        Needs::Data,
        restore_damaged,
        "half a snapshot is refused; otherwise half of the state is lost silently",
    )
    .after(&["snapshot_answered", "restore_garbage"]),
    check(
        "restore_empty",
        Needs::Echo,
        restore_empty,
        "an older version may have kept no state: its empty snapshot needs an answer",
    )
    .after(&["restore_garbage"]),
];

fn snapshot_answered(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    wire.snapshot()?;
    wire.snapshot()?;
    Ok(Outcome::Pass)
}

fn snapshot_among_data(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let every = if context.wants() == EdgeType::Batch { 4 } else { 10 };
    let mut left = 0;
    for (number, ask) in context.data(0..50, |_| {}).into_iter().enumerate() {
        wire.ask(ask);
        if number % every == every - 1 {
            wire.ask(Ask::Snapshot(SnapshotRequest {}));
            left += 1;
        }
    }
    wire.until("an answer to each Snapshot among data", |answer| {
        left -= i32::from(matches!(answer, Answer::Snapshot(_)));
        (left == 0).then_some(())
    })?;
    wire.settle()?;
    Ok(Outcome::Pass)
}

/// Returns a snapshot with some state in it.
fn own(context: &Context) -> Result<Vec<u8>, Fault> {
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..100);
    wire.snapshot()
}

fn restored(context: &Context, snapshot: Vec<u8>) -> Result<Result<Wire, String>, Fault> {
    let mut wire = context.started()?;
    let answer = wire.restore(snapshot)?;
    Ok(if answer.success { Ok(wire) } else { Err(answer.error) })
}

fn restore_own(context: &mut Context) -> CheckResult {
    for snapshot in [context.started()?.snapshot()?, own(context)?] {
        match restored(context, snapshot)? {
            Ok(mut wire) => {
                context.feed(&mut wire, 100..120);
                wire.settle()?;
            }
            Err(text) => {
                return Ok(Outcome::Fail(format!("it refused its own snapshot: {}", said(&text))));
            }
        }
    }
    Ok(Outcome::Pass)
}

/// Returns a snapshot taken in the middle of the data, and the output for the data after it.
fn continued(context: &Context) -> Result<(Vec<u8>, Vec<Answer>), Fault> {
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..100);
    let snapshot = wire.snapshot()?;
    Ok((snapshot, rest(context, wire)?))
}

fn rest(context: &Context, mut wire: Wire) -> Result<Vec<Answer>, Fault> {
    wire.settle()?;
    let before = wire.seen.len();
    context.feed(&mut wire, 100..200);
    wire.settle()?;
    // Another check reports a UDF that does not close.
    let _ = wire.drain();
    Ok(wire.seen.drain(before..).filter(is_data).collect())
}

fn restore_continues(context: &mut Context) -> CheckResult {
    let (snapshot, expected) = continued(context)?;
    let wire = match restored(context, snapshot)? {
        Ok(wire) => wire,
        Err(_) => {
            return Ok(Outcome::Skip("it refused its own snapshot; see restore_own".to_owned()));
        }
    };
    let found = rest(context, wire)?;
    if found == expected {
        return Ok(Outcome::Pass);
    }
    let (_, again) = continued(context)?;
    Ok(if again == expected {
        Outcome::Fail(format!(
            "after a restore, the output for the same data differs: {} messages instead of {}, or other values",
            found.len(),
            expected.len()
        ))
    } else {
        Outcome::Skip("its output differs each time, so nothing can be compared".to_owned())
    })
}

fn restore_garbage(context: &mut Context) -> CheckResult {
    let stateless = own(context)?.is_empty();
    let garbage = (0..=255).cycle().take(999).collect::<Vec<u8>>();
    for garbage in [&b"this is no snapshot"[..], &garbage] {
        let mut wire = context.started()?;
        let answer = wire.restore(garbage.to_vec())?;
        if answer.success && !stateless {
            return Ok(Outcome::Fail(format!("it accepted {} bytes of garbage", garbage.len())));
        }
        if !answer.success && answer.error.trim().is_empty() {
            return Ok(Outcome::Fail("it refused the bytes without a text".to_owned()));
        }
        wire.settle()?;
    }
    Ok(Outcome::Pass)
}

fn restore_damaged(context: &mut Context) -> CheckResult {
    let mut snapshot = own(context)?;
    if snapshot.len() < 2 {
        return Ok(Outcome::Skip("it keeps no state that could be damaged".to_owned()));
    }
    snapshot.truncate(snapshot.len() / 2);
    Ok(match restored(context, snapshot)? {
        Ok(_) => Outcome::Warn("it accepted the first half of its own snapshot".to_owned()),
        Err(text) if text.trim().is_empty() => {
            Outcome::Fail("it refused the snapshot without a text".to_owned())
        }
        Err(_) => Outcome::Pass,
    })
}

fn restore_empty(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let answer = wire.restore(Vec::new())?;
    if !answer.success && answer.error.trim().is_empty() {
        return Ok(Outcome::Fail("it refused the snapshot without a text".to_owned()));
    }
    wire.settle()?;
    Ok(Outcome::Pass)
}
