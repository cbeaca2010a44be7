//! Checks of keepalives: Kapacitor must keep hearing from the UDF.

use std::time::{Duration, Instant};

use udf_proto::EdgeType;
use udf_proto::messages::KeepaliveRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::wire::Sign;
use super::{Check, CheckResult, Needs, Outcome, check};

pub(super) const CHECKS: [Check; 4] = [
    check(
        "keepalive_echoed",
        Needs::Init,
        keepalive_echoed,
        "a UDF that Kapacitor does not hear from loses its task",
    ),
    check(
        "keepalive_any_time",
        Needs::Echo,
        keepalive_any_time,
        "any time of a keepalive is echoed",
    ),
    check(
        "keepalive_among_data",
        Needs::Data,
        keepalive_among_data,
        "keepalives come between points, and within batches",
    ),
    check(
        "keepalive_while_busy",
        Needs::Data,
        keepalive_while_busy,
        "most users lose a task because its work takes longer than the timeout",
    ),
];

fn keepalive_echoed(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    wire.settle()?;
    wire.settle()?;
    Ok(Outcome::Pass)
}

fn keepalive_any_time(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    for time in [0, 1, -1, i64::MIN, i64::MAX] {
        wire.ask(Ask::Keepalive(KeepaliveRequest { time }));
        let echo = wire.until("the echo of a keepalive", |answer| match answer {
            Answer::Keepalive(echo) => Some(echo.time),
            _ => None,
        })?;
        if echo != time {
            return Ok(Outcome::Warn(format!("the time {time} came back as {echo}")));
        }
    }
    Ok(Outcome::Pass)
}

fn keepalive_among_data(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let mut times = Vec::new();
    for (number, ask) in context.data(0..100, |_| {}).into_iter().enumerate() {
        wire.ask(ask);
        if number % 10 == 3 {
            let time = wire.new_keepalive();
            wire.ask(Ask::Keepalive(KeepaliveRequest { time }));
            times.push(time);
        }
    }
    let mut left = times.len();
    wire.until("the echo of each keepalive", |answer| {
        if let Answer::Keepalive(echo) = answer
            && times.contains(&echo.time)
        {
            left -= 1;
        }
        (left == 0).then_some(())
    })?;
    Ok(Outcome::Pass)
}

/// The number of points that keep the UDF busy.
const MANY: usize = 10_000;

fn keepalive_while_busy(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let asks = match context.wants() {
        EdgeType::Stream => context.data(0..MANY, |_| {}),
        EdgeType::Batch => context.source.long_batch(MANY),
    };
    for (number, ask) in asks.into_iter().enumerate() {
        wire.ask(ask);
        if number % 100 == 50 {
            let time = wire.new_keepalive();
            wire.ask(Ask::Keepalive(KeepaliveRequest { time }));
        }
    }
    let last = wire.new_keepalive();
    wire.ask(Ask::Keepalive(KeepaliveRequest { time: last }));
    let (mut last_sign, mut longest) = (Instant::now(), Duration::ZERO);
    let give_up = crate::deadline(context.timeout.saturating_mul(4));
    let is_last = |answer: &Answer| matches!(answer, Answer::Keepalive(echo) if echo.time == last);
    loop {
        match wire.sign()? {
            Sign::Life => {
                longest = longest.max(last_sign.elapsed());
                last_sign = Instant::now();
            }
            Sign::Silence => {
                return Ok(Outcome::Fail(format!(
                    "with {MANY} points to handle, it sent nothing for {:?}",
                    context.timeout
                )));
            }
            Sign::Closed => {
                let traces = wire.traces();
                return Ok(Outcome::Fail(format!(
                    "it closed its output while handling {MANY} points{traces}"
                )));
            }
        }
        // The UDF is slow but alive.
        if wire.seen.last().is_some_and(is_last) || last_sign >= give_up {
            break;
        }
    }
    Ok(if longest > context.timeout / 2 {
        Outcome::Warn(format!("with {MANY} points to handle, it sent nothing for {longest:.1?}"))
    } else {
        Outcome::Pass
    })
}
