//! Making room: eviction when memory is short, and the work that is done beside requests.
//!
//! One shard's lock at a time, for a slice of 64 items; large bodies are freed between the locks.

use std::sync::atomic::Ordering::Relaxed;

use crate::account::Grant;
use crate::config::Eviction;
use crate::reap::{PATIENCE, SLICE};
use crate::seconds::Seconds;
use crate::shard::{Released, Shard};
use crate::store::{Inner, Store};

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Items removed: expired, flushed, or evicted to reach a lowered limit.
    pub removed: usize,
    /// Whether more is to be done: call again soon.
    pub more: bool,
}

impl Store {
    /// Does a slice of the background work: removes what has expired or was flushed, and evicts towards a limit that was
    /// lowered. Looks at about `budget` items and never at more than 64 under one lock. Call it from a timer; while nothing
    /// can have expired it costs a look at each shard.
    pub fn sweep(&self, now: Seconds, budget: usize) -> Swept {
        let inner = &*self.inner;
        let shards = inner.shards.len();
        let mut swept = Swept::default();
        let mut slices = budget.div_ceil(SLICE as usize).max(1);
        // Shards in a row that had nothing to do.
        let mut idle = 0;
        while idle < shards && slices > 0 {
            let index = inner.next_swept.load(Relaxed) % shards;
            let slice = inner.sweep_slice(&inner.shards[index], now);
            swept.removed += slice.removed;
            if slice.more {
                idle = 0;
                slices -= 1;
            } else {
                idle += 1;
                inner.next_swept.store(index + 1, Relaxed);
            }
        }
        inner.pool.lower();
        swept.more = idle < shards;
        swept
    }

    /// Sets the hard limit, in bytes. A higher one holds at once. A lower one is approached by evicting in slices: the first
    /// are evicted here, the rest by [`Self::sweep`], and until it is reached the store does not grow. Without
    /// eviction it is approached as items go.
    pub fn set_memory_limit(&self, bytes: u64, now: Seconds) {
        self.inner.pool.set_limit(bytes);
        self.sweep(now, SLICE as usize * self.inner.shards.len());
    }

    /// The hard limit that was asked for last, in bytes.
    #[must_use]
    pub fn memory_limit(&self) -> u64 {
        self.inner.pool.limit()
    }
}

impl Inner {
    /// One slice of work in a shard; there may be more if it did any.
    fn sweep_slice(&self, shard: &Shard, now: Seconds) -> Swept {
        let mut bodies = Released::default();
        let mut items = shard.lock(now);
        let shrinks = self.eviction == Eviction::Enabled && self.pool.is_shrinking();
        let passes = items.wants_pass(now);
        let mut removed = 0;
        if passes {
            removed += items.pass_slice(now, &mut bodies);
        }
        if shrinks && removed == 0 {
            removed += items.evict(now, u64::MAX, PATIENCE, &mut bodies);
        }
        drop(items);
        drop(bodies);
        if self.pool.is_shrinking() {
            shard.account.release_all();
            self.pool.lower();
        }
        Swept { removed, more: passes || removed > 0 }
    }

    /// Frees memory until there are this many bytes for a shard: in the shard itself, or, if that is not enough, in the
    /// others; what has expired or was flushed first, and then, where that is allowed, what is worth least. `None` if it cannot
    /// be had. What is freed is taken at once, so that nobody else can have it in between.
    pub(crate) fn make_room(&self, home: usize, bytes: u64, now: Seconds) -> Option<Grant<'_>> {
        let mut grant = Grant::empty(&self.shards[home].account);
        if bytes > self.pool.ceiling() || grant.fill(bytes) == 0 {
            return (bytes <= self.pool.ceiling()).then_some(grant);
        }
        let shards = self.shards.len();
        loop {
            let first = self.first_victim(home);
            let mut progress = false;
            for step in 0..shards {
                let shard = &self.shards[(first + step) % shards];
                if self.free_in(shard, &mut grant, bytes, now, &mut progress) {
                    return Some(grant);
                }
            }
            // What the others keep for themselves is the last resort, and so is another round.
            for shard in &self.shards {
                shard.account.release_all();
            }
            if grant.fill(bytes) == 0 {
                return Some(grant);
            }
            if !progress {
                return None;
            }
        }
    }

    /// The own shard, unless it has so little that others should give, in turn.
    fn first_victim(&self, home: usize) -> usize {
        let shards = self.shards.len();
        let fair = self.pool.used() / shards as u64;
        if shards == 1 || self.shards[home].account.held() >= fair / 2 {
            home
        } else {
            let turn = self.next_victim.fetch_add(1, Relaxed) % (shards - 1);
            (home + 1 + turn) % shards
        }
    }

    /// Frees memory of one shard, a slice at a time; says whether the grant is full.
    fn free_in(
        &self,
        shard: &Shard,
        grant: &mut Grant<'_>,
        bytes: u64,
        now: Seconds,
        progress: &mut bool,
    ) -> bool {
        let mut fruitless = 0;
        loop {
            let missing = grant.fill(bytes);
            if missing == 0 {
                return true;
            }
            let mut bodies = Released::default();
            let mut items = shard.lock(now);
            let evicts = self.eviction == Eviction::Enabled;
            // Without eviction every expired item must be found before an item is refused; with it, what expired is
            // found in its turn, but nothing is evicted while flushed items are easily found.
            let passes = items.flushed > 0 || (!evicts && items.wants_pass(now));
            let mut removed = 0;
            if passes {
                removed += items.pass_slice(now, &mut bodies);
            }
            if evicts && removed == 0 && (!passes || fruitless >= PATIENCE) {
                removed += items.evict(now, missing, fruitless, &mut bodies);
            }
            // The rest of a running pass and another one; or each item, and so often that one must go unless it is pinned.
            let all = match items.slots.live() {
                _ if passes => 2 * items.slots.end() as usize,
                0 => 0,
                live => PATIENCE + live,
            };
            let looked_at_all = fruitless >= all + SLICE as usize;
            drop(items);
            drop(bodies);
            if !std::ptr::eq(&raw const *shard.account, grant.account()) {
                shard.account.release_all();
            }
            if removed > 0 {
                *progress = true;
                fruitless = 0;
            } else if looked_at_all || !(evicts || passes) {
                return false;
            } else {
                fruitless += SLICE as usize;
            }
        }
    }
}
