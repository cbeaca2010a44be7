//! Checks of the start of Kapacitor, which asks every configured UDF for its edges and options.

use std::time::Instant;

use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::fault::kind;
use super::{Check, CheckResult, Needs, Outcome, check};

pub(super) const CHECKS: [Check; 8] = [
    check(
        "info_answered",
        Needs::Nothing,
        info_answered,
        "Kapacitor does not start until every configured UDF has answered Info",
    ),
    check(
        "info_edges",
        Needs::Nothing,
        info_edges,
        "Kapacitor connects only edges and types that it knows",
    ),
    check(
        "info_options",
        Needs::Info,
        info_options,
        "a TICKscript can call an option only by a name that it can write",
    ),
    check(
        "info_stable",
        Needs::Info,
        info_stable,
        "Kapacitor asks once and checks every TICKscript against that answer",
    ),
    check(
        "info_prompt",
        Needs::Info,
        info_prompt,
        "the start of Kapacitor waits for the answer of each UDF in turn",
    ),
    check(
        "info_then_close",
        Needs::Info,
        info_then_close,
        "Kapacitor does not start until the UDF has closed after its Info",
    ),
    check(
        "silent_until_asked",
        Needs::Nothing,
        silent_until_asked,
        "data before the first request is lost",
    ),
    check(
        "keepalive_before_init",
        Needs::Info,
        keepalive_before_init,
        "keepalives are sent from the start on; without an answer the task is aborted",
    ),
];

fn info_answered(context: &mut Context) -> CheckResult {
    context.answer.clone().map(|_| Outcome::Pass)
}

fn info_edges(context: &mut Context) -> CheckResult {
    let Ok(answer) = context.answer.clone() else {
        return Ok(Outcome::Skip("it has not answered Info; see info_answered".to_owned()));
    };
    Ok(match udf_proto::Info::try_from(answer) {
        Ok(_) => Outcome::Pass,
        Err(error) => Outcome::Fail(error.to_string()),
    })
}

fn info_options(context: &mut Context) -> CheckResult {
    let Some(info) = &context.info else { return Ok(Outcome::Pass) };
    let bad: Vec<_> = info.options.keys().filter(|name| !is_callable(name)).cloned().collect();
    Ok(if bad.is_empty() {
        Outcome::Pass
    } else {
        Outcome::Fail(format!(
            "no TICKscript can call `{}`; a name has letters, digits and _, and begins with a letter",
            bad.join("`, `")
        ))
    })
}

fn is_callable(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| char.is_alphanumeric() || char == '_')
}

fn info_stable(context: &mut Context) -> CheckResult {
    let again = context.open()?.info()?;
    Ok(match &context.answer {
        Ok(first) if *first != again => {
            Outcome::Fail("a second connection was answered differently".to_owned())
        }
        _ => Outcome::Pass,
    })
}

fn info_prompt(context: &mut Context) -> CheckResult {
    let started = Instant::now();
    context.open()?.info()?;
    let (took, limit) = (started.elapsed(), context.timeout / 2);
    Ok(if took < limit {
        Outcome::Pass
    } else {
        Outcome::Warn(format!("the answer took {took:.1?}"))
    })
}

fn info_then_close(context: &mut Context) -> CheckResult {
    let mut wire = context.open()?;
    wire.info()?;
    let exited = wire.finish(context.is_program())?;
    Ok(match exited {
        Some(exited) if exited.is_failure() => {
            Outcome::Fail(format!("it exited with a failure{}", wire.traces()))
        }
        _ => Outcome::Pass,
    })
}

fn silent_until_asked(context: &mut Context) -> CheckResult {
    let mut wire = context.open()?;
    let fault = wire.settle().err();
    let unasked = wire.seen.iter().find(|answer| !matches!(answer, Answer::Keepalive(_)));
    match (unasked, fault) {
        (Some(unasked), _) => {
            Ok(Outcome::Fail(format!("it sent {} without being asked", kind(unasked))))
        }
        (None, Some(fault)) if context.answer.is_ok() => {
            context.reported_by("keepalive_before_init", &fault)
        }
        (None, Some(fault)) => context.reported_by("info_answered", &fault),
        (None, None) => Ok(Outcome::Pass),
    }
}

fn keepalive_before_init(context: &mut Context) -> CheckResult {
    let mut wire = context.open()?;
    wire.settle()?;
    let alien = wire.seen.iter().find(|answer| !matches!(answer, Answer::Keepalive(_)));
    Ok(alien.map_or(Outcome::Pass, |answer| Outcome::Warn(format!("{} came too", kind(answer)))))
}
