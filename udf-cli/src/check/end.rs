//! Checks of the end of a task: the UDF answers all input, then exits or closes.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use udf_host::process::Exit;
use udf_proto::frame::FrameReader;
use udf_proto::messages::KeepaliveRequest;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::Context;
use super::fault::{Fault, is_data};
use super::points::SESSION;
use super::wire::{frame, signal};
use super::{Check, CheckResult, Needs, Outcome, Where, check};
use crate::{Connection, Transport};

pub(super) const CHECKS: [Check; 6] = [
    check(
        "closes_at_end",
        Needs::Data,
        closes_at_end,
        "a task stops only after its UDF has closed its output",
    ),
    check(
        "closes_unused",
        Needs::Nothing,
        closes_unused,
        "a UDF that was opened and not used leaves nothing behind",
    ),
    check(
        "drains_at_end",
        Needs::Data,
        drains_at_end,
        "points received before a task stops or reloads are not lost",
    )
    .after(&["closes_at_end"]),
    check(
        "ends_whole",
        Needs::Init,
        ends_whole,
        "a last message or batch that is cut short makes the end of the task a failure",
    ),
    check(
        "exit_status",
        Needs::Data,
        exit_status,
        "any status but 0 turns the end of a task into a failure",
    )
    .after(&["closes_at_end"])
    .only(Where::Over(Transport::Pipe)),
    check(
        "abrupt_end",
        Needs::Init,
        abrupt_end,
        "when Kapacitor is killed, no orphan stays behind and no daemon dies with it",
    )
    .after(&["closes_at_end"]),
];

fn closes_at_end(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..20);
    wire.settle()?;
    wire.drain()?;
    Ok(Outcome::Pass)
}

fn closes_unused(context: &mut Context) -> CheckResult {
    let mut wire = context.open()?;
    let exited = match wire.finish(context.is_program()) {
        Ok(exited) => exited,
        Err(fault) => return context.stopped_by(fault),
    };
    Ok(match signal(exited) {
        Some(signal) => Outcome::Fail(format!("it died of signal {signal}{}", wire.traces())),
        None => Outcome::Pass,
    })
}

fn drains_at_end(context: &mut Context) -> CheckResult {
    let count = |answers: &[Answer]| answers.iter().filter(|answer| is_data(answer)).count();
    let mut patient = context.started()?;
    context.feed(&mut patient, 0..SESSION);
    patient.settle()?;
    patient.drain()?;
    let expected = count(&patient.seen);

    let mut hasty = context.started()?;
    context.feed(&mut hasty, 0..SESSION);
    hasty.drain()?;
    let found = count(&hasty.seen);
    let error = hasty.seen.iter().find_map(|answer| match answer {
        Answer::Error(error) => Some(error.error.clone()),
        _ => None,
    });
    Ok(match error {
        Some(error) => return Err(Fault::Reported(error)),
        None if found < expected => Outcome::Fail(format!(
            "with its input ended at once, {found} messages came back instead of {expected}"
        )),
        None => Outcome::Pass,
    })
}

fn ends_whole(context: &mut Context) -> CheckResult {
    // The data ends in the middle: within a batch, if the UDF wants batches.
    let mut data = context.data(0..100, |_| {});
    data.truncate(95);
    let mut wire = context.started()?;
    for ask in data {
        wire.ask(ask);
    }
    match wire.drain() {
        Ok(()) | Err(Fault::NeverCloses(_)) => {}
        Err(fault) => return context.stopped_by(fault),
    }
    if let Some(problem) = &wire.cut {
        return Ok(Outcome::Fail(format!("it closed its output within a message: {problem}")));
    }
    let open = wire.seen.iter().fold(false, |open, answer| match answer {
        Answer::Begin(_) => true,
        Answer::End(_) => false,
        _ => open,
    });
    Ok(if open {
        Outcome::Fail("it closed its output within a batch".to_owned())
    } else {
        Outcome::Pass
    })
}

fn exit_status(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    context.feed(&mut wire, 0..20);
    wire.settle()?;
    let exited = wire.finish(true)?;
    Ok(match exited {
        Some(exited) if exited.is_failure() => Outcome::Fail(format!("it ended{}", wire.traces())),
        Some(unknown @ Exit::Unknown) => Outcome::Skip(unknown.to_string()),
        _ => Outcome::Pass,
    })
}

/// Behaves like a Kapacitor that is killed, first while the UDF is idle and then while the UDF
/// answers.
fn abrupt_end(context: &mut Context) -> CheckResult {
    abandon(context, false)?;
    abandon(context, true)?;
    if !context.is_program() {
        context.open()?.info()?;
    }
    Ok(Outcome::Pass)
}

/// Each transport holds this many bytes that are not read.
const UNREAD: usize = 16 << 10;

/// How often a program is asked while its answers are not read.
const ASKED: usize = 100;
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// Starts a task and closes both directions. A program must then exit, even with output left to
/// write.
///
/// With `at_work`, reading ends first and the UDF still has a request to answer. So the UDF cannot
/// have exited before.
fn abandon(context: &Context, at_work: bool) -> Result<(), Fault> {
    let failed = |error: udf_host::Error| Fault::NoConnection(error.to_string());
    let Connection { reader, mut writer, peer } =
        context.target.link(None, context.timeout).map_err(failed)?;
    let init = frame(Ask::Init(context.init.clone().into()));
    let (sender, started) = channel();
    let starting = thread::Builder::new().name("check-start".to_owned()).spawn(move || {
        let sent = writer.write_all(&init).and_then(|()| writer.flush());
        let answered = matches!(FrameReader::new(reader).next_frame(), Ok(Some(_)));
        // The reader is closed from here on.
        let _ = sender.send((sent.is_ok() && answered).then_some(writer));
    });
    starting.map_err(|error| Fault::NoConnection(error.to_string()))?;
    let awaited = || "an answer to Init".to_owned();
    let mut writer = match started.recv_timeout(context.timeout) {
        Ok(Some(writer)) => writer,
        Err(RecvTimeoutError::Timeout) => {
            return Err(Fault::Silence { awaited: awaited(), within: context.timeout });
        }
        _ => {
            return Err(Fault::Closed { awaited: awaited(), traces: peer.traces(context.timeout) });
        }
    };
    let mut ask = |bytes: &[u8]| writer.write_all(bytes).and_then(|()| writer.flush()).is_ok();
    let keepalive = frame(Ask::Keepalive(KeepaliveRequest { time: crate::sample::START }));
    let mut work = keepalive.clone();
    for data in context.data(0..20, |_| {}).into_iter().map(frame) {
        if work.len() + data.len() <= UNREAD {
            work.extend(data);
        }
    }
    if at_work && ask(&work) && context.is_program() {
        // While another thread starts a program, that program briefly holds a copy of the pipe, and
        // writing an answer does not fail. So the UDF is asked again until it exits or ignores the
        // requests.
        let mut asked = (0..ASKED).map(|_| peer.exit(ASKED_EVERY).is_none() && ask(&keepalive));
        while asked.next() == Some(true) {}
    }
    drop(writer);
    match peer.exit(context.timeout) {
        None if context.is_program() => Err(Fault::NeverExits(context.timeout)),
        _ => Ok(()),
    }
}
