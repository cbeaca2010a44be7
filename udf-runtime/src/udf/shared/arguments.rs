//! The arguments that a program has beside those of the kit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::agent::error::{Error, Result, line_without};

/// An argument of the program, `--hosts FILE`, or a secret from the environment.
///
/// An argument must be given, unless it has a [default](Self::default) or is
/// [optional](Self::optional). An invalid declaration does not compile:
///
/// ```compile_fail
/// # use udf_runtime::shared::Argument;
/// const FILE: Argument = Argument::new("Hosts File", "FILE", "The known hosts");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    pub(crate) name: &'static str,
    /// The name of its value in the help.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
    pub(crate) env: Option<&'static str>,
    pub(crate) default: Option<&'static str>,
    pub(crate) is_optional: bool,
    pub(crate) is_secret: bool,
}

impl Argument {
    /// Creates the argument `--name VALUE` with its help.
    ///
    /// # Panics
    /// Panics if the name has anything but lower-case letters, digits and `-`, if the kit has an
    /// argument of this name, or if `value` or `help` is empty. In a constant, this is a
    /// compile-time error.
    #[must_use]
    pub const fn new(name: &'static str, value: &'static str, help: &'static str) -> Self {
        assert!(is_name(name), "the name of an argument has lower-case letters, digits and `-`");
        assert!(!value.is_empty(), "the name of the value is empty: write \"FILE\" or \"URL\"");
        assert!(!help.is_empty(), "the help of an argument is empty");
        let mut at = 0;
        while at < TAKEN.len() {
            assert!(!are_equal(name, TAKEN[at]), "the kit has an argument of this name already");
            at += 1;
        }
        Argument {
            name,
            value,
            help,
            env: None,
            default: None,
            is_optional: false,
            is_secret: false,
        }
    }

    /// Creates an argument that only the environment variable `name` can set: a password or a token.
    ///
    /// Every user of a machine can read the command lines of its processes, so a secret is no part
    /// of the command line. The kit never shows its value.
    ///
    /// # Panics
    /// Panics if the name has anything but capital letters, digits and `_`, or if `help` is empty.
    /// In a constant, this is a compile-time error.
    #[must_use]
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        assert!(is_variable(name), "the name of a variable has capital letters, digits and `_`");
        assert!(!help.is_empty(), "the help of a secret is empty");
        Argument {
            name,
            value: "",
            help,
            env: Some(name),
            default: None,
            is_optional: false,
            is_secret: true,
        }
    }

    /// Sets the environment variable that has the value if the command line does not.
    ///
    /// # Panics
    /// Panics if the name has anything but capital letters, digits and `_`, and for a secret. In a
    /// constant, this is a compile-time error.
    #[must_use]
    pub const fn env(self, name: &'static str) -> Self {
        assert!(is_variable(name), "the name of a variable has capital letters, digits and `_`");
        assert!(!self.is_secret, "a secret has a variable already");
        Argument { env: Some(name), ..self }
    }

    /// Sets the text of the value if nothing else sets it.
    ///
    /// # Panics
    /// Panics for a secret: its default would be shown in the source. In a constant, this is a
    /// compile-time error.
    #[must_use]
    pub const fn default(self, text: &'static str) -> Self {
        assert!(!self.is_secret, "a secret has no default: write `.optional()`");
        Argument { default: Some(text), ..self }
    }

    /// Allows that nothing sets the value.
    #[must_use]
    pub const fn optional(self) -> Self {
        Argument { is_optional: true, ..self }
    }

    /// Returns the argument as a command line has it, or the variable of a secret.
    pub(crate) fn usage(&self) -> String {
        match self.is_secret {
            true => format!("the environment variable {}", self.name),
            false => format!("--{} {}", self.name, self.value),
        }
    }

    /// Returns whether a start without it fails.
    #[cfg(feature = "main")]
    pub(crate) fn is_required(&self) -> bool {
        self.default.is_none() && !self.is_optional
    }
}

/// The names of the kit's own arguments and subcommands' arguments. A test compares them.
pub(crate) const TAKEN: [&str; 35] = [
    "allow-shared-directory",
    "allow-uid",
    "bad-snapshot",
    "buffer-limit",
    "busy-budget",
    "by-name",
    "daemon",
    "database",
    "every",
    "farewell",
    "file",
    "format",
    "frame-limit",
    "group-by",
    "hangup-timeout",
    "help",
    "init-limit",
    "init-timeout",
    "log",
    "log-time",
    "max-connections",
    "metrics",
    "node",
    "option",
    "precision",
    "request-timeout",
    "retention-policy",
    "shutdown-timeout",
    "socket",
    "socket-group",
    "socket-mode",
    "systemd",
    "task",
    "unfit-points",
    "version",
];

const fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let is_dash = bytes[at] == b'-' && at > 0;
        if !(bytes[at].is_ascii_lowercase() || bytes[at].is_ascii_digit() || is_dash) {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty()
}

const fn is_variable(name: &str) -> bool {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !(bytes[at].is_ascii_uppercase() || bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && !bytes[0].is_ascii_digit()
}

const fn are_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

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
    /// Returns an [`ArgumentError`] if the value is missing, or if the type refuses it. As the error
    /// of `open`, it ends the program with status 2, the status of wrong usage.
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
        let secret = argument.is_secret.then(|| text.to_owned());
        let why = line_without(secret.as_slice(), why.into().as_ref(), MAX_WHY);
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
    use std::panic::catch_unwind;

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

    #[test]
    fn declarations_that_no_program_could_have_are_refused() {
        let is_right = |name| catch_unwind(|| Argument::new(name, "N", "h")).is_ok();
        assert!(is_right("a-2"));
        for name in ["", "-a", "Hosts", "a b", "a=b", "socket", "help", "option"] {
            assert!(!is_right(name), "{name}");
        }
        let is_right = |name| catch_unwind(|| Argument::secret(name, "h")).is_ok();
        assert!(is_right("A_2"));
        for name in ["", "token", "2A", "A-B", "A=B"] {
            assert!(!is_right(name), "{name}");
        }
        assert!(catch_unwind(|| Argument::new("a", "", "h")).is_err());
        assert!(catch_unwind(|| Argument::secret("A", "h").default("x")).is_err());
        assert!(catch_unwind(|| Argument::new("a", "N", "h").env("a-b")).is_err());
    }
}
