//! Options that are a size in bytes or a percentage.

use std::fmt;
use std::ops::Bound;

use udf_proto::Value;

use super::{Help, MustBe, OptionType, Ranged};
use crate::agent::error::Result;
use crate::udf::options::limits::Limits;

/// A size in bytes: an option that is a STRING such as `'10MiB'`, `'512KB'` or `'100'`.
///
/// KB, MB, GB and TB are powers of 1000; KiB, MiB, GiB and TiB are powers of 1024. Upper and lower
/// case are equal. A number without a unit counts bytes.
///
/// ```
/// use udf_runtime::options::Bytes;
///
/// assert_eq!("10MiB".parse::<Bytes>().map(Bytes::get), Ok(10 * 1024 * 1024));
/// assert_eq!("512 kb".parse::<Bytes>().map(Bytes::get), Ok(512_000));
/// assert_eq!(Bytes::new(2048).to_string(), "2KiB");
/// assert!("10 lines".parse::<Bytes>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(u64);

/// The units, from the largest.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// The words for a valid value.
    const WORDS: &str = "a size in bytes, such as '10MiB', '512KB' or '100'";

    /// Creates a size.
    pub const fn new(bytes: u64) -> Self {
        Bytes(bytes)
    }

    /// Creates the size of a default, which the macro has checked.
    #[doc(hidden)]
    pub fn literal(text: &'static str) -> Self {
        text.parse().unwrap_or(Bytes(u64::MAX))
    }

    /// Returns the number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Bytes {
    type Err = MustBe;

    fn from_str(text: &str) -> Result<Self, MustBe> {
        let text = text.trim();
        let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start();
        let is_unit = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(unit);
        let factor = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(is_unit).map(|(_, factor)| *factor),
        };
        let bytes = number.parse::<u64>().ok().zip(factor);
        let bytes = bytes.and_then(|(number, factor)| number.checked_mul(factor));
        bytes.map(Bytes).ok_or_else(|| MustBe::new(Bytes::WORDS))
    }
}

impl fmt::Display for Bytes {
    /// Writes the size in the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, factor): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(divides).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl OptionType for Bytes {
    type Raw = String;
    const IS_PLAIN: bool = true;

    fn from_raw(raw: String) -> Result<Self> {
        Ok(raw.parse::<Bytes>()?)
    }

    fn to_raw(&self) -> String {
        self.to_string()
    }

    fn help() -> Help {
        Help::new().must_be(Bytes::WORDS).example("10MiB".to_owned())
    }
}

/// A percentage from 0 to 100: an option that is a DOUBLE, where 12.5 is 12.5 %.
///
/// ```
/// use udf_runtime::options::Percent;
///
/// let share = Percent::new(12.5)?;
/// assert_eq!(share.percent(), 12.5);
/// assert_eq!(share.fraction(), 0.125);
/// assert!(Percent::new(120.0).is_err());
/// # Ok::<(), udf_runtime::options::MustBe>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Creates a percentage.
    ///
    /// # Errors
    /// When the value is not from 0 to 100.
    pub fn new(percent: f64) -> Result<Self, MustBe> {
        match percent {
            0.0..=100.0 => Ok(Percent(percent)),
            _ => Err(MustBe::new("from 0.0 to 100.0 percent")),
        }
    }

    /// Creates the percentage of a default, which the macro has checked.
    #[doc(hidden)]
    pub const fn literal(percent: f64) -> Self {
        Percent(percent)
    }

    /// Returns the percentage: 12.5 for 12.5 %.
    pub const fn percent(self) -> f64 {
        self.0
    }

    /// Returns the fraction: 0.125 for 12.5 %.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

impl OptionType for Percent {
    type Raw = f64;
    const IS_PLAIN: bool = true;

    fn from_raw(raw: f64) -> Result<Self> {
        Ok(Percent::new(raw)?)
    }

    fn to_raw(&self) -> f64 {
        self.0
    }

    fn help() -> Help {
        let end = |end: f64| Bound::Included(Value::Double(end));
        let limits = Limits::new(end(0.0), end(100.0));
        Help { limits, unit: Some("percent"), ..Help::whole() }.example(10.0)
    }
}

impl Ranged for Percent {
    type Bound = f64;

    fn value(bound: f64) -> Value {
        Value::Double(bound)
    }
}
