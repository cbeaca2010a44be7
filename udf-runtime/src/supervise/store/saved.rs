//! The content of a checkpoint file.
//!
//! | bytes | content |
//! | --- | --- |
//! | 8 | `UDFSTATE` |
//! | 4 | the version of the format |
//! | 4 | the CRC-32 of all bytes behind it |
//! | 2 times 13 | the hashes of [`Given`]: 1 or 0 for none, the CRC-32, 8 bytes of length |
//! | 4, 4, 8 | the lengths of task, node and snapshot |
//! | | task, node and snapshot |
//!
//! Numbers are little-endian.

use crc32fast::Hasher;
use udf_host::whole_file::Unfit;

const MAGIC: [u8; 8] = *b"UDFSTATE";

const VERSION: u32 = 1;

/// The length of a file without its task, node and snapshot.
pub(super) const FIXED: usize = 8 + 4 + 4 + 2 * 13 + 4 + 4 + 8;

/// Identifies a snapshot, in every process and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hash {
    crc: u32,
    length: u64,
}

impl Hash {
    fn of(snapshot: &[u8]) -> Self {
        Hash { crc: crc32fast::hash(snapshot), length: snapshot.len() as u64 }
    }
}

/// The snapshots that Kapacitor may restore when the task starts again.
///
/// Two snapshots are remembered, because Kapacitor may fail after it has received a snapshot and
/// before it has stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    last: Option<Hash>,
    before: Option<Hash>,
}

impl Given {
    /// Begins with the snapshot that Kapacitor restored, if it did.
    pub(crate) fn new(restored: Option<&[u8]>) -> Self {
        let last = restored.map(Hash::of);
        Given { last, before: last }
    }

    /// Adds a snapshot that Kapacitor has requested.
    pub(crate) fn add(&mut self, snapshot: &[u8]) {
        self.before = self.last.replace(Hash::of(snapshot));
    }

    /// Returns whether Kapacitor restores one of these snapshots, or none before its first.
    fn has(&self, restored: Option<&[u8]>) -> bool {
        let restored = restored.map(Hash::of);
        // None does not count as a snapshot before the last: a task that was deleted and created
        // again has none.
        restored == self.last || restored.is_some() && restored == self.before
    }
}

/// A checkpoint from the state directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) snapshot: Vec<u8>,
    given: Given,
}

impl Saved {
    /// Returns whether this checkpoint replaces the snapshot that Kapacitor restores, or none.
    ///
    /// That is so if Kapacitor restores the snapshot that it received last. The checkpoint is then
    /// later in the same history. Any other snapshot, such as one from a backup, belongs to another
    /// history, and wins.
    pub(crate) fn wins(&self, restored: Option<&[u8]>) -> bool {
        self.given.has(restored)
    }
}

/// Why a file is not a checkpoint of a task and node.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("it is not a checkpoint")]
    NotACheckpoint,
    #[error("its format has version {0}, and this program reads version {VERSION}")]
    Version(u32),
    #[error("it is cut or damaged")]
    Damaged,
    #[error("it is the checkpoint of node {node:?} of task {task:?}")]
    Another { task: String, node: String },
}

/// Returns the bytes of a file that stand before the snapshot.
pub(super) fn head(task: &str, node: &str, given: Given, snapshot: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(FIXED + task.len() + node.len());
    for hash in [given.last, given.before] {
        let Hash { crc, length } = hash.unwrap_or(Hash { crc: 0, length: 0 });
        body.push(u8::from(hash.is_some()));
        body.extend(crc.to_le_bytes());
        body.extend(length.to_le_bytes());
    }
    // A name has at most 255 bytes, as part of the name of the file.
    body.extend((task.len() as u32).to_le_bytes());
    body.extend((node.len() as u32).to_le_bytes());
    body.extend((snapshot.len() as u64).to_le_bytes());
    body.extend(task.as_bytes());
    body.extend(node.as_bytes());
    let mut crc = Hasher::new();
    crc.update(&body);
    crc.update(snapshot);
    [&MAGIC[..], &VERSION.to_le_bytes(), &crc.finalize().to_le_bytes(), &body].concat()
}

/// Decodes the checkpoint of a task and node.
pub(super) fn decode(mut file: Vec<u8>, task: &str, node: &str) -> Result<Saved, Unusable> {
    let rest = &mut file.strip_prefix(&MAGIC).ok_or(Unusable::NotACheckpoint)?;
    let version = take(rest).map(u32::from_le_bytes).ok_or(Unusable::Damaged)?;
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    let (given, [its_task, its_node], snapshot) = body(rest).ok_or(Unusable::Damaged)?;
    if (its_task, its_node) != (task.as_bytes(), node.as_bytes()) {
        let [task, node] = [its_task, its_node].map(|name| String::from_utf8_lossy(name).into());
        return Err(Unusable::Another { task, node });
    }
    let length = snapshot.len();
    file.drain(..file.len() - length);
    Ok(Saved { snapshot: file, given })
}

type Body<'a> = (Given, [&'a [u8]; 2], &'a [u8]);

fn body<'a>(rest: &mut &'a [u8]) -> Option<Body<'a>> {
    let crc = take(rest).map(u32::from_le_bytes)?;
    if crc32fast::hash(rest) != crc {
        return None;
    }
    let given = Given { last: take_hash(rest)?, before: take_hash(rest)? };
    let task = u32::from_le_bytes(take(rest)?) as usize;
    let node = u32::from_le_bytes(take(rest)?) as usize;
    let snapshot = u64::from_le_bytes(take(rest)?);
    let task = rest.split_off(..task)?;
    let node = rest.split_off(..node)?;
    (rest.len() as u64 == snapshot).then_some((given, [task, node], *rest))
}

fn take_hash(rest: &mut &[u8]) -> Option<Option<Hash>> {
    let [is_some] = take(rest)?;
    let (crc, length) = (u32::from_le_bytes(take(rest)?), u64::from_le_bytes(take(rest)?));
    Some((is_some == 1).then_some(Hash { crc, length }))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}
