//! The coarse clock, and memcached's rules for exptimes.
//!
//! Under `--debug-commands` a client may shift this clock, or stop it, so that tests need not wait: everything that time
//! changes follows, but for the deadlines of the server itself.
//!
//! The store counts seconds since shortly before the server started, monotonically: a jump of the system's wall clock
//! neither expires nor revives anything. Only absolute exptimes are read against the wall clock, as it was at the start.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder_protocol::ClockChange;
use larder_store::Seconds;

/// Reads the time; one reading a turn.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    /// Unix time of second 0.
    unix_origin: i64,
    /// Seconds by which it was put forward, or back. Written by tests only, so that reading it costs nothing.
    shift: AtomicI64,
    /// Seconds since the start, and one more, at which it stands still; 0 while it goes.
    stopped_at: AtomicU64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let unix_origin = i64::try_from(unix).unwrap_or(i64::MAX) - i64::from(HEAD_START);
        Self::new(Instant::now(), unix_origin)
    }

    const fn new(started: Instant, unix_origin: i64) -> Self {
        let (shift, stopped_at) = (AtomicI64::new(0), AtomicU64::new(0));
        Self { started, unix_origin, shift, stopped_at }
    }

    /// Whole seconds since second 0.
    pub(crate) fn now(&self) -> Seconds {
        let elapsed = match self.stopped_at.load(Relaxed) {
            0 => self.elapsed().as_secs(),
            stopped_at => stopped_at - 1,
        };
        self.at(elapsed)
    }

    /// Puts it forward or back, stops it or lets it go on.
    pub(crate) fn change(&self, change: ClockChange) {
        match change {
            ClockChange::Pause if self.stopped_at.load(Relaxed) == 0 => {
                self.stopped_at.store(self.elapsed().as_secs() + 1, Relaxed);
            }
            ClockChange::Pause => {}
            ClockChange::Resume => self.stopped_at.store(0, Relaxed),
            ClockChange::Shift(seconds) => {
                let shift = self.shift.load(Relaxed).saturating_add(seconds);
                self.shift.store(shift, Relaxed);
            }
        }
    }

    /// Time since the server started, whatever the clock was changed to.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }

    /// Seconds since the server started.
    pub(crate) fn uptime(&self, now: Seconds) -> u32 {
        now.0.saturating_sub(HEAD_START)
    }

    /// Unix time of a second.
    pub(crate) fn unix(&self, at: Seconds) -> i64 {
        self.unix_origin.saturating_add(i64::from(at.0))
    }

    /// When an item with this exptime expires: 0 never, negative at once, up to 30 days from now, above that at that Unix
    /// time (memcached's `realtime`). What lies in the past has expired already, whatever the second.
    pub(crate) fn expiry(&self, exptime: i64, now: Seconds) -> Option<Seconds> {
        let at = match exptime {
            0 => return None,
            ..0 => return Some(EXPIRED),
            1..=RELATIVE_MAX => i64::from(now.0) + exptime,
            _ => exptime.saturating_sub(self.unix_origin).max(EXPIRED.0.into()),
        };
        Some(Seconds(u32::try_from(at).unwrap_or(u32::MAX)))
    }

    /// The time so many seconds after the start. It never goes back behind the first second.
    fn at(&self, elapsed: u64) -> Seconds {
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        let seconds = elapsed.saturating_add(self.shift.load(Relaxed)).max(0);
        Seconds(u32::try_from(seconds).unwrap_or(u32::MAX).saturating_add(HEAD_START))
    }
}

/// The system's time, since 1970: for logs, which follow no change of the server's clock.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn wall_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The first second is not 0, so that there is one before it.
const HEAD_START: u32 = 2;

/// An expiry that has passed at any time.
const EXPIRED: Seconds = Seconds(0);

/// Thirty days: larger exptimes are absolute.
const RELATIVE_MAX: i64 = 60 * 60 * 24 * 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a clock is built by hand")]
    fn exptimes_by_memcacheds_rules() {
        let clock = Clock::new(Instant::now(), 1_000_000_000);
        let now = Seconds(100);
        for (exptime, expected) in [
            (0, None),
            (-1, Some(EXPIRED)),
            (i32::MIN.into(), Some(EXPIRED)),
            (1, Some(Seconds(101))),
            (2_592_000, Some(Seconds(2_592_100))),
            (2_592_001, Some(EXPIRED)),
            (999_999_999, Some(EXPIRED)),
            (1_000_000_105, Some(Seconds(105))),
            (i32::MAX.into(), Some(Seconds(1_147_483_647))),
            (u32::MAX.into(), Some(Seconds(3_294_967_295))),
            (i64::MAX, Some(Seconds(u32::MAX))),
        ] {
            assert_eq!(clock.expiry(exptime, now), expected, "{exptime}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a clock is built by hand")]
    fn a_changed_clock_stays_within_its_seconds() {
        use ClockChange::{Pause, Resume, Shift};
        let clock = Clock::new(Instant::now(), 0);
        clock.change(Pause);
        let start = clock.now();
        for (change, expected) in [
            (Shift(100), 100),
            (Shift(-30), 70),
            (Pause, 70),
            (Shift(-71), 0),
            (Shift(11), 10),
            (Shift(i64::MIN), 0),
            (Shift(i64::MAX), 9),
            (Shift(i64::MAX), u32::MAX - start.0),
        ] {
            clock.change(change);
            assert_eq!(clock.now().since(start), expected, "{change:?}");
        }
        clock.change(Resume);
        assert_eq!(clock.now(), Seconds(u32::MAX));
    }
}
