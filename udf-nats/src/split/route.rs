//! Finds the partition of each line.

use std::io::Write as _;

use bytes::Bytes;
use udf_proto::point::PointIndex;
use udf_text::line_protocol::{Grouping, LineReader};

use crate::host::source::{Next, Source};
use crate::lines::Lines;
use crate::log::{DeadLetter, Message};
use crate::udf::Invalid;

/// Returns the partition of a group: the CRC-32 (as in gzip) of its name, modulo the number of
/// partitions. The name is the one that Kapacitor gives the group.
///
/// ```
/// use udf_nats::split::partition_of;
///
/// assert_eq!(partition_of("host=a", 8), partition_of("host=a", 8));
/// assert_eq!(partition_of("host=a,cpu=0", 1), 0);
/// ```
pub fn partition_of(group: &str, partitions: u32) -> u32 {
    crc32fast::hash(group.as_bytes()) % partitions.max(1)
}

/// The lines of a chunk.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// The lines of each partition.
    pub(super) lines: Vec<Lines>,
    /// Of these, the number that come from messages up to the replayed position of the partition.
    pub(super) replayed: Vec<usize>,
    /// Lines that are not valid, one letter for each message.
    pub(super) dead: Vec<DeadLetter>,
    /// The number of lines that are not valid, and the first of them.
    pub(super) invalid: u64,
    pub(super) first_invalid: Option<Invalid>,
}

/// Finds the partition of each line.
pub(super) struct Router {
    grouping: Grouping,
    next: Next,
    lines: LineReader<Source>,
    index: PointIndex,
    frame: Vec<u8>,
}

impl Router {
    pub(super) fn new(grouping: &Grouping) -> Self {
        let next = Next::default();
        let lines = reader(grouping, &next);
        let (grouping, index, frame) = (grouping.clone(), PointIndex::new(), Vec::new());
        Router { grouping, next, lines, index, frame }
    }

    /// Routes the lines of some messages. `replay` has a position for each partition.
    pub(super) fn route(&mut self, messages: &[Message], replay: &[u64]) -> Routed {
        let count = replay.len();
        let bytes = messages.iter().map(|message| message.payload.len()).sum::<usize>() / count;
        let mut routed = Routed {
            lines: (0..count).map(|_| Lines::with_capacity(bytes + bytes / 4)).collect(),
            replayed: vec![0; count],
            ..Routed::default()
        };
        for message in messages {
            self.message(message, replay, &mut routed);
        }
        routed
    }

    fn message(&mut self, message: &Message, replay: &[u64], routed: &mut Routed) {
        let payload = &message.payload;
        let bom = if payload.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        self.next.set(Some(payload.slice(bom..)));
        let mut dead: Option<(u32, String, Vec<u8>)> = None;
        for line in 0.. {
            self.frame.clear();
            self.lines.set_time(message.time);
            let why = match self.lines.next_frame(&mut self.frame) {
                Ok(None) => break,
                Ok(Some(info)) if !info.point.is_empty() => {
                    match self.index.parse(&self.frame[info.point]) {
                        Ok(point) => {
                            let partition =
                                partition_of(point.group(), replay.len() as u32) as usize;
                            let raw = self.lines.raw();
                            routed.lines[partition].push(|text| {
                                text.extend_from_slice(raw);
                                if !info.has_time {
                                    let _ = write!(text, " {}", info.time);
                                }
                                text.push(b'\n');
                            });
                            routed.replayed[partition] +=
                                usize::from(message.seq <= replay[partition]);
                            continue;
                        }
                        Err(error) => error.to_string(),
                    }
                }
                Ok(Some(_)) => "no field of it fits into the integers of a UDF".to_owned(),
                Err(error) => error.problem.to_string(),
            };
            routed.invalid += 1;
            let first = Invalid { seq: message.seq, line, why: why.clone() };
            routed.first_invalid.get_or_insert(first);
            let (_, _, text) = dead.get_or_insert_with(|| (line, why, Vec::new()));
            text.extend_from_slice(self.lines.raw());
            text.push(b'\n');
        }
        if let Some((line, why, text)) = dead {
            let (partition, seq, payload) = (None, message.seq, Bytes::from(text));
            routed.dead.push(DeadLetter { partition, seq, line, why, payload });
        }
        if payload.contains(&b'#') {
            // A comment must not have an effect on the next message.
            self.lines = reader(&self.grouping, &self.next);
        }
    }
}

fn reader(grouping: &Grouping, next: &Next) -> LineReader<Source> {
    LineReader::new(Source::new(Next::clone(next)), grouping.clone()).drop_unfit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partitions_of_groups_never_change() {
        let groups = ["", "host=a", "host=b", "host=c", "cpu\nhost=a"];
        assert_eq!(groups.map(|group| partition_of(group, 8)), [0, 6, 4, 2, 7]);
    }

    #[test]
    fn lines_keep_their_text_and_get_a_time() {
        let mut router = Router::new(&Grouping::by(["host"]));
        let message = |seq, text: &'static str| {
            let payload = Bytes::from_static(text.as_bytes());
            Message { seq, time: 100 * seq as i64, tick: None, payload }
        };
        let texts = [
            "m,host=a  f=1i,g=\"x\ny\" 7\nm f=2\n",
            "bad\nm f=18446744073709551615u 1\n# comment\nm f=1 9\nworse",
            "m f=3",
        ];
        let messages: Vec<_> = (1..).zip(texts).map(|(seq, text)| message(seq, text)).collect();
        let routed = router.route(&messages, &[1]);
        let text = String::from_utf8(routed.lines[0].clone().into_text()).expect("it is text");
        assert_eq!(text, "m,host=a  f=1i,g=\"x\ny\" 7\nm f=2 100\nm f=1 9\nm f=3 300\n");
        assert_eq!((routed.lines[0].len(), routed.replayed[0]), (4, 2));
        assert_eq!(routed.invalid, 3);
        let [letter] = &routed.dead[..] else { panic!("{:?}", routed.dead) };
        assert_eq!((letter.seq, letter.line), (2, 0));
        assert_eq!(&letter.payload[..], b"bad\nm f=18446744073709551615u 1\nworse\n");
    }
}
