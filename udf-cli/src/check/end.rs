//! The end of a task: what was received is answered, then the UDF goes.

use std::io::Write;
use std::sync::mpsc::channel;
use std::thread;

use udf_proto::frame::FrameReader;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::{Context, SESSION};
use super::wire::{Trouble, frame, is_data, signal};
use super::{Check, Needs, Outcome, Verdict, Where, check};
use crate::{Link, Transport};

pub(super) const CHECKS: [Check; 6] = [
    check(
        "closes_at_end",
        Needs::Init,
        closes_at_end,
        "a task stops only when its UDF has closed its side",
    ),
    check(
        "closes_unused",
        Needs::Nothing,
        closes_unused,
        "a UDF that was opened and not used leaves nothing behind",
    ),
    check(
        "drains_at_end",
        Needs::Init,
        drains_at_end,
        "what was received before a task stops, or reloads, is not lost",
    ),
    check(
        "ends_whole",
        Needs::Init,
        ends_whole,
        "a last message or batch that is cut short makes the end of the task a failure",
    ),
    check(
        "exit_status",
        Needs::Init,
        exit_status,
        "any status but 0 turns the end of a task into a failure",
    )
    .only(Where::Over(Transport::Pipe)),
    check(
        "abrupt_end",
        Needs::Init,
        abrupt_end,
        "when Kapacitor is killed, no orphan stays behind and no daemon dies with it",
    ),
];

fn closes_at_end(context: &mut Context) -> Outcome {
    let mut wire = context.started()?;
    context.feed(&wire, 0..20);
    wire.settle()?;
    wire.drain()?;
    Ok(Verdict::Pass)
}

fn closes_unused(context: &mut Context) -> Outcome {
    let mut wire = context.open()?;
    let status = wire.finish(context.is_program())?;
    Ok(match signal(status) {
        Some(signal) => Verdict::Fail(format!("it died of signal {signal}{}", wire.traces())),
        None => Verdict::Pass,
    })
}

fn drains_at_end(context: &mut Context) -> Outcome {
    let count = |answers: &[Answer]| answers.iter().filter(|answer| is_data(answer)).count();
    let mut patient = context.started()?;
    context.feed(&patient, 0..SESSION);
    patient.settle()?;
    patient.drain()?;
    let expected = count(&patient.seen);

    let mut hasty = context.started()?;
    context.feed(&hasty, 0..SESSION);
    hasty.drain()?;
    let found = count(&hasty.seen);
    let error = hasty.seen.into_iter().find_map(|answer| match answer {
        Answer::Error(error) => Some(error.error),
        _ => None,
    });
    Ok(match error {
        Some(error) => return Err(Trouble::Reported(error)),
        None if found < expected => Verdict::Fail(format!(
            "with its input ended at once, {found} messages came back in place of {expected}"
        )),
        None => Verdict::Pass,
    })
}

fn ends_whole(context: &mut Context) -> Outcome {
    // The data ends in the middle: of a batch, if it wants batches.
    let mut data = context.data(0..100, |_| {});
    data.truncate(95);
    let mut wire = context.started()?;
    for ask in data {
        wire.ask(ask);
    }
    match wire.drain() {
        Ok(()) | Err(Trouble::NeverCloses(_)) => {}
        Err(trouble) => return Err(trouble),
    }
    let open = wire.seen.iter().fold(false, |open, answer| match answer {
        Answer::Begin(_) => true,
        Answer::End(_) => false,
        _ => open,
    });
    Ok(if open {
        Verdict::Fail("it closed its side within a batch".to_owned())
    } else {
        Verdict::Pass
    })
}

fn exit_status(context: &mut Context) -> Outcome {
    let mut wire = context.started()?;
    context.feed(&wire, 0..20);
    let status = wire.finish(true)?;
    Ok(match status {
        Some(status) if !status.success() => Verdict::Fail(format!("it ended{}", wire.traces())),
        _ => Verdict::Pass,
    })
}

fn abrupt_end(context: &mut Context) -> Outcome {
    let failed = |error: udf_host::Error| Trouble::NoConnection(error.to_string());
    let Link { reader, mut writer, peer } =
        context.target.link(None, context.patience).map_err(failed)?;
    let mut bytes = frame(Ask::Init(context.init.clone().into()));
    bytes.extend(context.data(0..SESSION, |_| {}).into_iter().flat_map(frame));
    let (sender, done) = channel();
    let writing = thread::Builder::new().name("check-write".to_owned()).spawn(move || {
        let mut frames = FrameReader::new(reader);
        let sent = writer.write_all(&bytes).and_then(|()| writer.flush());
        // The answer to Init; then both directions are closed, with all the rest unread.
        let answered = matches!(frames.next_frame(), Ok(Some(_)));
        drop((frames, writer));
        let _ = sender.send(sent.is_ok() && answered);
    });
    writing.map_err(|error| Trouble::NoConnection(error.to_string()))?;
    match done.recv_timeout(context.patience) {
        Ok(true) => {}
        _ => {
            let awaited = "an answer to Init".to_owned();
            return Err(Trouble::Silence { awaited, within: context.patience });
        }
    }
    if context.is_program() {
        return match peer.exit(context.patience) {
            Some(_) => Ok(Verdict::Pass),
            None => Err(Trouble::NeverExits(context.patience)),
        };
    }
    drop(peer);
    context.open()?.info()?;
    Ok(Verdict::Pass)
}
