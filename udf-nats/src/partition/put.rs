//! Sets a key behind the fence of its revision.

use bytes::Bytes;

use super::context::Context;
use super::error::Stop;
use crate::log::{Clock, Log, LogError, PutError};

/// Sets `key` if its revision is `expected`. Returns its new revision, or none if another worker was
/// faster. No two writers may put the same value.
pub(crate) async fn put<L: Log, C: Clock>(
    context: Context<'_, L, C>,
    what: &'static str,
    key: &str,
    value: Bytes,
    expected: u64,
) -> Result<Option<u64>, Stop> {
    let log = context.log;
    let attempt = || async {
        let why = match log.put(key, value.clone(), expected).await {
            Ok(revision) => return Ok(Some(revision)),
            Err(PutError::Fatal(why)) => return Err(LogError::Fatal(why)),
            Err(PutError::Conflict) => None,
            Err(PutError::InDoubt(why)) => Some(why),
        };
        // An attempt whose answer was lost may have stored it.
        match (log.get(key).await?, why) {
            (Some(entry), _) if entry.value == value => Ok(Some(entry.revision)),
            (entry, Some(why)) if entry.as_ref().map_or(0, |entry| entry.revision) == expected => {
                Err(LogError::Unavailable(why))
            }
            _ => Ok(None),
        }
    };
    context.retry(what, attempt).await
}
