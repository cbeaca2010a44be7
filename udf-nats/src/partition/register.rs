//! The stored state of a partition: one key, which is moved by compare-and-set.
//!
//! The key `snapshot.<p>` holds a [`Register`]. The state itself is in parts, in keys
//! `part.<p>.<base>-<worker>-<n>.<i>`. `base` is the revision of the register that the snapshot
//! replaces. A writer stores the parts, moves the register, and deletes the parts of the snapshot
//! before.
//!
//! The register moves only from its base. So parts with an older base that the register does not
//! name are never needed again, and [`Store::sweep`] deletes them, even if this worker was paused
//! between two steps.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::error::{PartitionError, Stop};
use super::event::Refused;
use super::put::put;
use super::{Context, Settings};
use crate::log::{Clock, Log, LogError, PutError};

/// The value of the key `snapshot.<p>`, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Register {
    /// The state is that behind this input sequence. All output up to it is in the log.
    pub seq: u64,
    /// The number of lines that belong to the input up to `seq`, since its beginning.
    pub lines: u64,
    /// The state. `None` if none was stored.
    pub state: Option<State>,
    /// The sequence of the last output message when the register was written. 0 without one.
    pub output: u64,
    /// When the register was written, in nanoseconds since the epoch.
    pub time: i64,
    /// The worker that has written it.
    pub worker: String,
    /// The name of the UDF.
    pub udf: String,
    /// The grouping.
    pub grouping: String,
    /// The version of `poison`. It grows with each change.
    pub version: u64,
    /// The lines behind `seq` that are left out.
    pub poison: Vec<PoisonLine>,
    /// The number of lines that were left out since the UDF has handled a line.
    #[serde(default)]
    pub poison_in_a_row: u32,
}

/// A state in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The middle of the keys of the parts: `<base>-<worker>-<n>`.
    pub id: String,
    /// The number of parts.
    pub parts: u32,
    /// The length in bytes.
    pub bytes: u64,
    /// The CRC-32 of all bytes.
    pub crc: u32,
}

/// A line that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonLine {
    /// The sequence of the message.
    pub seq: u64,
    /// The number of the line in the message, counted from 0.
    pub line: u32,
    /// The version of the register that has added the line.
    pub version: u64,
}

/// Returns the key of the register of a partition.
pub fn register_key(partition: u32) -> String {
    format!("snapshot.{partition}")
}

fn parts_prefix(partition: u32) -> String {
    format!("part.{partition}.")
}

fn part_key(partition: u32, id: &str, part: u32) -> String {
    format!("part.{partition}.{id}.{part}")
}

/// Reads and writes the register of one partition.
#[derive(Debug)]
pub(super) struct Store<'a, L, C> {
    pub(super) context: Context<'a, L, C>,
    pub(super) settings: &'a Settings,
}

/// A register with its revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) register: Register,
    /// 0 if the key has no value.
    pub(super) revision: u64,
}

impl<L: Log, C: Clock> Store<'_, L, C> {
    /// Reads the register and its state.
    pub(super) async fn load(&self) -> Result<(Stored, Option<Bytes>), Stop> {
        let mut missing = None;
        loop {
            let stored = self.register().await?;
            let Some(state) = &stored.register.state else { return Ok((stored, None)) };
            match self.state(state).await? {
                Ok(bytes) => return Ok((stored, Some(bytes))),
                // The worker that has moved the register meanwhile deletes the parts.
                Err(why) if missing == Some(stored.revision) => return Err(self.damaged(why)),
                Err(_) => missing = Some(stored.revision),
            }
        }
    }

    pub(super) async fn register(&self) -> Result<Stored, Stop> {
        let key = register_key(self.settings.partition);
        let entry = self.context.retry("read the state", || self.context.log.get(&key)).await?;
        let Some(entry) = entry else { return Ok(Stored::default()) };
        let register = serde_json::from_slice::<Register>(&entry.value)
            .map_err(|error| self.damaged(error.to_string()))?;
        let identity = |udf: &str, grouping: &str| format!("`{udf}`, grouped by {grouping}");
        let settings = self.settings;
        if (&register.udf, &register.grouping) != (&settings.udf, &settings.grouping) {
            return Err(Stop::GiveUp(PartitionError::OtherState {
                stored: identity(&register.udf, &register.grouping),
                ours: identity(&settings.udf, &settings.grouping),
            }));
        }
        Ok(Stored { register, revision: entry.revision })
    }

    /// Reads the parts of a state. The inner error says what is wrong with them.
    async fn state(&self, state: &State) -> Result<Result<Bytes, String>, Stop> {
        let mut bytes = Vec::new();
        for part in 0..state.parts {
            let key = part_key(self.settings.partition, &state.id, part);
            match self.context.retry("read the state", || self.context.log.get(&key)).await? {
                Some(entry) if state.parts == 1 && is_whole(state, &entry.value) => {
                    return Ok(Ok(entry.value));
                }
                Some(entry) => bytes.extend_from_slice(&entry.value),
                None => return Ok(Err(format!("its part `{key}` is missing"))),
            }
        }
        Ok(if is_whole(state, &bytes) {
            Ok(bytes.into())
        } else {
            Err("its length or its checksum is wrong".to_owned())
        })
    }

    fn damaged(&self, why: String) -> Stop {
        let key = register_key(self.settings.partition);
        Stop::GiveUp(PartitionError::Damaged(why, key))
    }

    /// Stores a snapshot: `register` with a new state, or with the one that it has. `base` is the
    /// register that it replaces.
    pub(super) async fn save(
        self,
        base: Stored,
        mut register: Register,
        state: Option<Bytes>,
    ) -> Result<Stored, Stop> {
        let (Context { log, snapshots, .. }, settings) = (self.context, self.settings);
        if let Some(state) = state {
            let limit = log.max_payload().max(1);
            let parts = state.len().div_ceil(limit).max(1);
            let number = snapshots.get();
            snapshots.set(number + 1);
            let id = format!("{}-{}-{number}", base.revision, settings.worker);
            for part in 0..parts {
                let key = part_key(settings.partition, &id, part as u32);
                let bytes = state.slice(part * limit..state.len().min((part + 1) * limit));
                self.put_part(&key, bytes).await?;
            }
            let (bytes, crc) = (state.len() as u64, crc32fast::hash(&state));
            register.state = Some(State { id, parts: parts as u32, bytes, crc });
        }
        let old = base.register.state.clone();
        let stored = self.move_to(base.revision, register).await?;
        if let Some(old) = old.filter(|old| stored.register.state.as_ref() != Some(old)) {
            for part in 0..old.parts {
                // A part that stays is deleted at the next start.
                let _ = log.delete(&part_key(settings.partition, &old.id, part)).await;
            }
        }
        Ok(stored)
    }

    async fn put_part(&self, key: &str, value: Bytes) -> Result<(), Stop> {
        let put = || async {
            match self.context.log.put(key, value.clone(), 0).await {
                // No other writer has this key: an earlier attempt has stored it.
                Ok(_) | Err(PutError::Conflict) => Ok(()),
                Err(PutError::InDoubt(why)) => Err(LogError::Unavailable(why)),
                Err(PutError::Fatal(why)) => Err(LogError::Fatal(why)),
            }
        };
        self.context.retry("store the state", put).await
    }

    /// Moves the register behind the fence of its revision.
    pub(super) async fn move_to(
        &self,
        expected: u64,
        mut register: Register,
    ) -> Result<Stored, Stop> {
        let settings = self.settings;
        register.time = self.context.clock.now();
        (register.worker, register.udf) = (settings.worker.clone(), settings.udf.clone());
        register.grouping = settings.grouping.clone();
        let value = Bytes::from(serde_json::to_vec(&register).expect("it has no map"));
        let key = register_key(settings.partition);
        match put(self.context, "store the state", &key, value, expected).await? {
            Some(revision) => Ok(Stored { register, revision }),
            None => Err(Stop::Fenced(Refused::State)),
        }
    }

    /// Deletes parts that no register names, as far as they are older than the register.
    pub(super) async fn sweep(&self, stored: &Stored) -> Result<(), Stop> {
        let (log, settings) = (self.context.log, self.settings);
        let prefix = parts_prefix(settings.partition);
        let keys = self.context.retry("list the parts of states", || log.keys(&prefix)).await?;
        let used = stored.register.state.as_ref().map(|state| format!("{prefix}{}.", state.id));
        for key in keys {
            let base = key[prefix.len()..].split('-').next().and_then(|base| base.parse().ok());
            let is_used = used.as_ref().is_some_and(|used| key.starts_with(used));
            if !is_used && base.is_some_and(|base: u64| base < stored.revision) {
                let _ = log.delete(&key).await;
            }
        }
        Ok(())
    }
}

fn is_whole(state: &State, bytes: &[u8]) -> bool {
    bytes.len() as u64 == state.bytes && crc32fast::hash(bytes) == state.crc
}
