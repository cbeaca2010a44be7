//! What threads share and wait by: what the standard library has.
//!
//! Modules that share something take it from here. The package `model` compiles the same modules with a model
//! checker's types in its place, and tries every order in which their threads can run.

use std::sync::PoisonError;

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread;
pub(crate) use std::time::Instant;

/// Locks, whether or not somebody has panicked meanwhile: what is behind our locks is always whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
