//! What a store is made with.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::log::STREAMS;
use crate::observer::Observer;
use crate::policy::Policy;

/// Everything [`crate::Store::new`] needs to know: plain fields.
#[derive(Debug, Clone)]
pub struct Config {
    /// The hard limit, in bytes: segments with items, index, drafts and pinned items that are no longer kept, as the allocator
    /// rounds them. 2 MiB is the least that is of use.
    pub memory_bytes: u64,
    /// What happens when the memory is full.
    pub eviction: Eviction,
    /// Whether items get a CAS number. Without, it is 0 for all and no CAS store ever matches.
    pub cas: bool,
    /// The largest item in accounted bytes ([`crate::Store::item_bytes`]); larger ones are refused.
    pub item_bytes_max: u64,
    /// How many locks the items are spread over, rounded up to a power of two and at most 4096; `None` chooses by the
    /// memory limit: one for each 16 MiB, at most 1024, so that what is done under one lock stays short.
    pub shards: Option<usize>,
    /// Upper bounds, ascending, in accounted bytes, of the classes that statistics are kept by; a class more takes
    /// what is larger. At most 255 are used. They do not influence where items are kept.
    pub size_classes: Box<[u32]>,
    /// Seed of the key hash: only for tests that must repeat. `None` draws one from the system, so that nobody can
    /// prepare keys that collide.
    pub seed: Option<u64>,
    /// Who is told of evictions.
    pub observer: Option<Arc<dyn Observer>>,
    /// What the store does to keep more of what is asked for.
    pub policy: Policy,
    /// Bytes of a segment, the unit in which memory for items is asked of the system: a power of two from 16 KiB to 1 MiB; another
    /// number is rounded up. `None` chooses by the memory limit: 16 KiB below 16 MiB, else 64 KiB. More than a sixteenth of
    /// the limit is only used if that is 16 KiB. Items of up to an eighth of it, and below
    /// 64 KiB, are short: they lie in the log.
    pub segment_bytes: Option<usize>,
    /// For tests: the system refuses segments above so many bytes of them. It may be changed at any time.
    #[doc(hidden)]
    pub system_bytes_max: Option<Arc<AtomicU64>>,
}

/// What a full store does with the next item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Drops the least valuable items to make room.
    Enabled,
    /// Refuses the new one, after expired items were removed.
    Disabled,
}

impl Config {
    /// A store of this many bytes with memcached's other defaults: eviction, CAS, items up to 1 MiB.
    #[must_use]
    pub fn new(memory_bytes: u64) -> Self {
        Self {
            memory_bytes,
            eviction: Eviction::Enabled,
            cas: true,
            item_bytes_max: 1 << 20,
            shards: None,
            size_classes: Box::default(),
            seed: None,
            observer: None,
            policy: Policy::default(),
            segment_bytes: None,
            system_bytes_max: None,
        }
    }

    /// Bytes of a segment as a power of two. A 64th of it, a cell, is longer than a key.
    pub(crate) fn segment_len(&self) -> usize {
        let is_small = self.memory_bytes < SHARD_BYTES;
        let by_memory = if is_small { SEGMENT_LEN_MIN } else { SEGMENT_LEN };
        let wanted = self.segment_bytes.unwrap_or(by_memory);
        // A log of a few segments would be full of what it keeps in reserve.
        let most = usize::try_from(self.memory_bytes / 16).unwrap_or(usize::MAX);
        let most = most.clamp(SEGMENT_LEN_MIN, SEGMENT_LEN_MAX);
        wanted.next_power_of_two().clamp(SEGMENT_LEN_MIN, 1 << most.ilog2())
    }

    /// Spans of remaining life that have segments of their own. A shard of few segments has none to spare for that, and one
    /// that evicts nothing must be able to fill each to its end.
    pub(crate) fn streams(&self) -> usize {
        let bytes = self.memory_bytes / self.shard_count() as u64;
        let segments = bytes / self.segment_len() as u64;
        let wants_streams = self.policy.ttl_streams && self.eviction == Eviction::Enabled;
        if wants_streams && segments >= SEGMENTS_TO_SPARE { STREAMS } else { 1 }
    }

    /// Shards as a power of two.
    pub(crate) fn shard_count(&self) -> usize {
        let by_memory = usize::try_from(self.memory_bytes / SHARD_BYTES).unwrap_or(usize::MAX);
        let wanted = self.shards.unwrap_or_else(|| by_memory.clamp(1, SHARDS_DEFAULT_MAX));
        wanted.clamp(1, SHARDS_MAX).next_power_of_two()
    }
}

const SEGMENT_LEN_MIN: usize = 16 << 10;
const SEGMENT_LEN: usize = 64 << 10;
const SEGMENT_LEN_MAX: usize = 1 << 20;
/// Below this many segments a shard has one stream.
const SEGMENTS_TO_SPARE: u64 = 64;
/// Memory that earns a lock of its own.
const SHARD_BYTES: u64 = 16 << 20;
const SHARDS_DEFAULT_MAX: usize = 1024;
/// The hash has 20 bits for the shard; see `index/mod.rs`.
const SHARDS_MAX: usize = 4096;
