//! The server in memory: an input, outputs, and keys.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use udf_nats::{AppendError, Bounds, DeadLetter, Entry, Last, Mark, Message, PutError};

#[derive(Default)]
pub(crate) struct Server {
    /// The restarts. A reader from before a restart fails.
    pub(crate) generation: u64,
    /// The number of messages that retention has removed.
    pub(crate) removed: u64,
    /// All messages of all partitions, also those that were removed.
    pub(crate) input: Vec<(u32, Message)>,
    /// The limit of a message, if it is lower than the workers know.
    pub(crate) max_payload: Option<usize>,
    pub(crate) outputs: BTreeMap<u32, Vec<OutputMessage>>,
    output_seq: u64,
    pub(crate) keys: BTreeMap<String, Entry>,
    revision: u64,
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// The lines that were ever listed as poison, of each partition.
    pub(crate) blamed: BTreeSet<(u32, u64, u32)>,
}

pub(crate) struct OutputMessage {
    seq: u64,
    /// `None` if another program has written it.
    pub(crate) mark: Option<Mark>,
    pub(crate) payload: Bytes,
}

impl Server {
    pub(crate) fn add_input(&mut self, partition: u32, time: i64, tick: Option<i64>, text: String) {
        let seq = self.input.len() as u64 + 1;
        self.input.push((partition, Message { seq, time, tick, payload: text.into() }));
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { first: self.removed + 1, last: self.input.len() as u64 }
    }

    /// Returns up to `count` messages behind `after`, and the sequence up to which they go.
    pub(crate) fn pull(&self, partition: u32, after: u64, count: usize) -> (Vec<Message>, u64) {
        let all = self.input[after.max(self.removed) as usize..].iter();
        let mine = all.filter(|(of, _)| *of == partition).map(|(_, message)| message.clone());
        let messages: Vec<_> = mine.take(count).collect();
        let upto = match messages.last() {
            Some(last) if messages.len() == count => last.seq,
            _ => self.input.len() as u64,
        };
        (messages, upto)
    }

    pub(crate) fn last(&self, partition: u32) -> Option<Last> {
        let last = self.outputs.get(&partition)?.last()?;
        Some(Last { seq: last.seq, mark: last.mark })
    }

    pub(crate) fn append(
        &mut self,
        partition: u32,
        mark: Option<Mark>,
        payload: Bytes,
        expected: u64,
    ) -> Result<u64, AppendError> {
        if let Some(limit) = self.max_payload.filter(|limit| payload.len() > *limit) {
            return Err(AppendError::TooLarge { limit: limit + 1024 });
        }
        if self.last(partition).map_or(0, |last| last.seq) != expected {
            return Err(AppendError::Fenced);
        }
        self.output_seq += 1;
        let message = OutputMessage { seq: self.output_seq, mark, payload };
        self.outputs.entry(partition).or_default().push(message);
        Ok(self.output_seq)
    }

    pub(crate) fn put(&mut self, key: &str, value: Bytes, expected: u64) -> Result<u64, PutError> {
        if self.keys.get(key).map_or(0, |entry| entry.revision) != expected {
            return Err(PutError::Conflict);
        }
        if let Some(partition) = key.strip_prefix("snapshot.") {
            let partition = partition.parse().expect("a number");
            let register: udf_nats::partition::Register =
                serde_json::from_slice(&value).expect("a register");
            for line in register.poison {
                self.blamed.insert((partition, line.seq, line.line));
            }
        }
        self.revision += 1;
        self.keys.insert(key.to_owned(), Entry { revision: self.revision, value });
        Ok(self.revision)
    }

    pub(crate) fn delete(&mut self, key: &str) {
        self.revision += 1;
        self.keys.remove(key);
    }

    /// Returns the text of an output.
    pub(crate) fn text(&self, partition: u32) -> String {
        let messages = self.outputs.get(&partition).into_iter().flatten();
        let payloads: Vec<_> = messages.map(|message| &message.payload[..]).collect();
        String::from_utf8(payloads.concat()).expect("lines are text")
    }
}
