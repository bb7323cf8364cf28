//! Locks of plain data.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic elsewhere leaves what it held usable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
