//! A page to tune a UDF on: a form made from the description of the UDF, and a picture of its input
//! and output, which every change draws again.
//!
//! A small server on the loopback address serves the page. The page is one document without
//! anything from elsewhere, and its address contains a secret token. A request is refused if its
//! `Host` or its `Origin` is not this server; see `guard.rs`. Requests are limited in size and
//! time, and only the latest run counts: it aborts the run of the request before it.

mod command;
mod document;
mod form;
mod guard;
mod http;
mod input;
mod last_lines;
mod latest;
mod problems;
mod run;
mod server;

use udf_proto::{Info, OptionCall};
use udf_text::describe::Description;
use udf_text::options::{self, OptionsError};

pub use command::{CommandWords, play, play_command};
pub use input::{Input, InputError};
pub use last_lines::LastLines;
pub use server::Server;
use udf_host::Interface;
use udf_host::replay::Replay;

/// Creates a connection with the UDF, not yet open, on any thread.
pub type Connect<'a> = &'a (dyn Fn() -> Box<dyn Interface> + Sync);

/// The content of the page.
#[derive(Debug)]
pub struct Play {
    /// The UDF.
    pub udf: Description,
    /// The file.
    pub input: Input,
    /// How the file is read, and the values of the form at the start.
    pub replay: Replay,
    /// The words of the command line that the page shows, up to the file: `moving_avg replay`.
    pub words: Vec<String>,
    /// The arguments of that command line that say how the file is read.
    pub reading: Vec<String>,
    /// The last words of that command line: `-- PROGRAM`, or none.
    pub words_behind: Vec<String>,
    /// The log of the UDF.
    pub log: &'static LastLines,
    /// Whether the picture has times in UTC, instead of the zone of this machine.
    pub is_utc: bool,
}

/// A page whose values at the start are valid.
#[derive(Debug)]
pub struct Page<'a> {
    play: &'a Play,
    /// The options of the UDF, with their types.
    info: Info,
    /// The calls of options at the start.
    calls: Vec<OptionCall>,
}

impl Play {
    /// Returns the page for a [`Server`].
    ///
    /// # Errors
    /// When the options of [`replay`](Self#structfield.replay) do not have the types of the UDF's
    /// options.
    pub fn page(&self) -> Result<Page<'_>, OptionsError> {
        let info = form::info(&self.udf);
        let calls = options::parse(&info, &self.replay.options)?;
        Ok(Page { play: self, info, calls })
    }

    /// Returns the name of the file, for the title of a picture.
    fn source(&self) -> String {
        let path = self.input.path();
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }
}
