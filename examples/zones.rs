//! Two UDFs in one program, which share the zones in a file. Shows `main!`, an argument of the
//! program, a reload at SIGHUP, and a counter.
//!
//! ```sh
//! cargo run --release --example zones -- locate replay points.lp --zones zones.csv
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use udf_runtime::shared::{Argument, Arguments, Current, Shared};
use udf_runtime::{Counter, Emitter, Point, Result, Stream, StreamUdf, udf};

static OUTSIDE: Counter = Counter::new("zones_outside_total", "Points that lie in no zone.");

/// The zones in a file. The process reads it once, and again at SIGHUP.
struct Zones {
    file: PathBuf,
    all: Current<Vec<Zone>>,
}

struct Zone {
    name: String,
    /// South, west, north, east.
    edges: [f64; 4],
}

impl Shared for Zones {
    const ARGUMENTS: &'static [Argument] =
        &[Argument::new("zones", "FILE", "The zones, a line of NAME,SOUTH,WEST,NORTH,EAST each")
            .env("ZONES")];

    fn open(arguments: &Arguments) -> Result<Self> {
        let file: PathBuf = arguments.value("zones")?;
        Ok(Zones { all: Current::new(read(&file)?), file })
    }

    fn reload(&self) -> Result<()> {
        self.all.set(read(&self.file)?);
        Ok(())
    }
}

fn read(file: &Path) -> Result<Vec<Zone>> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let zones = text.lines().zip(1..).map(|(line, number)| {
        zone(line).ok_or_else(|| format!("{name}, line {number}: not a zone: {line}").into())
    });
    zones.collect()
}

fn zone(line: &str) -> Option<Zone> {
    let mut parts = line.split(',');
    let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
    let edges: Vec<f64> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Zone { name, edges: edges.try_into().ok()? })
}

impl Zones {
    /// Returns the name of the zone of a point, by its fields `lat` and `lon`.
    fn of(&self, point: &Point<'_>) -> Result<Option<String>> {
        let (lat, lon) = (point.number("lat")?, point.number("lon")?);
        let zones = self.all.get();
        let zone = zones.iter().find(|Zone { edges: [south, west, north, east], .. }| {
            (south..north).contains(&&lat) && (west..east).contains(&&lon)
        });
        if zone.is_none() {
            OUTSIDE.add(1);
        }
        Ok(zone.map(|zone| zone.name.clone()))
    }
}

/// Adds the tag `zone` to the points that lie in a zone.
#[udf(wants = stream, provides = stream, metrics(OUTSIDE))]
struct Locate {
    #[shared]
    zones: Arc<Zones>,
}

impl StreamUdf for Locate {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        match self.zones.of(point)? {
            Some(zone) => out.edit(point).tag("zone", &zone).send()?,
            None => out.pass(point)?,
        }
        Ok(())
    }
}

/// Passes the points of one zone, and drops the others.
#[udf(wants = stream, provides = stream, metrics(OUTSIDE))]
struct Within {
    /// Name of the zone.
    #[option]
    zone: String,
    #[shared]
    zones: Arc<Zones>,
}

impl StreamUdf for Within {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        if self.zones.of(point)?.as_ref() == Some(&self.zone) {
            out.pass(point)?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    udf_runtime::main!(Locate, Within)
}

#[cfg(test)]
#[path = "tests/zones.rs"]
mod tests;
