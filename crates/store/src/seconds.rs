//! The coarse clock that callers bring along.

/// A moment in whole seconds since an origin of the caller's choice.
///
/// The store has no clock: every method that depends on time takes `now`. The values must not go back; what expires at
/// a moment is gone from that moment on (`exptime <= now`). "Never" is `None` where an expiry is asked for, and
/// `Seconds(u32::MAX)` means the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u32);

impl Seconds {
    /// Seconds from `earlier` to this moment; 0 if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// An expiry in one word: `u32::MAX` is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expiry(u32);

impl Expiry {
    pub(crate) const NEVER: Self = Self(u32::MAX);

    pub(crate) fn is_due(self, now: Seconds) -> bool {
        self != Self::NEVER && self.0 <= now.0
    }

    pub(crate) fn is_some(self) -> bool {
        self != Self::NEVER
    }

    pub(crate) const fn from_word(word: u32) -> Self {
        Self(word)
    }

    pub(crate) const fn to_word(self) -> u32 {
        self.0
    }
}

impl From<Option<Seconds>> for Expiry {
    fn from(exptime: Option<Seconds>) -> Self {
        exptime.map_or(Self::NEVER, |at| Self(at.0))
    }
}

impl From<Expiry> for Option<Seconds> {
    fn from(expiry: Expiry) -> Self {
        expiry.is_some().then_some(Seconds(expiry.0))
    }
}
