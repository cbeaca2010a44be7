//! Checks of the start of a task: Init, with the options of the TICKscript.

use udf_proto::messages::{InitRequest, InitResponse, OptionValue, option_value};
use udf_proto::{Init, OptionCall, Value, ValueType};
use udf_text::message::one_line;

use super::context::Context;
use super::fault::{is_data, kind, said};

use super::{Check, CheckResult, Needs, Outcome, check};

pub(super) const CHECKS: [Check; 11] = [
    check("init_accepted", Needs::Info, init_accepted, "a task with these options starts"),
    check(
        "init_answered_once",
        Needs::Echo,
        init_answered_once,
        "the task expects one answer to its Init, and nothing before it",
    ),
    check("any_task_name", Needs::Init, any_task_name, "a task may have any name"),
    check(
        "no_options",
        Needs::Answer,
        no_options,
        "a TICKscript without a required option gets an answer with the reason",
    ),
    check(
        "unknown_option",
        Needs::Answer,
        unknown_option,
        "an option that the UDF no longer has is refused, not silently ignored",
    ),
    check(
        "wrong_type",
        Needs::Answer,
        wrong_type,
        "tasks defined as JSON can pass another type; it is refused, not misread",
    ),
    check(
        "wrong_count",
        Needs::Answer,
        wrong_count,
        "an argument too many is refused, not silently ignored",
    ),
    check(
        "value_missing",
        Needs::Answer,
        value_missing,
        "an argument without a value is refused, not taken for zero",
    ),
    check(
        "refusal_explained",
        Needs::Answer,
        refusal_explained,
        "the text of the refusal is all that the user sees of the error",
    ),
    check(
        "refusal_survived",
        Needs::Answer,
        refusal_survived,
        "after a refusal the UDF waits to be closed; if it exits earlier, its text is lost",
    )
    .after(&["keepalive_before_init"]),
    check(
        "init_twice",
        Needs::Echo,
        init_twice,
        "a second task starts while the first one runs, and outlives it",
    ),
];

fn init_accepted(context: &mut Context) -> CheckResult {
    let Some(answer) = &context.init_answer else { return Ok(Outcome::Pass) };
    let answer = answer.clone()?;
    Ok(match (answer.success, answer.error.as_str()) {
        (true, "") => Outcome::Pass,
        (true, text) => Outcome::Warn(format!(
            "it accepted the options, but with an error text: {}",
            said(text)
        )),
        (false, text) => Outcome::Fail(format!(
            "it refused the options: {}; pass options that it accepts with -o name=value",
            said(text)
        )),
    })
}

fn init_answered_once(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let early = wire.seen.iter().find(|answer| is_data(answer)).map(kind);
    if let Some(early) = early {
        return Ok(Outcome::Fail(format!("{early} came before the answer to Init")));
    }
    wire.settle()?;
    let answers = wire
        .seen
        .iter()
        .filter(|answer| matches!(answer, udf_proto::messages::response::Message::Init(_)));
    Ok(match answers.count() {
        1 => Outcome::Pass,
        count => Outcome::Fail(format!("it answered {count} times")),
    })
}

fn any_task_name(context: &mut Context) -> CheckResult {
    for name in ["", "a.b-c/../d %s", "Überwachung\n\"1\"", &"long".repeat(500)] {
        let mut wire = context.open()?;
        let init = Init { task_id: name.to_owned(), ..context.init.clone() };
        let answer = wire.init(init)?;
        if !answer.success {
            let name = match one_line(name, 20) {
                name if name.is_empty() => "with an empty name".to_owned(),
                name => format!("with the name `{name}`"),
            };
            return Ok(Outcome::Fail(format!("it refused a task {name}: {}", said(&answer.error))));
        }
    }
    Ok(Outcome::Pass)
}

/// Accepts either answer. A refusal must have a text.
fn answered(answer: InitResponse) -> Outcome {
    if !answer.success && answer.error.trim().is_empty() {
        Outcome::Fail("it refused the options without a text".to_owned())
    } else {
        Outcome::Pass
    }
}

fn no_options(context: &mut Context) -> CheckResult {
    let init = Init { options: Vec::new(), ..context.init.clone() };
    let outcome = context.open().and_then(|mut wire| wire.init(init)).map(answered);
    once(context, "no_options", outcome)
}

/// A UDF that cannot refuse options fails several checks in the same way. Only the first check
/// reports it.
fn once(context: &mut Context, name: &'static str, outcome: CheckResult) -> CheckResult {
    let found = match &outcome {
        Err(fault) => fault.to_string(),
        Ok(Outcome::Fail(found)) => found.clone(),
        _ => return outcome,
    };
    match &context.refusal {
        Some((first, same)) if *same == found => Ok(Outcome::Skip(format!("{found}; see {first}"))),
        _ => {
            context.refusal = Some((name, found));
            outcome
        }
    }
}

/// Sends options that the UDF should refuse, for the check `name`.
fn wrong(
    context: &mut Context,
    name: &'static str,
    init: impl Into<InitRequest>,
    what: &str,
) -> CheckResult {
    let answer = context.open().and_then(|mut wire| wire.raw_init(init.into()));
    let outcome = answer.map(|answer| match answer.success {
        true => Outcome::Warn(format!("it accepted {what}")),
        false => answered(answer),
    });
    once(context, name, outcome)
}

const NO_OPTION: &str = "noSuchOption";

fn with_unknown(context: &Context) -> Init {
    let mut init = context.init.clone();
    init.options.push(OptionCall { name: NO_OPTION.to_owned(), values: vec![Value::Int(1)] });
    init
}

fn unknown_option(context: &mut Context) -> CheckResult {
    let init = with_unknown(context);
    let what = format!("the option `{NO_OPTION}`, which it does not have");
    wrong(context, "unknown_option", init, &what)
}

/// Returns the Init with one option call changed, and the name of that option: the first called
/// option with arguments, or else the first existing one.
fn changed(context: &Context, change: impl Fn(&mut Vec<Value>)) -> Option<(Init, String)> {
    let mut init = context.init.clone();
    if let Some(call) = init.options.iter_mut().find(|call| !call.values.is_empty()) {
        change(&mut call.values);
        let name = call.name.clone();
        return Some((init, name));
    }
    let options = &context.info.as_ref()?.options;
    let (name, types) = options.iter().find(|(_, types)| !types.is_empty())?;
    let mut values = types.iter().map(|of_type| plain(*of_type)).collect();
    change(&mut values);
    init.options.push(OptionCall { name: name.clone(), values });
    Some((init, name.clone()))
}

fn plain(of_type: ValueType) -> Value {
    match of_type {
        ValueType::Bool => Value::Bool(true),
        ValueType::Int => Value::Int(1),
        ValueType::Double => Value::Double(1.5),
        ValueType::String => Value::from("text"),
        ValueType::Duration => Value::Duration(1_000_000_000),
    }
}

fn without_arguments() -> Outcome {
    Outcome::Skip("it has no option with arguments".to_owned())
}

fn with_wrong_type(context: &Context) -> Option<(Init, String)> {
    changed(context, |values| {
        // No UDF accepts a boolean as a number or as text.
        values[0] = match values[0] {
            Value::Bool(_) => Value::from("text"),
            _ => Value::Bool(true),
        };
    })
}

fn wrong_type(context: &mut Context) -> CheckResult {
    let Some((init, name)) = with_wrong_type(context) else { return Ok(without_arguments()) };
    wrong(context, "wrong_type", init, &format!("a value of another type for `{name}`"))
}

fn wrong_count(context: &mut Context) -> CheckResult {
    let added = changed(context, |values| values.push(Value::from("one too many")));
    let Some((init, name)) = added else { return Ok(without_arguments()) };
    wrong(context, "wrong_count", init, &format!("one more argument for `{name}` than it has"))
}

fn value_missing(context: &mut Context) -> CheckResult {
    let Some((init, name)) = changed(context, |_| {}) else { return Ok(without_arguments()) };
    let mut init = InitRequest::from(init);
    let calls = init.options.iter_mut().filter(|call| call.name == name);
    for call in calls {
        // The argument claims an unknown type and has no value.
        call.values = vec![OptionValue { r#type: 9, value: None::<option_value::Value> }];
    }
    wrong(context, "value_missing", init, &format!("an argument for `{name}` that has no value"))
}

/// Returns the first refusal among several Inits with different invalid options, and the name that
/// its text should contain.
fn refusal(context: &Context) -> Option<(Init, InitResponse, String)> {
    let unknown = Some((with_unknown(context), NO_OPTION.to_owned()));
    for (init, name) in unknown.into_iter().chain(with_wrong_type(context)) {
        // Other checks report a missing refusal.
        match context.open().and_then(|mut wire| wire.init(init.clone())) {
            Ok(answer) if !answer.success => return Some((init, answer, name)),
            _ => {}
        }
    }
    None
}

fn refused_none() -> Outcome {
    Outcome::Skip("it refused no wrong options; see unknown_option and wrong_type".to_owned())
}

fn refusal_explained(context: &mut Context) -> CheckResult {
    let Some((_, answer, name)) = refusal(context) else { return Ok(refused_none()) };
    let verdict = answered(answer.clone());
    if verdict == Outcome::Pass && !answer.error.contains(&name) {
        let text = said(&answer.error);
        return Ok(Outcome::Warn(format!("the text does not name `{name}`: {text}")));
    }
    once(context, "refusal_explained", Ok(verdict))
}

fn refusal_survived(context: &mut Context) -> CheckResult {
    let Some((init, _, _)) = refusal(context) else { return Ok(refused_none()) };
    let mut wire = context.open()?;
    wire.init(init)?;
    wire.settle()?;
    wire.finish(context.is_program())?;
    Ok(Outcome::Pass)
}

fn init_twice(context: &mut Context) -> CheckResult {
    let first = context.started()?;
    // The first connection is still open.
    let mut second = context.started()?;
    second.settle()?;
    drop(first);
    second.settle()?;
    Ok(Outcome::Pass)
}
