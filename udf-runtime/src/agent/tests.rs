//! Agents whose threads and ticks fail, and the metrics of supervised ones.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::yield_now;
use std::time::Duration;

use prost::Message as _;
use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{InitRequest, Request, Response};
use udf_proto::{Init, Point, ValueType};

use crate::agent::crew::Crew;
use crate::agent::edge::Stream;
use crate::agent::emitter::{Emitter, Remote};
use crate::agent::error::Result;
use crate::agent::handler::Handler;
use crate::agent::handler::Verdict;
use crate::agent::link::Link;
use crate::agent::metrics::Metrics;
use crate::agent::run::Agent;

/// Has a thread that fails during a tick.
#[derive(Default)]
struct Fails {
    crew: Option<Arc<Crew>>,
    tick: Option<Sender<()>>,
}

impl Handler for Fails {
    type Wants = Stream;
    type Provides = Stream;

    fn info(&self) -> BTreeMap<String, Vec<ValueType>> {
        BTreeMap::new()
    }

    fn init(&mut self, _: Init, remote: &Remote<Stream>) -> Result<Verdict> {
        let crew = self.crew.insert(Crew::new(remote.link()));
        let (tick, ticked) = channel();
        self.tick = Some(tick);
        crew.threads().spawn("fails", move || {
            ticked.recv()?;
            Err("the file is gone".into())
        })?;
        Ok(Verdict::Accepted)
    }

    fn point(&mut self, _: &Point<'_>, _: &mut Emitter<Stream>) -> Result<()> {
        Ok(())
    }

    fn tick_every(&self) -> Option<Duration> {
        Some(Duration::from_millis(1))
    }

    fn tick(&mut self, _: &mut Emitter<Stream>) -> Result<()> {
        self.tick.as_ref().expect("it has been started").send(())?;
        while !self.crew.as_ref().expect("it has been started").has_failed() {
            yield_now();
        }
        Ok(())
    }

    fn crew(&self) -> Option<Arc<Crew>> {
        self.crew.clone()
    }
}

#[test]
fn the_error_of_a_thread_during_a_tick_is_reported_without_further_input() {
    let (ours, theirs) = UnixStream::pair().expect("the system has sockets");
    ours.set_read_timeout(Some(Duration::from_secs(60))).expect("the time is positive");
    let agent = Agent::new(theirs.try_clone().expect("it is open"), theirs, Fails::default());
    let agent = agent.start().expect("a thread starts");
    let mut answers: FrameReader<&UnixStream> = FrameReader::new(&ours);
    let mut answer = || {
        let frame = answers.next_frame().expect("it answers").expect("it is open");
        Response::decode(frame).expect("it is a response").message
    };
    let ask = |message| {
        use std::io::Write as _;
        let request = Request { message: Some(message) };
        (&ours).write_all(&request.encode_length_delimited_to_vec()).expect("it reads");
    };
    ask(Ask::Init(InitRequest::from(Init::default())));
    assert!(matches!(answer(), Some(Answer::Init(init)) if init.success));
    let Some(Answer::Error(told)) = answer() else { panic!("it is no error") };
    assert_eq!(told.error, "the thread `fails` failed: the file is gone");
    drop(ours);
    agent.wait().expect_err("it has failed");
}

#[test]
fn the_metrics_show_the_counts_of_supervision_for_supervised_tasks_alone() {
    let metrics = Metrics::new();
    let connection = |task: &str| {
        let link = Arc::new(Link::new(Box::new(std::io::sink())));
        link.pulse.name_task(task, "n");
        (metrics.open(Arc::clone(&link)), link)
    };
    let plain = connection("a");
    let text = metrics.to_prometheus();
    assert!(!text.contains("udf_worker_"), "{text}");
    let supervised = connection("b");
    supervised.1.counters.supervise();
    drop((plain, supervised));
    let text = metrics.to_prometheus();
    for line in [
        "# TYPE udf_worker_restarts_total counter",
        r#"udf_worker_restarts_total{task="b",node="n"} 0"#,
        r#"udf_worker_checkpoints_total{task="b",node="n"} 0"#,
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
    assert!(!text.contains(r#"udf_worker_restarts_total{task="a""#), "{text}");
}
