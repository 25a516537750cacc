//! What happened, counted by the worker it happened on.
//!
//! Each worker writes its own counters and nobody else's, so that no request touches a cache line that another thread
//! writes; a reader adds them up. `stats reset` does not write them either: it remembers the sums of that moment.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::classes::CLASS_COUNT_MAX;

/// What is counted for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    BytesRead,
    BytesWritten,
    CasBadval,
    CasHits,
    CasMisses,
    ClosedHalfCommand,
    ClosedIdle,
    ClosedIncompleteCommands,
    ClosedIncompleteValues,
    ClosedLingeringBytes,
    ClosedLingeringSeconds,
    ClosedOnError,
    ClosedRepliesInFlight,
    ClosedUnreadReplies,
    CmdFlush,
    CmdGet,
    CmdMeta,
    CmdSet,
    CmdTouch,
    ConnYields,
    DecrHits,
    DecrMisses,
    DeleteHits,
    DeleteMisses,
    GetHits,
    GetMisses,
    IncrHits,
    IncrMisses,
    StoreNoMemory,
    StoreTooLarge,
    TouchHits,
    TouchMisses,
    UdpAnswered,
    UdpFragment,
    UdpHalf,
    UdpNoRequest,
    UdpOverLimit,
    UdpOverRate,
    UdpQuiet,
    UdpReceived,
    UdpShort,
    UdpUnsent,
    /// One more than the last; not a counter.
    Len,
}

impl Count {
    /// Why a client was closed, or a datagram not answered, for the log.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::ClosedHalfCommand => "half a command was not finished (--half-command-timeout)",
            Self::ClosedIdle => "it was silent (-o idle_timeout)",
            Self::ClosedIncompleteCommands => {
                "its half command waited longest (--incomplete-command-limit)"
            }
            Self::ClosedIncompleteValues => {
                "its half value waited longest (--incomplete-value-limit)"
            }
            Self::ClosedLingeringBytes => "it sent more and more after its connection had ended",
            Self::ClosedLingeringSeconds => {
                "it did not end its side of a connection that had ended"
            }
            Self::ClosedRepliesInFlight => {
                "it held most values that it did not read (--replies-in-flight-limit, or memory ran out)"
            }
            Self::ClosedUnreadReplies => "it held most unread replies (--unread-reply-limit)",
            Self::UdpFragment => "is not one of one: it was dropped",
            Self::UdpHalf => "has no whole request: it was not answered",
            Self::UdpNoRequest => "begins as no request does: it was dropped",
            Self::UdpOverLimit => "asked for more than --udp-reply-limit: it did not get all",
            Self::UdpOverRate => "came when --udp-reply-rate was used up: it did not get all",
            Self::UdpShort => "is too short: it was dropped",
            Self::UdpUnsent => "could not be answered: the system did not take all of the reply",
            _ => "its connection failed",
        }
    }
}

/// What is counted for a worker and a size class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClassCount {
    CasBadval,
    CasHits,
    CmdSet,
    DecrHits,
    DeleteHits,
    GetHits,
    IncrHits,
    TouchHits,
    /// One more than the last; not a counter.
    Len,
}

/// One worker's counters.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Counters {
    counts: [AtomicU64; COUNT_LEN],
    classes: [[AtomicU64; CLASS_COUNT_LEN]; CLASS_COUNT_MAX],
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; COUNT_LEN],
            classes: [const { [const { AtomicU64::new(0) }; CLASS_COUNT_LEN] }; CLASS_COUNT_MAX],
        }
    }

    /// Only the owning worker calls this: it is no atomic addition.
    pub(crate) fn add(&self, count: Count, number: u64) {
        add(&self.counts[count as usize], number);
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn add_one(&self, count: Count) {
        self.add(count, 1);
    }

    /// Counts one for a size class, by its index from 0.
    pub(crate) fn add_one_in_class(&self, count: ClassCount, class: usize) {
        if let Some(counts) = self.classes.get(class) {
            add(&counts[count as usize], 1);
        }
    }
}

fn add(counter: &AtomicU64, number: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(number);
    counter.store(sum, Ordering::Relaxed);
}

/// The sums over all workers at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    counts: [u64; COUNT_LEN],
    classes: Box<[[u64; CLASS_COUNT_LEN]; CLASS_COUNT_MAX]>,
}

impl Sums {
    pub(crate) fn zero() -> Self {
        Self { counts: [0; COUNT_LEN], classes: Box::new([[0; CLASS_COUNT_LEN]; CLASS_COUNT_MAX]) }
    }

    pub(crate) fn of(workers: &[Counters]) -> Self {
        let mut sums = Self::zero();
        for worker in workers {
            accumulate(&mut sums.counts, &worker.counts);
            for (sum, class) in sums.classes.iter_mut().zip(&worker.classes) {
                accumulate(sum, class);
            }
        }
        sums
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        subtract(&mut self.counts, &earlier.counts);
        for (sum, class) in self.classes.iter_mut().zip(earlier.classes.iter()) {
            subtract(sum, class);
        }
        self
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    pub(crate) fn get_in_class(&self, count: ClassCount, class: usize) -> u64 {
        self.classes.get(class).map_or(0, |counts| counts[count as usize])
    }
}

fn accumulate(sums: &mut [u64], counters: &[AtomicU64]) {
    for (sum, counter) in sums.iter_mut().zip(counters) {
        *sum = sum.wrapping_add(counter.load(Ordering::Relaxed));
    }
}

fn subtract(sums: &mut [u64], earlier: &[u64]) {
    for (sum, earlier) in sums.iter_mut().zip(earlier) {
        *sum = sum.wrapping_sub(*earlier);
    }
}

const COUNT_LEN: usize = Count::Len as usize;
const CLASS_COUNT_LEN: usize = ClassCount::Len as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_taken_since_a_moment() {
        let workers = [Counters::new(), Counters::new()];
        workers[0].add(Count::CmdGet, 3);
        let earlier = Sums::of(&workers);
        workers[1].add(Count::CmdGet, 4);
        workers[1].add_one_in_class(ClassCount::GetHits, 7);
        let sums = Sums::of(&workers).since(&earlier);
        assert_eq!((sums.get(Count::CmdGet), Sums::of(&workers).get(Count::CmdGet)), (4, 7));
        assert_eq!(sums.get_in_class(ClassCount::GetHits, 7), 1);
        assert_eq!(sums.get_in_class(ClassCount::GetHits, 6), 0);
    }
}
