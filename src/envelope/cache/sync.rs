//! The synchronization that the cache is built on, in one place: a test replaces it by a model
//! checker's.

pub(super) use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

pub(super) use arc_swap::ArcSwapOption;

/// Locks without regard to a panic elsewhere: every critical section leaves its data consistent.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
