//! Checks with unusual values: the UDF must survive them and read them correctly.

use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;

use super::compare::Output;
use super::context::Context;
use super::fault::{Fault, said};
use super::points::BATCH;
use super::{Check, CheckResult, Needs, Outcome, check};

pub(super) const CHECKS: [Check; 4] = [
    check(
        "int_and_float",
        Needs::Data,
        int_and_float,
        "a series may switch between integers and floats: 10 and 10.0 must give the same result",
    ),
    check(
        "field_missing",
        Needs::Data,
        field_missing,
        "a point without the field must not stop the task for good, or count as 0",
    ),
    check(
        "odd_points",
        Needs::Data,
        odd_points,
        "points without tags, with text or of any time occur, and must not stop the task for good",
    ),
    check("large_message", Needs::Data, large_message, "a field may hold a megabyte of text"),
];

/// A change that makes a point unusual.
type Change = fn(&mut Point);

/// The number of points that are compared.
const COMPARED: usize = 120;

/// Returns the output for ordinary data with every third point changed, or left out without a
/// change.
fn output(context: &Context, change: Option<Change>) -> Result<Output, Fault> {
    let (mut data, mut number) = (context.data(0..COMPARED, |_| {}), 0);
    data.retain_mut(|ask| {
        let Ask::Point(point) = ask else { return true };
        number += 1;
        match change {
            _ if number % 3 != 0 => {}
            Some(change) => change(point),
            None => return false,
        }
        true
    });
    context.output(data)
}

/// Rounds away from zero, so that the result is an integer and stays different from 0.
fn whole(value: f64) -> f64 {
    const MOST: f64 = (1_i64 << 53) as f64;
    (value.abs().ceil() * value.signum()).clamp(-MOST, MOST)
}

/// Makes the floats of a point whole. If the point has no floats, turns its integers into floats.
fn as_floats(point: &mut Point) {
    if point.fields_double.is_empty() {
        let ints = std::mem::take(&mut point.fields_int);
        point.fields_double = ints.into_iter().map(|(name, value)| (name, value as f64)).collect();
    }
    point.fields_double.values_mut().for_each(|value| *value = whole(*value));
}

fn as_ints(point: &mut Point) {
    as_floats(point);
    let floats = std::mem::take(&mut point.fields_double);
    point.fields_int.extend(floats.into_iter().map(|(name, value)| (name, value as i64)));
}

fn as_zeros(point: &mut Point) {
    as_floats(point);
    point.fields_double.values_mut().for_each(|value| *value = 0.0);
}

fn int_and_float(context: &mut Context) -> CheckResult {
    let ints = output(context, Some(as_ints))?;
    let floats = output(context, Some(as_floats))?;
    let difference = ints.difference(&floats).or_else(|| floats.difference(&ints));
    let Some(difference) = difference else { return Ok(Outcome::Pass) };
    if !output(context, Some(as_floats))?.is(&floats) {
        return Ok(Outcome::Skip(
            "the same data gives another result each time, so nothing can be compared".to_owned(),
        ));
    }
    let left_out = output(context, None)?;
    // A UDF with one result for many points sends as many results in either case.
    let has_fewer = ints.len() != floats.len() && ints.len() == left_out.len();
    let what = if has_fewer || ints.is(&left_out) {
        "integers are skipped"
    } else if ints.is_of(&[&floats, &output(context, Some(as_zeros))?]) {
        "integers are read as 0"
    } else {
        "integers give other results"
    };
    Ok(Outcome::Warn(format!("{what}: with integers for floats of the same value, {difference}")))
}

/// Passes, or warns if the UDF stops with an error: it may do so, but its users must know.
pub(super) fn or_stops(result: Result<(), Fault>, what: &str) -> CheckResult {
    match result {
        Ok(()) => Ok(Outcome::Pass),
        Err(Fault::Reported(text)) => {
            Ok(Outcome::Warn(format!("{what} stops it: {}", said(&text))))
        }
        Err(fault) => Ok(Outcome::Fail(format!("with {what}: {fault}"))),
    }
}

/// Removes the fields of a point and adds another field.
fn without_field(point: &mut Point) {
    any_field(point);
    point.fields_double.clear();
}

/// Sets the numbers of a point to zero and removes its other fields.
fn zero_field(point: &mut Point) {
    any_field(point);
    point.fields_double.values_mut().for_each(|value| *value = 0.0);
}

/// Keeps only the numbers of a point, as floats, and adds another field.
fn any_field(point: &mut Point) {
    let ints = std::mem::take(&mut point.fields_int);
    point.fields_double.extend(ints.into_iter().map(|(name, value)| (name, value as f64)));
    point.fields_string.clear();
    point.fields_bool.clear();
    point.fields_int = [("other".to_owned(), 1)].into();
}

fn field_missing(context: &mut Context) -> CheckResult {
    let missing = match output(context, Some(without_field)) {
        Ok(missing) => missing,
        Err(fault) => return or_stops(Err(fault), "a point without its field"),
    };
    // Accepts three kinds of UDF: one that skips such points, one whose results depend on no value,
    // and one whose results differ from those of a zero.
    if missing.is(&output(context, None)?)
        || missing.difference(&output(context, Some(zero_field))?).is_some()
    {
        return Ok(Outcome::Pass);
    }
    Ok(match missing.difference(&output(context, Some(any_field))?) {
        None => Outcome::Pass,
        Some(_) => Outcome::Warn(
            "a missing field is read as 0: for points without it, the same came back as for 0.0"
                .to_owned(),
        ),
    })
}

/// Sends data with every point changed, and checks that the connection continues.
fn survives(context: &Context, change: impl Fn(&mut Point)) -> Result<(), Fault> {
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..BATCH);
    for ask in context.data(BATCH..2 * BATCH, change) {
        wire.ask(ask);
    }
    context.feed(&mut wire, 2 * BATCH..3 * BATCH);
    wire.settle()
}

const ODD: [(&str, Change); 6] = [
    ("a point without tags and groups", |point| {
        point.tags.clear();
        point.dimensions.clear();
        point.group.clear();
    }),
    ("a point with text where numbers were", |point| {
        as_floats(point);
        let floats = std::mem::take(&mut point.fields_double);
        point.fields_string = floats.into_keys().map(|name| (name, "ten".to_owned())).collect();
    }),
    ("a point with booleans where numbers were", |point| {
        as_floats(point);
        let floats = std::mem::take(&mut point.fields_double);
        point.fields_bool = floats.into_keys().map(|name| (name, true)).collect();
    }),
    ("a point before 1970", |point| point.time = -1),
    ("a point with tags in all the world's letters", |point| {
        for value in point.tags.values_mut() {
            value.push_str(" ß漢字=,\"\\\n🦀");
        }
    }),
    ("a point that is grouped by its name", |point| {
        point.by_name = true;
        point.group = format!("{}\n{}", point.name, point.group);
    }),
];

fn odd_points(context: &mut Context) -> CheckResult {
    for (what, change) in ODD {
        let verdict = or_stops(survives(context, change), what)?;
        if verdict != Outcome::Pass {
            return Ok(verdict);
        }
    }
    Ok(Outcome::Pass)
}

fn large_message(context: &mut Context) -> CheckResult {
    let text = "0123456789abcdef".repeat(1 << 16);
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..BATCH);
    let mut data = context.data(BATCH..2 * BATCH, |_| {});
    // A single large point is enough.
    if let Some(Ask::Point(point)) = data.iter_mut().find(|ask| matches!(ask, Ask::Point(_))) {
        point.fields_string.insert("message".to_owned(), text);
    }
    for ask in data {
        wire.ask(ask);
    }
    wire.settle()?;
    Ok(Outcome::Pass)
}
