//! Columns of a CSV file.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::{Duration, SystemTime};

use udf_runtime::options::TagName;
use udf_runtime::{Emitter, Point, Result, Stream, StreamUdf, Task, Tick, udf};

use crate::common::unmatched::Unmatched;

/// The largest file in bytes. The table needs a multiple of it.
const LARGEST: u64 = 64 << 20;

/// Columns of a CSV file as tags and fields, by the tags of a point. The file is read again when it
/// changes.
#[udf(wants = stream, provides = stream, tick = every)]
pub struct Lookup {
    /// Path of the file on the machine of the UDF. Its first line names the columns.
    #[option(len = 1.., example = "/etc/udfs/hosts.csv")]
    file: String,
    /// Tag that selects the line of the file, and the column to compare it with. Call it once for each
    /// tag.
    #[option(len = 1..=10, example = "host")]
    by: Vec<TagName>,
    /// Column that becomes a tag. Call it once for each column. Defaults to all columns that no other
    /// option names.
    #[option(len = ..=100, example = "owner")]
    as_tag: Vec<TagName>,
    /// Column that becomes a text field. Call it once for each column.
    #[option(len = ..=100, example = "note")]
    as_text: Vec<String>,
    /// Column of numbers that becomes a field of floats. Call it once for each column.
    #[option(len = ..=100, example = "limit")]
    as_float: Vec<String>,
    /// What happens to a point that no line fits.
    #[option(default = Unmatched::Pass)]
    unmatched: Unmatched,
    /// Time between two looks at the file.
    #[option(default = "10s", range = "1s"..)]
    every: Duration,
    table: Table,
    /// The state of the file when it was read.
    version: Option<Version>,
}

/// The length and the modification time of a file.
type Version = (u64, Option<SystemTime>);

/// What a column becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tag,
    Text,
    Float,
}

/// The lines of the file.
#[derive(Debug, Default)]
struct Table {
    columns: Vec<(String, Kind)>,
    /// The values of the columns, by those of the key.
    lines: HashMap<Vec<String>, Vec<Cell>>,
}

/// A value that a point gets.
#[derive(Debug)]
enum Cell {
    Empty,
    Text(String),
    Float(f64),
}

impl Lookup {
    /// Reads the file.
    fn read(&mut self) -> Result<()> {
        let path = Path::new(&self.file);
        let error = |error: &dyn std::fmt::Display| format!("cannot read `{}`: {error}", self.file);
        let metadata = fs::metadata(path).map_err(|why| error(&why))?;
        if metadata.len() > LARGEST {
            let why = format!("it has {} bytes, and {LARGEST} are allowed", metadata.len());
            return Err(error(&why).into());
        }
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(|why| error(&why))?;
        let header = reader.headers().map_err(|why| error(&why))?.clone();
        let table = self.table(&header, reader.records()).map_err(|why| error(&why))?;
        (self.table, self.version) = (table, Some(version(&metadata)));
        Ok(())
    }

    fn table(
        &self,
        header: &csv::StringRecord,
        records: impl Iterator<Item = csv::Result<csv::StringRecord>>,
    ) -> std::result::Result<Table, String> {
        let place = |name: &str| {
            header.iter().position(|column| column == name).ok_or_else(|| {
                let columns = header.iter().collect::<Vec<_>>().join(", ");
                format!("it has no column `{name}`, only {columns}")
            })
        };
        let keys =
            self.by.iter().map(|name| place(name)).collect::<std::result::Result<Vec<_>, _>>()?;
        let mut columns = Vec::new();
        let tags = self.as_tag.iter().map(|name| (&**name, Kind::Tag));
        let texts = self.as_text.iter().map(|name| (name.as_str(), Kind::Text));
        let floats = self.as_float.iter().map(|name| (name.as_str(), Kind::Float));
        for (name, kind) in tags.chain(texts).chain(floats) {
            columns.push((name.to_owned(), kind, place(name)?));
        }
        if self.as_tag.is_empty() {
            let is_named = |name: &str| {
                self.by.iter().any(|by| **by == *name) || columns.iter().any(|one| one.0 == name)
            };
            let others: Vec<_> = (header.iter().enumerate())
                .filter(|(_, name)| !name.is_empty() && !is_named(name))
                .map(|(place, name)| (name.to_owned(), Kind::Tag, place))
                .collect();
            columns.extend(others);
        }
        let mut lines = HashMap::new();
        for record in records {
            let record = record.map_err(|error| error.to_string())?;
            let cell = |place: usize| record.get(place).unwrap_or_default();
            let cells = columns.iter().map(|(name, kind, place)| match (kind, cell(*place)) {
                (_, "") => Ok(Cell::Empty),
                (Kind::Float, text) => match text.parse::<f64>() {
                    Ok(value) if value.is_finite() => Ok(Cell::Float(value)),
                    _ => {
                        let line = record.position().map_or(0, csv::Position::line);
                        Err(format!("line {line}: `{text}` in the column `{name}` is not a number"))
                    }
                },
                (_, text) => Ok(Cell::Text(text.to_owned())),
            });
            let cells = cells.collect::<std::result::Result<Vec<_>, _>>()?;
            lines.insert(keys.iter().map(|place| cell(*place).to_owned()).collect(), cells);
        }
        let columns = columns.into_iter().map(|(name, kind, _)| (name, kind)).collect();
        Ok(Table { columns, lines })
    }
}

fn version(metadata: &Metadata) -> Version {
    (metadata.len(), metadata.modified().ok())
}

impl StreamUdf for Lookup {
    fn init(&mut self, _: &Task<Stream>) -> Result<()> {
        self.read()
    }

    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let key: Vec<_> =
            self.by.iter().map(|tag| point.tag(tag).unwrap_or_default().to_owned()).collect();
        let Some(cells) = self.table.lines.get(&key) else {
            return match self.unmatched {
                Unmatched::Pass => Ok(out.pass(point)?),
                Unmatched::Drop => Ok(()),
            };
        };
        let mut edit = out.edit(point);
        for ((name, kind), cell) in self.table.columns.iter().zip(cells) {
            edit = match cell {
                Cell::Empty => edit,
                Cell::Text(text) if *kind == Kind::Tag => edit.tag(name, text),
                Cell::Text(text) => edit.field(name, text.as_str()),
                Cell::Float(value) => edit.field(name, *value),
            };
        }
        Ok(edit.send()?)
    }
}

impl Tick for Lookup {
    /// Reads the file again if it has changed. The table remains if the file is gone or invalid.
    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        let found = fs::metadata(&self.file).ok().map(|metadata| version(&metadata));
        if found == self.version {
            return Ok(());
        }
        match self.read() {
            Ok(()) => {
                tracing::info!("read `{}` again: {} lines", self.file, self.table.lines.len())
            }
            Err(error) => {
                tracing::warn!("{error}; the lines that were read before remain");
                // One warning for each change is enough.
                self.version = found;
            }
        }
        Ok(())
    }
}
