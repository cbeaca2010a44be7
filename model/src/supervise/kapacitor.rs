//! Kapacitor, and all threads of a check.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message as _;
use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;
use udf_proto::frame;
use udf_proto::messages::request::Message;
use udf_proto::messages::response::Message as Answer;
use udf_proto::messages::{
    BeginBatch, EndBatch, InfoRequest, InitRequest, KeepaliveRequest, Point, Request, Response,
    RestoreRequest, SnapshotRequest,
};

use super::front::Front;
use super::settings::{Poison, Settings};
use super::udf::{Kind, POISON, TICK, Udf, Version};
use super::worker::split;
use super::world::{Incident, World};

/// A thread of the model.
type Part = Box<dyn FnOnce(&Arc<World>) + Send>;

/// What Kapacitor sends, and what happens meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) kind: Kind,
    /// The version of the program after an upgrade is requested.
    pub(crate) next: Version,
    /// What Kapacitor sends, a letter for each frame. See [`frame_of`]. At a dot, Kapacitor waits
    /// for all answers.
    pub(crate) sends: &'static str,
    /// The size of each pipe. Smaller ones split more frames.
    pub(crate) room: usize,
    pub(crate) incidents: &'static [Incident],
    /// The maximum number of random moments until the incidents. If none, each is a thread, so that
    /// the order of the threads decides.
    pub(crate) moments: Option<u32>,
    /// The maximum number of bytes that the front keeps.
    pub(crate) memory: usize,
    /// Why the task may fail, if it may.
    pub(crate) may_fail: Option<&'static str>,
}

/// Runs the threads, and compares what Kapacitor gets with the output of a UDF that never dies.
pub(crate) fn run(scenario: &Scenario) {
    let world = World::new(scenario.room);
    let mut others = Vec::new();
    let mut spawn = |run: Part| {
        let world = Arc::clone(&world);
        others.push(thread::spawn(move || run(&world)));
    };
    for &incident in scenario.incidents {
        match scenario.moments {
            None => spawn(Box::new(move |world| {
                world.lock().happen(incident);
                world.for_worker.notify_all();
                world.for_front.notify_all();
            })),
            Some(most) => {
                let moment = thread_rng().gen_range(1..most);
                world.lock().incidents.push((moment, incident));
            }
        }
    }
    let sends = scenario.sends;
    spawn(Box::new(move |world| send(world, sends)));
    let mut settings = Settings {
        memory: scenario.memory,
        checkpoint_bytes: scenario.memory / 2,
        poison: Poison::Skip,
        ..Settings::default()
    };
    if !scenario.incidents.is_empty() {
        // Each kill is an accident.
        settings.restarts = 10;
    }
    let front = Front::new(Arc::clone(&world), scenario.kind, scenario.next, &settings);
    let front = thread::spawn(move || front.run());
    let end = front.join().expect("the front does not panic");
    for other in others {
        other.join().expect("no thread panics");
    }
    let output = std::mem::take(&mut world.lock().output);
    let is_tick = |line: &str| line.starts_with(TICK);
    let ticks = text(&output).into_iter().filter(|line| is_tick(line)).collect::<Vec<_>>();
    let different = ticks.iter().collect::<BTreeSet<_>>();
    assert_eq!(different.len(), ticks.len(), "ticks are doubled: {ticks:?}");
    let expected = expected(scenario);
    // Answers may overtake a batch that has not ended, and output that waits for the end of a
    // repetition. Both have an order of their own.
    let parts = |output: &[u8]| -> (Vec<String>, Vec<String>) {
        text(output).into_iter().partition(|line| line.starts_with("data") || is_tick(line))
    };
    let (mut data, answers) = parts(&output);
    let (expected_data, expected_answers) = parts(&expected);
    data.retain(|line| !is_tick(line));
    match (end, scenario.may_fail) {
        (Ok(()), _) => {
            assert_eq!(answers, expected_answers, "{}", scenario.sends);
            if ticks.is_empty() {
                assert_eq!(data, expected_data, "{}", scenario.sends);
                assert!(output == expected || scenario.kind == Kind::Batch, "in another order");
            } else {
                // Behind a death, the front cannot always tell output of a timer from other output.
                let mut rest = expected_data.iter();
                assert!(data.iter().all(|line| rest.any(|one| one == line)), "{data:?}");
                let lost = expected_data.len() - data.len();
                let is_kill = |incident: &Incident| {
                    matches!(incident, Incident::KillNewest | Incident::KillOldest)
                };
                let most = if scenario.incidents.iter().any(is_kill) { ticks.len() } else { 0 };
                assert!(lost <= most, "{lost} are lost: {data:?}, {ticks:?}");
            }
        }
        (Err(error), Some(why)) => {
            assert!(error.contains(why), "{error}");
            assert!(expected_data.starts_with(&data), "{data:?}");
            assert!(expected_answers.starts_with(&answers), "{answers:?}");
        }
        (end, _) => panic!("the front has ended with {end:?}"),
    }
}

fn send(world: &World, sends: &str) {
    let mut asked = 0;
    let mut rest = Vec::new();
    for (place, letter) in (1..).zip(sends.chars()) {
        if letter == '.' {
            drop(world.wait(&world.for_kapacitor, |state| state.answers >= asked || state.is_over));
            continue;
        }
        asked += usize::from(!"pqx()".contains(letter));
        rest.extend(frame_of(letter, place));
        let is_within_batch =
            sends[..place as usize].rfind('(') > sends[..place as usize].rfind(')');
        while !rest.is_empty() && !is_within_batch {
            // A write of what fits is not split.
            let mut state = world.wait(&world.for_kapacitor, |state| {
                let left = state.room - state.input.len();
                state.is_over || left >= rest.len() || left > 0 && rest.len() > state.room
            });
            if state.is_over {
                return;
            }
            let written = state.input.write(&rest);
            rest.drain(..written);
            drop(state);
            world.for_front.notify_all();
        }
    }
    world.lock().input.is_closed = true;
    world.for_front.notify_all();
}

fn frame_of(letter: char, place: i64) -> Vec<u8> {
    let point = |name: &str, group: &str| {
        let fields_int = [("value".to_owned(), place)].into();
        let (name, group) = (name.to_owned(), group.to_owned());
        Message::Point(Point { time: place, name, group, fields_int, ..Point::default() })
    };
    let message = match letter {
        'n' => Message::Info(InfoRequest {}),
        'i' => Message::Init(InitRequest::default()),
        'r' => Message::Restore(RestoreRequest { snapshot: b"a=7;".to_vec() }),
        'k' => Message::Keepalive(KeepaliveRequest { time: place }),
        's' => Message::Snapshot(SnapshotRequest {}),
        'p' => point("m", "a"),
        'q' => point("m", "b"),
        'x' => point(POISON, "a"),
        '(' => Message::Begin(BeginBatch { size: 1, ..BeginBatch::default() }),
        ')' => Message::End(EndBatch { tmax: place, ..EndBatch::default() }),
        other => panic!("nothing is sent for {other}"),
    };
    let mut frame = Vec::new();
    frame::append(&Request { message: Some(message) }, &mut frame);
    frame
}

/// Returns the output of a UDF that gets the same input, without what kills it, and never dies.
fn expected(scenario: &Scenario) -> Vec<u8> {
    let mut udf = Udf::new(scenario.kind, Version::Old);
    let mut out = Vec::new();
    let mut is_left_out = false;
    for (place, (at, letter)) in (1..).zip(scenario.sends.char_indices()) {
        // A batch with such a point is left out as a whole, but the requests in it are answered.
        if letter == '(' {
            let batch = scenario.sends[at..].split(')').next().unwrap_or_default();
            is_left_out = batch.contains('x');
        }
        if !(matches!(letter, '.' | 'x') || is_left_out && "pq()".contains(letter)) {
            let frame = frame_of(letter, place);
            let (body, _) = split(&frame).expect("the frame is whole");
            assert!(udf.handle(body, &mut out), "the UDF has died");
        }
        is_left_out &= letter != ')';
    }
    udf.finish(&mut out);
    out
}

/// Returns the output as text, a line for each response.
fn text(mut output: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some((frame, rest)) = split(output) {
        output = rest;
        let response = Response::decode(frame).expect("Kapacitor gets responses");
        lines.push(match response.message.expect("Kapacitor gets no empty response") {
            Answer::Point(point) if point.name == TICK => format!("{TICK} {}", point.time),
            Answer::Point(Point { name, time, fields_int, .. }) => {
                format!("data {name} {time} {}", fields_int["value"])
            }
            Answer::Begin(_) => "data begin".to_owned(),
            Answer::End(end) => format!("data end {}", end.tmax),
            Answer::Snapshot(answer) => String::from_utf8_lossy(&answer.snapshot).into_owned(),
            Answer::Keepalive(answer) => format!("alive {}", answer.time),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(output, b"", "the output ends within a frame");
    lines
}
