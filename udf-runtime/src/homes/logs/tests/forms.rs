//! The forms of the log.

use super::*;

#[test]
fn a_line_begins_with_the_time_if_it_is_to() {
    let lines = logged_at(LevelFilter::INFO, Form::Timed, || tracing::info!("now"));
    let (time, rest) = lines[0].split_once(' ').unwrap();
    assert_eq!(rest, " INFO now");
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000000Z");
}

#[test]
fn telegraf_reads_the_level_of_every_line() {
    let written = Written::default();
    let queue = Queue::start(written.clone(), Form::Telegraf, Duration::ZERO).unwrap();
    let subscriber = Subscriber::new(LevelFilter::TRACE, Arc::clone(&queue));
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::error_span!("connection", task = "telegraf").entered();
        tracing::error!("one\ntwo");
        tracing::warn!("slow");
        tracing::info!("begun");
        tracing::debug!("detail");
        tracing::trace!("step");
        for number in 0..101 {
            tracing::warn!("peer {number}");
        }
    });
    queue.pass_on(" WARN connection{task=\"t\"}: of a worker");
    queue.pass_on("of a program\n");
    queue.end("E! the end\n", TIMEOUT);
    let lines = written.lines();
    let span = "connection{task=\"telegraf\"}:";
    let levels = ["E! S one\\ntwo", "W! S slow", "I! S begun", "D! S detail", "T! S step"];
    assert_eq!(lines[..5], levels.map(|line| line.replace('S', span)));
    let last = [
        "W! connection{task=\"t\"}: of a worker",
        "I! of a program",
        "W! held back 1 more lines like `peer 99`: at most 100 of a kind are logged in 10s",
        "E! the end",
    ];
    assert_eq!(lines[lines.len() - 4..], last);
}

#[test]
fn events_of_the_client_of_nats_are_details() {
    let at = |level| {
        logged_at(level, Form::Plain, || {
            tracing::info!(target: "async_nats::connector", "connected successfully");
            tracing::error!(target: "async_nats", "it broke");
            tracing::info!(target: "async_nats_of_an_author", "kept");
        })
    };
    assert_eq!(at(LevelFilter::INFO), [" INFO kept"]);
    let all = [" INFO connected successfully", "ERROR it broke", " INFO kept"];
    assert_eq!(at(LevelFilter::DEBUG), all);
}
