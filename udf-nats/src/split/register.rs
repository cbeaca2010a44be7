//! How far all partitions go, in one key.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::log::{Clock, Log};
use crate::partition::context::Context;
use crate::partition::error::Stop;
use crate::partition::put::put;
use crate::partition::{PartitionError, Refused};

/// The key of the [`Register`].
pub const REGISTER_KEY: &str = "split";

/// The value of the key `split`, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Register {
    /// All lines of the raw input up to this sequence are in their partitions.
    pub seq: u64,
    /// The number of lines of each partition up to `seq`, since the beginning.
    pub lines: Vec<u64>,
    /// When the register was written, in nanoseconds since the epoch.
    pub time: i64,
    /// The worker that has written it.
    pub worker: String,
    /// The grouping.
    pub grouping: String,
}

/// A register with its revision, which is 0 if the key has no value.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) register: Register,
    pub(super) revision: u64,
}

/// Reads the register.
pub(super) async fn load<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    settings: &Settings,
) -> Result<Stored, Stop> {
    let get = || context.log.get(REGISTER_KEY);
    let count = settings.partitions as usize;
    let Some(entry) = context.retry("read the position", get).await? else {
        let register = Register { lines: vec![0; count], ..Register::default() };
        return Ok(Stored { register, revision: 0 });
    };
    let damaged = |why: String| PartitionError::Damaged(why, REGISTER_KEY.to_owned());
    let register: Register =
        serde_json::from_slice(&entry.value).map_err(|error| damaged(error.to_string()))?;
    let identity = |count: usize, grouping: &str| format!("{count} partitions by {grouping}");
    let stored = identity(register.lines.len(), &register.grouping);
    let ours = identity(count, &settings.grouping.to_string());
    if stored != ours {
        return Err(PartitionError::OtherState { stored, ours }.into());
    }
    Ok(Stored { register, revision: entry.revision })
}

/// Moves the register, if no other worker has moved it.
pub(super) async fn save<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    settings: &Settings,
    expected: u64,
    mut register: Register,
) -> Result<Stored, Stop> {
    register.time = context.clock.now();
    (register.worker, register.grouping) = (settings.worker.clone(), settings.grouping.to_string());
    let value = Bytes::from(serde_json::to_vec(&register).expect("it has no map"));
    match put(context, "store the position", REGISTER_KEY, value, expected).await? {
        Some(revision) => Ok(Stored { register, revision }),
        None => Err(Stop::Fenced(Refused::State)),
    }
}
