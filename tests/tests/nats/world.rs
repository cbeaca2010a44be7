//! A UDF on real servers: raw lines, processes of `udf nats`, and the lines that come out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, Message};
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use udf_tests::program::example;

use crate::process::Process;
use crate::server::{LOOK, Servers, TIMEOUT};

/// The name of the UDF on the server.
pub(crate) const NAME: &str = "ma";

/// The subject of the raw lines.
const RAW: &str = "telegraf.raw";

/// What a test works with.
pub(crate) struct World {
    pub(crate) servers: Servers,
    pub(crate) partitions: u32,
    directory: TempDir,
    runtime: Runtime,
    jetstream: jetstream::Context,
    /// The address that processes get, if it is not that of the servers.
    pub(crate) url: Option<String>,
    udf: Vec<String>,
    options: Vec<String>,
    /// The number of times that lines were fed.
    fed: Cell<u64>,
}

/// Returns the words of a command line.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl World {
    /// Starts one server, and sets up a moving average with these partitions.
    pub(crate) fn new(partitions: u32) -> Self {
        World::over(Servers::one(), partitions, 1)
    }

    /// Sets up a moving average on these servers.
    pub(crate) fn over(servers: Servers, partitions: u32, replicas: u32) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let urls = servers.urls();
        let jetstream = runtime.block_on(async {
            let urls = urls.split(',').map(|url| url.parse().expect("a URL"));
            let client = async_nats::connect(urls.collect::<Vec<async_nats::ServerAddr>>()).await;
            jetstream::new(client.expect("the servers accept connections"))
        });
        let moving_avg = example("moving_avg").display().to_string();
        let world = World {
            servers,
            partitions,
            directory: tempfile::tempdir().expect("a temporary directory"),
            runtime,
            jetstream,
            url: None,
            udf: vec![moving_avg],
            options: words("-o field=value -o size=10"),
            fed: Cell::new(1000),
        };
        let setup = format!(
            "setup --name {NAME} --input {RAW} --output derived.ma --partitions {partitions} --replicas {replicas}"
        );
        // A cluster needs a moment to choose its leader.
        world.until("the setup succeeds", || {
            let output = world.command(&setup).output().expect("udf runs");
            output.status.success()
        });
        world
    }

    /// Runs another UDF, with these options.
    pub(crate) fn runs(mut self, udf: &[&str], options: &str) -> Self {
        self.udf = udf.iter().map(|&word| word.to_owned()).collect();
        self.options = words(options);
        self
    }

    /// Waits until something is true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, mut is_true: impl FnMut() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !is_true() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            thread::sleep(LOOK);
        }
    }

    /// Returns the command `udf nats` with these arguments.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_udf_command"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("NATS_") {
                command.env_remove(name);
            }
        }
        let url = self.url.clone().unwrap_or_else(|| self.servers.urls());
        let words = words(args);
        // The words may end with a program.
        command.arg("nats").arg(&words[0]).args(["--url", &url]).args(&words[1..]);
        command.stdin(Stdio::null());
        command
    }

    /// Starts a splitter.
    pub(crate) fn split(&self, more: &str) -> Process {
        let args = format!("split --name {NAME} --group-by host {more}");
        Process::start(self.command(&args), self.log())
    }

    /// Starts a worker.
    pub(crate) fn worker(&self, more: &str) -> Process {
        let args = format!("run --name {NAME} --group-by host {more}");
        let mut command = self.command(&args);
        command.args(&self.options).arg("--").args(&self.udf);
        Process::start(command, self.log())
    }

    fn log(&self) -> PathBuf {
        let number = fs::read_dir(self.directory.path()).expect("it is there").count();
        self.directory.path().join(format!("log-{number}"))
    }

    /// Publishes raw lines, so many in a message. Each message is stored when this returns, perhaps
    /// twice.
    pub(crate) fn publish(&self, lines: &[String], per_message: usize) {
        let deadline = Instant::now() + TIMEOUT;
        self.runtime.block_on(async {
            for batch in lines.chunks(per_message * 200) {
                let mut left: Vec<String> = batch.chunks(per_message).map(<[_]>::concat).collect();
                while !left.is_empty() {
                    let mut waiting = Vec::new();
                    for message in left.drain(..) {
                        let sent = self.jetstream.publish(RAW, message.clone().into()).await;
                        waiting.push((message, sent));
                    }
                    for (message, sent) in waiting {
                        let Ok(sent) = sent else { panic!("there is no connection") };
                        if sent.await.is_err() {
                            left.push(message);
                        }
                    }
                    assert!(Instant::now() < deadline, "the messages are not stored");
                }
            }
        });
    }

    /// Publishes lines until a stream has grown by some messages.
    #[track_caller]
    pub(crate) fn feed(&self, stream: &str, messages: u64) {
        let before = self.last(stream);
        self.until("the stream grows", || {
            let number = self.fed.get();
            self.fed.set(number + 1);
            self.publish(&lines(400, number), 10);
            self.last(stream) >= before + messages
        });
    }

    /// Returns the number of messages that were ever stored in a stream.
    pub(crate) fn last(&self, stream: &str) -> u64 {
        self.runtime.block_on(async {
            let stream = self.jetstream.get_stream(stream).await;
            // A cluster without a leader does not answer.
            stream.map_or(0, |stream| stream.cached_info().state.last_sequence)
        })
    }

    /// Returns the server that leads a stream.
    pub(crate) fn leader(&self, stream: &str) -> Option<String> {
        self.runtime.block_on(async {
            let stream = self.jetstream.get_stream(stream).await.ok()?;
            stream.cached_info().cluster.as_ref()?.leader.clone()
        })
    }

    /// Returns whether all copies of a stream are on servers that run, and are current.
    pub(crate) fn is_whole(&self, stream: &str) -> bool {
        self.runtime.block_on(async {
            let Ok(stream) = self.jetstream.get_stream(stream).await else { return false };
            let Some(cluster) = &stream.cached_info().cluster else { return false };
            let is_current = |copy: &jetstream::stream::PeerInfo| copy.current && !copy.offline;
            cluster.leader.is_some() && cluster.replicas.iter().all(is_current)
        })
    }

    /// Removes the messages of a stream before this sequence, as retention does.
    pub(crate) fn purge(&self, stream: &str, before: u64) {
        self.runtime.block_on(async {
            let stream = self.stream(stream).await;
            stream.purge().sequence(before).await.expect("the stream can be purged");
        });
    }

    /// Returns the owners of the partitions.
    pub(crate) fn owners(&self) -> Vec<Option<String>> {
        let owner = |partition| self.owner(&format!("lease.worker.{partition}"));
        (0..self.partitions).map(owner).collect()
    }

    /// Returns the splitter that works.
    pub(crate) fn splitter(&self) -> Option<String> {
        self.owner("lease.splitter.0")
    }

    fn owner(&self, key: &str) -> Option<String> {
        let lease: serde_json::Value = serde_json::from_slice(&self.key(key)?).expect("JSON");
        let owner = lease["worker"].as_str().expect("text").to_owned();
        Some(owner).filter(|owner| !owner.is_empty())
    }

    fn key(&self, key: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let stream = self.jetstream.get_stream(format!("KV_udf-{NAME}")).await.ok()?;
            let subject = format!("$KV.udf-{NAME}.{key}");
            let message = stream.get_last_raw_message_by_subject(&subject).await.ok()?;
            Some(message.payload.to_vec())
        })
    }

    /// Returns the number of output messages so far.
    pub(crate) fn outputs(&self) -> u64 {
        self.last(&format!("{NAME}-out"))
    }

    /// Publishes lines until the output has grown by some messages.
    #[track_caller]
    pub(crate) fn grows(&self, messages: u64) {
        self.feed(&format!("{NAME}-out"), messages);
    }

    /// Returns a stream, once its server answers.
    async fn stream(&self, name: &str) -> jetstream::stream::Stream {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            match self.jetstream.get_stream(name).await {
                Ok(stream) => return stream,
                Err(error) => assert!(Instant::now() < deadline, "no stream {name}: {error}"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Lets a stream refuse messages that are longer.
    pub(crate) fn limit_messages(&self, stream: &str, bytes: i32) {
        self.runtime.block_on(async {
            let mut config = self.stream(stream).await.cached_info().config.clone();
            config.max_message_size = bytes;
            self.jetstream.update_stream(config).await.expect("the stream can be changed");
        });
    }

    /// Deletes a stream, and lets another one take its subjects.
    pub(crate) fn move_stream(&self, from: &str, to: &str) {
        self.runtime.block_on(async {
            let mut config = self.stream(from).await.cached_info().config.clone();
            self.jetstream.delete_stream(from).await.expect("the stream can be deleted");
            config.name = to.to_owned();
            self.jetstream.create_stream(config).await.expect("the stream can be created");
        });
    }

    /// Returns a header and the payload of the only dead letter.
    pub(crate) fn dead_letter(&self, header: &str) -> (Option<String>, String) {
        let messages = self.messages(&format!("{NAME}-dead"), &format!("udf.{NAME}.dead"));
        let [letter] = &messages[..] else { panic!("{} dead letters", messages.len()) };
        let value = letter.headers.as_ref().and_then(|headers| headers.get(header));
        let text = String::from_utf8(letter.payload.to_vec()).expect("text");
        (value.map(ToString::to_string), text)
    }

    /// Returns all messages of a subject.
    fn messages(&self, stream: &str, subject: &str) -> Vec<Message> {
        self.runtime.block_on(async {
            let stream = self.stream(stream).await;
            let consumer = stream.create_consumer(pull::Config {
                ack_policy: AckPolicy::None,
                deliver_policy: DeliverPolicy::All,
                filter_subject: subject.to_owned(),
                ..pull::Config::default()
            });
            let consumer = consumer.await.expect("a consumer");
            let count = usize::try_from(consumer.cached_info().num_pending).expect("a number");
            let messages = consumer.stream().max_messages_per_batch(1000).messages().await;
            let messages = messages.expect("messages").take(count);
            messages.map(|message| message.expect("a message")).collect().await
        })
    }

    pub(crate) fn lines(&self, stream: &str, subject: &str) -> Vec<String> {
        let messages = self.messages(stream, subject);
        let mut lines = Vec::new();
        for message in messages {
            let text = std::str::from_utf8(&message.payload).expect("text").to_owned();
            lines.extend(text.split_inclusive('\n').map(|line| format!("{}\n", line.trim_end())));
        }
        lines
    }

    /// Returns the dead letters.
    pub(crate) fn dead(&self) -> Vec<String> {
        self.lines(&format!("{NAME}-dead"), &format!("udf.{NAME}.dead"))
    }

    /// Handles everything that is left, with a splitter and a worker that end with the input.
    #[track_caller]
    pub(crate) fn drain(&self) {
        self.drain_raw();
        self.succeeds(self.worker("--until-end"));
    }

    /// Splits everything that is left.
    #[track_caller]
    pub(crate) fn drain_raw(&self) {
        self.succeeds(self.split("--until-end"));
    }

    /// Waits until a process ends by itself.
    #[track_caller]
    pub(crate) fn succeeds(&self, mut process: Process) {
        let status = process.wait();
        assert!(status.success(), "{status}: {}", process.text());
    }

    /// Returns the lines of `udf replay` for all raw lines, without those that contain `without`.
    fn replayed(&self, without: Option<&str>) -> Vec<String> {
        let raw = self.lines(&format!("{NAME}-raw"), RAW);
        let raw = raw.into_iter().filter(|line| !without.is_some_and(|text| line.contains(text)));
        let path = self.directory.path().join("raw.lp");
        let mut file = File::create(&path).expect("a file");
        file.write_all(raw.collect::<String>().as_bytes()).expect("the file can be written");
        let replay = Command::new(env!("CARGO_BIN_EXE_udf_command"))
            .args(["replay", "--group-by", "host"])
            .args(&self.options)
            .arg(&path)
            .arg("--")
            .args(&self.udf)
            .output()
            .expect("udf runs");
        assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
        let text = String::from_utf8(replay.stdout).expect("text");
        text.lines().map(|line| format!("{line}\n")).collect()
    }

    /// Asserts that the output is that of a replay of all raw lines: in each partition, the same
    /// lines in the same order.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        self.assert_replayed(None);
    }

    /// Like [`assert_exact`](Self::assert_exact), with the lines that contain `without` left out.
    #[track_caller]
    pub(crate) fn assert_replayed(&self, without: Option<&str>) {
        let replayed = self.replayed(without);
        let mut by_host: BTreeMap<&str, Vec<(usize, &String)>> = BTreeMap::new();
        for (number, line) in replayed.iter().enumerate() {
            by_host.entry(host(line)).or_default().push((number, line));
        }
        let mut total = 0;
        for partition in 0..self.partitions {
            let output = self.lines(&format!("{NAME}-out"), &format!("derived.ma.{partition}"));
            total += output.len();
            let hosts: BTreeSet<_> = output.iter().map(|line| host(line)).collect();
            let hosts = hosts.iter().filter_map(|host| by_host.get(host)).flatten();
            let mut expected: Vec<_> = hosts.collect();
            expected.sort_unstable_by_key(|(number, _)| *number);
            let different =
                output.iter().zip(&expected).position(|(line, (_, other))| line != *other);
            if let Some(at) = different {
                panic!(
                    "partition {partition} differs in line {at} of {} ({} expected): {:?}, not {:?}",
                    output.len(),
                    expected.len(),
                    output[at],
                    expected[at].1
                );
            }
            assert_eq!(output.len(), expected.len(), "lines of partition {partition}");
        }
        assert_eq!(total, replayed.len(), "lines of all partitions");
    }
}

/// Returns the host of a line.
fn host(line: &str) -> &str {
    let behind = line.split("host=").nth(1).expect("each line has a host");
    behind.split([',', ' ']).next().unwrap_or_default()
}

/// Returns lines of 24 hosts, in an order and with values that depend on the seed.
pub(crate) fn lines(count: usize, seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let line = |number: usize| {
        let (host, value) = (random.u32(0..24), random.u32(0..100_000));
        let time = 1_700_000_000_000_000_000 + number as u64 * 1_000_000;
        format!("cpu,host=h{host} value={}.{} {time}\n", value / 100, value % 100)
    };
    (0..count).map(line).collect()
}
