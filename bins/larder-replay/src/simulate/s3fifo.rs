//! S3-FIFO of whole items, as its paper has it: what the store's policy is measured against.
//!
//! New items go into a small queue, or into the main one if their key is in the ghost: the list of keys that left the small
//! queue lately, as many as the main queue has items. Whoever reaches the old end of the small queue goes on to main if it
//! was hit twice; of the main queue, once more round for a hit. Neither order nor memory is that of segments: an item goes
//! the moment it must, and the room it had is there for the next.

use super::cache::{Cache, Expiries, Holdings, charge, place};
use super::chains::Chains;
use crate::Access;

/// An exact S3-FIFO. Expired items give their room back at once.
#[derive(Debug)]
pub(super) struct S3Fifo {
    limit: u64,
    overhead: u64,
    chains: Chains<3>,
    items: Vec<Item>,
    /// Bytes in the small queue and in main.
    held: [u64; 2],
    expiries: Expiries,
    counted: Holdings,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    charge: u64,
    expires: Option<u32>,
    /// [`SMALL`], [`MAIN`], [`GHOST`], or [`NOWHERE`].
    queue: u8,
    /// Hits since it came into its queue, or since it went round; 3 at most.
    hits: u8,
    was_fetched: bool,
}

impl S3Fifo {
    /// A cache of `limit` bytes for this many keys, in which an item costs `overhead` bytes beside key and value. The
    /// ghost costs nothing.
    pub(super) fn new(limit: u64, overhead: u64, keys: usize) -> Self {
        let item = Item { charge: 0, expires: None, queue: NOWHERE, hits: 0, was_fetched: false };
        Self {
            limit,
            overhead,
            chains: Chains::new(keys),
            items: vec![item; keys],
            held: [0; 2],
            expiries: Expiries::default(),
            counted: Holdings::default(),
        }
    }

    fn enter(&mut self, key: u32, queue: u8) {
        let item = &mut self.items[key as usize];
        item.queue = queue;
        item.hits = 0;
        if let Some(held) = self.held.get_mut(usize::from(queue)) {
            *held += item.charge;
        }
        self.chains.push(queue.into(), key);
    }

    /// Takes a key out of wherever it is; says where that was.
    fn leave(&mut self, key: u32) -> u8 {
        let item = &mut self.items[key as usize];
        let queue = std::mem::replace(&mut item.queue, NOWHERE);
        if let Some(held) = self.held.get_mut(usize::from(queue)) {
            *held -= item.charge;
        }
        if queue != NOWHERE {
            self.chains.remove(queue.into(), key);
        }
        queue
    }

    /// Looks at the item that has waited for longest: it goes on, round, or out.
    fn step(&mut self) {
        let small_is_over = self.held[usize::from(SMALL)] > self.limit / SMALL_PART;
        let from = if small_is_over || self.chains.len(MAIN.into()) == 0 { SMALL } else { MAIN };
        let Some(key) = self.chains.oldest(from.into()) else { return };
        let hits = self.items[key as usize].hits;
        self.leave(key);
        if from == SMALL && hits >= HITS_TO_MAIN {
            self.enter(key, MAIN);
        } else if from == MAIN && hits > 0 {
            self.enter(key, MAIN);
            self.items[key as usize].hits = hits - 1;
        } else {
            self.counted.evicted += 1;
            self.counted.evicted_unfetched += u64::from(!self.items[key as usize].was_fetched);
            if from == SMALL {
                self.enter(key, GHOST);
            }
        }
        while self.chains.len(GHOST.into()) > self.chains.len(MAIN.into()) {
            let Some(key) = self.chains.oldest(GHOST.into()) else { break };
            self.leave(key);
        }
    }

    fn make_room(&mut self, charge: u64) {
        while self.held[0] + self.held[1] + charge > self.limit {
            self.step();
        }
    }

    fn is_held(&self, key: u32) -> bool {
        self.items[key as usize].queue < GHOST
    }
}

impl Cache for S3Fifo {
    fn get(&mut self, access: &Access, _: u32) -> bool {
        let key = place(access);
        let is_held = self.is_held(key);
        if is_held {
            let item = &mut self.items[key as usize];
            item.hits = HITS_MAX.min(item.hits + 1);
            item.was_fetched = true;
        }
        is_held
    }

    fn set(&mut self, access: &Access, _: u32, expires: Option<u32>) {
        let key = place(access);
        let charge = charge(access, self.overhead);
        if charge > self.limit {
            self.leave(key);
            self.counted.refused += 1;
            return;
        }
        if self.is_held(key) {
            // What is written over keeps its place, and was used.
            let item = &mut self.items[key as usize];
            let held = &mut self.held[usize::from(item.queue)];
            *held = *held - item.charge + charge;
            *item = Item { charge, expires, hits: HITS_MAX.min(item.hits + 1), ..*item };
            self.make_room(0);
        } else {
            let queue = if self.leave(key) == GHOST { MAIN } else { SMALL };
            self.make_room(charge);
            let item = &mut self.items[key as usize];
            *item = Item { charge, expires, was_fetched: false, ..*item };
            self.enter(key, queue);
        }
        if let Some(expires) = expires {
            self.expiries.note(key, expires);
        }
    }

    fn delete(&mut self, access: &Access, _: u32) {
        let key = place(access);
        if self.is_held(key) {
            self.leave(key);
        }
    }

    fn tick(&mut self, now: u32) {
        while let Some((moment, keys)) = self.expiries.due(now) {
            for key in keys {
                if self.is_held(key) && self.items[key as usize].expires == Some(moment) {
                    self.counted.expired += 1;
                    self.leave(key);
                }
            }
        }
    }

    fn holdings(&self) -> Holdings {
        let items = self.chains.len(SMALL.into()) + self.chains.len(MAIN.into());
        Holdings { items: items as u64, held_bytes: self.held[0] + self.held[1], ..self.counted }
    }
}

/// The queues, by their numbers.
const SMALL: u8 = 0;
const MAIN: u8 = 1;
const GHOST: u8 = 2;
const NOWHERE: u8 = 3;

/// The small queue has a tenth of the memory.
const SMALL_PART: u64 = 10;
/// Hits in the small queue that earn a place in main.
const HITS_TO_MAIN: u8 = 2;
const HITS_MAX: u8 = 3;
