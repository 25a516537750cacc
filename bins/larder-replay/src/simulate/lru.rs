//! The least recently used item goes: what most caches promise.

use super::cache::{Cache, Expiries, Holdings, charge, place};
use super::chains::Chains;
use crate::Access;

/// An exact LRU of whole items. Expired ones give their room back at once.
#[derive(Debug)]
pub(super) struct Lru {
    limit: u64,
    overhead: u64,
    chain: Chains<1>,
    items: Vec<Item>,
    held: u64,
    expiries: Expiries,
    counted: Holdings,
}

#[derive(Debug, Clone, Copy, Default)]
struct Item {
    /// 0 when it is not there.
    charge: u64,
    expires: Option<u32>,
    was_fetched: bool,
}

impl Lru {
    /// A cache of `limit` bytes for this many keys, in which an item costs `overhead` bytes beside key and value.
    pub(super) fn new(limit: u64, overhead: u64, keys: usize) -> Self {
        Self {
            limit,
            overhead,
            chain: Chains::new(keys),
            items: vec![Item::default(); keys],
            held: 0,
            expiries: Expiries::default(),
            counted: Holdings::default(),
        }
    }

    fn remove(&mut self, key: u32) {
        let item = &mut self.items[key as usize];
        if item.charge > 0 {
            self.held -= item.charge;
            item.charge = 0;
            self.chain.remove(0, key);
        }
    }

    fn evict(&mut self, key: u32) {
        self.counted.evicted += 1;
        self.counted.evicted_unfetched += u64::from(!self.items[key as usize].was_fetched);
        self.remove(key);
    }
}

impl Cache for Lru {
    fn get(&mut self, access: &Access, _: u32) -> bool {
        let key = place(access);
        let item = &mut self.items[key as usize];
        if item.charge == 0 {
            return false;
        }
        item.was_fetched = true;
        self.chain.remove(0, key);
        self.chain.push(0, key);
        true
    }

    fn set(&mut self, access: &Access, _: u32, expires: Option<u32>) {
        let key = place(access);
        self.remove(key);
        let charge = charge(access, self.overhead);
        if charge > self.limit {
            self.counted.refused += 1;
            return;
        }
        while self.held + charge > self.limit {
            let Some(oldest) = self.chain.oldest(0) else { break };
            self.evict(oldest);
        }
        self.items[key as usize] = Item { charge, expires, was_fetched: false };
        self.held += charge;
        self.chain.push(0, key);
        if let Some(expires) = expires {
            self.expiries.note(key, expires);
        }
    }

    fn delete(&mut self, access: &Access, _: u32) {
        self.remove(place(access));
    }

    fn tick(&mut self, now: u32) {
        while let Some((moment, keys)) = self.expiries.due(now) {
            for key in keys {
                let item = &self.items[key as usize];
                if item.charge > 0 && item.expires == Some(moment) {
                    self.counted.expired += 1;
                    self.remove(key);
                }
            }
        }
    }

    fn holdings(&self) -> Holdings {
        Holdings { items: self.chain.len(0) as u64, held_bytes: self.held, ..self.counted }
    }
}
