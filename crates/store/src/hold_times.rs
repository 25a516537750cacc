//! How long the locks of a store are held: for measurements, with the feature `hold-times` only.
//!
//! The unit is CPU time of the holding thread, so that waiting for a processor is nobody's fault. A hold costs two system
//! calls more, one of which lies within what is measured.

use std::cell::Cell;
use std::panic::Location;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::account::allocation_bytes;
use crate::store::Store;

impl Store {
    /// How long locks were held since the store was made, by the places in the code that held them, those that held
    /// one longest first.
    #[must_use]
    pub fn hold_times(&self) -> Vec<HoldTimes> {
        let mut places = self.inner.watch.0.lock().places.clone();
        places.sort_by_key(|place| std::cmp::Reverse(place.longest));
        places
    }

    /// The longest hold since this was asked last, and its place. With one thread, asked after each operation, it
    /// tells how long that one held a lock; a run that repeats exactly can so be told from the machine's noise.
    #[must_use]
    pub fn take_longest_hold(&self) -> Option<(&'static Location<'static>, u64)> {
        self.inner.watch.0.lock().longest.take()
    }
}

/// How long one place in the code held locks.
#[derive(Debug, Clone)]
pub struct HoldTimes {
    /// Where the lock was taken.
    pub place: &'static Location<'static>,
    /// The longest hold, in nanoseconds.
    pub longest: u64,
    counts: [u64; BUCKETS],
}

impl HoldTimes {
    fn new(place: &'static Location<'static>) -> Self {
        Self { place, longest: 0, counts: [0; BUCKETS] }
    }

    /// Holds of each length: the shortest of the class in nanoseconds, and how many; empty classes are left out. Eight
    /// classes to a doubling, so that a class is an eighth wide. Holds of more than four seconds are in the last one.
    pub fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let numbered = self.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
        numbered.map(|(bucket, &count)| (shortest_of(bucket), count))
    }

    fn record(&mut self, nanoseconds: u64) {
        self.longest = self.longest.max(nanoseconds);
        self.counts[bucket_of(nanoseconds)] += 1;
    }
}

/// What the locks of a store record with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Records>>);

#[derive(Debug)]
struct Records {
    places: Vec<HoldTimes>,
    longest: Option<(&'static Location<'static>, u64)>,
}

impl Default for Records {
    fn default() -> Self {
        // A hold that allocates would be felt by those who count allocations.
        Self { places: Vec::with_capacity(PLACES), longest: None }
    }
}

impl Watch {
    #[track_caller]
    pub(crate) fn begin(&self) -> Hold<'_> {
        let place = Location::caller();
        Hold { watch: self, place, nanoseconds: Cell::new(0), begun: thread_nanoseconds() }
    }

    /// Memory that it takes; that of its histograms is a measurement's, and none of the cache.
    pub(crate) fn bytes(&self) -> u64 {
        allocation_bytes(size_of::<Mutex<Records>>())
    }

    fn record(&self, place: &'static Location<'static>, nanoseconds: u64) {
        let mut records = self.0.lock();
        let known = records.places.iter().position(|known| known.place == place);
        let at = known.unwrap_or_else(|| {
            records.places.push(HoldTimes::new(place));
            records.places.len() - 1
        });
        records.places[at].record(nanoseconds);
        if records.longest.is_none_or(|(_, longest)| nanoseconds > longest) {
            records.longest = Some((place, nanoseconds));
        }
    }
}

/// A lock is held.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    watch: &'a Watch,
    place: &'static Location<'static>,
    begun: u64,
    nanoseconds: Cell<u64>,
}

impl Hold<'_> {
    /// The lock is about to be given back.
    pub(crate) fn end(&self) {
        self.nanoseconds.set(thread_nanoseconds().saturating_sub(self.begun));
    }
}

impl Drop for Hold<'_> {
    /// The lock was given back.
    fn drop(&mut self) {
        self.watch.record(self.place, self.nanoseconds.get());
    }
}

fn thread_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// More than the code has.
const PLACES: usize = 64;
/// Eight to a doubling, up to 2^32 nanoseconds.
const BUCKETS: usize = (32 - 3) * 8 + 8;

fn bucket_of(nanoseconds: u64) -> usize {
    let Some(octave @ 3..) = nanoseconds.checked_ilog2() else {
        return usize::try_from(nanoseconds).unwrap_or(0);
    };
    let eighth = (nanoseconds >> (octave - 3)) & 7;
    ((octave as usize - 2) * 8 + usize::try_from(eighth).unwrap_or(0)).min(BUCKETS - 1)
}

fn shortest_of(bucket: usize) -> u64 {
    match bucket {
        0..8 => bucket as u64,
        _ => (8 + bucket as u64 % 8) << (bucket / 8 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, bucket_of, shortest_of};

    #[test]
    fn classes_follow_each_other_without_gaps() {
        for bucket in 0..BUCKETS {
            let shortest = shortest_of(bucket);
            assert_eq!(bucket_of(shortest), bucket);
            if bucket > 0 {
                assert_eq!(bucket_of(shortest - 1), bucket - 1);
            }
        }
        assert_eq!((bucket_of(u64::MAX), shortest_of(8), shortest_of(9)), (BUCKETS - 1, 8, 9));
        assert_eq!((shortest_of(16), shortest_of(17)), (16, 18));
    }
}
