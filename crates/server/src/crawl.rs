//! The search for expired items, as far as clients order it and see it: memcached's crawler.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::Thread;

use larder_store::Seconds;
use parking_lot::Mutex;

/// Who walks over the items, and why.
#[derive(Debug, Default)]
pub(crate) struct Crawl {
    dump: Mutex<Dump>,
    is_wanted: AtomicBool,
    /// The thread that looks for expired items, while the server runs.
    sweeper: Mutex<Option<Thread>>,
    /// Searches and dumps that clients began, since the start.
    starts: AtomicU64,
    /// Dumps that lost their turn.
    overtaken: AtomicU64,
}

/// Whose turn it is to list the keys.
#[derive(Debug, Default)]
struct Dump {
    holder: Option<TurnId>,
    /// When its reader last made room for more.
    moved_at: Seconds,
    last: TurnId,
}

/// One dump's turn; no two have the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TurnId(u64);

impl Crawl {
    /// Takes the one place for a dump of keys; none if somebody has it. Whoever has not read any of it for
    /// [`DUMP_PAUSE_MAX`] seconds loses it, and goes on without: a dead reader must not keep all others from theirs.
    pub(crate) fn take_turn(&self, now: Seconds) -> Option<TurnId> {
        let mut dump = self.dump.lock();
        if dump.holder.is_some() {
            if now.since(dump.moved_at) < DUMP_PAUSE_MAX {
                return None;
            }
            self.overtaken.fetch_add(1, Relaxed);
        }
        let turn = TurnId(dump.last.0 + 1);
        *dump = Dump { holder: Some(turn), moved_at: now, last: turn };
        self.starts.fetch_add(1, Relaxed);
        Some(turn)
    }

    /// A reader has made room for more.
    pub(crate) fn note_move(&self, turn: TurnId, now: Seconds) {
        let mut dump = self.dump.lock();
        if dump.holder == Some(turn) {
            dump.moved_at = now;
        }
    }

    pub(crate) fn give_back(&self, turn: TurnId) {
        let mut dump = self.dump.lock();
        if dump.holder == Some(turn) {
            dump.holder = None;
        }
    }

    /// Whether a client's walk is on its way.
    pub(crate) fn is_running(&self) -> bool {
        self.dump.lock().holder.is_some() || self.is_wanted.load(Relaxed)
    }

    pub(crate) fn overtaken(&self) -> u64 {
        self.overtaken.load(Relaxed)
    }

    /// Begins a search for expired items, unless one is about to begin.
    pub(crate) fn want(&self) {
        self.starts.fetch_add(1, Relaxed);
        self.is_wanted.store(true, Relaxed);
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
        self.overtaken.store(0, Relaxed);
    }
}

/// How long a dump keeps its turn while its reader reads none of it, in seconds.
const DUMP_PAUSE_MAX: u32 = 30;
