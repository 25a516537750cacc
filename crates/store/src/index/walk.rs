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
        // Growing or shrinking, an item may lie where it was or where it will be; a bucket that is both is looked at once.
        let homes = |scale: Scale| home(scale, from.into())..=home(scale, to - 1);
        let now = homes(self.scale);
        let later = homes(next).filter(|home| !now.contains(home));
        for home in now.clone().chain(later) {
            self.see_home(home, &mut |handle| {
                if is_in(hash_of(handle)) {
                    see(handle);
                }
            });
        }
        for stashed in (0..self.stash.len()).filter_map(|position| self.stash.get(position)) {
            if is_in(stashed.hash) {
                see(stashed.handle);
            }
        }
        u32::try_from(to).ok()
    }

    /// Shows what has this home, but for the stash.
    fn see_home(&self, home: usize, see: &mut impl FnMut(u32)) {
        let Some(bucket) = self.pages.get(home) else { return };
        bucket::residents(bucket).for_each(|place| see(bucket::handle(bucket, place)));
        for way in bucket::ways(bucket) {
            if let Some(other) = self.pages.get(home + way + 1) {
                bucket::guests(other, way).for_each(|place| see(bucket::handle(other, place)));
            }
        }
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
