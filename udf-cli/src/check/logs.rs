//! Checks of the stderr of a spawned UDF, which Kapacitor logs line by line.

use std::sync::PoisonError;

use udf_proto::{Init, OptionCall, Value};

use super::context::Context;
use super::{Check, CheckResult, Needs, Outcome, Where, check};
use crate::Transport;

/// Kapacitor stops reading stderr at a line of this length, in bytes.
const LONGEST: usize = 64 << 10;

/// The number of points for which log lines are counted.
const POINTS: usize = 1000;

pub(super) const CHECKS: [Check; 2] = [
    check(
        "stderr_amount",
        Needs::Data,
        stderr_amount,
        "Kapacitor logs each line: one line per point fills the disk",
    )
    .after(&["closes_at_end"])
    .only(Where::Over(Transport::Pipe)),
    // Runs last: the check inspects the lines of every connection.
    check(
        "stderr_lines",
        Needs::Init,
        stderr_lines,
        "at a line of 64 KiB Kapacitor stops reading, and the UDF then blocks in its logging",
    )
    .only(Where::Over(Transport::Pipe)),
];

fn stderr_amount(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let data = context.data(0..POINTS, |_| {});
    context.feed_slowly(&mut wire, data)?;
    let sent = wire.sent;
    wire.finish(true)?;
    // The last lines have arrived when the exit is known.
    Ok(match wire.lines() {
        lines if lines >= sent => {
            Outcome::Warn(format!("it wrote {lines} lines over {sent} points"))
        }
        _ => Outcome::Pass,
    })
}

fn stderr_lines(context: &mut Context) -> CheckResult {
    let huge = "x".repeat(100 << 10);
    // Text that many UDFs log: a name in a task, an invalid option, the contents of a point.
    let mut init = context.init.clone();
    init.options.push(OptionCall { name: huge.clone(), values: vec![Value::from(&*huge)] });
    for init in [Init { task_id: huge.clone(), ..context.init.clone() }, init] {
        let mut wire = context.open()?;
        // Other checks report the answer.
        let _ = wire.init(init).and_then(|_| wire.finish(true));
    }
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..10);
    for ask in context.data(10..20, |point| {
        for value in point.tags.values_mut() {
            value.clone_from(&huge);
        }
        point.fields_double.clear();
        point.fields_string.insert("message".to_owned(), huge.clone());
    }) {
        wire.ask(ask);
    }
    let _ = wire.settle().and_then(|()| wire.finish(true));
    let longest = context.stderr.lock().unwrap_or_else(PoisonError::into_inner).longest;
    Ok(if longest >= LONGEST {
        Outcome::Fail(format!("it wrote a line of {longest} bytes or more"))
    } else {
        Outcome::Pass
    })
}
