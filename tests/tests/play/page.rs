//! Starts `play`, and exchanges requests with its server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use udf_tests::program::example;

/// Longer than anything takes that a test waits for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The recording of the repository.
pub(crate) const CPU: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/cpu.lp");

/// A running `play`.
pub(crate) struct Play {
    child: Child,
    /// The address of the page.
    pub(crate) url: String,
}

/// The parts of a response.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Returns `moving_avg` with these arguments.
pub(crate) fn moving_avg(args: &[&str]) -> Command {
    let mut command = Command::new(example("moving_avg"));
    command.args(args);
    command
}

/// Returns the UDF with every kind of option.
pub(crate) fn tunable(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunable"));
    command.args(args);
    command
}

/// Returns `udf` with these arguments.
pub(crate) fn udf(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
    command.args(args);
    command
}

impl Play {
    /// Starts a page, and discards its stderr.
    pub(crate) fn start(command: Command) -> Self {
        Play::start_with(command, Stdio::null())
    }

    /// Starts a page with this stderr.
    pub(crate) fn start_with(mut command: Command, stderr: Stdio) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the program starts");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut url).expect("it prints its address");
        let url = url.trim_end().to_owned();
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with('/'), "{url:?}");
        Play { child, url }
    }

    /// Starts the page of `moving_avg` for the recording of the repository.
    pub(crate) fn of_cpu() -> Self {
        let options = ["-o", "field=usage_user", "-o", "size=10", "--group-by", "cpu", "--utc"];
        Play::start(moving_avg(&[&["play", CPU, "--no-open"], &options[..]].concat()))
    }

    /// Starts the page of the UDF with every kind of option.
    pub(crate) fn of_tunable(file: &Path, args: &[&str]) -> Self {
        let file = file.to_str().expect("it is text");
        Play::start(tunable(&[&["play", file, "--no-open"], args].concat()))
    }

    /// Returns `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> &str {
        self.url.split('/').nth(2).expect("the address has a host")
    }

    /// Returns the path of the page, with its token.
    pub(crate) fn path(&self) -> String {
        format!("/{}/", self.url.split('/').nth(3).expect("the address has a token"))
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host()).expect("the page listens");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout can be set");
        stream
    }

    /// Sends bytes, and returns the response to them.
    pub(crate) fn send(&self, request: &[u8]) -> Response {
        let mut stream = self.connect();
        stream.write_all(request).expect("the server reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers, and closes");
        let (head, body) = text.split_once("\r\n\r\n").expect("a response has a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Response {
            status: status.expect("a response has a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// Sends a request with these headers, besides its length.
    pub(crate) fn ask(&self, line: &str, headers: &[&str], body: &str) -> Response {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        self.send(
            format!("{line} HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        )
    }

    /// Sends a request as the page does.
    pub(crate) fn get(&self, below: &str) -> Response {
        let host = format!("Host: {}", self.host());
        self.ask(&format!("GET {}{below}", self.path()), &[&host], "")
    }

    /// Sends values as the page does.
    pub(crate) fn post(&self, body: &Value) -> Response {
        let (host, origin) =
            (format!("Host: {}", self.host()), format!("Origin: http://{}", self.host()));
        let headers = [&host, &origin, "Content-Type: application/json"];
        self.ask(&format!("POST {}run", self.path()), &headers, &body.to_string())
    }

    /// Plays one setting with these options, each with its arguments. Returns its result.
    pub(crate) fn run(&self, options: &[(&str, &[&str])]) -> Value {
        let response = self.post(&request(options));
        assert_eq!(response.status, 200, "{}", response.body);
        response.json()["results"][0].take()
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        // Fails only if the program has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the request of one setting without groups.
pub(crate) fn request(options: &[(&str, &[&str])]) -> Value {
    let options = options.iter().map(|(name, args)| json!({ "name": name, "args": args }));
    json!({
        "one": {
            "options": options.collect::<Vec<_>>(),
            "group_by": [],
            "by_name": false,
            "every": "",
        },
        "other": null,
        "width": 800,
    })
}
