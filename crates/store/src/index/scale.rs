//! Where in the index a hash belongs, and where it will when there are more buckets, or fewer.
//!
//! A hash is a point between 0 and 1, and a bucket is the home of an even share of that line, whatever the number of buckets:
//! an item's home is its point times their number, rounded down. So items lie in the order of their points, and when there
//! are more buckets each moves up and none overtakes another.
//!
//! ```text
//!   point    0 ────────────────────────────────────────────────────────── 1
//!   5 homes  |     0     |     1     |     2     |     3     |     4     |
//!   4 parts  | 0 … 255      | 0 … 255   ▲  | 0 … 255      | 0 … 255      |      tags: 256 steps a part
//!   6 homes  |    0    |    1    |    2    |    3    |    4    |    5    |
//! ```
//!
//! A tag is the next 8 bits of the point below those that tell a power of two of parts of the line from each other. There are
//! at least as many homes as parts, so an item's home and its tag tell the step where it is, and that nearly always tells the
//! next home. What lies at home is moved without its key being hashed again, which would be a wait for memory.

/// A number of homes, and what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    homes: u32,
    /// The logarithm of the number of parts.
    grain: u32,
}

/// Where a key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) bucket: usize,
    /// Never 0.
    pub(super) tag: u8,
}

impl Scale {
    /// No homes.
    pub(super) const EMPTY: Self = Self { homes: 0, grain: 0 };

    /// A scale that follows this one. It keeps the parts if there are enough of them, and not too many.
    pub(super) fn followed_by(self, homes: usize) -> Self {
        let homes = u32::try_from(homes).unwrap_or(u32::MAX).max(1);
        let parts = 1_u64 << self.grain;
        // In quarters, so that a number of homes that goes back and forth at a power of two changes nothing.
        let share = u64::from(homes) * 4 / parts;
        let grain = if (4..=9).contains(&share) { self.grain } else { homes.ilog2() };
        Self { homes, grain }
    }

    pub(super) fn homes(self) -> usize {
        self.homes as usize
    }

    /// Where a hash belongs.
    #[inline]
    pub(super) fn home(self, hash: u64) -> Home {
        Home { bucket: self.bucket(hash), tag: self.tag(hash) }
    }

    #[inline]
    pub(super) fn bucket(self, hash: u64) -> usize {
        let bucket = (u128::from(point(hash)) * u128::from(self.homes)) >> 64;
        // It is below the number of homes.
        usize::try_from(bucket).unwrap_or(usize::MAX)
    }

    #[inline]
    fn tag(self, hash: u64) -> u8 {
        let [tag, ..] = (point(hash) >> (56 - self.grain)).to_le_bytes();
        tag.max(1)
    }

    /// Whether what moves from this scale to that one gets another tag.
    pub(super) fn retags(self, next: Self) -> bool {
        self.grain != next.grain
    }

    /// The steps that a home has.
    pub(super) fn steps(self, bucket: usize) -> Steps {
        let (bucket, homes) = (bucket as u64, u64::from(self.homes));
        let steps = 256_u64 << self.grain;
        Steps { first: bucket * steps / homes, last: ((bucket + 1) * steps - 1) / homes }
    }

    /// Where in the next scale an entry belongs that has this tag in a home of these steps; `None` if only its hash can tell.
    #[inline]
    pub(super) fn next_home(self, steps: Steps, tag: u8, next: Self) -> Option<Home> {
        // The tag 1 may stand for 0.
        if self.retags(next) || tag == 1 {
            return None;
        }
        let [first, ..] = steps.first.to_le_bytes();
        let step = steps.first + u64::from(tag.wrapping_sub(first));
        if step + 256 <= steps.last {
            return None;
        }
        let (homes, shift) = (u64::from(next.homes), self.grain + 8);
        let place = step * homes;
        // The step ends before the next home begins.
        let is_certain = (place & !(u64::MAX << shift)) + homes <= 1 << shift;
        let bucket = usize::try_from(place >> shift).ok()?;
        is_certain.then_some(Home { bucket, tag })
    }
}

/// From the first step to the last: both belong to the home at least in part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    first: u64,
    last: u64,
}

/// The bits of a hash that do not choose the shard, as a fraction.
#[inline]
pub(super) fn point(hash: u64) -> u64 {
    hash << SHARD_BITS
}

/// Bits at the top of a hash that are not looked at here: the shard is chosen by some of them.
const SHARD_BITS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes() -> impl Iterator<Item = u64> {
        (1..=20_000_u64)
            .map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .chain([0, u64::MAX])
    }

    #[test]
    fn a_home_and_a_tag_tell_the_next_home() {
        let check = |from: usize, to: usize| {
            let scale = Scale::EMPTY.followed_by(from);
            let next = scale.followed_by(to);
            let mut unknown = 0;
            for hash in hashes() {
                let home = scale.home(hash);
                assert!(home.bucket < from && home.tag > 0);
                match scale.next_home(scale.steps(home.bucket), home.tag, next) {
                    Some(told) => assert_eq!(told, next.home(hash), "{hash:x}: {from} to {to}"),
                    None => unknown += 1,
                }
            }
            (unknown * 100 / 20_000, scale.retags(next))
        };
        for (from, to) in [(1009, 1093), (64, 68), (100_000, 106_250), (1100, 1033), (2000, 2200)] {
            let (percent, retags) = check(from, to);
            assert!(percent <= 2 && !retags, "{from} to {to}: {percent} %");
        }
        // Whatever the numbers, what is told is true.
        let odd = [(1, 2), (3, 1), (7, 100), (1000, 10), (2040, 4090), (4090, 2040)];
        // A home that has almost all steps of a part may have two with the same tag.
        for (from, to) in odd.into_iter().chain([(17, 18), (65, 66), (257, 260), (513, 550)]) {
            check(from, to);
        }
        assert!(check(1009, 4000).1 && check(4000, 1009).1, "tags must stay fine");
    }

    #[test]
    fn homes_have_even_shares_in_order() {
        for homes in [1, 5, 1009, 65_536] {
            let scale = Scale::EMPTY.followed_by(homes);
            let mut points: Vec<_> = hashes().collect();
            points.sort_by_key(|&hash| point(hash));
            assert!(points.is_sorted_by_key(|&hash| scale.bucket(hash)));
            assert_eq!((scale.bucket(0), scale.bucket(u64::MAX)), (0, homes - 1));
            let low = points.iter().filter(|&&hash| scale.bucket(hash) < homes.div_ceil(2)).count();
            let expected = 20_002 * homes.div_ceil(2) / homes;
            assert!(low.abs_diff(expected) < 100, "{homes}: {low}, not {expected}");
        }
    }
}
