//! Reads and writes points in the line protocol of InfluxDB.
//!
//! The reference is InfluxDB 1.x. Kapacitor uses the same parser.
//!
//! | read | write |
//! | --- | --- |
//! | [`LineReader`] reads points one by one, as Kapacitor would send them: as frames, points or messages | [`append_point`], [`append_line`], [`append_batch`] |
//! | [`Grouping`] computes the group of a point | [`Unwritable`] says why a point has no line |
//! | [`LineError`] names the line and the problem | |
//!
//! # Escaping
//!
//! | place | needs a backslash | a backslash is dropped before | cannot be written |
//! | --- | --- | --- | --- |
//! | measurement | comma, blank | comma, blank, `=`, `"` | a backslash at the end |
//! | name or value of a tag | comma, blank, `=` | comma, blank, `=` | a backslash at the end |
//! | name of a field | comma, blank, `=` | comma, blank, `=`, `"` | a backslash at the end; an odd number of backslashes before a comma, blank or `=` |
//! | text of a field | `"`, `\` | `"`, `\` | |
//!
//! - **In names and tag values, a backslash stands for itself** unless one of the bytes of the
//!   third column follows directly. There is no way to escape a backslash there, and no need:
//!   `path=\\srv\data` is the value `\\srv\data`, and `C:\\ Users` is `C:\ Users`.
//! - A name ends at the first byte of the second column that does not directly follow a backslash.
//!   The number of backslashes does not matter.
//! - The writer escapes the bytes of the second column. After a backslash, it also escapes the
//!   bytes of the third column.
//! - A `=` at the start of a tag value needs no backslash, but gets one.
//! - In text, `\\` is a backslash, `\"` is a quote, and any other backslash stands for itself.
//! - A line break ends the line, except in text and directly behind a backslash. The writer refuses
//!   names with line breaks: InfluxDB could read some, most other readers none.
//! - A measurement cannot begin with `#`, which begins a comment. A measurement and the name of a
//!   field cannot begin with a tab or NUL, which are skipped there.
//!
//! # Differences
//!
//! | | InfluxDB 1.x | here |
//! | --- | --- | --- |
//! | blanks, tabs and a carriage return at the end of a line | an error, or a part of the value | skipped |
//! | a byte-order mark at the start | a part of the measurement | skipped |
//! | `5u` | an error in most versions | the integer 5; above the maximum of `i64` an error, or [dropped](LineReader::drop_unfit) |
//! | quotes and backslashes in a comment | may hide the lines behind it | have no meaning |
//! | something behind the closing quote of a text | a part of the text | an error |
//! | a field's name for which the parts of the parser disagree, like `a\\=b` | an error, or another name | an error |
//! | a quote elsewhere, like `x=1"` | hides the line breaks behind it | an error in this line |
//! | a text with line breaks, in a line that begins with blanks or has `\\ ` before its fields | may be cut at a line break | read whole |
//! | a line without a time | the time of its arrival | the time of the line before, or of a [clock](LineReader::clock) |
//!
//! Tests also compare with the crate `influxdb-line-protocol`, the parser of InfluxDB 3. That
//! parser differs from InfluxDB 1.x:
//!
//! - Names end at tabs.
//! - A backslash is dropped before a backslash. It is not dropped before a quote, and in a
//!   measurement not before `=`.
//!
//! # Example
//!
//! ```
//! use udf_text::line_protocol::{Grouping, LineReader, append_point};
//!
//! let text = "cpu,host=a,cpu=cpu0 usage=1.5,busy=true 10\n";
//! let mut lines = LineReader::new(text.as_bytes(), Grouping::by(["host"]));
//! let point = lines.next_point()?.expect("there is one line");
//! assert_eq!(point.as_point().group(), "host=a");
//!
//! let mut out = Vec::new();
//! append_point(point.as_point(), &mut out)?;
//! assert_eq!(out, b"cpu,cpu=cpu0,host=a usage=1.5,busy=true 10\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod decimal;
mod digits;
mod encoded;
mod escape;
mod fast;
mod grouping;
mod keys;
mod limits;
mod line_info;
mod lines;
mod names;
mod parse;
mod plain;
mod precision;
mod problem;
mod read;
mod unlikely;
mod words;
mod write;

pub use encoded::append_encoded;
pub use grouping::Grouping;
pub use limits::{MAX_KEY, MAX_LINE, MAX_TIME, MIN_TIME};
pub use line_info::LineInfo;
pub use precision::Precision;
pub use problem::{LineError, LineProblem};
pub use read::LineReader;
pub use write::{BATCH, Unwritable, append_batch, append_line, append_point};
