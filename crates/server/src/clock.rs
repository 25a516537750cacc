//! The coarse clock, and memcached's rules for exptimes.
//!
//! The store counts seconds since shortly before the server started, monotonically: a jump of the system's wall clock
//! neither expires nor revives anything. Only absolute exptimes are read against the wall clock, as it was at the start.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use larder_store::Seconds;

/// Reads the time; one reading a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    /// Unix time of second 0.
    unix_origin: i64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let unix_origin = i64::try_from(unix).unwrap_or(i64::MAX) - i64::from(HEAD_START);
        Self { started: Instant::now(), unix_origin }
    }

    /// Whole seconds since second 0.
    pub(crate) fn now(&self) -> Seconds {
        self.at(self.elapsed())
    }

    /// Time since the server started.
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
    pub(crate) fn expiry(&self, exptime: i32, now: Seconds) -> Option<Seconds> {
        match exptime {
            0 => None,
            ..0 => Some(EXPIRED),
            1..=RELATIVE_MAX => Some(Seconds(now.0.saturating_add(exptime.unsigned_abs()))),
            _ => {
                let at = i64::from(exptime) - self.unix_origin;
                Some(u32::try_from(at).map_or(EXPIRED, Seconds))
            }
        }
    }

    fn at(&self, elapsed: Duration) -> Seconds {
        let seconds = u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX);
        Seconds(seconds.saturating_add(HEAD_START))
    }
}

/// The first second is not 0, so that there is one before it.
const HEAD_START: u32 = 2;

/// An expiry that has passed at any time.
const EXPIRED: Seconds = Seconds(0);

/// Thirty days: larger exptimes are absolute.
const RELATIVE_MAX: i32 = 60 * 60 * 24 * 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a clock is built by hand")]
    fn exptimes_by_memcacheds_rules() {
        let clock = Clock { started: Instant::now(), unix_origin: 1_000_000_000 };
        let now = Seconds(100);
        for (exptime, expected) in [
            (0, None),
            (-1, Some(EXPIRED)),
            (i32::MIN, Some(EXPIRED)),
            (1, Some(Seconds(101))),
            (2_592_000, Some(Seconds(2_592_100))),
            (2_592_001, Some(EXPIRED)),
            (999_999_999, Some(EXPIRED)),
            (1_000_000_105, Some(Seconds(105))),
            (i32::MAX, Some(Seconds(1_147_483_647))),
        ] {
            assert_eq!(clock.expiry(exptime, now), expected, "{exptime}");
        }
    }
}
