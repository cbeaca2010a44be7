//! Arguments that an option accepts: for samples, and for the line that would do.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use udf_proto::{Value, ValueType};

use super::OptionSpec;
use super::limits::compare;
use super::suggest::within;
use super::types::Help;

enum Tried {
    Accepted,
    Refused,
    Panicked,
}

impl<F, V> OptionSpec<F, V> {
    /// Arguments that a TICKscript can write and the option accepts, for samples and for the line that would
    /// do; none when none were found.
    ///
    /// What the author shows counts, checked or not: the check may look at what is not the same everywhere,
    /// whether a file exists. Then come the default and what is common, about which the author's code is asked,
    /// hundreds of times maybe, and until `end`.
    pub(crate) fn sample(&self, end: Instant) -> Option<Vec<Value>> {
        let shown = self.example.iter().find(|example| {
            let made = || self.made(example).is_ok();
            example.iter().all(Value::is_writable) && matches!(guarded(made), Tried::Accepted)
        });
        if let Some(shown) = shown {
            return Some(shown.clone());
        }
        let default = self.default_value().map(|default| default.shown);
        if cfg!(panic = "abort") {
            // A guess about which the author's code panics would end the process.
            return default.filter(|default| default.iter().all(Value::is_writable));
        }
        let guesses = candidates(&self.traits.types, &self.traits.help);
        for values in default.into_iter().chain(guesses).take_while(|_| Instant::now() < end) {
            match self.try_out(&values) {
                Tried::Accepted => return Some(values),
                Tried::Refused => {}
                // It says so in the log, which is enough of it.
                Tried::Panicked => return None,
            }
        }
        None
    }

    /// Whether these arguments can be written, and are accepted.
    pub(crate) fn accepts(&self, values: &[Value]) -> bool {
        matches!(self.try_out(values), Tried::Accepted)
    }

    fn try_out(&self, values: &[Value]) -> Tried {
        if !values.iter().all(Value::is_writable) {
            return Tried::Refused;
        }
        guarded(|| self.value(values).is_ok())
    }
}

/// The author's code may not be made for what no task has written.
fn guarded(accepts: impl FnOnce() -> bool) -> Tried {
    match catch_unwind(AssertUnwindSafe(accepts)) {
        Ok(true) => Tried::Accepted,
        Ok(false) => Tried::Refused,
        Err(_) => Tried::Panicked,
    }
}

/// Arguments that are worth a try where some are needed that an option accepts, the plainest first: what
/// its type shows, and what is common. Parsing and checks are for whoever tries them.
fn candidates(types: &[ValueType], help: &Help) -> impl Iterator<Item = Vec<Value>> {
    let places: Vec<Vec<Value>> = help
        .places(types.len())
        .iter()
        .zip(types)
        .map(|(help, &wanted)| of_one_argument(wanted, help))
        .collect();
    let whole = Some(help.example.clone()).filter(|example| example.len() == types.len());
    let rising = rising(&places);
    let falling = rising.iter().rev().cloned().collect();
    whole.into_iter().chain(combinations(places).take(MOST)).chain([rising, falling])
}

/// So many combinations are tried.
const MOST: usize = 500;

/// All combinations; the last argument changes first.
fn combinations(places: Vec<Vec<Value>>) -> impl Iterator<Item = Vec<Value>> {
    let mut next = places.iter().all(|values| !values.is_empty()).then(|| vec![0; places.len()]);
    std::iter::from_fn(move || {
        let at = next.as_mut()?;
        let values = places.iter().zip(&*at).map(|(values, &at)| values[at].clone()).collect();
        let turned = at.iter_mut().zip(&places).rev().find_map(|(at, values)| {
            *at = (*at + 1) % values.len();
            (*at > 0).then_some(())
        });
        if turned.is_none() {
            next = None;
        }
        Some(values)
    })
}

/// Numbers of which each is larger than that before it; combinations get there late when there are many.
fn rising(places: &[Vec<Value>]) -> Vec<Value> {
    let numbers = |values: &[Value]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(|one, other| match (one, other) {
            // NaN, too, has its place.
            (Value::Double(one), Value::Double(other)) => one.total_cmp(other),
            _ => compare(one, other).unwrap_or(Ordering::Equal),
        });
        sorted
    };
    let rising = places.iter().enumerate().filter_map(|(place, values)| {
        let sorted = numbers(values);
        sorted.get((place + 1) * sorted.len() / (places.len() + 1)).cloned()
    });
    rising.collect()
}

fn of_one_argument(wanted: ValueType, help: &Help) -> Vec<Value> {
    let mut values = help.example.clone();
    match wanted {
        ValueType::Bool => values.extend([true, false].map(Value::Bool)),
        ValueType::Int => values.extend(numbers(INTS.map(Value::Int), 1, help)),
        ValueType::Double => values.extend(numbers(DOUBLES.map(Value::Double), 2, help)),
        ValueType::Duration => {
            let durations = MILLIS.map(|millis| Value::Duration(millis * 1_000_000));
            values.extend(numbers(durations, 1, help));
        }
        ValueType::String if !help.choices.is_empty() => {
            values.extend(help.texts().map(Value::from));
        }
        ValueType::String => {
            values.extend(TEXTS.into_iter().map(|text| within(Value::from(text), help)));
        }
    }
    let mut seen = Vec::with_capacity(values.len());
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// Those of the numbers that are within the limits, and the marks of these. Where the first `preferred` ones
/// are not, what is nearest to them comes first.
fn numbers<const N: usize>(
    plain: [Value; N],
    preferred: usize,
    help: &Help,
) -> impl Iterator<Item = Value> {
    let fits = |value: &&Value| help.limits.contain(value);
    let first = plain[..preferred].iter().find(fits).cloned();
    let first = first.or_else(|| help.limits.nearest(&plain[0]));
    let others: Vec<Value> = plain.iter().filter(fits).cloned().collect();
    first.into_iter().chain(others).chain(help.limits.marks())
}

const INTS: [i64; 18] = [10, 1, 2, 3, 4, 5, 7, 8, 16, 20, 60, 64, 100, 1000, 1024, 0, -1, -10];

const DOUBLES: [f64; 14] =
    [1.0, 0.5, 2.0, 10.0, 0.1, 0.25, 0.75, 0.9, 3.0, 5.0, 100.0, 1000.0, 0.0, -1.0];

const MILLIS: [i64; 12] =
    [10_000, 1000, 60_000, 300_000, 3_600_000, 86_400_000, 30_000, 100, 10, 1, 604_800_000, 0];

/// Texts of the kinds that are parsed most.
const TEXTS: [&str; 48] = [
    "text",
    "TEXT",
    "Text",
    "1",
    "10",
    "1.0",
    "0.5",
    "true",
    "x",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "[::1]:80",
    "localhost",
    "localhost:80",
    "http://localhost/",
    "https://localhost/",
    "tcp://localhost:80",
    "file:///tmp/file",
    "10.0.0.0/8",
    "::/0",
    "/tmp/file",
    "file.txt",
    "user@localhost",
    "example.com",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "2026-01-01 00:00:00",
    "12:00",
    "12:00:00",
    "10s",
    "1m",
    "1h",
    "1..10",
    "1.0.0",
    "UTC",
    "Europe/Berlin",
    "en",
    "en-US",
    "info",
    "GET",
    "a=b",
    "a:b",
    "a,b",
    "#ff0000",
    "00000000-0000-4000-8000-000000000000",
    "{}",
    "",
];
