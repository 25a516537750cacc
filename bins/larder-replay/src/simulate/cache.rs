//! What a trace is played against, and what is known of it afterwards.

use std::collections::BTreeMap;

use crate::Access;

/// A cache with a limit. The times that it is given do not go back.
pub(super) trait Cache {
    /// Whether the value is there and has not expired. It counts as used.
    fn get(&mut self, access: &Access, now: u32) -> bool;

    /// Stores the value, over one that is there; `expires` is the first second in which it is gone, unless never.
    fn set(&mut self, access: &Access, now: u32, expires: Option<u32>);

    /// Removes the value if it is there.
    fn delete(&mut self, access: &Access, now: u32);

    /// Another second has begun.
    fn tick(&mut self, now: u32);

    /// What it holds and has done.
    fn holdings(&self) -> Holdings;
}

/// What a cache held at the end, and what became of the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Holdings {
    /// Items, those included that have expired without anybody noticing.
    pub items: u64,
    /// Memory in use by the cache's own account.
    pub held_bytes: u64,
    /// Items that went to make room while they could still have been asked for.
    pub evicted: u64,
    /// Of these, such as nobody had asked for since they were stored.
    pub evicted_unfetched: u64,
    /// Items that went because they had expired.
    pub expired: u64,
    /// Values that were not stored for want of memory.
    pub refused: u64,
    /// Bytes of items that the cache moved from one place to another, where it is known.
    pub copied_bytes: Option<u64>,
    /// Bytes that hold nothing any more but cannot be used yet, where it is known.
    pub dead_bytes: Option<u64>,
}

/// Which keys expire when, for caches that give expired space back at once.
#[derive(Debug, Default)]
pub(super) struct Expiries(BTreeMap<u32, Vec<u32>>);

impl Expiries {
    /// Notes that a key's value expires. Whoever is told must look whether it is still that value.
    pub(super) fn note(&mut self, key: u32, expires: u32) {
        self.0.entry(expires).or_default().push(key);
    }

    /// The moment and the keys of the next values that are due.
    pub(super) fn due(&mut self, now: u32) -> Option<(u32, Vec<u32>)> {
        let first = self.0.first_entry()?;
        (*first.key() <= now).then(|| first.remove_entry())
    }
}

/// What an item counts in a reference policy: key, value, and what an item costs beside them.
pub(super) fn charge(access: &Access, overhead: u64) -> u64 {
    u64::from(access.key_len) + u64::from(access.value_len) + overhead
}

/// A key's place in tables. Traces of more than 2^32 - 1 keys do not fit into memory.
pub(super) fn place(access: &Access) -> u32 {
    u32::try_from(access.key).unwrap_or(u32::MAX - 1)
}
