//! The begin and the end of a batch, as Rust types.

use std::collections::BTreeMap;

use prost::encoding::{bool, btree_map, int64, string};

use crate::messages;

/// The begin of a batch. Its points follow, up to the next [`EndBatch`].
///
/// Kapacitor puts a batch of a UDF into the group of its tags: it ignores `group`, and computes the
/// group from `name`, `tags` and `by_name`.
///
/// ```
/// use udf_proto::BeginBatch;
///
/// let tags = [("host".to_owned(), "a".to_owned())].into();
/// let begin = BeginBatch { name: "cpu".to_owned(), tags, ..BeginBatch::default() };
/// assert_eq!(begin.tags["host"], "a");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BeginBatch {
    /// The name of the measurement.
    pub name: String,
    /// The group: the tags as `tag=value,tag=value`, and the name before them if
    /// [`by_name`](Self::by_name) is true. Empty if the data is not grouped.
    pub group: String,
    /// The tags that the batch is grouped by. All its points share them.
    pub tags: BTreeMap<String, String>,
    /// The expected number of points. A hint; 0 if the number is unknown.
    pub size: i64,
    /// Whether the name of the measurement is part of the group.
    pub by_name: bool,
}

/// The end of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EndBatch {
    /// The name of the measurement.
    pub name: String,
    /// The group, as in [`BeginBatch::group`].
    pub group: String,
    /// The time of the batch, in nanoseconds since the epoch. No point of the batch is later.
    pub tmax: i64,
    /// The tags that the batch is grouped by. All its points share them.
    pub tags: BTreeMap<String, String>,
    /// Always false in a batch from Kapacitor, which sets only [`BeginBatch::by_name`] and reads no
    /// other. To know whether the name is part of the group, keep the begin.
    pub by_name: bool,
}

impl From<messages::BeginBatch> for BeginBatch {
    fn from(message: messages::BeginBatch) -> Self {
        let messages::BeginBatch { name, group, tags, size, by_name } = message;
        BeginBatch { name, group, tags, size, by_name }
    }
}

impl From<BeginBatch> for messages::BeginBatch {
    fn from(begin: BeginBatch) -> Self {
        let BeginBatch { name, group, tags, size, by_name } = begin;
        messages::BeginBatch { name, group, tags, size, by_name }
    }
}

impl From<messages::EndBatch> for EndBatch {
    fn from(message: messages::EndBatch) -> Self {
        let messages::EndBatch { name, group, tmax, tags, by_name } = message;
        EndBatch { name, group, tmax, tags, by_name }
    }
}

impl From<EndBatch> for messages::EndBatch {
    fn from(end: EndBatch) -> Self {
        let EndBatch { name, group, tmax, tags, by_name } = end;
        messages::EndBatch { name, group, tmax, tags, by_name }
    }
}

/// Returns the length of [`encode_begin`]'s output.
pub(crate) fn begin_len(begin: &BeginBatch) -> usize {
    text_len(1, &begin.name)
        + text_len(2, &begin.group)
        + tags_len(3, &begin.tags)
        + flag_len(5, begin.by_name)
}

/// Appends the members of a BeginBatch except its size.
pub(crate) fn encode_begin(begin: &BeginBatch, out: &mut Vec<u8>) {
    text(1, &begin.name, out);
    text(2, &begin.group, out);
    tags(3, &begin.tags, out);
    flag(5, begin.by_name, out);
}

/// Returns the length of [`encode_end`]'s output.
pub(crate) fn end_len(end: &EndBatch) -> usize {
    let tmax = if end.tmax == 0 { 0 } else { int64::encoded_len(3, &end.tmax) };
    text_len(1, &end.name)
        + text_len(2, &end.group)
        + tmax
        + tags_len(4, &end.tags)
        + flag_len(5, end.by_name)
}

/// Appends the members of an EndBatch.
pub(crate) fn encode_end(end: &EndBatch, out: &mut Vec<u8>) {
    text(1, &end.name, out);
    text(2, &end.group, out);
    if end.tmax != 0 {
        int64::encode(3, &end.tmax, out);
    }
    tags(4, &end.tags, out);
    flag(5, end.by_name, out);
}

// As in every encoder of proto3, a member with its default value is left out.

fn text_len(member: u32, text: &String) -> usize {
    if text.is_empty() { 0 } else { string::encoded_len(member, text) }
}

fn text(member: u32, text: &String, out: &mut Vec<u8>) {
    if !text.is_empty() {
        string::encode(member, text, out);
    }
}

fn flag_len(member: u32, flag: bool) -> usize {
    if flag { bool::encoded_len(member, &flag) } else { 0 }
}

fn flag(member: u32, flag: bool, out: &mut Vec<u8>) {
    if flag {
        bool::encode(member, &flag, out);
    }
}

fn tags_len(member: u32, tags: &BTreeMap<String, String>) -> usize {
    btree_map::encoded_len(string::encoded_len, string::encoded_len, member, tags)
}

fn tags(member: u32, tags: &BTreeMap<String, String>, out: &mut Vec<u8>) {
    btree_map::encode(
        string::encode,
        string::encoded_len,
        string::encode,
        string::encoded_len,
        member,
        tags,
        out,
    );
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn tags(count: usize) -> BTreeMap<String, String> {
        (0..count).map(|at| (format!("tag{at}"), "v".repeat(at * 60))).collect()
    }

    #[test]
    fn begins_and_ends_are_encoded_as_prost_encodes_them() {
        for (text, count, by_name) in [("", 0, false), ("cpu", 1, true), ("host=a", 4, false)] {
            let (name, group) = (text.to_owned(), text.repeat(50));
            let begin = BeginBatch { name, group, tags: tags(count), size: 0, by_name };
            let mut encoded = Vec::new();
            encode_begin(&begin, &mut encoded);
            assert_eq!(encoded.len(), begin_len(&begin));
            assert_eq!(encoded, messages::BeginBatch::from(begin.clone()).encode_to_vec());
            for tmax in [0, 7, -1] {
                let BeginBatch { name, group, tags, by_name, .. } = begin.clone();
                let end = EndBatch { name, group, tmax, tags, by_name };
                let mut encoded = Vec::new();
                encode_end(&end, &mut encoded);
                assert_eq!(encoded.len(), end_len(&end));
                assert_eq!(encoded, messages::EndBatch::from(end).encode_to_vec());
            }
        }
    }
}
