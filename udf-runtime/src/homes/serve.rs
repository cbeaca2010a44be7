//! Serves Kapacitor as a daemon, or over stdin and stdout.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use udf_host::command::{self, Failure};
use udf_host::telegraf::{LOG_READ_WITHIN, wait_until_read};

use super::args::Daemon;
use super::systemd::{self, Manager};
use super::{logs, metrics, open_files, stdio};
use crate::agent::limits::Limits;
use crate::agent::own_metrics::Metric;
use crate::agent::service::Service;
use crate::agent::stop::Stop;
use crate::agent::{shortage, worker};
use crate::server::socket_file::SocketFile;
use crate::server::{AnyAccepter, Server};

/// What a daemon serves.
pub(super) struct Served<'a> {
    pub(super) name: &'a str,
    pub(super) accepter: AnyAccepter,
    /// The metrics of the author.
    pub(super) metrics: &'static [&'static dyn Metric],
    /// The maximum number of descriptors of a connection.
    pub(super) descriptors: u64,
}

/// Serves as a daemon until a stop. Calls `at_start` right before it listens.
pub(super) fn daemon(
    served: Served<'_>,
    daemon: Daemon,
    limits: Limits,
    at_start: impl FnOnce() -> io::Result<()>,
) -> Result<(), Failure> {
    let Served { name, accepter, metrics: own_metrics, descriptors } = served;
    open_files::raise(limits.connections, descriptors);
    let (listener, file, place) = if let Some(path) = daemon.path {
        let (listener, file) = SocketFile::bind(&path, &daemon.options).map_err(failed)?;
        (listener, Some(file), path.display().to_string())
    } else {
        let listener = systemd::listener();
        let listener = listener.map_err(|why| Failure::Usage(format!("--systemd: {why}")))?;
        (listener, None, "the socket of systemd".to_owned())
    };
    let mut server = Server::with(listener, accepter)
        .map_err(failed)?
        .limits(limits)
        .allowed_users(daemon.allowed_users);
    if let Some(file) = file {
        server = server.file(file);
    }
    for &metric in own_metrics {
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
    let listens = format!("{name} listens on {place}");
    tracing::info!("{listens}");
    server.serve_under(Manager::new(&listens)).map_err(failed)?;
    tracing::info!("{name} has stopped");
    Ok(())
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
