//! The latest values of each group.

use std::collections::VecDeque;

use udf_runtime::Result;
use udf_runtime::state::Groups;

/// Refuses a task that waits for more points than it keeps.
pub(crate) fn check(min_points: usize, size: usize) -> Result<()> {
    if min_points <= size {
        return Ok(());
    }
    Err(format!(
        "`.minPoints({min_points})` is more than `.size({size})`, so that no point would be sent; \
         write at most `.minPoints({size})`"
    )
    .into())
}

/// Adds the newest value at the end. Drops the oldest value if there are `size` values.
pub(crate) fn push<T>(values: &mut VecDeque<T>, value: T, size: usize) {
    if values.len() >= size {
        values.pop_front();
    }
    values.push_back(value);
}

/// Drops the oldest values of restored groups that have more than `size`.
pub(crate) fn fit<T>(groups: &mut Groups<VecDeque<T>>, size: usize) {
    for (_, values) in groups.iter_mut() {
        values.drain(..values.len().saturating_sub(size));
        values.shrink_to(size);
    }
}
