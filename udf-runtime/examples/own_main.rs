//! A UDF without the kit's command line, and therefore without default features. Its own `main`
//! serves it.
//!
//! Kapacitor spawns it without arguments, or connects to the socket at its only argument.

use std::process::ExitCode;

use udf_runtime::options::FieldName;
use udf_runtime::{
    Emitter, Limits, Point, Result, Server, Stop, Stream, StreamUdf, UdfHandler, serve_stdio, udf,
};

/// Adds a field with twice the value of another field.
#[udf(wants = stream, provides = stream)]
struct Double {
    /// The field to double.
    #[option]
    field: FieldName,
}

impl StreamUdf for Double {
    fn point(&mut self, point: &Point<'_>, out: &mut Emitter<Stream>) -> Result<()> {
        let double = 2.0 * point.number(&self.field)?;
        Ok(out.edit(point).field("double", double).send()?)
    }
}

fn main() -> ExitCode {
    let served = match std::env::args_os().nth(1) {
        Some(path) => daemon(path.as_ref()),
        None => spawned(),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn spawned() -> Result<()> {
    // A signal handler would call `stop.stop_for("SIGTERM")` from any thread.
    let stop = Stop::new()?;
    Ok(serve_stdio(UdfHandler::<Double>::new(), &Limits::default(), &stop)?)
}

fn daemon(path: &std::path::Path) -> Result<()> {
    let server = Server::bind(path, UdfHandler::<Double>::new)?;
    // A signal handler would call `stop_for` of `server.stopper()`, which also removes the socket.
    Ok(server.serve()?)
}
