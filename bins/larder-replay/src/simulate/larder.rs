//! The real store as a cache under test: the keys and values that a server would store, without the server.

use larder_store::{Condition, Config, Draft, Policy, Refusal, Seconds, Store};

use super::cache::{Cache, Holdings};
use crate::Access;
use crate::trace::KEY_LEN_MAX;

/// A store with its work buffers.
#[derive(Debug)]
pub(super) struct Larder {
    store: Store,
    key: Vec<u8>,
    /// What values are filled with.
    bytes: Box<[u8]>,
    refused: u64,
}

impl Larder {
    /// A store with this limit. What it does follows from the trace alone: its hash has a fixed seed.
    pub(super) fn new(limit: u64, policy: Policy) -> Self {
        let store = Store::new(Config { seed: Some(SEED), policy, ..Config::new(limit) });
        let key = Vec::with_capacity(KEY_LEN_MAX.into());
        Self { store, key, bytes: vec![b'v'; PUSHED].into_boxed_slice(), refused: 0 }
    }

    /// The sweeps of a second in which nobody asks for anything.
    pub(super) fn sweep(&mut self, now: u32) {
        (0..IDLE_TICKS).for_each(|_| self.tick(now));
    }

    fn render(&mut self, access: &Access) {
        self.key.clear();
        access.push_key(&mut self.key);
    }

    fn store(&self, access: &Access, now: Seconds, expires: Option<u32>) -> Result<(), Refusal> {
        let value_len = usize::try_from(access.value_len).map_err(|_| Refusal::TooLarge)?;
        let mut draft = self.store.draft(&self.key, 0, expires.map(Seconds), value_len, now)?;
        self.fill(&mut draft, value_len)?;
        self.store.commit(draft, Condition::Set, now)?;
        Ok(())
    }

    /// The value's bytes and its line end.
    fn fill(&self, draft: &mut Draft, value_len: usize) -> Result<(), Refusal> {
        let mut missing = value_len;
        while missing > 0 {
            let pushed = draft.push(&self.bytes[..missing.min(PUSHED)])?;
            missing -= pushed.min(missing);
        }
        draft.push(b"\r\n")?;
        Ok(())
    }
}

impl Cache for Larder {
    fn get(&mut self, access: &Access, now: u32) -> bool {
        self.render(access);
        self.store.visit(&self.key, Seconds(now), |_| ()).is_ok()
    }

    fn set(&mut self, access: &Access, now: u32, expires: Option<u32>) {
        self.render(access);
        let now = Seconds(now);
        if self.store(access, now, expires).is_err() {
            // As the server does it: a value that cannot be stored is not the one from before either.
            self.store.delete(&self.key, now);
            self.refused += 1;
        }
    }

    fn delete(&mut self, access: &Access, now: u32) {
        self.render(access);
        self.store.delete(&self.key, Seconds(now));
    }

    fn tick(&mut self, now: u32) {
        for _ in 0..SWEEPS_A_SECOND {
            if !self.store.sweep(Seconds(now), SWEEP_ITEMS).more {
                break;
            }
        }
    }

    fn holdings(&self) -> Holdings {
        let stats = self.store.stats();
        Holdings {
            items: stats.items,
            held_bytes: stats.held_bytes,
            evicted: stats.evictions,
            evicted_unfetched: stats.evicted_unfetched,
            expired: stats.reclaimed + stats.swept,
            refused: self.refused,
            copied_bytes: Some(stats.copied_bytes),
            dead_bytes: Some(stats.dead_bytes),
        }
    }
}

/// The seed of the store's hash.
const SEED: u64 = 1;
/// Bytes of a value that are pushed at once.
const PUSHED: usize = 64 << 10;
/// How the server sweeps: every 250 ms slices of 1024 items, a millisecond apart while there is more.
const IDLE_TICKS: usize = 4;
const SWEEP_ITEMS: usize = 1024;
const SWEEPS_A_SECOND: usize = 1000;
