//! The clock of measurements: CPU time of this thread.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this thread in nanoseconds. Waiting for a processor is not in it, but what the machine's host takes
/// from a virtual processor may be.
pub(crate) fn cpu_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
