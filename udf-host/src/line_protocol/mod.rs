//! Points from lines of text and back: InfluxDB's line protocol, as `replay` reads and writes it.
//!
//! | from text | to text |
//! | --- | --- |
//! | [`LineReader`] reads points one by one, as Kapacitor would send them | [`append_point`], [`append_line`] |
//! | [`Grouping`] says which group they belong to | [`Unwritable`] says what text cannot hold |
//! | [`LineError`] names the line, and says what is wrong with it | |
//!
//! ```
//! use udf_host::line_protocol::{Grouping, LineReader, append_point};
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

mod grouping;
mod lines;
mod parse;
mod read;
mod write;

pub use grouping::Grouping;
pub use lines::MAX_LINE;
pub use read::{LineError, LineProblem, LineReader};
pub use write::{Unwritable, append_line, append_point};
