//! The search for expired items, as far as clients order it and see it: memcached's crawler.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::Thread;

use parking_lot::Mutex;

/// Who walks over the items, and why.
#[derive(Debug, Default)]
pub(crate) struct Crawl {
    /// Somebody lists the keys.
    is_taken: AtomicBool,
    is_wanted: AtomicBool,
    /// The thread that looks for expired items, while the server runs.
    sweeper: Mutex<Option<Thread>>,
    /// Searches that clients began, since the start.
    starts: AtomicU64,
}

impl Crawl {
    /// Takes the one place for a walk that a client asked for; false if somebody has it.
    pub(crate) fn take_turn(&self) -> bool {
        let was_taken = self.is_taken.swap(true, Acquire);
        if !was_taken {
            self.starts.fetch_add(1, Relaxed);
        }
        !was_taken
    }

    pub(crate) fn give_turn_back(&self) {
        self.is_taken.store(false, Release);
    }

    /// Whether a client's walk is on its way.
    pub(crate) fn is_running(&self) -> bool {
        self.is_taken.load(Relaxed) || self.is_wanted.load(Relaxed)
    }

    /// Begins a search for expired items, unless one is about to begin.
    pub(crate) fn want(&self) {
        self.starts.fetch_add(1, Relaxed);
        self.is_wanted.store(true, Release);
        if let Some(sweeper) = &*self.sweeper.lock() {
            sweeper.unpark();
        }
    }

    /// Says which thread does it.
    pub(crate) fn set_sweeper(&self, sweeper: Thread) {
        *self.sweeper.lock() = Some(sweeper);
    }

    /// A search has come to its end; what was wanted before it began is done.
    pub(crate) fn note_end(&self) {
        self.is_wanted.store(false, Relaxed);
    }

    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Relaxed)
    }

    /// Begins counting anew.
    pub(crate) fn reset(&self) {
        self.starts.store(0, Relaxed);
    }
}
