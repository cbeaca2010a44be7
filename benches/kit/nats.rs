//! A UDF over NATS JetStream, compared with a program that only pulls messages and publishes them.

use std::collections::VecDeque;
use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, stream};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::programs::{example, target, udf_command};
use crate::table::{Goal, Table, median};
use crate::telegraf::line;

/// The name of the UDF on the server, which is part of the subjects.
const NAME: &str = "bench";

/// The subject of the lines of the only partition.
const LINES: &str = "udf.bench.in.0.lines";

/// The number of publishes that wait for their acknowledgement.
const WINDOW: usize = 256;

/// How often both alternate.
const ROUNDS: usize = 5;

const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let (mirror, udf) = (example("mirror")?, udf_command()?);
    for (lines, messages, reach) in [(1, 100_000, 0.80), (100, 10_000, 0.40)] {
        let payload: Vec<u8> = (0..lines).flat_map(|number| line(number, 7)).collect();
        let (mut shares, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let bench = Bench::start(&udf)?;
            bench.feed(&payload, messages)?;
            let alone = bench.pass_through(messages)?;
            let mut run = Command::new(&udf);
            run.args(["nats", "run", "--until-end", "--name", NAME, "--group-by", "host"]);
            run.args(["--url", &bench.server.url, "--"]).arg(&mirror);
            let taken = bench.udf(run)?;
            shares.push(alone / taken);
            rates.push((lines * messages as u64) as f64 / taken / 1e6);
        }
        let goal = Goal::AtLeast { reach, beyond: f64::NAN };
        let of = format!("mirror over NATS, of pull and publish, {lines} lines a message");
        table.row(&of, median(shares), "", goal);
        println!("  median of the UDF: {:.3} million lines a second", median(rates));
    }
    Ok(())
}

/// A server with the streams of a UDF.
struct Bench {
    server: Server,
    runtime: Runtime,
    jetstream: jetstream::Context,
}

impl Bench {
    fn start(udf: &Path) -> Result<Self, Box<dyn Error>> {
        let server = Server::start()?;
        let mut setup = Command::new(udf);
        setup.args(["nats", "setup", "--url", &server.url, "--name", NAME, "--input", "raw"]);
        setup.args(["--output", "out", "--partitions", "1"]).stdout(Stdio::null());
        if !setup.stderr(Stdio::null()).status()?.success() {
            return Err("udf nats setup failed".into());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connected =
            runtime.block_on(async { async_nats::connect(&server.url).await.map(jetstream::new) });
        Ok(Bench { server, runtime, jetstream: connected? })
    }

    /// Publishes the same message many times.
    fn feed(&self, payload: &[u8], messages: usize) -> Result<(), Box<dyn Error>> {
        self.runtime.block_on(async {
            let mut window = Window::default();
            for _ in 0..messages {
                window.publish(&self.jetstream, LINES, payload.to_vec().into()).await?;
            }
            window.wait().await
        })
    }

    /// Pulls all messages, and publishes each one again. Returns the seconds.
    fn pass_through(&self, messages: usize) -> Result<f64, Box<dyn Error>> {
        self.runtime.block_on(async {
            let (name, subjects) = ("passed".to_owned(), vec!["passed".to_owned()]);
            let config = stream::Config { name, subjects, ..Default::default() };
            self.jetstream.create_stream(config).await?;
            let input = self.jetstream.get_stream("bench-in").await?;
            let config = pull::Config { ack_policy: AckPolicy::None, ..Default::default() };
            let consumer = input.create_consumer(config).await?;
            let batches = consumer.stream().max_messages_per_batch(20_000);
            let mut pulled = batches.max_bytes_per_batch(8 << 20).messages().await?;
            let mut window = Window::default();
            for _ in 0..messages {
                let message = pulled.next().await.ok_or("the pull has ended")??;
                window.publish(&self.jetstream, "passed", message.message.payload).await?;
            }
            window.wait().await
        })?;
        self.seconds("passed")
    }

    /// Runs a worker to the end of the input. Returns the seconds.
    fn udf(&self, mut run: Command) -> Result<f64, Box<dyn Error>> {
        run.stdout(Stdio::null()).stderr(Stdio::null());
        if !run.status()?.success() {
            return Err("udf nats run failed".into());
        }
        self.seconds("bench-out")
    }

    /// Returns the time from the first to the last message of a stream.
    fn seconds(&self, stream: &str) -> Result<f64, Box<dyn Error>> {
        let state = self.runtime.block_on(self.jetstream.get_stream(stream))?;
        let state = state.cached_info().state.clone();
        Ok((state.last_timestamp - state.first_timestamp).as_seconds_f64())
    }
}

/// Publishes that wait for their acknowledgement.
#[derive(Default)]
struct Window(VecDeque<jetstream::context::PublishAckFuture>);

impl Window {
    async fn publish(
        &mut self,
        to: &jetstream::Context,
        subject: &'static str,
        payload: bytes::Bytes,
    ) -> Result<(), Box<dyn Error>> {
        self.0.push_back(to.publish(subject, payload).await?);
        if self.0.len() > WINDOW
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.await?;
        }
        Ok(())
    }

    async fn wait(self) -> Result<(), Box<dyn Error>> {
        for publish in self.0 {
            publish.await?;
        }
        Ok(())
    }
}

/// A server in a directory of its own. Dropping it kills the process.
struct Server {
    child: Child,
    url: String,
    _directory: TempDir,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = directory.path().join("server.conf");
        let store = directory.path().join("store");
        fs::write(
            &config,
            format!("listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: {store:?} }}\n"),
        )?;
        let mut command = Command::new(program()?);
        command.arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        let server =
            Server { child, url: format!("nats://127.0.0.1:{port}"), _directory: directory };
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline {
                return Err("the server does not listen".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of the server, as the tests find it.
fn program() -> Result<PathBuf, Box<dyn Error>> {
    let installed = target()?.join("nats-server/bin/nats-server");
    let named = std::env::var_os("UDF_TEST_NATS_SERVER").map(PathBuf::from);
    let found = named.into_iter().chain([installed]).find(|place| place.is_file());
    found.ok_or_else(|| {
        "no nats-server in UDF_TEST_NATS_SERVER or target/nats-server; .ci/run installs one".into()
    })
}
