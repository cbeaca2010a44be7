//! Real servers on loopback, alone or as a cluster of three.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The variable that makes a missing server a failure, if it is `required`.
const REQUIRED: &str = "UDF_TEST_NATS";

/// The variable with the path of a server.
const SERVER: &str = "UDF_TEST_NATS_SERVER";

/// The pause between two looks at something that takes a while.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// Longer than anything takes that a test waits for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(120);

/// Returns the path of the server, or why there is none.
pub(crate) fn program() -> Result<&'static Path, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(find).as_deref().map_err(Clone::clone)
}

/// Returns whether tests must not be left out.
pub(crate) fn is_required() -> bool {
    env::var(REQUIRED).is_ok_and(|value| value == "required")
}

fn find() -> Result<PathBuf, String> {
    // A test runs from target/PROFILE/deps.
    let test = env::current_exe().map_err(|error| error.to_string())?;
    let installed =
        test.ancestors().nth(3).map(|target| target.join("nats-server/bin/nats-server"));
    let named = env::var_os(SERVER).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|directory| directory.join("nats-server"));
    let mut places = named.into_iter().chain(installed).chain(in_path);
    let found = places.find(|place| place.is_file());
    let found = found.ok_or_else(|| {
        format!("no nats-server in {SERVER}, target/nats-server or PATH; .ci/run installs one")
    })?;
    let version = Command::new(&found).arg("--version").output();
    let version = version.map_err(|error| format!("{}: {error}", found.display()))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let numbers = version.rsplit('v').next().unwrap_or_default().split('.');
    let numbers: Vec<u32> = numbers.map_while(|number| number.parse().ok()).collect();
    match numbers[..] {
        [major, minor, ..] if (major, minor) >= (2, 11) => Ok(found),
        _ => Err(format!("{} is `{version}`, and 2.11 is the oldest that works", found.display())),
    }
}

/// A server in a process of its own.
pub(crate) struct Server {
    name: String,
    config: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

/// Returns a port that nothing listens on at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Server {
    fn new(name: &str, directory: &Path, more: &str) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let (store, log) = (directory.join(name), directory.join(format!("{name}.log")));
        let config = directory.join(format!("{name}.conf"));
        let text = format!(
            "server_name: {name}\nlisten: \"{address}\"\nlog_file: {log:?}\n\
             jetstream {{ store_dir: {store:?}, max_mem: 256MB, max_file: 4GB }}\n{more}\n"
        );
        fs::write(&config, text).expect("the configuration can be written");
        Server { name: name.to_owned(), config, address, child: None }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the server, and waits until it greets.
    pub(crate) fn start(&mut self) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let mut child = Command::new(program().expect("there is a server"))
                .arg("--config")
                .arg(&self.config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the server starts");
            while child.try_wait().expect("it is a child").is_none() {
                if greets(self.address) {
                    self.child = Some(child);
                    return;
                }
                assert!(Instant::now() < deadline, "the server {} does not greet", self.name);
                thread::sleep(LOOK);
            }
            // For a moment, another process had its port.
            assert!(Instant::now() < deadline, "the server {} does not start", self.name);
            thread::sleep(LOOK);
        }
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is a child");
            child.wait().expect("it is a child");
        }
    }

    /// Stops the process, which keeps its connections open.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets the process go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("it is a child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = self.config.with_extension("log");
            let log = fs::read_to_string(log).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(5).collect();
            eprintln!("the last lines of {}: {last:#?}", self.name);
        }
    }
}

fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, TIMEOUT) else { return false };
    let mut greeting = [0; 5];
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    let is_nats = stream.read_exact(&mut greeting).is_ok() && &greeting == b"INFO ";
    let _ = stream.write_all(b"PING\r\n");
    is_nats
}

/// Servers with their stores.
pub(crate) struct Servers {
    pub(crate) servers: Vec<Server>,
    _directory: TempDir,
}

impl Servers {
    /// Starts a server.
    pub(crate) fn one() -> Self {
        Servers::with("")
    }

    /// Starts a server with more configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut server = Server::new("n1", directory.path(), configuration);
        server.start();
        Servers { servers: vec![server], _directory: directory }
    }

    /// Starts a cluster of three.
    pub(crate) fn three() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ports = [free_port(), free_port(), free_port()];
        let routes = ports.map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).join(", ");
        let servers = ports.iter().zip(1..).map(|(port, number)| {
            let cluster =
                format!("cluster {{ name: c, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}");
            Server::new(&format!("n{number}"), directory.path(), &cluster)
        });
        let mut servers: Vec<_> = servers.collect();
        servers.iter_mut().for_each(Server::start);
        Servers { servers, _directory: directory }
    }

    /// Returns the addresses of all servers.
    pub(crate) fn urls(&self) -> String {
        self.servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
    }

    /// Returns the server with this name.
    pub(crate) fn named(&mut self, name: &str) -> &mut Server {
        self.servers.iter_mut().find(|server| server.name == name).expect("there is such a server")
    }
}
