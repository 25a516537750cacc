//! Who stays: S3-FIFO over the segments of two queues, with a small queue that finds its own size.
//!
//! ```text
//!               new ──► small ───── too few hits for its size ─────► out, remembered
//!   new, but remembered ─┐  │ enough
//!                        └─► main ◄┘ ───── too few hits for its size ─────► out, remembered
//!                              └── enough: again to the young end, one hit less
//! ```
//!
//! S3-FIFO: Yang et al., *FIFO queues are all you need for cache eviction*, SOSP 2023. What is remembered comes back into the
//! main queue. A key that comes back to small says that small was too short for it; one that comes back to
//! main, that main was: each moves the border its way.

use crate::log::Queue;

/// What a store does to keep more of what is asked for: each can be switched off, to see what it is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Evicted keys are remembered, and believed when they come back.
    pub ghost: bool,
    /// The share of new items in the memory follows what comes back; else it is a tenth.
    pub self_sizing: bool,
    /// Small items need fewer hits to stay than large ones.
    pub size_aware: bool,
    /// Items of like remaining life share segments, which then are free at once. Shards of less than 64 segments, and stores
    /// without eviction, have none to spare for that.
    pub ttl_streams: bool,
    /// A value is written over the one before if it takes the same room.
    pub overwrite_in_place: bool,
    /// Segments that are half dead are emptied before something alive is evicted.
    pub compaction: bool,
}

impl Default for Policy {
    /// All of it.
    fn default() -> Self {
        Self {
            ghost: true,
            self_sizing: true,
            size_aware: true,
            ttl_streams: true,
            overwrite_in_place: true,
            compaction: true,
        }
    }
}

/// The border between the queues.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Balance {
    /// What small may hold of all, in parts of [`WHOLE`].
    share: u64,
}

impl Default for Balance {
    fn default() -> Self {
        Self { share: WHOLE / 10 }
    }
}

impl Balance {
    /// Which queue gives way.
    pub(crate) fn victim(self, small: u64, main: u64) -> Queue {
        let is_over = small.saturating_mul(WHOLE) > (small + main).saturating_mul(self.share);
        if is_over || main == 0 { Queue::Small } else { Queue::Main }
    }

    /// A key came back that had been evicted from this queue; its item is this large. The border moves by twice as much, or four
    /// times: with steps a quarter as long, a cache whose values change their sizes keeps what nobody asks for.
    pub(crate) fn missed(&mut self, from: Queue, size: u64, all: u64) {
        let step = (2 * size.saturating_mul(WHOLE) / all.max(1)).clamp(1, WHOLE / 100);
        // Small loses more than main does: without the factor it would win on almost everything.
        self.share = match from {
            Queue::Small => self.share + step,
            Queue::Main => self.share.saturating_sub(2 * step),
        }
        .clamp(SHARE_MIN, SHARE_MAX);
    }

    /// In hundredths of all.
    pub(crate) fn percent(self) -> u64 {
        self.share * 100 / WHOLE
    }
}

/// Whether an item at the old end of a queue stays: it has so many hits, times the mean size over its own. For small one hit is
/// enough up to 5/6 of the mean and two up to 5/3, for main one up to 5/4 and two up to 5/2. Of more than 5/2 none stays in
/// small, of more than 15/4 none in main. Without a mean, sizes do not count.
///
/// The numbers are those that missed least over 82 combinations of trace and memory in a model of this log.
pub(crate) fn stays(queue: Queue, frequency: u8, size: u64, mean: Option<u64>) -> bool {
    // In sixteenths: a factor of 1/4 to 4.
    let factor = mean.map_or(16, |mean| (mean * 16 / size.max(1)).clamp(4, 64));
    let worth = u64::from(frequency) * factor;
    match queue {
        Queue::Small => worth * 10 >= 12 * 16,
        Queue::Main => worth * 10 >= 8 * 16,
    }
}

const WHOLE: u64 = 1 << 20;
const SHARE_MIN: u64 = WHOLE / 50;
const SHARE_MAX: u64 = WHOLE / 10 * 9;
