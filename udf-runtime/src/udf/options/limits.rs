//! Limits of values and of lengths.

use std::cmp::Ordering;
use std::ops::Bound;

use udf_proto::Value;

/// The limits of an argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    min: Bound<Value>,
    max: Bound<Value>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { min: Bound::Unbounded, max: Bound::Unbounded }
    }
}

impl Limits {
    pub(crate) fn new(min: Bound<Value>, max: Bound<Value>) -> Self {
        // The integer before an excluded end is simpler to show and to suggest.
        let min = match min {
            Bound::Excluded(Value::Int(end)) => Bound::Included(Value::Int(end.saturating_add(1))),
            min => min,
        };
        let max = match max {
            Bound::Excluded(Value::Int(end)) => Bound::Included(Value::Int(end.saturating_sub(1))),
            max => max,
        };
        Limits { min, max }
    }

    /// Returns the values within both.
    pub(crate) fn within(self, other: &Limits) -> Self {
        let min = narrower(self.min, &other.min, Ordering::Greater);
        Limits { min, max: narrower(self.max, &other.max, Ordering::Less) }
    }

    pub(crate) fn contain(&self, value: &Value) -> bool {
        // NaN cannot be compared, so it is not within a range with an end.
        let min = match &self.min {
            Bound::Unbounded => true,
            Bound::Included(min) => compare(value, min).is_some_and(Ordering::is_ge),
            Bound::Excluded(min) => compare(value, min).is_some_and(Ordering::is_gt),
        };
        let max = match &self.max {
            Bound::Unbounded => true,
            Bound::Included(max) => compare(value, max).is_some_and(Ordering::is_le),
            Bound::Excluded(max) => compare(value, max).is_some_and(Ordering::is_lt),
        };
        min && max
    }

    /// Returns the nearest contained value: the value itself, or an end.
    pub(crate) fn nearest(&self, value: &Value) -> Option<Value> {
        let end = |bound: &Bound<Value>| match bound {
            Bound::Included(end) => Some(end.clone()),
            Bound::Excluded(_) | Bound::Unbounded => None,
        };
        let is_over = matches!(&self.max, Bound::Included(max) | Bound::Excluded(max)
            if compare(value, max).is_some_and(Ordering::is_ge));
        let (min, max) = (end(&self.min), end(&self.max));
        let ends = if is_over { [max, min] } else { [min, max] };
        let mut all = std::iter::once(Some(value.clone())).chain(ends).flatten();
        all.find(|value| self.contain(value))
    }

    /// Returns whether no value is contained.
    #[cfg(feature = "testing")]
    pub(crate) fn is_empty(&self) -> bool {
        let end = |bound: &Bound<Value>| match bound {
            Bound::Included(end) => Some((end.clone(), true)),
            Bound::Excluded(end) => Some((end.clone(), false)),
            Bound::Unbounded => None,
        };
        let (min, max) = (end(&self.min), end(&self.max));
        // NaN cannot be compared with itself, and is not a valid end.
        let is_nan = |(end, _): &(Value, bool)| compare(end, end).is_none();
        if min.iter().chain(&max).any(is_nan) {
            return true;
        }
        let Some(((min, from), (max, to))) = min.zip(max) else { return false };
        match compare(&min, &max) {
            Some(Ordering::Less) => false,
            Some(Ordering::Equal) => !(from && to),
            _ => true,
        }
    }

    /// Returns the words with a unit, `from 1 to 3 calls`.
    pub(crate) fn count_of(&self, what: &str) -> Option<String> {
        let words = self.words()?;
        let plural = if words.rsplit(' ').next() == Some("1") { "" } else { "s" };
        Some(format!("{words} {what}{plural}"))
    }

    /// Returns the words that follow "must be".
    pub(crate) fn words(&self) -> Option<String> {
        let min = match &self.min {
            Bound::Included(min) => Some(format!("at least {min}")),
            Bound::Excluded(min) => Some(format!("more than {min}")),
            Bound::Unbounded => None,
        };
        let max = match &self.max {
            Bound::Included(max) => Some(format!("at most {max}")),
            Bound::Excluded(max) => Some(format!("less than {max}")),
            Bound::Unbounded => None,
        };
        match (&self.min, &self.max) {
            (Bound::Included(min), Bound::Included(max)) if min == max => Some(min.to_string()),
            (Bound::Included(min), Bound::Included(max)) => Some(format!("from {min} to {max}")),
            _ => match (min, max) {
                (Some(min), Some(max)) => Some(format!("{min} and {max}")),
                (one, other) => one.or(other),
            },
        }
    }
}

/// Returns the narrower of two ends.
fn narrower(one: Bound<Value>, other: &Bound<Value>, inner: Ordering) -> Bound<Value> {
    let (
        Bound::Included(mine) | Bound::Excluded(mine),
        Bound::Included(theirs) | Bound::Excluded(theirs),
    ) = (&one, other)
    else {
        return if one == Bound::Unbounded { other.clone() } else { one };
    };
    match compare(theirs, mine) {
        Some(order) if order == inner => other.clone(),
        Some(Ordering::Equal) if matches!(other, Bound::Excluded(_)) => other.clone(),
        _ => one,
    }
}

pub(crate) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::Int(one), Value::Int(other)) => Some(one.cmp(other)),
        (Value::Duration(one), Value::Duration(other)) => Some(one.cmp(other)),
        (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
        _ => None,
    }
}
