//! Connects to a UDF: a program that is spawned for each use, or a daemon on a Unix socket.

#[cfg(test)]
#[path = "target/tests.rs"]
mod tests;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::children;
use serde::Serialize;
use udf_host::process::{Child, Exit, Spawned};
use udf_host::settings::Logger;
use udf_host::socket::{connect, split};
use udf_host::{Callbacks, Error, Interface, Log, Process, Settings, Socket, replay};
use udf_proto::Info;
use udf_text::describe::Install;

/// How long to wait for a daemon that is not yet there. Kapacitor waits for 5 minutes, too long for
/// a person.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The grace period of a UDF after an abort. In this time it may exit and report the reason.
const ABORT_WITHIN: Duration = Duration::from_millis(500);

/// The approximate number of stderr bytes that are kept.
const MOST_HEARD: usize = 64 << 10;

/// The last lines of stderr. The end of them says most.
#[derive(Default)]
struct LastLines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastLines {
    fn add_line(&mut self, line: &str) {
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.bytes > MOST_HEARD && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }
}

/// A UDF and how to connect to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A program, which speaks the protocol on stdin and stdout.
    Program {
        /// The program. A name without a slash is searched in `PATH`.
        program: OsString,
        /// The arguments of the program.
        args: Vec<OsString>,
    },
    /// A daemon that listens at this path.
    Socket(PathBuf),
}

/// The transport of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Two pipes: the stdin and stdout of a program.
    Pipe,
    /// A Unix stream socket.
    Socket,
}

impl Target {
    /// Creates a target for the program at this path, without arguments.
    pub fn program(program: impl Into<OsString>) -> Self {
        Target::Program { program: program.into(), args: Vec::new() }
    }

    /// Creates a target for a program, the first word, and its arguments.
    ///
    /// # Panics
    /// If there is no word.
    pub fn of_words(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter();
        let program = words.next().expect("the first word is the program");
        Target::Program { program, args: words.collect() }
    }

    /// Returns the transport of the target.
    pub fn transport(&self) -> Transport {
        match self {
            Target::Program { .. } => Transport::Pipe,
            Target::Socket(_) => Transport::Socket,
        }
    }

    /// Returns the name of the UDF's file, without its extension. If an interpreter runs a script,
    /// the name of the script. If `udf supervise` runs the UDF, the name of that UDF.
    pub fn name(&self) -> String {
        let path = match self {
            Target::Program { program, args } => {
                let (program, args) = match supervised(program, args) {
                    Some(at) => (&args[at], &args[at + 1..]),
                    None => (program, &args[..]),
                };
                match script(program, args) {
                    Some(at) => Path::new(&args[at]),
                    None => Path::new(program),
                }
            }
            Target::Socket(path) => path,
        };
        path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Returns where Kapacitor finds the UDF.
    pub fn install(&self) -> Install {
        let text = |path: &Path| path.display().to_string();
        match self {
            Target::Program { program, args } => {
                let udf = supervised(program, args);
                let script = match udf {
                    Some(udf) => script(&args[udf], &args[udf + 1..]).map(|at| udf + 1 + at),
                    None => script(program, args),
                };
                let args = args.iter().enumerate().map(|(at, arg)| match arg {
                    _ if Some(at) == udf => text(&found(arg)),
                    _ if Some(at) == script => text(&whole(Path::new(arg))),
                    _ => arg.to_string_lossy().into_owned(),
                });
                let args = args.collect();
                Install { program: text(&found(program)), args, ..Install::default() }
            }
            Target::Socket(path) => Install { socket: text(&whole(path)), ..Install::default() },
        }
    }

    /// Asks for the edges and options of the UDF. Like [`info_within`](Self::info_within) with the
    /// timeout of the default [settings](Settings).
    ///
    /// # Errors
    /// When the UDF cannot be connected to, or does not answer.
    pub fn info(&self) -> Result<Info, Error> {
        self.info_within(Settings::default().timeout)
    }

    /// Asks for the edges and options of the UDF. It must answer `within` this time, and then close
    /// its output within the same time. The stderr of the UDF is only printed if this fails.
    ///
    /// # Errors
    /// When the UDF cannot be connected to, or does not answer.
    pub fn info_within(&self, within: Duration) -> Result<Info, Error> {
        let last_lines = Arc::new(Mutex::new(LastLines::default()));
        let to = last_lines.clone();
        let connect = || {
            let to = to.clone();
            let timeout = within;
            let settings = settings().timeout(timeout).answer_within(within).close_within(within);
            self.connect(settings, move |line| {
                to.lock().unwrap_or_else(PoisonError::into_inner).add_line(line);
            })
        };
        replay::ask(&connect).inspect_err(|_| {
            let last_lines = last_lines.lock().unwrap_or_else(PoisonError::into_inner);
            last_lines.lines.iter().for_each(|line| tell(line));
        })
    }

    /// Creates a connection that behaves like Kapacitor. The stderr of the UDF is printed to the
    /// stderr of this process.
    pub fn interface(&self) -> Box<dyn Interface> {
        self.connect(settings(), tell)
    }

    /// Creates a connection as [`interface`](Self::interface) does. `on_line` gets each line of the
    /// UDF's stderr, too, without its end.
    pub fn interface_with(
        &self,
        on_line: impl Fn(&str) + Send + Sync + 'static,
    ) -> Box<dyn Interface> {
        self.connect(settings(), move |line| {
            tell(line);
            on_line(line.trim_end_matches('\n'));
        })
    }

    /// Creates a connection. `on_line` gets each line of the UDF's stderr, including its line end.
    fn connect(
        &self,
        settings: Settings,
        on_line: impl Fn(&str) + Send + Sync + 'static,
    ) -> Box<dyn Interface> {
        let callbacks = Callbacks::new().on_log(move |log| {
            if let Log::Stderr { line, .. } = log {
                on_line(&format!("{line}\n"));
            }
        });
        match self {
            Target::Program { program, args } => {
                let udf = Process::new(program).args(args).settings(settings).callbacks(callbacks);
                Box::new(udf.spawn_with(children::spawn))
            }
            Target::Socket(path) => Box::new(
                Socket::new(path)
                    .connect_within(CONNECT_WITHIN)
                    .settings(settings)
                    .callbacks(callbacks),
            ),
        }
    }

    /// Opens a connection for callers that speak the protocol themselves. `log` gets the lines of
    /// the UDF's stderr.
    ///
    /// # Errors
    /// When the program cannot be started, or the daemon does not accept the connection `within`
    /// this time.
    pub fn link(&self, log: Option<Logger>, within: Duration) -> Result<Connection, Error> {
        match self {
            Target::Program { program, args } => {
                let Spawned { stdin, stdout, child } =
                    children::spawn(Command::new(program).args(args), log)?;
                Ok(Connection {
                    reader: Box::new(stdout),
                    writer: Box::new(stdin),
                    peer: Peer(Side::Program(child)),
                })
            }
            Target::Socket(path) => {
                let failed = |error| {
                    let (path, error) = (path.clone(), Arc::new(error));
                    Error::Connect { path, within, error }
                };
                // Retries while a daemon is busy, but not if there is no daemon.
                let stream = connect(path, within, |error, pause| {
                    if error.kind() != ErrorKind::WouldBlock {
                        return Err(failed(error));
                    }
                    thread::sleep(pause);
                    Ok(())
                })?;
                Connection::over(stream).map_err(failed)
            }
        }
    }
}

/// Returns settings with a shorter grace period than Kapacitor's, which is twice the timeout.
fn settings() -> Settings {
    Settings::default().abort_within(ABORT_WITHIN)
}

fn tell(text: &str) {
    // Errors are ignored: without stderr there is no place to report them.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Returns the absolute path, or the path itself if that fails.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the full path of a program. A name without a slash is searched in `PATH`, as when the
/// program is started.
pub(crate) fn found(program: &OsStr) -> PathBuf {
    if program.as_encoded_bytes().contains(&b'/') {
        return whole(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_program = |path: &PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    let places = std::env::split_paths(&path).map(|directory| whole(&directory.join(program)));
    places.into_iter().find(is_program).unwrap_or_else(|| program.into())
}

/// Programs that run a script given as an argument. A version may follow their names.
const INTERPRETERS: [&str; 14] = [
    "bash", "bun", "deno", "env", "java", "julia", "lua", "node", "perl", "php", "pypy", "python",
    "ruby", "sh",
];

/// Returns the index of the argument that is the script of an interpreter.
fn script(program: &OsStr, args: &[OsString]) -> Option<usize> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
    let is_script =
        |arg: &OsString| !arg.as_encoded_bytes().starts_with(b"-") && Path::new(arg).is_file();
    INTERPRETERS.contains(&name).then(|| args.iter().position(is_script))?
}

/// Returns the index of the argument that is the program of a UDF under `udf supervise`.
fn supervised(program: &OsStr, args: &[OsString]) -> Option<usize> {
    let is_udf = Path::new(program).file_stem()?.to_str()?.starts_with("udf");
    if !is_udf || args.first()? != "supervise" {
        return None;
    }
    let at = args.iter().position(|arg| arg == "--")? + 1;
    (at < args.len()).then_some(at)
}

/// Returns the process that listens on the socket that `stream` is connected to.
#[cfg(target_os = "linux")]
fn listener(stream: &UnixStream) -> Option<u32> {
    let owner = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(owner.pid.as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
fn listener(_stream: &UnixStream) -> Option<u32> {
    None
}

/// A connection with a UDF: its two directions, and a handle of the other side.
pub struct Connection {
    /// Reads from the UDF.
    pub reader: Box<dyn Read + Send>,
    /// Writes to the UDF. Its drop ends the input of the UDF.
    pub writer: Box<dyn Write + Send>,
    /// The other side.
    pub peer: Peer,
}

impl Connection {
    /// Creates a link over a connected socket.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn over(stream: UnixStream) -> io::Result<Self> {
        let whole = stream.try_clone()?;
        let (reader, writer) = split(stream)?;
        Ok(Connection {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer: Peer(Side::Socket(whole)),
        })
    }
}

/// The other side of a [`Connection`]. Dropping it [cuts off](Peer::cut) the link.
pub struct Peer(Side);

enum Side {
    Program(Child),
    Socket(UnixStream),
}

impl Peer {
    /// Ends the link by force: kills the program, or closes the socket.
    pub fn cut(&self) {
        match &self.0 {
            Side::Program(child) => child.kill(),
            Side::Socket(stream) => {
                // Fails only when the socket is already closed.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Returns the process ID of the UDF: the spawned program, or the process that listens on the
    /// socket.
    pub fn pid(&self) -> Option<u32> {
        match &self.0 {
            Side::Program(child) => Some(child.id()),
            Side::Socket(stream) => listener(stream),
        }
    }

    /// Returns how the program exited. `None` for a daemon, or if the program does not exit
    /// `within` this time.
    pub fn exit(&self, within: Duration) -> Option<Exit> {
        match &self.0 {
            Side::Program(child) => child.wait(Some(within)),
            Side::Socket(_) => None,
        }
    }

    /// Describes what a program left behind when it closed its output, as the end of a message: its
    /// status if it exits `within` this time, and the most telling line of its stderr.
    pub fn traces(&self, within: Duration) -> String {
        let Side::Program(child) = &self.0 else { return String::new() };
        let exited = child.wait(Some(within)).map(|exited| format!(" ({exited})"));
        let line = child.last_words().map(|line| format!("; it wrote to stderr: {line}"));
        exited.unwrap_or_default() + &line.unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.cut();
    }
}
