//! What the output must be.

use std::collections::BTreeSet;

use udf_nats::split::partition_of;

use crate::server::Server;
use crate::udf::{LONG, Model, inputs};

/// Handles the input of a partition without faults. `leave_out` returns whether a line is left out.
/// Returns the output, and the state behind each message.
fn replay(
    server: &Server,
    partition: u32,
    leave_out: impl Fn(u64, u32) -> bool,
) -> (String, Vec<(u64, Model)>) {
    let (mut model, mut text, mut states) = (Model::default(), String::new(), Vec::new());
    let mine = server.input.iter().filter(|(of, _)| *of == partition);
    for (_, message) in mine {
        for (number, input) in inputs(message) {
            let emit = |line: &str| {
                if line.len() < LONG {
                    text.push_str(line);
                }
            };
            if !leave_out(message.seq, number) && model.handle(&input, emit).is_none() {
                // A line that kills is left out; any worker may have found it.
                continue;
            }
        }
        states.push((message.seq, model.clone()));
    }
    (text, states)
}

/// Checks the output of a partition, and its stored state.
///
/// A UDF that dies by accident at the same line, alone, twice, has that line left out. So any set
/// of the blamed lines may be left out, but all outputs and the state must agree on it.
pub(crate) fn check(server: &Server, partition: u32) -> Result<(), String> {
    let blamed: Vec<_> = server
        .blamed
        .iter()
        .filter(|(of, seq, line)| *of == partition && !kills(server, *seq, *line))
        .collect();
    let actual = server.text(partition);
    let mut problem = None;
    for chosen in 0..1_u32 << blamed.len().min(8) {
        let chosen: BTreeSet<_> = (0..blamed.len())
            .filter(|i| chosen & (1 << i) != 0)
            .map(|i| (blamed[i].1, blamed[i].2))
            .collect();
        let (expected, states) =
            replay(server, partition, |seq, line| chosen.contains(&(seq, line)));
        let compared = compare(&expected, &actual).and_then(|()| state(server, partition, &states));
        match compared {
            Ok(()) => return Ok(()),
            Err(why) => problem = problem.or(Some(why)),
        }
    }
    Err(format!("partition {partition}: {}", problem.unwrap_or_default()))
}

fn kills(server: &Server, seq: u64, line: u32) -> bool {
    let message = &server.input[seq as usize - 1].1;
    inputs(message).iter().any(|(number, text)| *number == line && text.starts_with("kill"))
}

fn compare(expected: &str, actual: &str) -> Result<(), String> {
    let (mut expected, mut actual) = (expected.lines(), actual.lines());
    for line in 1.. {
        match (expected.next(), actual.next()) {
            (None, None) => break,
            (expected, actual) if expected == actual => {}
            (expected, actual) => {
                return Err(format!("line {line} is {actual:?}, not {expected:?}"));
            }
        }
    }
    Ok(())
}

/// Checks the state that is stored for a partition.
fn state(server: &Server, partition: u32, states: &[(u64, Model)]) -> Result<(), String> {
    let Some(entry) = server.keys.get(&format!("snapshot.{partition}")) else { return Ok(()) };
    let register: udf_nats::partition::Register =
        serde_json::from_slice(&entry.value).expect("a register");
    let Some(state) = register.state else { return Ok(()) };
    let mut bytes = Vec::new();
    for part in 0..state.parts {
        let key = format!("part.{partition}.{}.{part}", state.id);
        let part = server.keys.get(&key).ok_or_else(|| format!("{key} is missing"))?;
        bytes.extend_from_slice(&part.value);
    }
    let behind = states.iter().rev().find(|(seq, _)| *seq <= register.seq);
    let expected = behind.map_or_else(Model::default, |(_, model)| model.clone());
    let stored = Model::load(&bytes);
    if stored == expected {
        Ok(())
    } else {
        Err(format!("the state behind {} is {stored:?}, not {expected:?}", register.seq))
    }
}

/// Checks that the raw lines of a partition are in it, in their order.
pub(crate) fn check_split(server: &Server, partition: u32, partitions: u32) -> Result<(), String> {
    let mut expected = String::new();
    for (_, message) in &server.input {
        for line in std::str::from_utf8(&message.payload).expect("input is text").lines() {
            let Some(host) = line.strip_prefix("m,") else { continue };
            let group = host.split(' ').next().expect("a group");
            let has_time = line.split(' ').count() == 3;
            if partition_of(group, partitions) != partition || line.len() >= LONG {
                continue;
            }
            expected.push_str(line);
            if !has_time {
                expected.push_str(&format!(" {}", message.time));
            }
            expected.push('\n');
        }
    }
    let compared = compare(&expected, &server.text(partition));
    compared.map_err(|why| format!("partition {partition} of {partitions}: {why}"))
}
