//! How far the output of a partition goes.

/// The mark of an output message: all output up to the end of this message belongs to the input up
/// to `upto`, except for the last `lines` lines, which belong to the input behind it.
///
/// The last mark of an output says where a worker goes on. It replays the input up to `upto` without
/// output, then leaves out the first `lines` lines of output. How the input was cut into chunks does
/// not matter.
///
/// ```
/// use udf_nats::Mark;
///
/// let mark = Mark { upto: 17, total: 230, lines: 4, poison: 0 };
/// let headers: Vec<_> = mark.headers().collect();
/// assert_eq!(headers, [("Udf-Upto", 17), ("Udf-Total", 230), ("Udf-Lines", 4)]);
/// let read = Mark::from_headers(|name| match name {
///     "Udf-Upto" => Some("17"),
///     "Udf-Total" => Some("230"),
///     "Udf-Lines" => Some("4"),
///     _ => None,
/// });
/// assert_eq!(read, Some(mark));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// All output of the input up to this sequence is in the log.
    pub upto: u64,
    /// The number of lines that belong to the input up to `upto`, since its beginning.
    pub total: u64,
    /// The number of lines in the log that belong to the input behind `upto`.
    pub lines: u64,
    /// The version of the set of poison lines that the writer has left out of its input.
    pub poison: u64,
}

/// The header with the input sequence.
pub const UPTO: &str = "Udf-Upto";

/// The header with the number of all lines up to the input sequence. Absent if it is 0.
pub const TOTAL: &str = "Udf-Total";

/// The header with the number of lines behind the input sequence. Absent if it is 0.
pub const LINES: &str = "Udf-Lines";

/// The header with the version of the poison lines. Absent if it is 0.
pub const POISON: &str = "Udf-Poison";

/// The header of a tick record in the input of a partition: its time in nanoseconds since the epoch.
pub const TICK: &str = "Udf-Tick";

impl Mark {
    /// Returns the headers of the mark. A header whose value is 0 is left out, except for [`UPTO`].
    pub fn headers(self) -> impl Iterator<Item = (&'static str, u64)> {
        let all =
            [(UPTO, self.upto), (TOTAL, self.total), (LINES, self.lines), (POISON, self.poison)];
        all.into_iter().filter(|(name, value)| *value > 0 || *name == UPTO)
    }

    /// Reads a mark from the headers of a message. Returns none if `UPTO` is missing, or a value is
    /// not a number.
    pub fn from_headers<'a>(get: impl Fn(&'static str) -> Option<&'a str>) -> Option<Self> {
        let number = |name| get(name).map_or(Some(0), |value| value.parse().ok());
        Some(Mark {
            upto: get(UPTO)?.parse().ok()?,
            total: number(TOTAL)?,
            lines: number(LINES)?,
            poison: number(POISON)?,
        })
    }
}
