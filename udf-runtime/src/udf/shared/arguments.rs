//! The values of the arguments of shared things.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::argument::Argument;
use crate::agent::error::{Error, Result, line_without};

/// The values of the arguments of a [`Shared`](super::Shared) thing.
#[derive(Clone, Default)]
pub struct Arguments {
    known: Vec<Argument>,
    values: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// Creates arguments with these values, for a test. Reads no environment.
    ///
    /// ```
    /// # use udf_runtime::Result;
    /// use udf_runtime::shared::{Argument, Arguments, Shared};
    ///
    /// struct Limit(u32);
    ///
    /// impl Shared for Limit {
    ///     const ARGUMENTS: &'static [Argument] =
    ///         &[Argument::new("limit", "N", "The most points per second").default("100")];
    ///
    ///     fn open(arguments: &Arguments) -> Result<Self> {
    ///         Ok(Limit(arguments.value("limit")?))
    ///     }
    /// }
    ///
    /// let limit = |values: &[(&str, &str)]| Limit::open(&Arguments::of::<Limit>(values));
    /// assert_eq!(limit(&[("limit", "7")])?.0, 7);
    /// assert_eq!(limit(&[])?.0, 100);
    /// let error = limit(&[("limit", "x")]).map(drop).unwrap_err();
    /// assert_eq!(error.to_string(), "--limit is `x`: invalid digit found in string");
    /// # Ok::<(), udf_runtime::Error>(())
    /// ```
    ///
    /// # Panics
    /// Panics if `T` has no argument of such a name.
    #[track_caller]
    pub fn of<T: super::Shared>(values: &[(&str, &str)]) -> Self {
        let mut arguments = Arguments::new(T::ARGUMENTS.to_vec());
        for (name, value) in values {
            let name = arguments.known(name).name;
            arguments.values.insert(name, (*value).to_owned());
        }
        arguments
    }

    /// Creates arguments without values.
    pub(crate) fn new(known: Vec<Argument>) -> Self {
        Arguments { known, values: BTreeMap::new() }
    }

    /// Sets a value.
    #[cfg(feature = "main")]
    pub(crate) fn set(&mut self, argument: &Argument, value: String) {
        self.values.insert(argument.name, value);
    }

    /// Returns the value of a required argument, or of one with a default.
    ///
    /// # Errors
    /// Returns an [`ArgumentError`] if the value is missing, or if the type refuses it. If `open`
    /// returns this error, the program ends with status 2, the status of invalid usage.
    ///
    /// # Panics
    /// Panics if `ARGUMENTS` has no argument of this name.
    #[track_caller]
    pub fn value<T: FromStr<Err: Into<Error>>>(&self, name: &str) -> Result<T, ArgumentError> {
        let argument = self.known(name);
        self.optional(name)?.ok_or_else(|| ArgumentError(missing(argument)))
    }

    /// Returns the value of an argument, if there is one.
    ///
    /// # Errors
    /// Returns an [`ArgumentError`] if the type refuses the value.
    ///
    /// # Panics
    /// Panics if `ARGUMENTS` has no argument of this name.
    #[track_caller]
    pub fn optional<T: FromStr<Err: Into<Error>>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ArgumentError> {
        let argument = self.known(name);
        let Some(text) = self.text(argument) else { return Ok(None) };
        let value = text.parse::<T>().map_err(|error| self.invalid(name, error))?;
        Ok(Some(value))
    }

    /// Returns the error for a value that cannot be used, with the reason.
    ///
    /// # Panics
    /// Panics if `ARGUMENTS` has no argument of this name.
    #[track_caller]
    pub fn invalid(&self, name: &str, why: impl Into<Error>) -> ArgumentError {
        let argument = self.known(name);
        let text = self.text(argument).unwrap_or_default();
        let why = line_without(&self.secrets(), why.into().as_ref(), MAX_WHY);
        ArgumentError(match argument.is_secret {
            false if text.is_empty() => format!("{}: {why}", argument.usage()),
            false => {
                format!("--{name} is `{}`: {why}", text.replace(char::is_control, "\u{fffd}"))
            }
            true => format!("{}: {why}", argument.usage()),
        })
    }

    /// Returns the text of a value.
    pub(crate) fn text(&self, argument: &Argument) -> Option<&str> {
        self.values.get(argument.name).map(String::as_str).or(argument.default)
    }

    /// Returns the values of the secrets, to keep them out of messages.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets = self.known.iter().filter(|argument| argument.is_secret);
        secrets.filter_map(|secret| self.text(secret).map(str::to_owned)).collect()
    }

    #[track_caller]
    fn known(&self, name: &str) -> &Argument {
        let known = self.known.iter().find(|argument| argument.name == name);
        known.unwrap_or_else(|| panic!("there is no argument `{name}` in `ARGUMENTS`"))
    }
}

/// The number of bytes of the reason in an error.
const MAX_WHY: usize = 512;

/// Returns the text for a value that is missing.
pub(crate) fn missing(argument: &Argument) -> String {
    match argument.env {
        Some(env) if !argument.is_secret => {
            format!(
                "{} is missing; add it, or set the environment variable {env}",
                argument.usage()
            )
        }
        Some(env) => format!("the environment variable {env} is not set: {}", argument.help),
        None => format!("{} is missing", argument.usage()),
    }
}

impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for argument in &self.known {
            let value = self.text(argument);
            let shown = if argument.is_secret { value.map(|_| "***") } else { value };
            map.entry(&argument.name, &shown);
        }
        map.finish()
    }
}

/// The value of an argument is missing or invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentError(String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udf::shared::Shared;

    struct Service;

    impl Shared for Service {
        const ARGUMENTS: &'static [Argument] = &[
            Argument::new("url", "URL", "The service"),
            Argument::new("tries", "N", "Attempts").env("TRIES").default("3"),
            Argument::secret("SERVICE_TOKEN", "The token of the service"),
            Argument::new("user", "NAME", "The user").optional(),
        ];

        fn open(_: &Arguments) -> Result<Self> {
            Ok(Service)
        }
    }

    #[test]
    fn values_come_with_their_types_and_their_errors() {
        let arguments =
            Arguments::of::<Service>(&[("url", "http://x"), ("SERVICE_TOKEN", "s3cret")]);
        assert_eq!(arguments.value::<String>("url").as_deref(), Ok("http://x"));
        assert_eq!(arguments.value::<u8>("tries"), Ok(3));
        assert_eq!(arguments.optional::<String>("user"), Ok(None));
        let text = |error: Result<u8, ArgumentError>| error.map_err(|error| error.to_string());
        let error = text(arguments.value("url"));
        assert_eq!(error, Err("--url is `http://x`: invalid digit found in string".to_owned()));
        let error = text(arguments.value("user"));
        assert_eq!(error, Err("--user NAME is missing".to_owned()));
        let error = text(Arguments::of::<Service>(&[]).value("SERVICE_TOKEN"));
        assert_eq!(
            error,
            Err("the environment variable SERVICE_TOKEN is not set: The token of the service"
                .to_owned())
        );
    }

    #[test]
    fn a_secret_is_in_no_text() {
        let arguments = Arguments::of::<Service>(&[("url", "u"), ("SERVICE_TOKEN", "s3cret")]);
        let error = arguments.invalid("SERVICE_TOKEN", "`s3cret` is too short").to_string();
        let expected = "the environment variable SERVICE_TOKEN: `***` is too short";
        assert_eq!(error, expected);
        assert_eq!(
            format!("{arguments:?}"),
            r#"{"url": Some("u"), "tries": Some("3"), "SERVICE_TOKEN": Some("***"), "user": None}"#
        );
    }
}
