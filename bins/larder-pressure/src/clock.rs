//! The clocks of measurements: time that passes, and CPU time of this thread.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Time that passes for everybody.
#[expect(clippy::disallowed_methods, reason = "this program measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// CPU time of this thread in nanoseconds. Waiting for a processor is not in it, but what the machine's host takes
/// from a virtual processor may be.
pub(crate) fn cpu_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
