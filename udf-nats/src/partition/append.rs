//! Appends output behind the fence.

use std::ops::Range;

use bytes::Bytes;

use super::Context;
use super::error::{PartitionError, Stop};
use super::event::{Event, Refused};
use crate::lines::Lines;
use crate::log::{AppendError, Clock, Last, Log, LogError};
use crate::mark::Mark;

/// How often a refused append is tried again although the log still shows the expected message. A
/// server of a cluster may answer before it knows the last message.
const STALE: u32 = 5;

/// An output message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) mark: Mark,
    pub(crate) payload: Bytes,
}

/// Cuts the output of the input between `from` and the sequence `upto` into messages, without its
/// first `skip` lines. Calls `too_long` with the length of each line that does not fit into any
/// message.
pub(crate) fn cut(
    lines: Lines,
    skip: usize,
    (from, upto): (Mark, u64),
    limit: usize,
    mut too_long: impl FnMut(usize),
) -> Vec<Piece> {
    let mut ranges: Vec<(Range<usize>, usize)> = Vec::new();
    let mut first = skip;
    while first < lines.len() {
        let end = lines.fitting(first, limit);
        if end == first {
            too_long(lines.span(first..first + 1).len());
            first += 1;
        } else {
            ranges.push((lines.span(first..end), end));
            first = end;
        }
    }
    let total = from.total + lines.len() as u64;
    let text = Bytes::from(lines.into_text());
    let count = ranges.len();
    let piece = |(i, (bytes, end)): (usize, (Range<usize>, usize))| {
        let mark = if i + 1 == count {
            Mark { upto, total, lines: 0, ..from }
        } else {
            Mark { lines: end as u64, ..from }
        };
        Piece { mark, payload: text.slice(bytes) }
    };
    ranges.into_iter().enumerate().map(piece).collect()
}

/// Appends a message to an output, and waits until it is stored. Returns its sequence.
///
/// An append that is in doubt is there, or not there, or arrives later. In each case, the log says
/// what to do: if its last message is the expected one, the append is tried again, and only one of
/// the attempts gets past the fence. If the last message has the mark of this one, its lines are in
/// the log. If it is older than the expected one, that one is gone. Any other last message is that of
/// another worker.
pub(crate) async fn append<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    partition: u32,
    piece: Piece,
    expected: u64,
) -> Result<u64, Stop> {
    let Context { log, clock, report, .. } = context;
    let Piece { mark, payload } = piece;
    let mut attempts = context.attempts("append to the output");
    let mut stale = 0;
    loop {
        let (why, is_refused) = match log.append(partition, mark, payload.clone(), expected).await {
            Ok(seq) => {
                attempts.succeed();
                return Ok(seq);
            }
            Err(AppendError::TooLarge { limit }) => return Err(Stop::Smaller(limit)),
            Err(AppendError::Fatal(why)) => {
                let (what, error) = ("append to the output", LogError::Fatal(why));
                return Err(PartitionError::Log { what, error }.into());
            }
            Err(AppendError::TryAgain(why)) => {
                attempts.pause(&why, clock).await;
                continue;
            }
            Err(AppendError::InDoubt(why)) => (why, false),
            Err(error @ AppendError::Fenced) => (error.to_string(), true),
        };
        let last = || log.last(partition);
        let last = context.retry("read the last output", last).await?;
        match last {
            _ if last.map_or(0, |last| last.seq) == expected => {
                stale += u32::from(is_refused);
                if stale > STALE {
                    return Err(Stop::Fenced(Refused::Output));
                }
                attempts.pause(&why, clock).await;
            }
            Some(Last { seq, mark: Some(found) }) if found == mark => {
                report.event(&Event::FoundInLog { seq });
                attempts.succeed();
                return Ok(seq);
            }
            last if last.is_none_or(|last| last.seq < expected) => {
                return Err(Stop::Fenced(Refused::Gone));
            }
            _ => return Err(Stop::Fenced(Refused::Output)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(text: &[&str], skip: usize, limit: usize) -> (Vec<String>, Vec<usize>) {
        let mut lines = Lines::default();
        for line in text {
            lines.push(|out| out.extend_from_slice(line.as_bytes()));
        }
        let mut too_long = Vec::new();
        let from = Mark { upto: 10, total: 100, lines: 0, poison: 3 };
        let pieces = cut(lines, skip, (from, 20), limit, |bytes| too_long.push(bytes));
        let show = |piece: Piece| {
            let Mark { upto, total, lines, poison } = piece.mark;
            assert_eq!(
                (total, poison),
                (if upto == 10 { 100 } else { 100 + text.len() as u64 }, 3)
            );
            format!("{}@{upto}+{lines}", String::from_utf8_lossy(&piece.payload).replace('\n', ","))
        };
        (pieces.into_iter().map(show).collect(), too_long)
    }

    fn pieces(text: &[&str], skip: usize, limit: usize) -> Vec<String> {
        cut_text(text, skip, limit).0
    }

    #[test]
    fn output_is_cut_at_the_ends_of_lines() {
        let text = ["aa\n", "bb\n", "cc\n"];
        assert_eq!(pieces(&text, 0, 100), ["aa,bb,cc,@20+0"]);
        assert_eq!(pieces(&text, 0, 6), ["aa,bb,@10+2", "cc,@20+0"]);
        assert_eq!(pieces(&text, 0, 3), ["aa,@10+1", "bb,@10+2", "cc,@20+0"]);
    }

    #[test]
    fn lines_that_are_in_the_log_are_left_out() {
        let text = ["aa\n", "bb\n", "cc\n"];
        assert_eq!(pieces(&text, 1, 100), ["bb,cc,@20+0"]);
        assert_eq!(pieces(&text, 1, 3), ["bb,@10+2", "cc,@20+0"]);
        assert!(pieces(&text, 3, 100).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_counts_as_written() {
        let text = ["aa\n", "too long\n", "bb\n", "too long\n"];
        let (pieces, too_long) = cut_text(&text, 0, 4);
        assert_eq!(pieces, ["aa,@10+1", "bb,@20+0"]);
        assert_eq!(too_long, [9, 9]);
    }
}
