//! What was let go of: fingerprints, so that it is believed when it comes back.
//!
//! A table for each queue, so that the many that small loses do not push out the few that main loses; each remembers half
//! as many as there are items. Sets of four 16-bit words, the newest first: 15 bits of fingerprint, and whether it had expired. A false
//! match, one in eight thousand, lets an item skip the small queue: harmless.
//!
//! Sets come in pages, added one at a time as items come, so that no growth copies much: see [`crate::spread`].

use crate::account::{Account, allocation_bytes};
use crate::log::Queue;
use crate::spread::Spread;

/// Fingerprints of keys that went, by the queue that lost them.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    tables: [Ghost; 2],
    pub(crate) is_on: bool,
    /// Until something is lost there is nothing to take memory for.
    has_lost: bool,
}

/// What is remembered of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It was evicted from this queue.
    Evicted(Queue),
    /// It had proved itself when it expired.
    Expired,
}

impl Ghosts {
    /// Memory this takes.
    pub(crate) fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Whether they are as large as this number of items wants them, or have not much more.
    pub(crate) fn are_fit(&self, items: usize) -> bool {
        !self.has_lost || self.tables.iter().all(|table| table.is_fit(items / 2))
    }

    /// Grows with the number of items, a page at a time, if there is memory for it; says whether there was. When there are far
    /// fewer items than there were, everything is forgotten, and its memory is free.
    pub(crate) fn fit(&mut self, items: usize, account: &Account) -> bool {
        !self.has_lost || self.tables.iter_mut().all(|table| table.fit(items / 2, account))
    }

    /// Remembers a key that this queue lost.
    pub(crate) fn insert(&mut self, hash: u64, from: Queue, has_expired: bool) {
        if self.is_on {
            self.has_lost = true;
            self.tables[from as usize].insert(hash, has_expired);
        }
    }

    /// What is remembered of the key.
    pub(crate) fn find(&self, hash: u64) -> Option<Memory> {
        let found = |queue: Queue| {
            let word = self.tables[queue as usize].find(hash)?;
            Some(if word & 1 == 0 { Memory::Evicted(queue) } else { Memory::Expired })
        };
        found(Queue::Main).or_else(|| found(Queue::Small))
    }

    /// The same, and it is remembered no longer.
    pub(crate) fn take(&mut self, hash: u64) -> Option<Memory> {
        let found = self.find(hash)?;
        self.tables.iter_mut().for_each(|table| table.forget(hash));
        Some(found)
    }
}

/// Fingerprints of what one queue lost.
#[derive(Debug, Default)]
struct Ghost {
    pages: Vec<Box<[Set]>>,
    spread: Spread,
    bytes: u64,
}

impl Ghost {
    fn is_fit(&self, items: usize) -> bool {
        let (pages, wanted) = (self.pages.len(), items.div_ceil(PAGE_ITEMS));
        (wanted..=PAGES_MIN + 4 * wanted).contains(&pages)
    }

    /// One step to the size that is wanted; says whether there was memory for it.
    fn fit(&mut self, items: usize, account: &Account) -> bool {
        if self.is_fit(items) {
            return true;
        }
        if self.pages.len() > items.div_ceil(PAGE_ITEMS) {
            account.credit(std::mem::take(self).bytes);
            return true;
        }
        self.grow(account)
    }

    fn grow(&mut self, account: &Account) -> bool {
        if !self.reserve(account) || !account.take(PAGE_BYTES) {
            return false;
        }
        let mut page = Vec::new();
        if page.try_reserve_exact(PAGE_SETS).is_err() {
            account.credit(PAGE_BYTES);
            return false;
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
        true
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

    fn insert(&mut self, hash: u64, has_expired: bool) {
        let (page, index, print) = self.place(hash);
        if let Some(set) = self.pages.get_mut(page).and_then(|page| page.get_mut(index)) {
            set.rotate_right(1);
            set[0] = print << 1 | u16::from(has_expired);
        }
    }

    fn find(&self, hash: u64) -> Option<u16> {
        let (page, index, print) = self.place(hash);
        let set = self.pages.get(page)?.get(index)?;
        set.iter().find(|&&other| other >> 1 == print).copied()
    }

    fn forget(&mut self, hash: u64) {
        let (page, index, print) = self.place(hash);
        if let Some(set) = self.pages.get_mut(page).and_then(|page| page.get_mut(index))
            && let Some(way) = set.iter().position(|&other| other >> 1 == print)
        {
            set[way] = 0;
        }
    }

    /// Page, set in it, fingerprint, which is not 0.
    fn place(&self, hash: u64) -> (usize, usize, u16) {
        let mixed = hash.wrapping_mul(0x9FB2_1C65_1E98_DF25);
        let print = (mixed >> 49) as u16;
        (self.spread.place((mixed >> 8) as usize), (mixed >> 40) as usize % PAGE_SETS, print.max(1))
    }
}

type Set = [u16; WAYS];

fn list_bytes(pages: usize) -> u64 {
    allocation_bytes(pages * size_of::<Box<[Set]>>())
}

const WAYS: usize = 4;
const PAGE_SETS: usize = 64;
/// What a page can remember.
const PAGE_ITEMS: usize = PAGE_SETS * WAYS;
/// So few pages are not worth being given back.
const PAGES_MIN: usize = 8;
const PAGE_BYTES: u64 = allocation_bytes(PAGE_SETS * size_of::<Set>());
