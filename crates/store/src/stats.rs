//! What is counted.

use crate::seconds::Seconds;

/// Totals of a store, one moment a shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Items kept, expired ones that nobody has come across included.
    pub items: u64,
    /// Their accounted bytes ([`crate::Store::item_bytes`]).
    pub bytes: u64,
    /// Items ever stored.
    pub total_items: u64,
    /// Memory that is held in all: segments, blocks, index, drafts, pins, fixed tables. Never above the limit.
    pub held_bytes: u64,
    /// Part of it: the index, ghosts, and what is known of segments, blocks and large bodies; fixed tables.
    pub index_bytes: u64,
    /// Part of it: drafts that are not committed.
    pub draft_bytes: u64,
    /// Part of it: values that are pinned though they are no longer kept, and pinned copies of short ones.
    pub pinned_bytes: u64,
    /// Part of it: blocks of cells, in which the values of large items, drafts and pins lie.
    pub block_bytes: u64,
    /// Part of these: cells that nothing lies in. Large values use them first; what is empty as a whole goes back to
    /// everybody, but for a sixteenth of the blocks, two to 16 a shard, which go when they are missed.
    pub slack_bytes: u64,
    /// Part of it: segments of the log, in which short items lie, those in reserve included.
    pub segment_bytes: u64,
    /// Part of these: items that are gone, in segments that are not free yet.
    pub dead_bytes: u64,
    /// Part of `index_bytes`: what is remembered of keys that went.
    pub ghost_bytes: u64,
    /// Keys and values of what is kept, as clients count them.
    pub asked_bytes: u64,
    /// Room that all items ever stored took when they were; copies are not counted in it.
    pub inserted_bytes: u64,
    /// Bytes copied from segment to segment.
    pub copied_bytes: u64,
    /// Items evicted out of the small queue: new ones that had too few hits.
    pub evicted_small: u64,
    /// Items evicted out of the main queue: such as had proved themselves once.
    pub evicted_main: u64,
    /// The share that new items may have of the memory, in percent: the mean of the shards.
    pub small_percent: u64,
    /// Hits by the seconds since the item was last used: less than 1, 2, 4, … and more.
    pub hit_ages: [u64; HIT_AGES],
    /// Items removed to make room though they were neither expired nor flushed.
    pub evictions: u64,
    /// Of these, never fetched.
    pub evicted_unfetched: u64,
    /// Of these, such as had hits left, but too few to stay.
    pub evicted_active: u64,
    /// Of those in `reclaimed` and `swept`, such as were never fetched.
    pub expired_unfetched: u64,
    /// Expired items met by whoever needed room, and expired and flushed ones met by whoever stored them anew.
    pub reclaimed: u64,
    /// Expired items that [`crate::Store::sweep`] removed.
    pub swept: u64,
    /// Items that were looked at to find these.
    pub looked_at: u64,
    /// Expired items that somebody asked for.
    pub missed_expired: u64,
    /// Flushed items that somebody asked for.
    pub missed_flushed: u64,
    /// Refusals for want of memory.
    pub out_of_memory: u64,
}

/// Spans of seconds by which hits are counted; the last but one ends after nine hours, the last never.
pub const HIT_AGES: usize = 17;

/// What is known of one size class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassStats {
    /// Items kept.
    pub items: u64,
    /// Their accounted bytes.
    pub bytes: u64,
    /// Items evicted.
    pub evicted: u64,
    /// Of these, such as would have expired one day.
    pub evicted_nonzero: u64,
    /// Of these, never fetched.
    pub evicted_unfetched: u64,
    /// Of those in `reclaimed` and `swept`, such as were never fetched.
    pub expired_unfetched: u64,
    /// Gone already, met by whoever needed room or stored them anew.
    pub reclaimed: u64,
    /// Expired, removed by [`crate::Store::sweep`].
    pub swept: u64,
    /// Looked at to find these.
    pub looked_at: u64,
    /// Refusals for want of memory.
    pub out_of_memory: u64,
    /// Last access of the oldest item; sought among the 64 oldest of each queue of each shard.
    pub oldest_access: Option<Seconds>,
    /// For how long the item that was evicted last had not been accessed, in seconds.
    pub last_evicted_age: u32,
    /// When that was, to tell which shard's was last.
    pub(crate) last_evicted_at: Seconds,
}

/// Counters of one shard.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    pub(crate) total_items: u64,
    pub(crate) evicted_active: u64,
    pub(crate) missed_expired: u64,
    pub(crate) missed_flushed: u64,
    pub(crate) asked_bytes: u64,
    pub(crate) inserted_bytes: u64,
    pub(crate) copied_bytes: u64,
    /// By queue.
    pub(crate) evicted_from: [u64; 2],
    pub(crate) hit_ages: [u64; HIT_AGES],
    /// One more than there are bounds. The totals of what is counted here by class are sums.
    pub(crate) classes: Box<[ClassStats]>,
}

impl Counters {
    pub(crate) fn new(classes: usize) -> Self {
        let classes = vec![ClassStats::default(); classes].into_boxed_slice();
        Self {
            items: 0,
            bytes: 0,
            total_items: 0,
            evicted_active: 0,
            missed_expired: 0,
            missed_flushed: 0,
            asked_bytes: 0,
            inserted_bytes: 0,
            copied_bytes: 0,
            evicted_from: [0; 2],
            hit_ages: [0; HIT_AGES],
            classes,
        }
    }

    /// Counts an item that is kept from now on.
    pub(crate) fn add(&mut self, class: u8, bytes: u64, asked: u64) {
        self.items += 1;
        self.asked_bytes += asked;
        self.bytes += bytes;
        let class = &mut self.classes[usize::from(class)];
        class.items += 1;
        class.bytes += bytes;
    }

    /// Counts an item that is kept no longer.
    pub(crate) fn remove(&mut self, class: u8, bytes: u64, asked: u64) {
        self.items -= 1;
        self.asked_bytes -= asked;
        self.bytes -= bytes;
        let class = &mut self.classes[usize::from(class)];
        class.items -= 1;
        class.bytes -= bytes;
    }

    /// Counts a hit of an item that was last used so many seconds ago.
    pub(crate) fn count_hit(&mut self, age: u32) {
        let bucket = (u32::BITS - age.leading_zeros()) as usize;
        self.hit_ages[bucket.min(HIT_AGES - 1)] += 1;
    }

    /// Nothing is kept any more.
    pub(crate) fn forget_items(&mut self) {
        self.items = 0;
        self.bytes = 0;
        self.asked_bytes = 0;
        for class in &mut self.classes {
            class.items = 0;
            class.bytes = 0;
        }
    }

    /// What `stats reset` sets to nothing: all but what is kept.
    pub(crate) fn reset(&mut self) {
        self.total_items = 0;
        self.evicted_active = 0;
        self.missed_expired = 0;
        self.missed_flushed = 0;
        self.inserted_bytes = 0;
        self.copied_bytes = 0;
        self.evicted_from = [0; 2];
        self.hit_ages = [0; HIT_AGES];
        for class in &mut self.classes {
            *class = ClassStats { items: class.items, bytes: class.bytes, ..ClassStats::default() };
        }
    }

    /// Adds this shard's to a sum.
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.items += self.items;
        stats.bytes += self.bytes;
        stats.total_items += self.total_items;
        stats.evicted_active += self.evicted_active;
        stats.missed_expired += self.missed_expired;
        stats.missed_flushed += self.missed_flushed;
        stats.asked_bytes += self.asked_bytes;
        stats.inserted_bytes += self.inserted_bytes;
        stats.copied_bytes += self.copied_bytes;
        stats.evicted_small += self.evicted_from[0];
        stats.evicted_main += self.evicted_from[1];
        for (sum, hits) in stats.hit_ages.iter_mut().zip(self.hit_ages) {
            *sum += hits;
        }
        for class in &self.classes {
            stats.evictions += class.evicted;
            stats.evicted_unfetched += class.evicted_unfetched;
            stats.expired_unfetched += class.expired_unfetched;
            stats.reclaimed += class.reclaimed;
            stats.swept += class.swept;
            stats.looked_at += class.looked_at;
            stats.out_of_memory += class.out_of_memory;
        }
    }
}

impl ClassStats {
    /// Adds up two classes, as if their items were of one.
    pub fn merge(&mut self, other: &Self) {
        self.items += other.items;
        self.bytes += other.bytes;
        self.evicted += other.evicted;
        self.evicted_nonzero += other.evicted_nonzero;
        self.evicted_unfetched += other.evicted_unfetched;
        self.expired_unfetched += other.expired_unfetched;
        self.reclaimed += other.reclaimed;
        self.swept += other.swept;
        self.looked_at += other.looked_at;
        self.out_of_memory += other.out_of_memory;
        if let Some(access) = other.oldest_access {
            self.saw(access);
        }
        if other.evicted > 0 && other.last_evicted_at >= self.last_evicted_at {
            self.last_evicted_at = other.last_evicted_at;
            self.last_evicted_age = other.last_evicted_age;
        }
    }

    /// There is an item of this last access.
    pub(crate) fn saw(&mut self, access: Seconds) {
        self.oldest_access = Some(self.oldest_access.map_or(access, |oldest| oldest.min(access)));
    }
}
