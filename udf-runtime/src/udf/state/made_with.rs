//! The options that give a `#[state]` field its meaning. A snapshot has them beside the field.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::{StateReader, StateWriter};
use crate::agent::error::{self, Result};

/// The longest value in a warning in bytes.
const LONGEST: usize = 100;

/// Adds the values of the options to a snapshot.
///
/// # Errors
/// Returns an error if the names cannot be serialized.
pub fn save_options(
    name: &'static str,
    options: &[(&str, &dyn Debug)],
    state: &mut StateWriter,
) -> Result<()> {
    let texts = options.iter().map(|(option, value)| (*option, format!("{value:?}")));
    state.field(name, &texts.collect::<BTreeMap<_, _>>())
}

/// Returns whether the snapshot's `field` was made with these options. If not, notes a warning, and
/// counts the field as read.
///
/// An option that the snapshot does not have fits: its author has added it to `made_with` since.
///
/// # Errors
/// Returns an error if the saved options cannot be deserialized.
pub fn is_made_with(
    field: &'static str,
    name: &'static str,
    options: &[(&str, &dyn Debug)],
    state: &mut StateReader<'_>,
) -> Result<bool> {
    let saved: BTreeMap<String, String> = state.field(name)?.unwrap_or_default();
    let changes = options.iter().filter_map(|(option, value)| {
        let (was, is) = (saved.get(*option)?, format!("{value:?}"));
        let cut = |text: &str| error::cut(text.to_owned(), LONGEST);
        (*was != is).then(|| format!("`{option}` was {} and is {}", cut(was), cut(&is)))
    });
    let changes: Vec<_> = changes.collect();
    if changes.is_empty() {
        return Ok(true);
    }
    let changes = error::cut(changes.join(", "), error::MAX_TEXT / 2);
    state.skip(
        field,
        format!("the state `{field}` begins anew, because options have changed: {changes}"),
    );
    Ok(false)
}
