//! The arguments that a program has beside those of the kit.

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

    /// Creates an argument that only the environment variable `name` can set, such as a password.
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

    /// Sets the environment variable that sets the value if the command line does not.
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

    /// Makes the argument optional.
    #[must_use]
    pub const fn optional(self) -> Self {
        Argument { is_optional: true, ..self }
    }

    /// Returns the argument as a user writes it, or the variable of a secret.
    pub(crate) fn usage(&self) -> String {
        match self.is_secret {
            true => format!("the environment variable {}", self.name),
            false => format!("--{} {}", self.name, self.value),
        }
    }

    /// Returns whether the program fails to start without the argument.
    #[cfg(feature = "main")]
    pub(crate) fn is_required(&self) -> bool {
        self.default.is_none() && !self.is_optional
    }
}

/// The names of the kit's own arguments and subcommands' arguments. A test compares them.
pub(crate) const TAKEN: [&str; 61] = [
    "all",
    "allow-shared-directory",
    "allow-uid",
    "at-least-once",
    "bad-snapshot",
    "buffer-limit",
    "busy-budget",
    "by-name",
    "checkpoint-bytes",
    "checkpoint-every",
    "daemon",
    "database",
    "every",
    "farewell",
    "file",
    "format",
    "frame-limit",
    "grace",
    "group-by",
    "hangup-timeout",
    "help",
    "init-limit",
    "init-timeout",
    "keep-original",
    "log",
    "log-time",
    "max-connections",
    "memory-limit",
    "metrics",
    "no-open",
    "node",
    "on-error",
    "option",
    "plot",
    "plot-fields",
    "plot-groups",
    "poison",
    "poison-file",
    "port",
    "precision",
    "replay",
    "request-timeout",
    "restart-window",
    "restarts",
    "retention-policy",
    "shutdown-timeout",
    "socket",
    "socket-dir",
    "socket-group",
    "socket-mode",
    "state-dir",
    "state-file",
    "state-max-age",
    "supervise",
    "systemd",
    "task",
    "udf",
    "unfit-points",
    "utc",
    "version",
    "worker",
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

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

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
