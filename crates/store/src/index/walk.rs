//! Going through all there is, some homes at a time.
//!
//! The order is that of the points, which a key keeps for ever: however the index grows and shrinks and wherever items are moved
//! in between, who was there all the time is seen once.

use super::Index;
use super::bucket;
use super::scale::{Scale, point};

impl Index {
    /// Shows what there is from a place on, and says where to go on; begin with 0.
    pub(crate) fn walk(
        &self,
        from: u32,
        hash_of: impl Fn(u32) -> u64,
        mut see: impl FnMut(u32),
    ) -> Option<u32> {
        let next = self.resize.next();
        let homes = self.scale.homes().max(next.homes()).max(1) as u64;
        let span = (LINE * HOMES / homes).clamp(1, LINE);
        let to = (u64::from(from) + span).min(LINE);
        let is_in = |hash: u64| (u64::from(from)..to).contains(&(point(hash) >> 32));
        // Growing or shrinking, an item may lie where it was or where it will be.
        let (low, high) = (home(self.scale, from.into()), home(self.scale, to - 1));
        let (low_next, high_next) = (home(next, from.into()), home(next, to - 1));
        for at in low.min(low_next)..=high.max(high_next) + bucket::DISTANCE_MAX {
            let Some(bucket) = self.pages.get(at) else { continue };
            for place in 0..bucket::len(bucket) {
                let handle = bucket::handle(bucket, place);
                if is_in(hash_of(handle)) {
                    see(handle);
                }
            }
        }
        for stashed in (0..self.stash.len()).filter_map(|position| self.stash.get(position)) {
            if is_in(stashed.hash) {
                see(stashed.handle);
            }
        }
        u32::try_from(to).ok()
    }
}

/// The home of what lies at a place of the line.
fn home(scale: Scale, place: u64) -> usize {
    usize::try_from((place * scale.homes() as u64) >> 32).unwrap_or(usize::MAX)
}

/// Places on the line.
const LINE: u64 = 1 << 32;
/// Homes a step: some fifty items.
const HOMES: u64 = 5;
