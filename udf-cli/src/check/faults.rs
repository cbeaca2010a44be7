//! Checks with input that Kapacitor never sends, or not yet: it may only harm the one connection.

use udf_proto::messages::KeepaliveRequest;
use udf_proto::messages::request::Message as Ask;

use super::context::Context;
use super::fault::Fault;
use super::wire::{frame, signal};
use super::{Check, CheckResult, Needs, Outcome, Where, check};
use crate::Transport;

pub(super) const CHECKS: [Check; 10] = [
    check(
        "empty_request",
        Needs::Data,
        empty_request,
        "an empty request comes from a newer Kapacitor and is ignored",
    ),
    check(
        "unknown_request",
        Needs::Data,
        unknown_request,
        "a request of an unknown kind comes from a newer Kapacitor and is ignored",
    ),
    check(
        "unknown_members",
        Needs::Echo,
        unknown_members,
        "messages may get new members without a new UDF for each Kapacitor",
    ),
    check(
        "split_writes",
        Needs::Data,
        split_writes,
        "messages arrive in pieces: Kapacitor itself writes each in two",
    ),
    check(
        "oversized_frame",
        Needs::Init,
        oversized_frame,
        "an absurd length is refused without allocating memory for it",
    ),
    check(
        "cut_frame",
        Needs::Init,
        cut_frame,
        "a message that is cut short, as by a crash of Kapacitor, does not hang the UDF",
    ),
    check(
        "endless_length",
        Needs::Init,
        endless_length,
        "an endless length is refused, not read forever",
    ),
    check(
        "garbage",
        Needs::Init,
        garbage,
        "bytes that are not a message end only their own connection",
    ),
    check(
        "others_unharmed",
        Needs::Data,
        others_unharmed,
        "a fault in one task does not affect the other tasks of the same daemon",
    )
    .only(Where::Over(Transport::Socket)),
    check(
        "several_connections",
        Needs::Data,
        several_connections,
        "each use in a task has a connection of its own, and all work at the same time",
    )
    .after(&["init_twice"]),
];

/// Sends `bytes`. The UDF must continue as if they had not been sent.
fn ignored(context: &Context, bytes: Vec<u8>) -> CheckResult {
    let mut wire = context.started()?;
    wire.send(bytes);
    wire.settle()?;
    context.feed(&mut wire, 0..20);
    wire.settle()?;
    Ok(Outcome::Pass)
}

fn empty_request(context: &mut Context) -> CheckResult {
    ignored(context, vec![0])
}

fn unknown_request(context: &mut Context) -> CheckResult {
    // The unknown member 30, of 3 bytes.
    ignored(context, vec![6, 0xf2, 0x01, 3, 8, 1, 16])
}

fn unknown_members(context: &mut Context) -> CheckResult {
    let mut wire = context.started()?;
    let time = wire.new_keepalive();
    let known = frame(Ask::Keepalive(KeepaliveRequest { time }));
    // After the one-byte length: the same message with two more members, a number and a text.
    let mut longer = known[1..].to_vec();
    longer.extend([0xf0, 0x01, 7, 0xfa, 0x01, 2, b'h', b'i']);
    longer.insert(0, longer.len() as u8);
    wire.send(longer);
    wire.until("the echo of a keepalive with unknown members", |answer| {
        matches!(answer, udf_proto::messages::response::Message::Keepalive(echo) if echo.time == time)
            .then_some(())
    })?;
    Ok(Outcome::Pass)
}

fn split_writes(context: &mut Context) -> CheckResult {
    let mut wire = context.open()?;
    wire.ask_in_pieces(Ask::Init(context.init.clone().into()));
    for ask in context.data(0..10, |_| {}) {
        wire.ask_in_pieces(ask);
    }
    wire.settle()?;
    Ok(Outcome::Pass)
}

/// Sends `bytes` and ends the input. The UDF may fail. It must not hang, be killed by a signal, or
/// take a daemon down.
fn refused(context: &Context, bytes: Vec<u8>) -> CheckResult {
    let mut wire = context.started()?;
    wire.send(bytes);
    let exited = wire.finish(context.is_program())?;
    if let Some(signal) = signal(exited) {
        return Ok(Outcome::Fail(format!("it died of signal {signal}{}", wire.traces())));
    }
    if !context.is_program() {
        context.open().and_then(|mut wire| wire.info()).map_err(gone)?;
    }
    Ok(Outcome::Pass)
}

fn gone(fault: Fault) -> Fault {
    Fault::NoConnection(format!("it serves no other connection afterwards: {fault}"))
}

fn oversized_frame(context: &mut Context) -> CheckResult {
    // A length of 2^40 bytes, followed by 4 bytes.
    refused(context, vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 1, 2, 3, 4])
}

fn cut_frame(context: &mut Context) -> CheckResult {
    let mut point = context.data(0..10, |_| {}).into_iter().map(frame).next().unwrap_or_default();
    point.truncate(point.len() / 2);
    refused(context, point)
}

fn endless_length(context: &mut Context) -> CheckResult {
    refused(context, vec![0xff; 4096])
}

fn garbage(context: &mut Context) -> CheckResult {
    // Frames of a valid length with invalid contents, then bytes that are not frames at all.
    let mut bytes = vec![12, 0x8a, 0x01, 0x7f];
    bytes.extend(b"nonsense ");
    bytes.extend((0..2000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8));
    refused(context, bytes)
}

fn others_unharmed(context: &mut Context) -> CheckResult {
    let mut bystander = context.started()?;
    let mut bad = context.started()?;
    bad.send(vec![0xff; 64]);
    // Other checks report how the UDF ends.
    let _ = bad.drain();
    context.feed(&mut bystander, 0..20);
    bystander.settle()?;
    Ok(Outcome::Pass)
}

fn several_connections(context: &mut Context) -> CheckResult {
    let mut wires = Vec::new();
    for _ in 0..4 {
        wires.push(context.started()?);
    }
    for wire in &mut wires {
        context.feed(wire, 0..20);
    }
    for wire in &mut wires {
        wire.settle()?;
    }
    Ok(Outcome::Pass)
}
