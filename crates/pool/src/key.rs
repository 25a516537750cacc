//! The name of one pooled object: its slot, and which of the slot's successive objects is meant.

use core::fmt;

/// Names one object of a [`Pool`](crate::Pool) for as long as that object is in it.
///
/// A key crosses the kernel as a `u64` (event key, user data) and comes back by [`From`]. Any number makes a key; one that
/// no insertion returned, or whose object was removed since, finds nobody. `u64::MAX` is never the key of an object, so
/// whoever waits for events may keep it for an event of its own.
///
/// ```text
///   u64   63          32 31           0
///         [ generation ][    index    ]
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation }
    }

    pub(crate) const fn index(self) -> u32 {
        self.index
    }

    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }
}

impl From<Key> for u64 {
    fn from(key: Key) -> Self {
        Self::from(key.generation) << 32 | Self::from(key.index)
    }
}

impl From<u64> for Key {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
    fn from(word: u64) -> Self {
        Self { index: word as u32, generation: (word >> 32) as u32 }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}/{})", self.index, self.generation)
    }
}
