//! What a store shows of an item, and what the map knows of it.

use std::cell::Cell;
use std::fmt;
use std::sync::LazyLock;

use larder_store::{Seconds, Visit};

/// An item as a visitor sees it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) value: Vec<u8>,
    pub(super) flags: u32,
    pub(super) exptime: Option<Seconds>,
    pub(super) cas: u64,
    pub(super) last_access: Seconds,
    pub(super) was_fetched: bool,
    pub(super) is_stale: bool,
    pub(super) is_key_encoded: bool,
}

/// An item as the map keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) shown: Shown,
    /// Only a fetch tells.
    pub(super) is_won: bool,
    /// The number of the last walk that has shown it.
    pub(super) walk: Cell<u32>,
}

impl Entry {
    pub(super) const fn new(shown: Shown, is_won: bool) -> Self {
        Self { shown, is_won, walk: Cell::new(0) }
    }
}

impl Shown {
    /// All of a visit.
    pub(super) fn of(visit: &Visit<'_>) -> Self {
        let mut value = Vec::with_capacity(visit.value_len() + 2);
        visit.slices().for_each(|slice| value.extend_from_slice(slice));
        assert_eq!(value.len(), visit.value_len() + 2, "slices are as long as is said");
        assert!(value.ends_with(b"\r\n"), "a value is followed by its line end");
        if let Some(data) = visit.data() {
            assert!(data == value, "the one piece is the slices");
        }
        value.truncate(visit.value_len());
        Self {
            value,
            flags: visit.flags(),
            exptime: visit.exptime(),
            cas: visit.cas(),
            last_access: visit.last_access(),
            was_fetched: visit.was_fetched(),
            is_stale: visit.is_stale(),
            is_key_encoded: visit.is_key_encoded(),
        }
    }

    /// Whether this is what a visit shows; bytes are not copied.
    pub(super) fn is_of(&self, visit: &Visit<'_>, care: Care) -> bool {
        self.flags == visit.flags()
            && self.exptime == visit.exptime()
            && self.cas == visit.cas()
            && self.last_access == visit.last_access()
            && self.was_fetched == visit.was_fetched()
            && self.is_stale == visit.is_stale()
            && self.is_key_encoded == visit.is_key_encoded()
            && is_value(&self.value, visit.slices(), care)
    }

    /// What a hit leaves behind.
    pub(super) fn mark(&mut self, now: Seconds) {
        self.was_fetched = true;
        self.last_access = now;
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.value[..self.value.len().min(24)];
        f.debug_struct("Shown")
            .field("value", &format_args!("{} bytes, {}", self.value.len(), start.escape_ascii()))
            .field("flags", &self.flags)
            .field("exptime", &self.exptime)
            .field("cas", &self.cas)
            .field("last_access", &self.last_access)
            .field("was_fetched", &self.was_fetched)
            .field("is_stale", &self.is_stale)
            .field("is_key_encoded", &self.is_key_encoded)
            .finish()
    }
}

/// How much of a value is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    All,
    /// The ends of each slice: after every operation, all of all values would take too long.
    Ends,
}

/// Whether slices are a value and its line end.
pub(super) fn is_value<'s>(
    value: &[u8],
    slices: impl Iterator<Item = &'s [u8]>,
    care: Care,
) -> bool {
    let mut left = value;
    let mut end = &b"\r\n"[..];
    for slice in slices {
        let (of_value, of_end) = slice.split_at(slice.len().min(left.len()));
        let (expected, rest) = left.split_at(of_value.len());
        left = rest;
        let Some(rest) = end.strip_prefix(of_end) else { return false };
        end = rest;
        if slice.is_empty() || !is_same(of_value, expected, care) {
            return false;
        }
    }
    left.is_empty() && end.is_empty()
}

/// Whether two slices of one length are equal.
fn is_same(slice: &[u8], expected: &[u8], care: Care) -> bool {
    let len = slice.len();
    if care == Care::All || len <= 2 * END_LEN {
        return slice == expected;
    }
    slice[..END_LEN] == expected[..END_LEN] && slice[len - END_LEN..] == expected[len - END_LEN..]
}

/// A value of this length; other seeds give other bytes, at every place. None of them is a digit.
pub(super) fn value(len: usize, seed: u8) -> Vec<u8> {
    let start = usize::from(seed) * 61;
    BYTES[start..start + len].to_vec()
}

/// Bytes that do not repeat over any length that a piece of a value could have.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 1_u64;
    let mut letters = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,:;!?#$%&/()="
            [(state >> 33) as usize % 64]
    };
    (0..VALUE_LEN_MAX + 256 * 61).map(|_| letters()).collect()
});

/// How much an end of a slice is.
const END_LEN: usize = 64;

const VALUE_LEN_MAX: usize = 1_000_000;
