//! The protocol between systemd and a daemon: sd_listen_fds(3), sd_notify(3) and
//! sd_watchdog_enabled(3).
//!
//! Programs that a UDF runs inherit the variables. That is harmless: all variables but
//! `NOTIFY_SOCKET` name the process that they are for, and systemd ignores notifications of other
//! processes (`NotifyAccess=main`).

use std::env;
use std::io::{self, ErrorKind};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::process;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::getpeername;
use rustix::net::sockopt::socket_acceptconn;

use crate::agent::rate_limit::RateLimit;
use crate::server::Supervisor;

/// Returns the listening socket that systemd has passed to this process.
///
/// # Errors
/// Returns an error if systemd has passed no socket, several sockets, or something else.
pub(super) fn listener() -> Result<UnixListener, String> {
    let count = variable("LISTEN_FDS").unwrap_or_default();
    if !count.is_empty() {
        // If the process id differs, the descriptors are not from systemd. sd_listen_fds(3) ignores
        // them, too.
        is_for_us(variable("LISTEN_PID").unwrap_or_default().trim())?;
    }
    match count.parse::<u32>() {
        Ok(1) => {}
        Ok(2..) => {
            return Err(format!(
                "systemd passed {count} sockets, but a UDF serves one; keep one ListenStream= in one .socket unit"
            ));
        }
        Ok(0) | Err(_) => {
            return Err(
                "systemd passed no socket; start the UDF through its .socket unit".to_owned()
            );
        }
    }
    let listener = match ListenFd::from_env().take_unix_listener(0) {
        Ok(Some(listener)) => listener,
        Ok(None) => return Err("systemd passed no socket".to_owned()),
        Err(error) => {
            return Err(format!(
                "systemd passed something other than a Unix stream socket ({error}); use \
                 ListenStream= with a path in the .socket unit"
            ));
        }
    };
    match (socket_acceptconn(&listener), getpeername(&listener)) {
        (Ok(true), _) => Ok(listener),
        (_, Ok(_)) => Err("systemd passed a single connection, but a UDF serves many; set \
                           Accept=no in the .socket unit"
            .to_owned()),
        _ => Err(
            "the socket that systemd passed does not listen; use ListenStream= in the .socket unit"
                .to_owned(),
        ),
    }
}

fn is_for_us(pid: &str) -> Result<(), String> {
    let own = process::id();
    match pid.parse::<u32>() {
        Ok(pid) if pid == own => Ok(()),
        Ok(pid) => Err(format!(
            "the socket of systemd is for process {pid}, not for {own}; start the UDF by ExecStart= \
             directly, or by `exec` in a script"
        )),
        Err(_) => Err(format!(
            "systemd passed no socket: LISTEN_PID is `{pid}`, not {own} of this process; start the UDF \
             through its .socket unit"
        )),
    }
}

/// Notifies systemd of the start, of the stop, and of each round of the accept loop.
///
/// No method blocks. Failures are only logged.
pub(super) struct Manager {
    /// `None` without `NOTIFY_SOCKET`.
    socket: Option<Socket>,
    /// The maximum time between two notifications.
    watchdog: Option<Duration>,
    /// The notification of the start, until it is sent.
    start: Option<String>,
}

impl Manager {
    /// Reads the environment. The first round sends the notification of the start.
    pub(super) fn new(status: &str) -> Self {
        let address = variable("NOTIFY_SOCKET");
        let socket = address.and_then(|address| match Socket::new(&address) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!("cannot use NOTIFY_SOCKET `{address}`: {error}");
                None
            }
        });
        let is_for_us = variable("WATCHDOG_PID").is_none_or(|pid| pid == process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").filter(|_| socket.is_some() && is_for_us);
        let watchdog = watchdog.and_then(|usec| match usec.parse() {
            Ok(usec @ 1..) => Some(Duration::from_micros(usec)),
            _ => {
                tracing::warn!("WATCHDOG_USEC is `{usec}`, which is not a number of microseconds");
                None
            }
        });
        let start = format!("READY=1\nSTATUS={}", status.replace(char::is_control, "?"));
        Manager { socket, watchdog, start: Some(start) }
    }
}

impl Supervisor for Manager {
    fn round(&mut self) -> Duration {
        let Some(socket) = &mut self.socket else { return Duration::MAX };
        let beat = self.watchdog.map_or(Duration::MAX, beat);
        if let Some(start) = &self.start {
            // Retry until this succeeds: without this notification, systemd considers the start
            // failed.
            if socket.tell(start) == Told::Later {
                return beat.min(AGAIN);
            }
            self.start = None;
        }
        if self.watchdog.is_some() {
            socket.tell("WATCHDOG=1");
        }
        beat
    }

    fn stopping(&mut self) {
        if let Some(socket) = &mut self.socket {
            socket.tell("STOPPING=1\nSTATUS=finishing the received requests");
        }
    }
}

/// Returns the time between two notifications of the watchdog. Two notifications in a row may fail.
fn beat(watchdog: Duration) -> Duration {
    // The minimum keeps the accept loop from spinning. systemd cannot check a shorter time anyway.
    (watchdog / 3).max(Duration::from_millis(1))
}

/// The pause before a notification is sent again after the queue of systemd was full.
const AGAIN: Duration = Duration::from_millis(200);

/// The notification socket of systemd.
struct Socket {
    socket: UnixDatagram,
    address: SocketAddr,
    failures: RateLimit,
}

#[derive(PartialEq, Eq)]
enum Told {
    Now,
    /// The queue of systemd is full.
    Later,
    Never,
}

impl Socket {
    fn new(address: &str) -> io::Result<Self> {
        let address = match address.strip_prefix('@') {
            None if address.starts_with('/') => SocketAddr::from_pathname(address)?,
            #[cfg(target_os = "linux")]
            Some(name) => {
                use std::os::linux::net::SocketAddrExt;
                SocketAddr::from_abstract_name(name)?
            }
            _ => {
                let text = "it is neither a path nor an abstract name, @NAME";
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Socket { socket, address, failures: RateLimit::default() })
    }

    fn tell(&mut self, state: &str) -> Told {
        let told = self.socket.send_to_addr(state.as_bytes(), &self.address);
        let Err(error) = told else { return Told::Now };
        if let Some(held_back) = self.failures.pass() {
            let state = state.lines().next().unwrap_or_default();
            tracing::warn!("cannot notify systemd of `{state}`: {error}{held_back}");
        }
        if error.kind() == ErrorKind::WouldBlock { Told::Later } else { Told::Never }
    }
}

fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_three_times_within_its_time_but_never_in_a_busy_loop() {
        let millis = Duration::from_millis;
        for (watchdog, expected) in [
            (millis(30_000), millis(10_000)),
            (millis(30), millis(10)),
            (millis(1), millis(1)),
            (Duration::from_nanos(1), millis(1)),
        ] {
            assert_eq!(beat(watchdog), expected, "{watchdog:?}");
        }
    }
}
