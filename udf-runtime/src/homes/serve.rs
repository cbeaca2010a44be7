//! Serves Kapacitor as a daemon, or over stdin and stdout.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use udf_host::command::{self, Failure};
use udf_host::telegraf::{LOG_READ_WITHIN, wait_until_read};

use super::args::{Daemon, Place};
use super::systemd::{self, Manager};
use super::{logs, metrics, open_files, stdio};
use crate::agent::limits::Limits;
use crate::agent::own_metrics::Metric;
use crate::agent::service::Service;
use crate::agent::stop::Stop;
use crate::agent::{shortage, worker};
use crate::server::socket_file::SocketFile;
use crate::server::{AnyAccepter, Door, Server};

/// A UDF that a daemon serves.
pub(super) struct Served<'a> {
    pub(super) name: &'a str,
    pub(super) accepter: AnyAccepter,
    /// The metrics of the author.
    pub(super) metrics: &'static [&'static dyn Metric],
    /// The maximum number of descriptors of a connection.
    pub(super) descriptors: u64,
}

/// Serves as a daemon until a stop. Calls `at_start` right before it listens. `name` is that of the
/// program.
///
/// If there are several UDFs, the place must be a directory.
pub(super) fn daemon(
    name: &str,
    udfs: Vec<Served<'_>>,
    daemon: Daemon,
    limits: Limits,
    at_start: impl FnOnce() -> io::Result<()>,
) -> Result<(), Failure> {
    let descriptors = udfs.iter().map(|udf| udf.descriptors).max().unwrap_or(1);
    open_files::raise(limits.connections, descriptors);
    let count = udfs.len();
    let own_metrics: Vec<_> = udfs.iter().flat_map(|udf| udf.metrics).copied().collect();
    let doors = udfs.into_iter().map(|udf| door(udf, &daemon)).collect::<Result<_, _>>()?;
    let server =
        Server::with(doors).map_err(failed)?.limits(limits).allowed_users(daemon.allowed_users);
    for metric in own_metrics {
        server.metrics().show(metric).map_err(|name| {
            Failure::failed(format!("two metrics of the UDF have the name `{name}`; rename one"))
        })?;
    }
    if let Some(address) = daemon.metrics {
        let shown = server.metrics();
        let served = metrics::serve(address, Box::new(move || shown.to_prometheus()));
        let address = served
            .map_err(shortage::of(&format!("cannot serve metrics at {address}")))
            .map_err(failed)?;
        tracing::info!("serving metrics at http://{address}/metrics");
    }
    server.stop_on_signals().map_err(failed)?;
    at_start().map_err(failed)?;
    let place = match daemon.place {
        Place::Socket(path) => path.display().to_string(),
        Place::Directory(path) => format!("{count} sockets in {}", path.display()),
        Place::Systemd => "the socket of systemd".to_owned(),
    };
    let listens = format!("{name} listens on {place}");
    tracing::info!("{listens}");
    server.serve_under(Manager::new(&listens)).map_err(failed)?;
    tracing::info!("{name} has stopped");
    Ok(())
}

/// Creates the socket of a UDF, or takes that of systemd.
fn door(udf: Served<'_>, daemon: &Daemon) -> Result<Door, Failure> {
    let path = match &daemon.place {
        Place::Socket(path) => path.clone(),
        Place::Directory(path) => path.join(udf.name).with_extension("sock"),
        Place::Systemd => {
            let listener = systemd::listener();
            let listener = listener.map_err(|why| Failure::Usage(format!("--systemd: {why}")))?;
            return Ok(Door { listener, file: None, accepter: udf.accepter });
        }
    };
    let (listener, file) = SocketFile::bind(&path, &daemon.options).map_err(failed)?;
    Ok(Door { listener, file: Some(file), accepter: udf.accepter })
}

/// Serves the peer that has spawned this process.
pub(super) fn spawned(service: Box<dyn Service>, limits: &Limits) -> Result<(), Failure> {
    let stop = Stop::new().map_err(failed)?;
    let is_worker = worker::is_worker();
    let signals = if is_worker { worker::ignore_signals() } else { stop.on_signals() };
    signals.map_err(failed)?;
    let mut limits = limits.clone();
    if is_worker {
        // The supervisor reads all output, and decides when Kapacitor has hung up.
        limits.hangup = None;
    }
    let served = stdio::serve(service, &limits, &stop);
    served.map_err(|error| Failure::failed(logs::one_line(&error.to_string())))
}

/// Creates a failure from this error, with the limit to raise if a resource is exhausted.
pub(super) fn failed(error: impl std::error::Error + 'static) -> Failure {
    Failure::failed(shortage::text(&error))
}

/// Returns the exit status, and prints the failure. Waits until Telegraf has read its log.
pub(super) fn end(done: Result<(), Failure>) -> ExitCode {
    let is_for_telegraf = logs::are_for_telegraf() || matches!(done, Err(Failure::Telegraf { .. }));
    let (status, last_words) = command::end(done);
    logs::finish(last_words.as_deref());
    if is_for_telegraf {
        // Without a reader, there is nobody to wait for.
        let _ = wait_until_read(io::stderr(), Instant::now() + LOG_READ_WITHIN);
    }
    status
}
