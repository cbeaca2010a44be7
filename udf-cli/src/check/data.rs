//! Checks of the output for ordinary data.

use std::collections::{BTreeMap, BTreeSet};

use udf_proto::EdgeType;
use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::{Context, Session};
use super::fault::{Fault, is_answer, kind};
use super::{Check, CheckResult, Needs, Outcome, Where, check};

/// Kapacitor allocates memory for the announced size. It can allocate this size, and no sensible
/// batch is longer.
const LARGEST_SIZE: i64 = 2 << 20;

pub(super) const CHECKS: [Check; 10] = [
    check(
        "data_handled",
        Needs::Echo,
        data_handled,
        "ordinary data is handled, and the task goes on",
    ),
    check(
        "only_messages",
        Needs::Nothing,
        only_messages,
        "one byte outside of messages, such as a print to stdout, ends the task",
    ),
    check(
        "right_edge",
        Needs::Init,
        right_edge,
        "data of the kind that the UDF does not provide is lost, or crashes Kapacitor",
    ),
    check(
        "no_empty_response",
        Needs::Init,
        no_empty_response,
        "an empty response makes Kapacitor panic: all of its tasks stop",
    ),
    check(
        "no_unasked_answer",
        Needs::Init,
        no_unasked_answer,
        "an unrequested answer fills the log, or is taken for the next answer",
    ),
    check(
        "batches_balanced",
        Needs::Init,
        batches_balanced,
        "an end without a begin crashes Kapacitor: all of its tasks stop",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "batch_sizes",
        Needs::Init,
        batch_sizes,
        "a negative or absurd batch size makes Kapacitor panic: all of its tasks stop",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "batch_ends",
        Needs::Init,
        batch_ends,
        "the end of a batch carries its name and tags: left out there, they are lost",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "grouping_kept",
        Needs::Init,
        grouping_kept,
        "Kapacitor groups the output by its dimensions and tags; without them all is one group",
    )
    .only(Where::Provides(EdgeType::Stream)),
    check(
        "fields_kept",
        Needs::Init,
        fields_kept,
        "InfluxDB refuses a point without a field, and such a point can stop the nodes after the UDF",
    ),
];

fn data_handled(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    match session.fault.clone() {
        None => Ok(Outcome::Pass),
        Some(fault @ Fault::Reported(_)) if !context.source.is_own() => Err(Fault::Advised(
            Box::new(fault),
            "if it cannot use the sample points, pass other points with --points FILE",
        )),
        Some(fault) => context.stopped_by(fault),
    }
}

fn only_messages(context: &mut Context) -> CheckResult {
    let broken = |fault| match fault {
        Fault::Broken(_) => Err(fault),
        _ => Ok(()),
    };
    // This check reports only bytes outside of messages. Other checks report other faults.
    if let Err(fault @ Fault::Broken(_)) = &context.answer {
        return context.reported_by("info_answered", fault);
    }
    if context.accepted {
        let session = context.session();
        session.and_then(|session| session.fault.clone().map_or(Ok(()), Err)).or_else(broken)?;
        let snapshot = context.started().and_then(|mut wire| {
            wire.snapshot()?;
            wire.drain()
        });
        snapshot.or_else(broken)?;
    }
    Ok(Outcome::Pass)
}

fn right_edge(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    let provides = context.info.as_ref().map(|info| info.provides);
    let wrong = match provides {
        Some(EdgeType::Batch) if unbalanced(&session).is_some() => {
            let unbalanced = Fault::Unmet("its batches are not balanced".to_owned());
            return context.reported_by("batches_balanced", &unbalanced);
        }
        Some(EdgeType::Batch) => session.points().first().map(|_| "a point outside of a batch"),
        _ => session
            .seen
            .iter()
            .find(|answer| matches!(answer, Answer::Begin(_) | Answer::End(_)))
            .map(kind),
    };
    Ok(wrong.map_or(Outcome::Pass, |wrong| Outcome::Fail(format!("it sent {wrong}"))))
}

fn no_empty_response(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    let mut asked = context.started()?;
    // Also checks a connection on which an answer is due.
    let _ = asked.snapshot().and_then(|_| asked.drain());
    Ok(match session.empties + asked.empties {
        0 => Outcome::Pass,
        count => Outcome::Fail(format!("it sent an empty response ({count} in all)")),
    })
}

fn no_unasked_answer(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    // The first answer is the one to Init.
    let unasked = session.seen.iter().filter(|answer| is_answer(answer)).nth(1);
    Ok(unasked.map_or(Outcome::Pass, |answer| Outcome::Warn(format!("{} came", kind(answer)))))
}

fn batches_balanced(context: &mut Context) -> CheckResult {
    Ok(unbalanced(&*context.session()?).map_or(Outcome::Pass, Outcome::Fail))
}

/// Returns the first begin or end of a batch that is out of place.
fn unbalanced(session: &Session) -> Option<String> {
    let mut open = None;
    for answer in &session.seen {
        match (answer, open) {
            (Answer::Begin(begin), None) => open = Some(&begin.name),
            (Answer::Begin(begin), Some(name)) => {
                return Some(format!("it began `{}` within `{name}`", begin.name));
            }
            (Answer::End(_), Some(_)) => open = None,
            (Answer::End(end), None) => {
                return Some(format!("it ended `{}` without beginning it", end.name));
            }
            _ => {}
        }
    }
    open.map(|name| format!("it never ended `{name}`"))
}

fn no_batches() -> Outcome {
    Outcome::Skip("no batch came back".to_owned())
}

fn batch_sizes(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    let mut sizes = session.seen.iter().filter_map(|answer| match answer {
        Answer::Begin(begin) => Some(begin.size),
        _ => None,
    });
    let mut verdict = no_batches();
    Ok(loop {
        match sizes.next() {
            Some(0..=LARGEST_SIZE) => verdict = Outcome::Pass,
            Some(size) => break Outcome::Fail(format!("it began a batch with the size {size}")),
            None => break verdict,
        }
    })
}

fn batch_ends(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    let sent = sent_series(&session);
    let (mut open, mut verdict) = (None, no_batches());
    for answer in &session.seen {
        match answer {
            Answer::Begin(begin) => open = Some(begin),
            Answer::End(end) => {
                let Some(begin) = open.take() else { continue };
                if end.name != begin.name || end.tags != begin.tags {
                    return Ok(Outcome::Fail(format!(
                        "the batch that began as `{}` with {} tags ended as `{}` with {}",
                        begin.name,
                        begin.tags.len(),
                        end.name,
                        end.tags.len()
                    )));
                }
                match lost(&sent, &end.name, &end.group, &end.tags) {
                    Some(fail @ Outcome::Fail(_)) => return Ok(fail),
                    Some(warn) => verdict = warn,
                    None if matches!(verdict, Outcome::Warn(_)) => {}
                    None => verdict = Outcome::Pass,
                }
            }
            _ => {}
        }
    }
    Ok(verdict)
}

/// The tags of a group.
type Tags = BTreeMap<String, String>;

/// Returns the name and the tags of each group that was sent.
fn sent_series(session: &Session) -> BTreeMap<&str, (&str, Tags)> {
    let mut in_batch = false;
    let series = session.sent.iter().filter_map(|ask| match ask {
        Ask::Begin(begin) => {
            in_batch = true;
            Some((&*begin.group, (&*begin.name, begin.tags.clone())))
        }
        Ask::End(_) => {
            in_batch = false;
            None
        }
        Ask::Point(point) if !in_batch => {
            let tags = point.tags.iter().filter(|(name, _)| point.dimensions.contains(name));
            let tags = tags.map(|(name, value)| (name.clone(), value.clone())).collect();
            Some((&*point.group, (&*point.name, tags)))
        }
        _ => None,
    });
    series.collect()
}

/// Compares the name and the tags of a batch that came back with the batches that were sent.
fn lost(
    sent: &BTreeMap<&str, (&str, Tags)>,
    name: &str,
    group: &str,
    tags: &Tags,
) -> Option<Outcome> {
    let (first, first_tags) = sent.values().next()?;
    let nameless = name.is_empty() && sent.values().all(|(name, _)| !name.is_empty());
    let tagless = tags.is_empty() && sent.values().all(|(_, tags)| !tags.is_empty());
    let text = match (nameless, tagless) {
        (true, true) => {
            return Some(Outcome::Fail(format!(
                "a batch came back without the name and tags that were sent, `{first}` with {} tags: \
                 Kapacitor shows an empty series",
                first_tags.len()
            )));
        }
        (true, false) => format!("a batch came back without a name; `{first}` was sent"),
        (false, true) => format!("a batch `{name}` came back without tags: its group is lost"),
        (false, false) => match sent.get(group) {
            Some((_, sent)) if sent != tags => format!(
                "the batch of the group `{group}` came back with other tags: {} instead of {}",
                shown(tags),
                shown(sent)
            ),
            _ => return None,
        },
    };
    Some(Outcome::Warn(text))
}

fn shown(tags: &Tags) -> String {
    let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if tags.is_empty() { "none".to_owned() } else { format!("`{}`", tags.join(",")) }
}

/// Returns the dimensions of a point without a tag of that name. An empty name means that the whole
/// grouping is missing.
fn without(point: &Point) -> Vec<&str> {
    if point.dimensions.is_empty() && !point.by_name {
        return vec![""];
    }
    let lacking = point.dimensions.iter().filter(|name| !point.tags.contains_key(*name));
    lacking.map(String::as_str).collect()
}

/// Returns the same for data that was sent. A point within a batch has the grouping of the batch.
fn sent_without(ask: &Ask, wants: EdgeType) -> Vec<&str> {
    match ask {
        Ask::Point(point) if wants == EdgeType::Stream => without(point),
        Ask::Begin(begin) if begin.tags.is_empty() && !begin.by_name => vec![""],
        _ => Vec::new(),
    }
}

fn grouping_kept(context: &mut Context) -> CheckResult {
    let wants = context.wants();
    let session = context.session()?;
    let points = session.points();
    if points.is_empty() {
        return Ok(Outcome::Skip("no point came back".to_owned()));
    }
    // An exact echo lacks the same tags as its input.
    let sent: BTreeSet<_> = session.sent.iter().flat_map(|ask| sent_without(ask, wants)).collect();
    let lost = |point: &&&Point| without(point).iter().any(|lack| !sent.contains(lack));
    Ok(match points.iter().filter(lost).count() {
        0 => Outcome::Pass,
        count => Outcome::Warn(format!(
            "of {} points that came back, {count} lack dimensions or their tags",
            points.len()
        )),
    })
}

fn fields_kept(context: &mut Context) -> CheckResult {
    let session = context.session()?;
    let points = session.seen.iter().filter_map(|answer| match answer {
        Answer::Point(point) => Some(point),
        _ => None,
    });
    let empty = points.filter(|point| {
        point.fields_double.is_empty()
            && point.fields_int.is_empty()
            && point.fields_string.is_empty()
            && point.fields_bool.is_empty()
    });
    Ok(match empty.count() {
        0 => Outcome::Pass,
        count => Outcome::Warn(format!("{count} points came back without a field")),
    })
}
