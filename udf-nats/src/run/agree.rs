//! What all splitters and workers of a UDF agree on.

use udf_text::line_protocol::Grouping;

use crate::log::PutError;
use crate::nats::{CONFIG, Groups, Names, Session};
use crate::setup::{SetupError, stored};

/// Returns the names of a UDF. The first splitter or worker stores the grouping, and the others must
/// have the same one.
///
/// # Errors
/// If there is no such UDF on the server, or its grouping is another one.
pub async fn agree(
    session: &Session,
    name: &str,
    grouping: &Grouping,
) -> Result<Names, SetupError> {
    let groups = Groups::of(grouping);
    loop {
        let Some(mut names) = stored(session, name).await? else {
            return Err(SetupError::Server(format!(
                "`{name}` is not set up on this server; run `udf nats setup --name {name} ...` first"
            )));
        };
        match &names.grouping {
            Some(present) if *present == groups => return Ok(names),
            Some(present) => {
                return Err(SetupError::Server(format!(
                    "`{name}` groups with {present}, not with {groups}: all splitters and workers of a name must group in \
                     the same way; use the same arguments, or set up another name"
                )));
            }
            None => {}
        }
        let revision = session.get(name, CONFIG).await?.map_or(0, |entry| entry.revision);
        names.grouping = Some(groups.clone());
        let text = serde_json::to_vec(&names).map_err(|e| SetupError::Server(e.to_string()))?;
        match session.put(name, CONFIG, text.into(), revision).await {
            Ok(_) => return Ok(names),
            // Another process has stored its own one.
            Err(PutError::Conflict) => {}
            Err(error) => return Err(SetupError::Server(error.to_string())),
        }
    }
}
