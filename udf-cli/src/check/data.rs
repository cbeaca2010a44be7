//! Points and batches: what is taken, and what comes back.

use udf_proto::EdgeType;
use udf_proto::messages::Point;
use udf_proto::messages::request::Message as Ask;
use udf_proto::messages::response::Message as Answer;

use super::context::{BATCH, Context};
use super::wire::{Trouble, is_answer, kind};
use super::{Check, Needs, Outcome, Verdict, Where, check};

/// Kapacitor allocates what a size says; this one it can, and no batch that is meant is longer.
const LARGEST_SIZE: i64 = 2 << 20;

pub(super) const CHECKS: [Check; 15] = [
    check(
        "data_handled",
        Needs::Init,
        data_handled,
        "ordinary data is handled, and the task goes on",
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
        "a response with nothing in it makes Kapacitor panic: every task of it stops",
    ),
    check(
        "no_unasked_answer",
        Needs::Init,
        no_unasked_answer,
        "an answer that nobody asked for fills the log, or is taken for the next one",
    ),
    check(
        "batches_balanced",
        Needs::Init,
        batches_balanced,
        "an end without a begin crashes Kapacitor: every task of it stops",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "batch_sizes",
        Needs::Init,
        batch_sizes,
        "a batch of negative or absurd size makes Kapacitor panic: every task of it stops",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "batch_ends",
        Needs::Init,
        batch_ends,
        "a batch has the name and tags of its end: left out there, they are lost",
    )
    .only(Where::Provides(EdgeType::Batch)),
    check(
        "grouping_kept",
        Needs::Init,
        grouping_kept,
        "Kapacitor groups what comes back by its dimensions and tags; without them all is one group",
    )
    .only(Where::Provides(EdgeType::Stream)),
    check(
        "fields_kept",
        Needs::Init,
        fields_kept,
        "a point without a field is refused by InfluxDB, and can stop the task behind the UDF",
    ),
    check(
        "int_and_float",
        Needs::Init,
        int_and_float,
        "a series may switch between integers and floats from one point to the next",
    ),
    check(
        "field_missing",
        Needs::Init,
        field_missing,
        "one point without the field must not stop the task for good",
    ),
    check(
        "odd_points",
        Needs::Init,
        odd_points,
        "points without tags, with text or of any time occur, and must not stop the task for good",
    ),
    check(
        "large_message",
        Needs::Init,
        large_message,
        "a field may hold a megabyte of text",
    ),
    check(
        "many_groups",
        Needs::Init,
        many_groups,
        "groups come and go, thousands of them",
    ),
    check(
        "batch_size_hint",
        Needs::Init,
        batch_size_hint,
        "the size of a batch is a hint: with 0, or a wrong one, the batch is handled all the same",
    )
    .only(Where::Wants(EdgeType::Batch)),
];

fn data_handled(context: &mut Context) -> Outcome {
    context.session()?.trouble.map_or(Ok(Verdict::Pass), Err)
}

fn right_edge(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let provides = context.info.as_ref().map(|info| info.provides);
    let wrong = match provides {
        Some(EdgeType::Batch) => session.points().first().map(|_| "a point outside of a batch"),
        _ => session
            .wire
            .seen
            .iter()
            .find(|answer| matches!(answer, Answer::Begin(_) | Answer::End(_)))
            .map(kind),
    };
    Ok(wrong.map_or(Verdict::Pass, |wrong| Verdict::Fail(format!("it sent {wrong}"))))
}

fn no_empty_response(context: &mut Context) -> Outcome {
    let mut session = context.session()?;
    let mut asked = context.started()?;
    // Also where an answer is due.
    let _ = asked.snapshot().and_then(|_| asked.drain());
    session.wire.empties += asked.empties;
    Ok(match session.wire.empties {
        0 => Verdict::Pass,
        count => Verdict::Fail(format!("it sent {count}")),
    })
}

fn no_unasked_answer(context: &mut Context) -> Outcome {
    let session = context.session()?;
    // The first one was asked for: it is that to Init.
    let unasked = session.wire.seen.iter().filter(|answer| is_answer(answer)).nth(1);
    Ok(unasked.map_or(Verdict::Pass, |answer| Verdict::Warn(format!("{} came", kind(answer)))))
}

fn batches_balanced(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let (mut open, mut wrong) = (None, None);
    for answer in &session.wire.seen {
        match (answer, &open) {
            (Answer::Begin(begin), None) => open = Some(begin.name.clone()),
            (Answer::Begin(begin), Some(name)) => {
                wrong = Some(format!("it began `{}` within `{name}`", begin.name));
            }
            (Answer::End(_), Some(_)) => open = None,
            (Answer::End(end), None) => {
                wrong = Some(format!("it ended `{}` without having begun it", end.name));
            }
            _ => {}
        }
        if let Some(wrong) = wrong {
            return Ok(Verdict::Fail(wrong));
        }
    }
    Ok(open.map_or(Verdict::Pass, |name| Verdict::Fail(format!("it never ended `{name}`"))))
}

fn no_batches() -> Verdict {
    Verdict::Skip("no batch came back".to_owned())
}

fn batch_sizes(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let mut sizes = session.wire.seen.iter().filter_map(|answer| match answer {
        Answer::Begin(begin) => Some(begin.size),
        _ => None,
    });
    let mut verdict = no_batches();
    Ok(loop {
        match sizes.next() {
            Some(0..=LARGEST_SIZE) => verdict = Verdict::Pass,
            Some(size) => break Verdict::Fail(format!("it began a batch with the size {size}")),
            None => break verdict,
        }
    })
}

fn batch_ends(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let (mut open, mut verdict) = (None, no_batches());
    for answer in &session.wire.seen {
        match answer {
            Answer::Begin(begin) => open = Some(begin),
            Answer::End(end) => {
                let Some(begin) = open.take() else { continue };
                if end.name != begin.name || end.tags != begin.tags {
                    return Ok(Verdict::Fail(format!(
                        "the batch that began as `{}` with {} tags ended as `{}` with {}",
                        begin.name,
                        begin.tags.len(),
                        end.name,
                        end.tags.len()
                    )));
                }
                verdict = Verdict::Pass;
            }
            _ => {}
        }
    }
    Ok(verdict)
}

fn grouping_kept(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let points = session.points();
    if points.is_empty() {
        return Ok(Verdict::Skip("no point came back".to_owned()));
    }
    let lost = |point: &&&Point| {
        point.dimensions.is_empty() && !point.by_name
            || point.dimensions.iter().any(|name| !point.tags.contains_key(name))
    };
    Ok(match points.iter().filter(lost).count() {
        0 => Verdict::Pass,
        count => Verdict::Warn(format!(
            "of {} points that came back, {count} lack dimensions, or the tags of them",
            points.len()
        )),
    })
}

fn fields_kept(context: &mut Context) -> Outcome {
    let session = context.session()?;
    let points = session.wire.seen.iter().filter_map(|answer| match answer {
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
        0 => Verdict::Pass,
        count => Verdict::Warn(format!("{count} points came back without a field")),
    })
}

/// Sends data of which every point is `changed`, and sees that the connection goes on.
fn survives(context: &Context, change: impl Fn(&mut Point)) -> Result<(), Trouble> {
    let mut wire = context.started()?;
    context.feed(&wire, 0..BATCH);
    for ask in context.data(BATCH..2 * BATCH, change) {
        wire.ask(ask);
    }
    context.feed(&wire, 2 * BATCH..3 * BATCH);
    wire.settle()
}

fn int_and_float(context: &mut Context) -> Outcome {
    survives(context, |point| {
        let floats = std::mem::take(&mut point.fields_double);
        point.fields_int.extend(floats.into_iter().map(|(name, value)| (name, value as i64)));
    })?;
    Ok(Verdict::Pass)
}

/// To stop in good order is for the UDF to decide; its users should know.
fn or_stops(result: Result<(), Trouble>, what: &str) -> Outcome {
    match result {
        Ok(()) => Ok(Verdict::Pass),
        Err(Trouble::Reported(text)) => {
            Ok(Verdict::Warn(format!("{what} stops it: {}", super::wire::one_line(&text))))
        }
        Err(trouble) => Ok(Verdict::Fail(format!("with {what}: {trouble}"))),
    }
}

fn field_missing(context: &mut Context) -> Outcome {
    let changed = survives(context, |point| {
        point.fields_double.clear();
        point.fields_int = [("other".to_owned(), 1)].into();
    });
    or_stops(changed, "a point without its field")
}

/// A change that makes a point odd.
type Change = fn(&mut Point);

const ODD: [(&str, Change); 6] = [
    ("a point without tags and groups", |point| {
        point.tags.clear();
        point.dimensions.clear();
        point.group.clear();
    }),
    ("a point with text where numbers were", |point| {
        let floats = std::mem::take(&mut point.fields_double);
        point.fields_string = floats.into_keys().map(|name| (name, "ten".to_owned())).collect();
    }),
    ("a point with booleans where numbers were", |point| {
        let floats = std::mem::take(&mut point.fields_double);
        point.fields_bool = floats.into_keys().map(|name| (name, true)).collect();
    }),
    ("a point before 1970", |point| point.time = -1),
    ("a point with tags in all the world's letters", |point| {
        for value in point.tags.values_mut() {
            value.push_str(" ß漢字=,\"\\\n🦀");
        }
    }),
    ("a point that is grouped by its name", |point| {
        point.by_name = true;
        point.group = format!("{}\n{}", point.name, point.group);
    }),
];

fn odd_points(context: &mut Context) -> Outcome {
    for (what, change) in ODD {
        let verdict = or_stops(survives(context, change), what)?;
        if verdict != Verdict::Pass {
            return Ok(verdict);
        }
    }
    Ok(Verdict::Pass)
}

fn large_message(context: &mut Context) -> Outcome {
    let text = "0123456789abcdef".repeat(1 << 16);
    survives(context, |point| {
        // One is enough.
        if point.time % (10 * crate::sample::STEP) == 0 {
            point.fields_string.insert("message".to_owned(), text.clone());
        }
    })?;
    Ok(Verdict::Pass)
}

fn many_groups(context: &mut Context) -> Outcome {
    let mut wire = context.started()?;
    let sample = context.sample().with_groups(2000);
    for number in 0..2000 {
        match context.wants() {
            EdgeType::Stream => wire.ask(Ask::Point(sample.point(number))),
            EdgeType::Batch => {
                for ask in sample.batch(number, 2) {
                    wire.ask(ask);
                }
            }
        }
    }
    wire.settle()?;
    Ok(Verdict::Pass)
}

fn batch_size_hint(context: &mut Context) -> Outcome {
    let mut wire = context.started()?;
    // Of a batch without points, and then of each with another lie.
    for (number, (points, size)) in
        [(0, 0), (BATCH, 0), (BATCH, 1), (BATCH, 1 << 20), (0, 5)].into_iter().enumerate()
    {
        for mut ask in context.sample().batch(number, points) {
            if let Ask::Begin(begin) = &mut ask {
                begin.size = size;
            }
            wire.ask(ask);
        }
        match wire.settle() {
            Ok(()) => {}
            Err(trouble) => {
                return Ok(Verdict::Fail(format!(
                    "a batch of {points} points with the size {size}: {trouble}"
                )));
            }
        }
    }
    Ok(Verdict::Pass)
}
