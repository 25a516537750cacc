//! One trace played against one cache.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::cache::{Cache, Holdings};
use crate::{Access, Trace, Verb};

/// What time it is in a run, and whether it matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    /// Requests a second, instead of the times of the trace.
    pub rate: Option<u32>,
    /// Whether values are stored with the TTLs of the trace; otherwise they never expire.
    pub has_ttls: bool,
}

/// What was asked of a cache and what it did not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Retrievals.
    pub gets: u64,
    /// Bytes of the keys and values that they asked for.
    pub get_bytes: u64,
    /// Retrievals that found nothing: first accesses, evicted and expired values.
    pub misses: u64,
    /// Bytes of the keys and values that they asked for.
    pub miss_bytes: u64,
    /// Values stored: one for each miss, and the sets of the trace.
    pub sets: u64,
    /// Bytes of their keys and values.
    pub set_bytes: u64,
    /// Time on the processor that the whole run took, sweeping and making up keys included.
    pub cpu: Duration,
}

/// Asks for everything in turn, and stores what was missing.
pub(super) fn play(trace: &Trace, cache: &mut impl Cache, clock: Clock) -> (Counts, Holdings) {
    let mut counts = Counts::default();
    let mut now = START;
    let began = cpu_time();
    for (index, access) in trace.accesses.iter().enumerate() {
        let moment = START.saturating_add(clock.moment(index, access));
        // A cache that has had a long rest need not be told of every second of it.
        now = now.max(moment.saturating_sub(TICKS_MAX));
        while now < moment {
            now += 1;
            cache.tick(now);
        }
        let bytes = u64::from(access.key_len) + u64::from(access.value_len);
        let stores = match access.verb {
            Verb::Get => {
                let is_missing = !cache.get(access, now);
                counts.gets += 1;
                counts.get_bytes += bytes;
                counts.misses += u64::from(is_missing);
                counts.miss_bytes += if is_missing { bytes } else { 0 };
                is_missing
            }
            Verb::Set => true,
            Verb::Delete => {
                cache.delete(access, now);
                false
            }
        };
        if stores {
            counts.sets += 1;
            counts.set_bytes += bytes;
            let is_mortal = clock.has_ttls && access.ttl > 0;
            cache.set(access, now, is_mortal.then(|| now.saturating_add(access.ttl)));
        }
    }
    counts.cpu = cpu_time().saturating_sub(began);
    (counts, cache.holdings())
}

impl Clock {
    /// The second of an access.
    fn moment(&self, index: usize, access: &Access) -> u32 {
        match self.rate {
            None => access.at,
            Some(rate) => u32::try_from(index / rate.max(1) as usize).unwrap_or(u32::MAX),
        }
    }
}

/// Time that this thread has spent on a processor.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The first second: nothing expires at 0.
const START: u32 = 1;
/// Seconds that a cache is told of one by one when a trace jumps.
const TICKS_MAX: u32 = 3600;
