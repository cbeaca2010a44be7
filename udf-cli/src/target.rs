//! How a UDF is reached: a program that is spawned for each use, or a daemon on a Unix socket.

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

use serde::Serialize;
use udf_host::process::{Child, Exit, Spawned};
use udf_host::settings::Logger;
use udf_host::socket::{connect, split};
use udf_host::{Callbacks, Error, Interface, Log, Process, Settings, Socket, replay};
use udf_proto::Info;
use udf_text::describe::Install;

/// A daemon that is not there yet is waited for so long. Kapacitor waits for 5 minutes; a person does not.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// A UDF that is given up may take this long to end by itself, and to say why.
const ABORT_WITHIN: Duration = Duration::from_millis(500);

/// How much of its stderr is kept, in bytes, about.
const MOST_HEARD: usize = 64 << 10;

/// The last lines of its stderr, the end of which tells most.
#[derive(Default)]
struct LastLines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastLines {
    fn hear(&mut self, line: &str) {
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.bytes > MOST_HEARD && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }
}

/// A UDF, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A program, which speaks on stdin and stdout.
    Program {
        /// The program; a name without a slash is looked for in `PATH`.
        program: OsString,
        /// Its arguments.
        args: Vec<OsString>,
    },
    /// A daemon that listens at this path.
    Socket(PathBuf),
}

/// What messages travel over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Two pipes, the stdin and stdout of a program.
    Pipe,
    /// A Unix stream socket.
    Socket,
}

impl Target {
    /// The program at this path, without arguments.
    pub fn program(program: impl Into<OsString>) -> Self {
        Target::Program { program: program.into(), args: Vec::new() }
    }

    /// What it is reached over.
    pub fn transport(&self) -> Transport {
        match self {
            Target::Program { .. } => Transport::Pipe,
            Target::Socket(_) => Transport::Socket,
        }
    }

    /// The name of its file, without what follows a dot: of the script, if an interpreter runs one.
    pub fn name(&self) -> String {
        let path = match self {
            Target::Program { program, args } => match script(program, args) {
                Some(at) => Path::new(&args[at]),
                None => Path::new(program),
            },
            Target::Socket(path) => path,
        };
        path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    }

    /// Where Kapacitor finds it.
    pub fn install(&self) -> Install {
        let text = |path: &Path| path.display().to_string();
        match self {
            Target::Program { program, args } => {
                let script = script(program, args);
                let args = args.iter().enumerate().map(|(at, arg)| match script {
                    Some(script) if script == at => text(&whole(Path::new(arg))),
                    _ => arg.to_string_lossy().into_owned(),
                });
                let args = args.collect();
                Install { program: text(&found(program)), args, ..Install::default() }
            }
            Target::Socket(path) => Install { socket: text(&whole(path)), ..Install::default() },
        }
    }

    /// Asks it what it is, as [`info_within`](Self::info_within) the timeout of the default [settings](Settings).
    ///
    /// # Errors
    /// When it cannot be reached, or does not answer.
    pub fn info(&self) -> Result<Info, Error> {
        self.info_within(Settings::default().timeout)
    }

    /// Asks it what it is: it must answer `within` this time, and then close its side within the same. What it
    /// writes to stderr meanwhile becomes ours only if that fails.
    ///
    /// # Errors
    /// When it cannot be reached, or does not answer.
    pub fn info_within(&self, within: Duration) -> Result<Info, Error> {
        let heard = Arc::new(Mutex::new(LastLines::default()));
        let to = heard.clone();
        let connect = || {
            let to = to.clone();
            let timeout = within;
            let settings =
                Settings { timeout, answer_within: within, close_within: within, ..settings() };
            self.connect(settings, move |line| {
                to.lock().unwrap_or_else(PoisonError::into_inner).hear(line);
            })
        };
        replay::ask(&connect).inspect_err(|_| {
            let heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.lines.iter().for_each(|line| tell(line));
        })
    }

    /// One use of it, over Kapacitor's own side. Its stderr becomes ours.
    pub fn interface(&self) -> Box<dyn Interface> {
        self.connect(settings(), tell)
    }

    /// `hear` is handed each line of its stderr, with its end.
    fn connect(
        &self,
        settings: Settings,
        hear: impl Fn(&str) + Send + Sync + 'static,
    ) -> Box<dyn Interface> {
        let callbacks = Callbacks::new().on_log(move |log| {
            if let Log::Stderr { line, .. } = log {
                hear(&format!("{line}\n"));
            }
        });
        match self {
            Target::Program { program, args } => {
                Box::new(Process::new(program).args(args).settings(settings).callbacks(callbacks))
            }
            Target::Socket(path) => Box::new(
                Socket::new(path)
                    .connect_within(CONNECT_WITHIN)
                    .settings(settings)
                    .callbacks(callbacks),
            ),
        }
    }

    /// One use of it, for whoever speaks the protocol by hand; `log` is handed the lines of its stderr.
    ///
    /// # Errors
    /// When the program cannot be started, or nobody accepts a connection `within` this time.
    pub fn link(&self, log: Option<Logger>, within: Duration) -> Result<Link, Error> {
        match self {
            Target::Program { program, args } => {
                let Spawned { stdin, stdout, child } =
                    Spawned::new(Command::new(program).args(args), log)?;
                Ok(Link {
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
                // A daemon that is there but busy is waited for; one that is not there is not.
                let stream = connect(path, within, |error, pause| {
                    if error.kind() != ErrorKind::WouldBlock {
                        return Err(failed(error));
                    }
                    thread::sleep(pause);
                    Ok(())
                })?;
                Link::over(stream).map_err(failed)
            }
        }
    }
}

/// Nobody waits for twice the timeout, as Kapacitor does, before a UDF is killed that does not answer.
fn settings() -> Settings {
    Settings { abort_within: ABORT_WITHIN, ..Settings::default() }
}

fn tell(text: &str) {
    // When stderr is gone, nobody is left to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The path from the root on, as far as there is something at it.
fn whole(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The whole path of a program; a name without a slash is looked for in `PATH`, as it is when it is started.
fn found(program: &OsStr) -> PathBuf {
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

/// Programs that run the script which is one of their arguments; a version may follow their names.
const INTERPRETERS: [&str; 14] = [
    "bash", "bun", "deno", "env", "java", "julia", "lua", "node", "perl", "php", "pypy", "python",
    "ruby", "sh",
];

/// Which of the arguments is the script that an interpreter runs.
fn script(program: &OsStr, args: &[OsString]) -> Option<usize> {
    let name = Path::new(program).file_name()?.to_str()?;
    let name = name.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
    let is_script =
        |arg: &OsString| !arg.as_encoded_bytes().starts_with(b"-") && Path::new(arg).is_file();
    INTERPRETERS.contains(&name).then(|| args.iter().position(is_script))?
}

/// The process that listens where `stream` is connected to.
#[cfg(target_os = "linux")]
fn listener(stream: &UnixStream) -> Option<u32> {
    let owner = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(owner.pid.as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
fn listener(_stream: &UnixStream) -> Option<u32> {
    None
}

/// One use of a UDF: its two directions, and a hold on the other side.
pub struct Link {
    /// What the UDF sends.
    pub reader: Box<dyn Read + Send>,
    /// What the UDF is sent. Dropped, it ends the UDF's input.
    pub writer: Box<dyn Write + Send>,
    /// The other side.
    pub peer: Peer,
}

impl Link {
    /// A link over a connected socket.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn over(stream: UnixStream) -> io::Result<Self> {
        let whole = stream.try_clone()?;
        let (reader, writer) = split(stream)?;
        Ok(Link {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer: Peer(Side::Socket(whole)),
        })
    }
}

/// The other side of a [`Link`]. Dropped, it is [cut off](Peer::cut).
pub struct Peer(Side);

enum Side {
    Program(Child),
    Socket(UnixStream),
}

impl Peer {
    /// Ends the link by force: the program is killed, or the socket closed.
    pub fn cut(&self) {
        match &self.0 {
            Side::Program(child) => child.kill(),
            Side::Socket(stream) => {
                // It fails only when it is closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// The process of the UDF: the one that was spawned, or that listens on the socket.
    pub fn pid(&self) -> Option<u32> {
        match &self.0 {
            Side::Program(child) => Some(child.id()),
            Side::Socket(stream) => listener(stream),
        }
    }

    /// How the program has exited; none if it has not `within` this time, or is a daemon.
    pub fn exit(&self, within: Duration) -> Option<Exit> {
        match &self.0 {
            Side::Program(child) => child.wait(Some(within)),
            Side::Socket(_) => None,
        }
    }

    /// What a program that has closed its side has left behind, to follow what is said of that: its status if it
    /// exits `within` this time, and the line of its stderr that tells most.
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
