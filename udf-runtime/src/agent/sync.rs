//! The synchronization types of the standard library.
//!
//! Modules that share state import the types from here. The package `model` compiles the same
//! modules with the types of a model checker, which tries every interleaving of their threads.

use std::sync::PoisonError;

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread;
pub(crate) use std::time::Instant;

/// Locks a mutex and ignores poisoning. Our locks guard state that is consistent at every point
/// where code can panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
