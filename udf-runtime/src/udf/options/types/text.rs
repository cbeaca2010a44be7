//! Options that are a STRING.

use std::fmt::Display;
use std::ops::Bound;
use std::path::PathBuf;
use std::str::FromStr;

use udf_proto::Value;

use super::{HasLen, Help, MustBe, OptionType};
use crate::agent::error::Result;
use crate::udf::options::limits::Limits;

impl OptionType for PathBuf {
    type Raw = String;
    const IS_PLAIN: bool = true;

    fn from_raw(raw: String) -> Result<Self> {
        match &*raw {
            "" => Err(MustBe::new("a path, not empty").into()),
            _ => Ok(raw.into()),
        }
    }

    fn to_raw(&self) -> String {
        self.to_string_lossy().into_owned()
    }

    fn help() -> Help {
        let len = Limits::new(Bound::Included(Value::Int(1)), Bound::Unbounded);
        let help = Help { len, ..Help::whole() };
        help.must_be("a path, not empty").example("/tmp/file".to_owned())
    }
}

impl OptionType for char {
    type Raw = String;
    const IS_PLAIN: bool = true;

    fn from_raw(raw: String) -> Result<Self> {
        let mut chars = raw.chars();
        match (chars.next(), chars.next()) {
            (Some(one), None) => Ok(one),
            _ => Err(MustBe::new("one character").into()),
        }
    }

    fn to_raw(&self) -> String {
        self.to_string()
    }

    fn help() -> Help {
        let one = || Bound::Included(Value::Int(1));
        let help = Help { len: Limits::new(one(), one()), ..Help::whole() };
        help.must_be("one character").example("x".to_owned())
    }
}

/// A type for `#[option(parse)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be parsed from text",
    label = "does not implement `FromStr` with an error that implements `Display`",
    note = "`#[option(parse)]` parses a STRING; implement `std::str::FromStr`"
)]
pub trait Parse: Sized {
    #[doc(hidden)]
    fn parse(text: &str) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display>> Parse for T {
    fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|error: T::Err| error.to_string().into())
    }
}

/// The value of `#[option(parse)]`, with its text: the type need not be displayable.
#[derive(Debug, Clone)]
pub struct Parsed<T> {
    text: String,
    value: T,
}

impl<T> Parsed<T> {
    /// Returns the value.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> std::ops::Deref for Parsed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Parse> OptionType for Parsed<T> {
    type Raw = String;

    fn from_raw(text: String) -> Result<Self> {
        let value = T::parse(&text)?;
        Ok(Parsed { text, value })
    }

    fn to_raw(&self) -> String {
        self.text.clone()
    }
}

impl<T> HasLen for Parsed<T> {
    const OF_CALLS: bool = false;
}
