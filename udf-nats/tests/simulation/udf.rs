//! A UDF whose state depends on the order of its input.
//!
//! | line | output |
//! | --- | --- |
//! | `drop ...` | none |
//! | `many N ...` | N lines |
//! | `long ...` | a line that no message can hold |
//! | `bad ...` | none: the line is not valid |
//! | `kill ...` | none: the UDF dies |
//! | other lines, ticks | one line |

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use udf_nats::udf::{Invalid, Suspect};
use udf_nats::{Chunk, Message, Output, Udf, UdfError};

use crate::sim::Sim;

/// The length of the line of `long`.
pub(crate) const LONG: usize = 3000;

/// The state of the UDF.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model {
    count: u64,
    hash: u64,
}

impl Model {
    /// Handles a line, or a tick. Returns none if it kills the UDF.
    pub(crate) fn handle(&mut self, input: &str, mut emit: impl FnMut(&str)) -> Option<()> {
        let (word, rest) = input.split_once(' ').unwrap_or((input, ""));
        if word == "kill" {
            return None;
        }
        if word == "bad" {
            return Some(());
        }
        self.count += 1;
        let mut mix = crc32fast::Hasher::new_with_initial(self.hash as u32);
        mix.update(input.as_bytes());
        self.hash = (self.hash << 7) ^ u64::from(mix.finalize());
        let times = match word {
            "drop" => 0,
            "many" => rest.split(' ').next().and_then(|times| times.parse().ok()).unwrap_or(0),
            _ => 1,
        };
        let mut line = format!("{} {:x} {input}", self.count, self.hash);
        if word == "long" {
            line.push_str(&"x".repeat(LONG));
        }
        for i in 0..times {
            emit(&format!("{line} {i}\n"));
        }
        Some(())
    }

    /// Some snapshots take several parts.
    fn save(&self) -> Bytes {
        let padding = ".".repeat((self.count % 7 * 40) as usize);
        format!("{} {} {padding}", self.count, self.hash).into()
    }

    pub(crate) fn load(state: &[u8]) -> Self {
        let text = std::str::from_utf8(state).expect("a state is text");
        let mut parts = text.split(' ');
        let mut next = || parts.next().and_then(|part| part.parse().ok()).expect("a number");
        Model { count: next(), hash: next() }
    }
}

/// Returns the lines of a message, or its tick, with their numbers.
pub(crate) fn inputs(message: &Message) -> Vec<(u32, String)> {
    match message.tick {
        Some(time) => vec![(0, format!("tick {time}"))],
        None => {
            let text = std::str::from_utf8(&message.payload).expect("input is text");
            (0..).zip(text.lines().map(str::to_owned)).collect()
        }
    }
}

/// The UDF of a worker.
pub(crate) struct SimUdf {
    pub(crate) sim: Rc<Sim>,
    pub(crate) tick_every: Option<Duration>,
    pub(crate) model: Option<Model>,
    pub(crate) chunks: VecDeque<Chunk>,
}

impl SimUdf {
    fn died(&mut self, line: Option<Suspect>) -> UdfError {
        self.model = None;
        UdfError::Ended { why: "it crashed".to_owned(), line }
    }

    fn handle(&mut self, chunk: &Chunk) -> Result<Output, UdfError> {
        let mut model = self.model.clone().expect("the UDF is running");
        let mut output = Output::default();
        for message in &chunk.messages {
            for (number, input) in inputs(message) {
                if chunk.leave_out.contains(&(message.seq, number)) {
                    continue;
                }
                if input.starts_with("bad") {
                    output.left_out.invalid += 1;
                    let (seq, line, why) = (message.seq, number, "it is bad".to_owned());
                    output.left_out.first_invalid.get_or_insert(Invalid { seq, line, why });
                    continue;
                }
                let lines = &mut output.lines;
                let emit = |line: &str| {
                    lines.push(|text: &mut Vec<u8>| text.extend_from_slice(line.as_bytes()))
                };
                let has_died = self.sim.chance(self.sim.faults.get().deaths);
                if has_died || model.handle(&input, emit).is_none() {
                    let suspect = Suspect { line: number, payload: input.into() };
                    return Err(self.died(chunk.one_by_one.then_some(suspect)));
                }
                output.lines_in += 1;
            }
        }
        output.snapshot = chunk.snapshot.then(|| model.save());
        self.model = Some(model);
        Ok(output)
    }
}

impl Udf for SimUdf {
    async fn start(&mut self, state: Option<Bytes>) -> Result<Option<Duration>, UdfError> {
        self.chunks.clear();
        self.sim.pause().await;
        if self.sim.chance(self.sim.faults.get().deaths) {
            return Err(self.died(None));
        }
        self.model = Some(state.map_or_else(Model::default, |state| Model::load(&state)));
        Ok(self.tick_every)
    }

    fn feed(&mut self, chunk: Chunk) {
        self.chunks.push_back(chunk);
    }

    async fn output(&mut self) -> Result<Output, UdfError> {
        while self.chunks.is_empty() || self.sim.chance(300) {
            self.sim.pause().await;
        }
        let chunk = self.chunks.pop_front().expect("there is one");
        self.handle(&chunk)
    }
}
