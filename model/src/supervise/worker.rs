//! A worker: a process that runs the UDF until it is killed.

use std::sync::Arc;

use super::udf::{Udf, tick};
use super::world::{State, World};

/// Runs a process.
pub(super) fn run(world: &Arc<World>, id: usize, mut udf: Udf) {
    let mut received = Vec::new();
    loop {
        let mut state = world.wait(&world.for_worker, |state| {
            let process = &mut state.processes[id];
            !process.is_alive() || process.stdin.is_ready() || process.ticks > 0
        });
        let State { processes, ticked, .. } = &mut *state;
        let process = &mut processes[id];
        if !process.is_alive() {
            return;
        }
        let mut out = Vec::new();
        while process.ticks > 0 {
            process.ticks -= 1;
            *ticked += 1;
            tick(*ticked, &mut out);
        }
        let mut room = [0; 1 << 10];
        let read = process.stdin.read(&mut room);
        let has_ended = process.stdin.is_closed && read == 0;
        drop(state);
        world.for_front.notify_all();
        received.extend_from_slice(&room[..read]);
        let mut rest = &received[..];
        while let Some((frame, behind)) = split(rest) {
            rest = behind;
            if !udf.handle(frame, &mut out) {
                write(world, id, &out);
                return world.kill(id);
            }
        }
        received = rest.to_vec();
        if has_ended {
            assert_eq!(received, b"", "the input ends within a frame");
            udf.finish(&mut out);
        }
        if !write(world, id, &out) {
            return;
        }
        if has_ended {
            return world.finish(id);
        }
    }
}

/// Writes output as the pipe has room. Returns false if the process was killed.
fn write(world: &World, id: usize, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let mut state = world.wait(&world.for_worker, |state| {
            let process = &state.processes[id];
            !process.is_alive() || process.stdout.has_room()
        });
        let process = &mut state.processes[id];
        if !process.is_alive() {
            return false;
        }
        let written = process.stdout.write(bytes);
        bytes = &bytes[written..];
        drop(state);
        world.for_front.notify_all();
    }
    true
}

/// Returns the body of the first frame, and all bytes behind it. Frames of a check are short.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    assert!(*length < 0x80, "a long frame");
    rest.split_at_checked(usize::from(*length))
}
