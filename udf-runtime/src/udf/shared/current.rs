//! Data that a reload replaces.

use std::sync::{Arc, PoisonError, RwLock};

/// Holds the current version of data that a reload replaces at once.
///
/// ```
/// use udf_runtime::shared::Current;
///
/// let names = Current::new(vec!["a"]);
/// let before = names.get();
/// names.set(vec!["a", "b"]);
/// assert_eq!((before.len(), names.get().len()), (1, 2));
/// ```
#[derive(Debug, Default)]
pub struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    /// Holds the first version.
    pub fn new(value: T) -> Self {
        Current(RwLock::new(Arc::new(value)))
    }

    /// Returns the current version. It stays unchanged as long as you hold it.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the current version.
    pub fn set(&self, value: T) {
        let value = Arc::new(value);
        let before = {
            let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, value)
        };
        // Drop the old version after the lock is released, because the drop may take long.
        drop(before);
    }
}
