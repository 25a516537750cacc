//! Making room: eviction when memory is short, and the work that is done beside requests.
//!
//! One shard's lock at a time, for a slice of 64 items; large bodies are freed between the locks.

use std::sync::atomic::Ordering::Relaxed;

use crate::account::{Grant, Need};
use crate::config::Eviction;
use crate::log::RESERVE;
use crate::reap::{PATIENCE, Removed, SLICE};
use crate::seconds::Seconds;
use crate::shard::{Farewell, Released, Shard};
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
            }
            // Towards a lower limit each shard gives a slice in its turn, so that none is emptied for the others.
            if !slice.more || inner.pool.is_shrinking() {
                inner.next_swept.store(index + 1, Relaxed);
            }
        }
        inner.pool.lower();
        swept.more = idle < shards;
        swept
    }

    /// Asks that the next sweeps remove all that has expired. Without that, what expires beside items that stay is left for
    /// up to half a minute, so that a segment is searched once for many.
    pub fn hurry(&self) {
        for shard in &self.inner.shards {
            shard.lock_any_time().pass.hurry();
        }
    }

    /// Sets the hard limit, in bytes. A higher one holds at once. A lower one is approached by evicting in slices: the first
    /// are evicted here, the rest by [`Self::sweep`], and until it is reached the store does not grow. Without
    /// eviction it is approached as items go.
    pub fn set_memory_limit(&self, bytes: u64, now: Seconds) {
        // Nothing is evicted for bytes that nobody uses.
        self.inner.release_spare();
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
        if self.pool.is_shrinking() {
            // Requests may have made more room than is wanted.
            self.pool.lower();
        }
        let mut items = shard.lock(now);
        let shrinks = self.eviction == Eviction::Enabled && self.pool.is_shrinking();
        let passes = items.wants_pass(now);
        let mut removed = 0;
        if passes {
            removed += items.pass_slice(now, Farewell::Swept, &mut bodies).items;
        }
        if shrinks && removed == 0 {
            // No more than is needed: a slice of large items is much.
            let excess = self.pool.excess();
            removed += items.evict(now, excess, SLICE as usize, PATIENCE, &mut bodies).items;
            items.shrink(self.pool.is_shrinking());
        }
        let trims = shrinks && items.trim_tables();
        if items.len() == 0 && self.pool.is_shrinking() {
            items.give_up_empty();
        }
        drop(items);
        drop(bodies);
        if self.pool.is_shrinking() {
            shard.release_all();
            self.pool.lower();
        }
        Swept { removed, more: passes || trims || removed > 0 }
    }

    /// Tries what may fail for want of memory, and again with more, as long as there is sense in that; `None` when there is
    /// none any more. If the system refuses, a few items are evicted to leave it some memory, and that is tried a few times. What
    /// is met need not be met again and again: such a request is refused rather than tried for ever.
    ///
    /// # Errors
    /// What else it fails for.
    pub(crate) fn with_room<T, E>(
        &self,
        home: usize,
        now: impl Fn() -> Seconds,
        mut attempt: impl FnMut(&mut Grant<'_>) -> Result<Result<T, Need>, E>,
    ) -> Result<Option<T>, E> {
        let mut grant = Grant::empty(&self.shards[home].account);
        let (mut failures, mut tries, mut tries_for_cells) = (0, 0, 0);
        loop {
            let need = match attempt(&mut grant)? {
                Ok(done) => return Ok(Some(done)),
                Err(need) => need,
            };
            let (tries, most) = match need {
                Need::Cells(_) => {
                    // A long value gets a block of them at a time, which it keeps: it may need as many as there are.
                    let blocks = self.pool.ceiling() / self.shards[home].heap.block_len() as u64;
                    (&mut tries_for_cells, TRIES_MAX + blocks)
                }
                Need::Room(_) | Need::Segment | Need::Memory(_) => (&mut tries, TRIES_MAX),
            };
            *tries += 1;
            debug_assert!(*tries < most, "{need:?} is met in vain");
            if *tries >= most {
                return Ok(None);
            }
            // What it got in vain may be what the search would miss.
            drop(grant);
            match self.meet(need, home, now(), &mut failures) {
                Some(room) => grant = room,
                None => return Ok(None),
            }
        }
    }

    /// Sees to it that what failed for want of memory can be tried again; `None` if there is no sense in that. `failures`
    /// counts how often the system refused an allocation to the same request.
    pub(crate) fn meet(
        &self,
        need: Need,
        home: usize,
        now: Seconds,
        failures: &mut u32,
    ) -> Option<Grant<'_>> {
        let bytes = match need {
            Need::Room(bytes) => return self.make_room(home, Want::Taken(bytes), now, failures),
            Need::Cells(cells) => return self.make_room(home, Want::Cells(cells), now, failures),
            Need::Segment => return self.make_room(home, Want::Segment, now, failures),
            Need::Memory(bytes) => bytes,
        };
        // Blocks of other sizes may have to be freed until there is one of this size: more each time.
        let wanted = bytes.clamp(FREED_MIN, FREED_MAX) << *failures;
        *failures += 1;
        let mut search = Search::new(&self.shards[home], Want::Freed(wanted));
        let freed =
            *failures < FAILURES_MAX && (self.search(home, &mut search, now) || search.freed > 0);
        freed.then_some(search.grant)
    }

    /// Frees memory until there are this many bytes for a shard: in the shard itself, or, if that is not enough, in the
    /// others; what has expired or was flushed first, and then, where that is allowed, what is worth least. `None` if it cannot
    /// be had. What is freed is taken at once, so that nobody else can have it in between.
    fn make_room(
        &self,
        home: usize,
        want: Want,
        now: Seconds,
        failures: &mut u32,
    ) -> Option<Grant<'_>> {
        let can_be = match want {
            Want::Taken(bytes) => bytes <= self.pool.ceiling(),
            Want::Cells(_) | Want::Freed(_) | Want::Segment => true,
        };
        let mut search = Search::new(&self.shards[home], want);
        search.may_strip = *failures < FAILURES_MAX;
        let found = can_be && (search.missing() == 0 || self.search(home, &mut search, now));
        *failures += u32::from(!search.may_strip);
        found.then_some(search.grant)
    }

    /// Frees memory in one shard after the other; says whether what was wanted is there.
    fn search(&self, home: usize, search: &mut Search<'_>, now: Seconds) -> bool {
        let shards = self.shards.len();
        loop {
            let first = self.first_victim(home);
            search.progress = false;
            for step in 0..shards {
                let shard = &self.shards[(first + step) % shards];
                if self.free_in(shard, search, now) {
                    return true;
                }
            }
            // What the others keep for themselves is the last resort, and so is another round.
            self.release_spare();
            // Even what shards keep to go on with; but not again and again for the same request, which may want it back.
            let is_wanted = !matches!(search.want, Want::Segment) && search.may_strip;
            if is_wanted && search.missing() > 0 && !search.progress {
                search.may_strip = false;
                for shard in &self.shards {
                    shard.lock(now).give_up_empty();
                }
                self.release_spare();
            }
            if search.missing() == 0 || !search.progress {
                return search.missing() == 0;
            }
        }
    }

    /// What shards have drawn and do not use is everybody's again.
    fn release_spare(&self) {
        for shard in &self.shards {
            shard.release_all();
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

    /// Frees memory of one shard, a slice at a time; says whether what was wanted is there.
    fn free_in(&self, shard: &Shard, search: &mut Search<'_>, now: Seconds) -> bool {
        let evicts = self.eviction == Eviction::Enabled;
        // Looked at in vain. Once that are too many, each slice evicts something: a request that needs many items gone must not
        // wear out what all the others have earned.
        let mut spared = 0;
        loop {
            let missing = search.missing();
            if missing == 0 {
                return true;
            }
            let mut bodies = Released::default();
            let mut items = shard.lock(now);
            // With eviction, what expired is found in its turn, but nothing is evicted while flushed items are easily found.
            let wants_pass = items.flushed > 0 || (!evicts && items.wants_pass_at_once(now));
            let passes = wants_pass && search.slices > 0;
            let mut removed = Removed::default();
            let mut compacts = false;
            if passes {
                items.pass.hurry();
                removed = items.pass_slice(now, Farewell::Expired, &mut bodies);
            } else if evicts {
                removed = items.evict(now, missing, SLICE as usize, spared, &mut bodies);
            } else {
                let freed = items.log.freed_segments;
                compacts = items.compact_slice(now, &mut bodies);
                removed.segments = items.log.freed_segments - freed;
            }
            let live = items.len();
            let is_home = std::ptr::eq(shard, search.home);
            if is_home && matches!(search.want, Want::Segment) && items.log.reserved() >= RESERVE {
                return true;
            }
            if !is_home {
                // What others free is for whoever asked.
                items.shrink(true);
            }
            drop(items);
            drop(bodies);
            if !is_home {
                shard.release_all();
            }
            search.freed += removed.bytes;
            if compacts && matches!(search.want, Want::Segment) && is_home && removed.segments > 0 {
                // There is room at the end of an open segment now. The less is dead the sooner this ends.
                return true;
            }
            if removed.items > 0 || compacts {
                search.progress |= !compacts;
            } else if search.missing() < missing {
                // By a segment of which everything was copied; copying pins about wins nothing.
            } else if passes {
                search.slices -= 1;
            } else if evicts && live > 0 && spared < PATIENCE + live {
                // Each item once, and so often that one must go unless it is pinned.
                spared += SLICE as usize;
            } else {
                return false;
            }
        }
    }
}

impl Shard {
    /// Makes what it has and does not use everybody's.
    fn release_all(&self) {
        self.heap.trim(u64::MAX);
        self.account.release_all();
    }
}

/// A request's search for memory: what it wants, what it has got, and how much it may still look at.
struct Search<'a> {
    home: &'a Shard,
    want: Want,
    grant: Grant<'a>,
    /// By the bodies of what was removed.
    freed: u64,
    /// Slices of passes that may still be looked at in vain.
    slices: usize,
    /// Whether this round over the shards has removed something.
    progress: bool,
    /// Whether shards may be asked for what they keep in reserve.
    may_strip: bool,
}

/// What a search is for.
enum Want {
    /// Bytes of the account.
    Taken(u64),
    /// Bytes that the system has again, though the account had enough.
    Freed(u64),
    /// Cells of the heap that are free, or else a block's bytes of the account. Freed bodies may leave cells and no whole block;
    /// these are not kept for the search, so that it may have to be repeated.
    Cells(usize),
    /// A segment for the log: one in reserve, or the bytes for one.
    Segment,
}

impl<'a> Search<'a> {
    fn new(home: &'a Shard, want: Want) -> Self {
        let grant = Grant::empty(&home.account);
        Self {
            home,
            want,
            grant,
            freed: 0,
            slices: PATIENCE / SLICE as usize,
            progress: false,
            may_strip: false,
        }
    }

    fn missing(&mut self) -> u64 {
        match self.want {
            Want::Taken(bytes) => match self.grant.fill(bytes) {
                0 => 0,
                // What the heap keeps for the next large value goes before any item does.
                missing if self.home.heap.trim(missing) => self.grant.fill(bytes),
                missing => missing,
            },
            Want::Freed(bytes) => bytes.saturating_sub(self.freed),
            Want::Segment => match self.grant.fill(self.home.heap.block_len() as u64) {
                0 => 0,
                missing if self.home.heap.trim(missing) => {
                    self.grant.fill(self.home.heap.block_len() as u64)
                }
                missing => missing,
            },
            Want::Cells(cells) => {
                let heap = &self.home.heap;
                match cells.saturating_sub(heap.free_cells()) {
                    0 => 0,
                    missing => {
                        let bytes = (missing * heap.cell_len()) as u64;
                        bytes.min(self.grant.fill(heap.block_len() as u64))
                    }
                }
            }
        }
    }
}

/// What is evicted when the system refuses memory: this much at first, twice as much each time that did not help.
const FREED_MIN: u64 = 64 << 10;
const FREED_MAX: u64 = 1 << 20;
/// How often a request may miss something. Others may use up what was found for it, but not so often.
const TRIES_MAX: u64 = 1000;
/// Refused allocations until the request is refused.
const FAILURES_MAX: u32 = 8;
