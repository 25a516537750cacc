//! What was evicted without having proved itself: fingerprints, so that it is believed when it comes back.
//!
//! Sets of four 16-bit fingerprints, the newest first; about as many as there are items. A false match, one in
//! sixteen thousand, lets an item skip the small queue: harmless.

use crate::account::{Account, allocation_bytes};

/// Fingerprints of evicted keys.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    /// A power of two of them, or none yet.
    sets: Vec<[u16; WAYS]>,
}

impl Ghost {
    /// Memory this takes.
    pub(crate) fn bytes(&self) -> u64 {
        set_bytes(self.sets.len())
    }

    /// Grows with the number of items, if there is memory to spare.
    pub(crate) fn fit(&mut self, items: usize, account: &Account) {
        if self.sets.len() * WAYS >= items {
            return;
        }
        let (old, new) = (self.sets.len(), (self.sets.len() * 2).max(SETS_MIN));
        if !account.take(set_bytes(new)) {
            return;
        }
        // A fingerprint does not say in which half it belongs now: it goes into both.
        let mut sets = Vec::with_capacity(new);
        sets.extend_from_slice(&self.sets);
        sets.extend_from_slice(&self.sets);
        sets.resize(new, [0; WAYS]);
        self.sets = sets;
        account.credit(set_bytes(old));
    }

    /// Remembers a key.
    pub(crate) fn insert(&mut self, hash: u64) {
        let (index, print) = self.place(hash);
        if let Some(set) = self.sets.get_mut(index) {
            set.rotate_right(1);
            set[0] = print;
        }
    }

    /// Whether the key is remembered; it is forgotten by that.
    pub(crate) fn take(&mut self, hash: u64) -> bool {
        let (index, print) = self.place(hash);
        let Some(set) = self.sets.get_mut(index) else { return false };
        let Some(way) = set.iter().position(|&other| other == print) else { return false };
        set[way] = 0;
        true
    }

    fn place(&self, hash: u64) -> (usize, u16) {
        let mixed = hash.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        let index = (mixed >> 8) as usize & self.sets.len().saturating_sub(1);
        let print = (mixed >> 48) as u16;
        (index, print.max(1))
    }
}

fn set_bytes(sets: usize) -> u64 {
    allocation_bytes(sets * size_of::<[u16; WAYS]>())
}

const WAYS: usize = 4;
const SETS_MIN: usize = 16;
