//! Checks of the start of Kapacitor, which asks every configured UDF for its edges and options.

use std::time::Instant;

use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::trouble::kind;
use super::{Check, Needs, Outcome, Verdict, check};

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
        "data that comes before Kapacitor has asked for anything is lost",
    ),
    check(
        "keepalive_before_init",
        Needs::Info,
        keepalive_before_init,
        "keepalives are sent from the start on; without an answer the task is aborted",
    ),
];

fn info_answered(context: &mut Context) -> Outcome {
    context.answer.clone().map(|_| Verdict::Pass)
}

fn info_edges(context: &mut Context) -> Outcome {
    let Ok(answer) = context.answer.clone() else {
        return Ok(Verdict::Skip("it has not answered Info; see info_answered".to_owned()));
    };
    Ok(match udf_proto::Info::try_from(answer) {
        Ok(_) => Verdict::Pass,
        Err(error) => Verdict::Fail(error.to_string()),
    })
}

fn info_options(context: &mut Context) -> Outcome {
    let Some(info) = &context.info else { return Ok(Verdict::Pass) };
    let bad: Vec<_> = info.options.keys().filter(|name| !is_callable(name)).cloned().collect();
    Ok(if bad.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Fail(format!(
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

fn info_stable(context: &mut Context) -> Outcome {
    let again = context.open()?.info()?;
    Ok(match &context.answer {
        Ok(first) if *first != again => {
            Verdict::Fail("a second connection was answered differently".to_owned())
        }
        _ => Verdict::Pass,
    })
}

fn info_prompt(context: &mut Context) -> Outcome {
    let started = Instant::now();
    context.open()?.info()?;
    let (took, limit) = (started.elapsed(), context.patience / 2);
    Ok(if took < limit {
        Verdict::Pass
    } else {
        Verdict::Warn(format!("the answer took {took:.1?}"))
    })
}

fn info_then_close(context: &mut Context) -> Outcome {
    let mut wire = context.open()?;
    wire.info()?;
    let exited = wire.finish(context.is_program())?;
    Ok(match exited {
        Some(exited) if exited.is_failure() => {
            Verdict::Fail(format!("it exited with a failure{}", wire.traces()))
        }
        _ => Verdict::Pass,
    })
}

fn silent_until_asked(context: &mut Context) -> Outcome {
    let mut wire = context.open()?;
    let trouble = wire.settle().err();
    let unasked = wire.seen.iter().find(|answer| !matches!(answer, Answer::Keepalive(_)));
    match (unasked, trouble) {
        (Some(unasked), _) => {
            Ok(Verdict::Fail(format!("it sent {} without being asked", kind(unasked))))
        }
        (None, Some(trouble)) if context.answer.is_ok() => {
            context.told_by("keepalive_before_init", &trouble)
        }
        (None, Some(trouble)) => context.told_by("info_answered", &trouble),
        (None, None) => Ok(Verdict::Pass),
    }
}

fn keepalive_before_init(context: &mut Context) -> Outcome {
    let mut wire = context.open()?;
    wire.settle()?;
    let alien = wire.seen.iter().find(|answer| !matches!(answer, Answer::Keepalive(_)));
    Ok(alien.map_or(Verdict::Pass, |answer| Verdict::Warn(format!("{} came too", kind(answer)))))
}
