//! The lock of a shard. With the feature `hold-times`, how long each place in the code held it is recorded.

use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};

#[cfg(feature = "hold-times")]
pub(crate) use crate::hold_times::{Hold, Watch};

/// What one thread at a time may see.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    guarded: Mutex<T>,
    watch: Watch,
}

impl<T> Lock<T> {
    /// A lock that records with this watch; all locks of a store share one.
    pub(crate) fn new(guarded: T, watch: &Watch) -> Self {
        Self { guarded: Mutex::new(guarded), watch: watch.clone() }
    }

    /// Waits until nobody else holds it.
    #[inline]
    #[cfg_attr(feature = "hold-times", track_caller)]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        let guarded = self.guarded.lock();
        Guard { hold: self.watch.begin(), guarded }
    }
}

/// The lock is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Guard<'a, T> {
    // Dropped in this order: what was measured is recorded when the lock is free again.
    guarded: MutexGuard<'a, T>,
    hold: Hold<'a>,
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.hold.end();
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.guarded
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guarded
    }
}

/// Records nothing.
#[cfg(not(feature = "hold-times"))]
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(());

#[cfg(not(feature = "hold-times"))]
impl Watch {
    #[inline]
    fn begin(&self) -> Hold<'_> {
        Hold(std::marker::PhantomData)
    }

    /// Memory that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        0
    }
}

#[cfg(not(feature = "hold-times"))]
#[derive(Debug)]
struct Hold<'a>(std::marker::PhantomData<&'a Watch>);

#[cfg(not(feature = "hold-times"))]
impl Hold<'_> {
    #[inline]
    fn end(&self) {}
}
