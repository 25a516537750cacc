//! The store: which shard a key belongs to, and what can be asked of it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ahash::RandomState;

use crate::account::{Grant, Pool, allocation_bytes};
use crate::arena::Arena;
use crate::config::{Config, Eviction};
use crate::item::Kept;
use crate::lock::Watch;
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Farewell, Found, Released, Rules, Shard};
use crate::stats::{ClassStats, Stats};
use crate::visit::{Cursor, Miss, Visit};

/// All items, shared by all threads: every method takes `&self`, and a clone is another handle to the same items.
///
/// A method locks one shard at a time and never two. Closures that are given to it run under that lock: they should copy
/// or pin and return, and must not call the store; dropping an [`Item`](crate::Item) or a [`Draft`](crate::Draft) in them
/// is fine.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What the handles share, and large drafts too.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shards: Box<[Shard]>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) eviction: Eviction,
    pub(crate) rules: Rules,
    pub(crate) item_bytes_max: u64,
    /// Where the next search for memory outside the own shard begins, and the next sweep.
    pub(crate) next_victim: AtomicUsize,
    pub(crate) next_swept: AtomicUsize,
    /// What the locks record with.
    pub(crate) watch: Watch,
    hasher: RandomState,
}

impl Store {
    /// An empty store. It takes a few KiB a shard, a few MiB at most, whatever the limit: the index grows with what is stored.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let shard_count = config.shard_count();
        let pool = Arc::new(Pool::new(config.memory_bytes, shard_count));
        let arena = Arena::capped(config.segment_len(), config.system_bytes_max.clone());
        let index_arena = Arena::capped(INDEX_SEGMENT_LEN, config.system_bytes_max.clone());
        let hasher = config.seed.map_or_else(RandomState::new, |seed| {
            RandomState::with_seeds(seed, !seed, seed.rotate_left(32), 0x243F_6A88_85A3_08D3)
        });
        let bounds = config.size_classes.iter().copied().take(CLASSES_MAX);
        let rules = Rules {
            size_classes: bounds.collect(),
            cas: config.cas,
            cas_first: 1,
            cas_step: shard_count as u64,
            observer: config.observer.clone(),
            hasher: hasher.clone(),
            policy: config.policy,
            evicts: config.eviction == Eviction::Enabled,
            streams: config.streams(),
        };
        let watch = Watch::default();
        let shard = |index| {
            let rules = Rules { cas_first: index + 1, ..rules.clone() };
            Shard::new(&pool, [&arena, &index_arena], rules, &watch)
        };
        let inner = Inner {
            shards: (0..shard_count as u64).map(shard).collect(),
            pool,
            eviction: config.eviction,
            rules,
            item_bytes_max: config.item_bytes_max,
            next_victim: AtomicUsize::new(0),
            next_swept: AtomicUsize::new(0),
            watch: watch.clone(),
            hasher,
        };
        inner.shards[0].account.force(inner.fixed_bytes());
        Self { inner: Arc::new(inner) }
    }

    /// The accounted size of an item: memcached's arithmetic, which limits and statistics by size follow. A header of 48
    /// bytes, 8 for a CAS number if there are any, 4 for flags other than 0, the key and a NUL, the value and `\r\n`.
    #[must_use]
    pub fn item_bytes(&self, key_len: usize, flags: u32, value_len: usize) -> u64 {
        self.inner.rules.item_bytes(key_len, flags, value_len)
    }

    /// Shows a live item to a closure, under its shard's lock, and marks the hit.
    ///
    /// # Errors
    /// Why nothing was found; the closure was not called.
    pub fn visit<R>(
        &self,
        key: &[u8],
        now: Seconds,
        see: impl FnOnce(Visit<'_>) -> R,
    ) -> Result<R, Miss> {
        self.visit_with(key, now, None, see)
    }

    /// Like [`Self::visit`], and the item gets another expiry in the same moment; the closure sees the new one. Room for that may
    /// have to be made; where none can be, the item is evicted. Without eviction every item has it.
    ///
    /// # Errors
    /// Why nothing was found; the closure was not called.
    pub fn visit_touching<R>(
        &self,
        key: &[u8],
        exptime: Option<Seconds>,
        now: Seconds,
        see: impl FnOnce(Visit<'_>) -> R,
    ) -> Result<R, Miss> {
        self.visit_with(key, now, Some(exptime.into()), see)
    }

    /// Gives a live item another expiry; says whether there was one. It counts as a hit.
    pub fn touch(&self, key: &[u8], exptime: Option<Seconds>, now: Seconds) -> bool {
        self.visit_with(key, now, Some(exptime.into()), |_| ()).is_ok()
    }

    /// A hint that these keys will be visited next: what the visits would wait for, one after the other, is fetched from memory
    /// side by side. At most [`PREFETCHED_MAX`] are looked at. It counts as nothing.
    pub fn prefetch(&self, keys: &[&[u8]]) {
        let inner = &*self.inner;
        let mut hashes = [0; PREFETCHED_MAX];
        let hashes = &mut hashes[..keys.len().min(PREFETCHED_MAX)];
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = inner.hash(key);
            inner.shard(*hash).lock_any_time().index.prefetch(*hash);
        }
        for &hash in &*hashes {
            let items = inner.shard(hash).lock_any_time();
            items.index.prefetch_candidates(hash, |handle| items.log.prefetch(handle));
        }
    }

    fn visit_with<R>(
        &self,
        key: &[u8],
        now: Seconds,
        expiry: Option<Expiry>,
        see: impl FnOnce(Visit<'_>) -> R,
    ) -> Result<R, Miss> {
        let inner = &*self.inner;
        let hash = inner.hash(key);
        let home = inner.shard_index(hash);
        let shard = &inner.shards[home];
        let mut grant = Grant::empty(&shard.account);
        let mut failures = 0;
        loop {
            // Dropped last, when the lock is free.
            let mut bodies = Released::default();
            let mut items = shard.lock(now);
            let mut index = match items.find_live(hash, key, now, &mut bodies) {
                Found::Live(index) => index,
                Found::Absent => return Err(Miss::Absent),
                Found::Expired(_) => return Err(Miss::Expired),
                Found::Flushed(_) => return Err(Miss::Flushed),
            };
            if let Some(expiry) = expiry {
                match items.widen(index, hash, expiry, 0, now, &mut grant) {
                    Ok(same) => index = same,
                    Err(need) => {
                        drop(items);
                        drop(bodies);
                        let room = inner.meet(need, home, now, &mut failures);
                        grant = room.ok_or_else(|| inner.lose(hash, key, now))?;
                        continue;
                    }
                }
                items.set_expiry(index, expiry);
            }
            let seen = see(Visit::new(&items, index, &shard.account));
            items.mark(index, now);
            if expiry.is_some() {
                // It may have taken room. Handles are good until here.
                items.tend(now, &mut bodies);
            }
            return Ok(seen);
        }
    }

    /// Removes a live item; says whether there was one.
    pub fn delete(&self, key: &[u8], now: Seconds) -> bool {
        self.visit_deleting(key, now, |_| ()).is_some()
    }

    /// Removes a live item, shown to a closure before it goes; `None` if there was none. It does not count as a hit.
    pub fn visit_deleting<R>(
        &self,
        key: &[u8],
        now: Seconds,
        see: impl FnOnce(Visit<'_>) -> R,
    ) -> Option<R> {
        let hash = self.inner.hash(key);
        let shard = self.inner.shard(hash);
        let mut bodies = Released::default();
        let mut items = shard.lock(now);
        let Found::Live(index) = items.find_live(hash, key, now, &mut bodies) else { return None };
        let seen = see(Visit::new(&items, index, &shard.account));
        let body: Option<Arc<Kept>> = items.remove(index, hash, Farewell::Deleted);
        drop(items);
        drop(body);
        Some(seen)
    }

    /// Everything stored before is gone from now on; what is stored after, in the same second too, stays. Replaces a flush
    /// that is pending. The memory is given back by what is stored next and by [`Self::sweep`].
    pub fn flush(&self, now: Seconds) {
        for shard in &self.inner.shards {
            shard.lock(now).flush();
        }
    }

    /// Everything stored before `when` is gone from that moment on. Replaces a flush that is pending.
    pub fn flush_at(&self, when: Seconds) {
        for shard in &self.inner.shards {
            shard.lock_any_time().flush_at(when);
        }
    }

    /// Shows the items of one slice of a shard to a closure, under its lock; begin with `Cursor::default()` and go on with what is
    /// returned, until that is `None`. An item that is there during the whole walk is seen exactly once; one that comes
    /// or goes meanwhile, at most once as long as its key is not stored again. It does not count as a hit.
    pub fn walk(
        &self,
        cursor: Cursor,
        now: Seconds,
        mut see: impl FnMut(Visit<'_>),
    ) -> Option<Cursor> {
        let shard = self.inner.shards.get(cursor.shard)?;
        let items = shard.lock(now);
        let next = items.index.walk(
            cursor.place,
            |handle| items.hash(handle),
            |handle| {
                if items.judge(handle, now) == Found::Live(handle) {
                    see(Visit::new(&items, handle, &shard.account));
                }
            },
        );
        if let Some(place) = next {
            return Some(Cursor { shard: cursor.shard, place });
        }
        let shard = cursor.shard + 1;
        (shard < self.inner.shards.len()).then_some(Cursor { shard, place: 0 })
    }

    /// Totals; a lock a shard, held for a few additions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats { index_bytes: self.inner.fixed_bytes(), ..Stats::default() };
        // From the one number that the limit is kept by: a sum over the shards, each at its moment, could be more.
        stats.held_bytes = self.inner.pool.used();
        for shard in &self.inner.shards {
            let items = shard.lock_any_time();
            items.counters.add_to(&mut stats);
            stats.index_bytes += items.index_bytes();
            stats.held_bytes = stats.held_bytes.saturating_sub(shard.account.spare());
            stats.draft_bytes += shard.account.drafts.load(Relaxed);
            stats.pinned_bytes += shard.account.pinned.load(Relaxed);
            let usage = shard.heap.usage();
            stats.index_bytes += usage.table_bytes;
            stats.segment_bytes += items.log.held_bytes();
            stats.dead_bytes += items.log.dead_bytes();
            stats.ghost_bytes += items.ghosts.bytes();
            stats.small_percent += items.balance.percent();
            stats.block_bytes += usage.blocks_bytes;
            stats.slack_bytes += usage.free_bytes;
        }
        stats.small_percent /= self.inner.shards.len() as u64;
        stats
    }

    /// What is known by size class: as many as [`Config::size_classes`] has bounds, and one for what is larger.
    #[must_use]
    pub fn class_stats(&self) -> Vec<ClassStats> {
        let mut classes = vec![ClassStats::default(); self.inner.rules.size_classes.len() + 1];
        for shard in &self.inner.shards {
            shard.lock_any_time().add_classes_to(&mut classes);
        }
        classes
    }

    /// Forgets all counts but those of what is kept and held.
    pub fn reset_stats(&self) {
        for shard in &self.inner.shards {
            shard.lock_any_time().counters.reset();
        }
    }
}

impl Inner {
    /// Evicts an item for which there is no room to say when it expires: to stay longer than it may is worse.
    pub(crate) fn lose(&self, hash: u64, key: &[u8], now: Seconds) -> Miss {
        let mut bodies = Released::default();
        let mut items = self.shard(hash).lock(now);
        if let Found::Live(index) = items.find_live(hash, key, now, &mut bodies) {
            bodies.push(items.remove(index, hash, Farewell::Evicted(now)));
        }
        Miss::Absent
    }

    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(crate) fn shard(&self, hash: u64) -> &Shard {
        &self.shards[self.shard_index(hash)]
    }

    /// From the highest 20 bits, which the index does not look at.
    pub(crate) fn shard_index(&self, hash: u64) -> usize {
        let bits = (hash >> 44) as usize;
        bits & (self.shards.len() - 1)
    }

    /// What belongs to no shard.
    pub(crate) fn fixed_bytes(&self) -> u64 {
        allocation_bytes(size_of::<Self>())
            + allocation_bytes(size_of_val::<[u32]>(&self.rules.size_classes))
            + allocation_bytes(size_of::<Pool>())
            + 2 * allocation_bytes(size_of::<Arena>())
            + self.watch.bytes()
    }
}

/// In such steps the index of a shard grows.
const INDEX_SEGMENT_LEN: usize = 16 << 10;
/// Keys that one call of [`Store::prefetch`] looks at.
pub const PREFETCHED_MAX: usize = 32;
/// Classes are numbered by a byte.
const CLASSES_MAX: usize = 255;
