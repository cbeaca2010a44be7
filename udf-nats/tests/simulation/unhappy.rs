//! What a driver does in situations that the random runs do not have.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use udf_nats::partition::{OnPoison, PartitionError, PoisonLine, Register};
use udf_nats::{Mark, Message};

use crate::server::Server;
use crate::sim::Sim;
use crate::worker::{Config, Events, RAW, Worker};

struct Scene {
    sim: Rc<Sim>,
    config: Config,
}

impl Scene {
    /// Creates a server with three lines in the partition 0.
    fn new() -> Self {
        let sim = Sim::new(7, false);
        *sim.texts.borrow_mut() = Some(Vec::new());
        let config = Config {
            max_payload: 1000,
            chunk_bytes: 1,
            depth: 2,
            snapshot_every: Duration::from_secs(10),
            snapshot_bytes: 1 << 20,
            ..Config::default()
        };
        let scene = Scene { sim, config };
        for line in ["line 1\n", "line 2\n", "line 3\n"] {
            scene.add(line);
        }
        scene
    }

    fn add(&self, text: &str) {
        self.sim.server.borrow_mut().add_input(0, 0, None, text.to_owned());
    }

    /// Runs a worker until it has handled all input, and leaves, or until it gives up. Returns the
    /// events.
    fn run(&self) -> (Result<(), PartitionError>, Vec<String>) {
        self.run_and(|_| {})
    }

    /// As [`run`](Self::run). Changes the server when the worker has handled the input for the first
    /// time.
    fn run_and(
        &self,
        change: impl FnOnce(&mut Server),
    ) -> (Result<(), PartitionError>, Vec<String>) {
        let partition = if self.config.split.is_some() { RAW } else { 0 };
        let mut worker = Worker::new(&self.sim, partition, 1, &self.config, &Events::default());
        let mut change = Some(change);
        let ended = loop {
            let end = self.sim.server.borrow().input.len() as u64;
            if worker.counters.position.get() == end {
                match change.take() {
                    Some(change) => change(&mut self.sim.server.borrow_mut()),
                    None => worker.leave(),
                }
            }
            if worker.is_ready() {
                if let Poll::Ready(ended) = worker.poll() {
                    break ended;
                }
            } else {
                assert!(self.sim.deliver() || self.sim.advance(), "the worker waits for nothing");
            }
        };
        let texts = self.sim.texts.borrow_mut().as_mut().map(std::mem::take);
        (ended, texts.expect("the events are kept"))
    }

    /// Runs a worker for some time, and kills it.
    fn run_for(&self, time: Duration) {
        let partition = if self.config.split.is_some() { RAW } else { 0 };
        let mut worker = Worker::new(&self.sim, partition, 1, &self.config, &Events::default());
        let end = self.sim.now() + time.as_nanos() as u64;
        while self.sim.now() < end {
            if worker.is_ready() {
                assert!(worker.poll().is_pending(), "it goes on");
            } else {
                assert!(self.sim.deliver() || self.sim.advance(), "the worker waits for nothing");
            }
        }
    }

    fn output(&self) -> Vec<String> {
        // The number, the hash, the word, the number of the line.
        let second = |line: &str| line.split(' ').nth(3).expect("a number").to_owned();
        self.sim.server.borrow().text(0).lines().map(second).collect()
    }

    fn register(&self) -> Register {
        let server = self.sim.server.borrow();
        serde_json::from_slice(&server.keys["snapshot.0"].value).expect("a register")
    }

    /// Changes the register.
    fn set_register(&self, change: impl FnOnce(&mut Register)) {
        let mut register = self.register();
        change(&mut register);
        let value = Bytes::from(serde_json::to_vec(&register).expect("it has no map"));
        let mut server = self.sim.server.borrow_mut();
        let revision = server.keys["snapshot.0"].revision;
        server.put("snapshot.0", value, revision).expect("it is the present revision");
    }
}

#[test]
fn a_worker_that_leaves_stores_its_state_and_the_next_one_goes_on() {
    let scene = Scene::new();
    assert_eq!(scene.run().0, Ok(()));
    assert_eq!((scene.register().seq, scene.register().lines), (3, 3));
    scene.add("line 4\n");
    let (ended, texts) = scene.run();
    assert_eq!((ended, &texts[0][..32]), (Ok(()), "started behind sequence 3 with a"));
    assert_eq!(scene.output(), ["1", "2", "3", "4"]);
    // Of the parts, only those of the present state are left.
    let server = scene.sim.server.borrow();
    assert_eq!(server.keys.keys().filter(|key| key.starts_with("part.")).count(), 1);
}

#[test]
fn lost_input_ends_the_driver_unless_it_may_be_skipped() {
    let mut scene = Scene::new();
    scene.run().0.expect("it leaves");
    for line in ["line 4\n", "line 5\n", "line 6\n"] {
        scene.add(line);
    }
    scene.sim.server.borrow_mut().removed = 5;
    assert_eq!(scene.run().0, Err(PartitionError::Lost { after: 3, first: 6 }));
    scene.config.skip_lost = true;
    let (ended, texts) = scene.run();
    ended.expect("it leaves");
    let skipped = "skipped up to 2 messages behind sequence 3: the stream begins at 6";
    assert!(texts.iter().any(|text| text == skipped), "{texts:?}");
    assert_eq!(scene.output(), ["1", "2", "3", "6"]);
}

#[test]
fn retention_that_passes_a_running_worker_ends_it_unless_input_may_be_skipped() {
    let line = |number: u64| format!("line,host=a f={number} {number}\n");
    for split in [None, Some(1)] {
        let mut scene = Scene::new();
        scene.config.split = split;
        let partition = if split.is_some() { RAW } else { 0 };
        for input in &mut scene.sim.server.borrow_mut().input {
            *input = (partition, Message { payload: line(input.1.seq).into(), ..input.1.clone() });
        }
        let add = |server: &mut Server, numbers: RangeInclusive<u64>| {
            numbers.for_each(|number| server.add_input(partition, 0, None, line(number)));
        };
        scene.run().0.expect("it leaves");
        add(&mut scene.sim.server.borrow_mut(), 4..=4);
        let (ended, _) = scene.run_and(|server| {
            add(server, 5..=10);
            server.removed = 7;
        });
        assert_eq!(ended, Err(PartitionError::Lost { after: 4, first: 8 }), "{split:?}");
        add(&mut scene.sim.server.borrow_mut(), 11..=11);
        let behind_the_state = Err(PartitionError::Lost { after: 3, first: 8 });
        assert_eq!(scene.run().0, behind_the_state, "it is not forgotten, {split:?}");
        scene.config.skip_lost = true;
        let (ended, texts) = scene.run();
        ended.expect("it leaves");
        let skipped: Vec<_> = texts.iter().filter(|text| text.contains("skipped")).collect();
        let expected = "skipped up to 4 messages behind sequence 3: the stream begins at 8";
        assert_eq!(skipped, [expected], "{split:?}");
        let text = scene.sim.server.borrow().text(0);
        let is_there = |number: &u64| text.contains(line(*number).trim());
        let there: Vec<_> = (1..=11).filter(is_there).collect();
        assert_eq!(there, [1, 2, 3, 4, 8, 9, 10, 11], "{text}");
    }
}

#[test]
fn input_that_is_removed_once_it_was_read_is_not_lost() {
    let scene = Scene::new();
    // Of another partition, so they are skipped.
    scene.sim.server.borrow_mut().add_input(1, 0, None, "line of another\n".to_owned());
    scene.add("line 5\n");
    let (ended, _) = scene.run_and(|server| {
        server.add_input(0, 0, None, "line 6\n".to_owned());
        server.removed = 3;
    });
    assert_eq!(ended, Ok(()));
    assert_eq!(scene.output(), ["1", "2", "3", "5", "6"]);
}

#[test]
fn a_stream_that_has_lost_its_end_ends_the_driver() {
    for split in [None, Some(1)] {
        let mut scene = Scene::new();
        scene.config.split = split;
        if split.is_some() {
            for input in &mut scene.sim.server.borrow_mut().input {
                *input = (RAW, Message { payload: "m,host=a f=1 1".into(), ..input.1.clone() });
            }
        }
        // Killed before its position is stored. The output says how far it goes.
        scene.run_for(Duration::from_millis(100));
        scene.sim.server.borrow_mut().input.truncate(2);
        assert_eq!(scene.run().0, Err(PartitionError::Ahead { after: 3, last: 2 }));
    }
}

#[test]
fn a_stream_that_was_created_again_ends_the_driver() {
    let scene = Scene::new();
    scene.run().0.expect("it leaves");
    scene.sim.server.borrow_mut().input.truncate(1);
    assert_eq!(scene.run().0, Err(PartitionError::Ahead { after: 3, last: 1 }));
}

#[test]
fn output_of_another_program_ends_the_driver() {
    let scene = Scene::new();
    let foreign = scene.sim.server.borrow_mut().append(0, None, Bytes::from_static(b"x y=1"), 0);
    let seq = foreign.expect("it is the first");
    assert_eq!(scene.run().0, Err(PartitionError::Foreign { partition: 0, seq }));
}

#[test]
fn output_that_is_gone_is_reported() {
    let scene = Scene::new();
    scene.run().0.expect("it leaves");
    scene.sim.server.borrow_mut().outputs.clear();
    scene.add("line 4\n");
    let (ended, texts) = scene.run();
    ended.expect("it leaves");
    assert!(texts[0].starts_with("the output message 3 of this partition is gone"), "{texts:?}");
    assert_eq!(scene.output(), ["4"]);
}

#[test]
fn output_that_expires_while_a_worker_runs_is_not_the_work_of_another() {
    let scene = Scene::new();
    let (ended, texts) = scene.run_and(|server| {
        server.outputs.clear();
        server.add_input(0, 0, None, "line 4\n".to_owned());
    });
    ended.expect("it leaves");
    let expected = "the last message of the output is gone, by retention or a purge; ";
    assert!(texts.iter().any(|text| text.starts_with(expected)), "{texts:?}");
    assert!(!texts.iter().any(|text| text.contains("another worker")), "{texts:?}");
}

#[test]
fn a_udf_that_each_line_ends_does_not_drain_its_input() {
    let scene = Scene::new();
    for number in 4..=150 {
        scene.add(&format!("kill {number}\n"));
    }
    let why = "it crashed".to_owned();
    let ended = Err(PartitionError::EachLine { lines: 100, why });
    let letters = || scene.sim.server.borrow().dead_letters.len();
    for _ in 0..2 {
        assert_eq!((scene.run().0, letters()), (ended.clone(), 100));
    }
    // As if the UDF were repaired.
    for (_, message) in &mut scene.sim.server.borrow_mut().input[103..] {
        message.payload = format!("line {}\n", message.seq).into();
    }
    scene.run().0.expect("it leaves");
    assert_eq!((scene.output().len(), scene.register().poison_in_a_row), (3 + 47, 0));
}

#[test]
fn a_damaged_state_ends_the_driver() {
    for damage in [
        |register: &mut Register| register.state.as_mut().expect("a state").crc += 1,
        |register: &mut Register| {
            register.state.as_mut().expect("a state").id.push('x');
        },
    ] {
        let scene = Scene::new();
        scene.run().0.expect("it leaves");
        scene.set_register(damage);
        let error = scene.run().0.expect_err("the state is damaged");
        assert!(matches!(error, PartitionError::Damaged(..)), "{error}");
    }
}

#[test]
fn a_state_of_another_udf_or_grouping_ends_the_driver() {
    let scene = Scene::new();
    scene.run().0.expect("it leaves");
    scene.set_register(|register| register.grouping = "cpu".to_owned());
    let error = scene.run().0.expect_err("the grouping is another one").to_string();
    let text = "the stored state belongs to `model`, grouped by cpu, and this worker runs `model`, \
                grouped by host; ";
    assert!(error.starts_with(text), "{error}");
}

#[test]
fn a_lower_limit_of_the_server_is_respected() {
    let scene = Scene::new();
    scene.add("many 9 4\n");
    // A line has about 25 bytes.
    scene.sim.server.borrow_mut().max_payload = Some(60);
    scene.run().0.expect("it leaves");
    assert_eq!(scene.output().len(), 12);
    let server = scene.sim.server.borrow();
    assert!(server.outputs[&0].iter().all(|message| message.payload.len() <= 60));
    let last = server.outputs[&0].last().and_then(|message| message.mark);
    assert_eq!(last, Some(Mark { upto: 4, total: 12, lines: 0, poison: 0 }));
}

#[test]
fn poison_is_left_out_and_kept_as_a_dead_letter_unless_it_must_end_the_driver() {
    let mut scene = Scene::new();
    scene.add("line 4\nkill 5\nline 6\n");
    scene.config.on_poison = OnPoison::Stop;
    let stopped = PartitionError::Poison { seq: 4, line: 1, why: "it crashed".to_owned() };
    assert_eq!(scene.run().0, Err(stopped));
    assert_eq!(scene.output(), ["1", "2", "3"]);
    scene.config.on_poison = OnPoison::DeadLetter;
    scene.run().0.expect("it leaves");
    assert_eq!(scene.output(), ["1", "2", "3", "4", "6"]);
    let server = scene.sim.server.borrow();
    let [letter] = &server.dead_letters[..] else { panic!("{:?}", server.dead_letters) };
    assert_eq!((letter.partition, letter.seq, letter.line), (Some(0), 4, 1));
    assert_eq!(&letter.payload[..], b"kill 5");
    // From this message on, no worker gets past the fence that does not leave out the line.
    let fence = &server.outputs[&0][3];
    assert!(fence.payload.is_empty());
    assert_eq!(fence.mark, Some(Mark { upto: 3, total: 3, lines: 0, poison: 1 }));
}

#[test]
fn poison_that_another_worker_has_handled_is_not_left_out() {
    let scene = Scene::new();
    // Killed before its first snapshot.
    scene.run_for(Duration::from_millis(100));
    assert_eq!(scene.output(), ["1", "2", "3"]);
    // A worker that was paused before the line 2 finds that it ends its UDF.
    let poison = vec![PoisonLine { seq: 2, line: 0, version: 1 }];
    let (udf, grouping) = ("model".to_owned(), "host".to_owned());
    let register = Register { version: 1, poison, udf, grouping, ..Register::default() };
    let value = Bytes::from(serde_json::to_vec(&register).expect("it has no map"));
    scene.sim.server.borrow_mut().put("snapshot.0", value, 0).expect("it is the first");
    scene.add("line 4\n");
    scene.run().0.expect("it leaves");
    assert_eq!(scene.output(), ["1", "2", "3", "4"]);
    crate::oracle::check(&scene.sim.server.borrow(), 0).expect("the state has the line 2");
    assert_eq!(scene.register().poison, []);
}

#[test]
fn a_quiet_partition_moves_on_with_its_stream() {
    let scene = Scene::new();
    for _ in 0..5 {
        scene.sim.server.borrow_mut().add_input(1, 0, None, "line of another\n".to_owned());
    }
    scene.run().0.expect("it leaves");
    // Without input of its own, only the position of the state moves.
    scene.sim.server.borrow_mut().add_input(1, 0, None, "line of another\n".to_owned());
    let state = scene.register().state;
    scene.run_for(Duration::from_secs(30));
    assert_eq!((scene.register().seq, scene.register().state), (9, state));
    scene.sim.server.borrow_mut().removed = 9;
    scene.run().0.expect("nothing is lost");
}
