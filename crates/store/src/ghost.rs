//! What was evicted without having proved itself: fingerprints, so that it is believed when it comes back.
//!
//! Sets of four 16-bit fingerprints, the newest first; about as many as there are items. A false match, one in
//! sixteen thousand, lets an item skip the small queue: harmless.
//!
//! Sets come in pages, added one at a time as items come, so that no growth copies much: see [`crate::spread`].

use crate::account::{Account, allocation_bytes};
use crate::spread::Spread;

/// Fingerprints of evicted keys.
#[derive(Debug, Default)]
pub(crate) struct Ghost {
    pages: Vec<Box<[Set]>>,
    spread: Spread,
    bytes: u64,
}

impl Ghost {
    /// Memory this takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Grows with the number of items, a page at a time, if there is memory to spare.
    pub(crate) fn fit(&mut self, items: usize, account: &Account) {
        if self.pages.len() * PAGE_SETS * WAYS >= items || !self.reserve(account) {
            return;
        }
        if !account.take(PAGE_BYTES) {
            return;
        }
        let mut page = Vec::new();
        if page.try_reserve_exact(PAGE_SETS).is_err() {
            account.credit(PAGE_BYTES);
            return;
        }
        // A fingerprint does not say in which of the two pages it belongs now: it goes into both.
        match self.pages.get(self.spread.source()) {
            Some(source) => page.extend_from_slice(source),
            None => page.resize(PAGE_SETS, [0; WAYS]),
        }
        self.bytes += PAGE_BYTES;
        if !self.pages.is_empty() {
            self.spread.grow();
        }
        self.pages.push(page.into_boxed_slice());
    }

    /// Room for one more page in the list of pages.
    fn reserve(&mut self, account: &Account) -> bool {
        let (len, old) = (self.pages.len(), self.pages.capacity());
        if len < old {
            return true;
        }
        let new = (old * 2).max(4);
        if !account.take(list_bytes(new)) {
            return false;
        }
        if self.pages.try_reserve_exact(new - len).is_err() {
            account.credit(list_bytes(new));
            return false;
        }
        self.bytes = self.bytes + list_bytes(new) - list_bytes(old);
        account.credit(list_bytes(old));
        true
    }

    /// Remembers a key.
    pub(crate) fn insert(&mut self, hash: u64) {
        let (set, print) = self.set(hash);
        if let Some(set) = set {
            set.rotate_right(1);
            set[0] = print;
        }
    }

    /// Whether the key is remembered; it is forgotten by that.
    pub(crate) fn take(&mut self, hash: u64) -> bool {
        let (set, print) = self.set(hash);
        let Some(set) = set else { return false };
        let Some(way) = set.iter().position(|&other| other == print) else { return false };
        set[way] = 0;
        true
    }

    fn set(&mut self, hash: u64) -> (Option<&mut Set>, u16) {
        let mixed = hash.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        let page = self.pages.get_mut(self.spread.place((mixed >> 8) as usize));
        let index = (mixed >> 40) as usize % PAGE_SETS;
        let print = (mixed >> 48) as u16;
        (page.and_then(|page| page.get_mut(index)), print.max(1))
    }
}

type Set = [u16; WAYS];

fn list_bytes(pages: usize) -> u64 {
    allocation_bytes(pages * size_of::<Box<[Set]>>())
}

const WAYS: usize = 4;
/// A page is for 256 items.
const PAGE_SETS: usize = 64;
const PAGE_BYTES: u64 = allocation_bytes(PAGE_SETS * size_of::<Set>());
