//! The order of eviction: S3-FIFO, two queues threaded through the slots.
//!
//! ```text
//!               new ──► small (10 % of the bytes) ──── never asked for twice ───► out, into the ghost
//!   new, but in ghost ─┐          │ hit twice or more
//!                      └──► main ◄┘ ──── no hit since the last round ───► out
//!                             └── hit: again at the head, one hit less
//! ```
//!
//! A hit writes two bits into the slot, and only while they change; no list is touched.

use crate::slots::{NONE, Slots, State};

/// Both queues of a shard.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    small: Queue,
    main: Queue,
}

impl Queues {
    /// Puts a slot at the head of a queue. `bytes` are what it is worth, and must be the same when it leaves.
    pub(crate) fn push(&mut self, slots: &mut Slots, index: u32, state: State) {
        let bytes = weight(slots, index);
        let Some(queue) = self.queue(state) else { return };
        let second = queue.head;
        queue.head = index;
        if second == NONE {
            queue.tail = index;
        } else {
            slots[second].newer = index;
        }
        queue.bytes += bytes;
        let slot = &mut slots[index];
        slot.newer = NONE;
        slot.older = second;
        slot.state = state;
    }

    /// Takes a slot out of its queue, before its body changes.
    pub(crate) fn remove(&mut self, slots: &mut Slots, index: u32) {
        let bytes = weight(slots, index);
        let (newer, older, state) = {
            let slot = &slots[index];
            (slot.newer, slot.older, slot.state)
        };
        let Some(queue) = self.queue(state) else { return };
        queue.bytes -= bytes;
        if newer == NONE {
            queue.head = older;
        } else {
            slots[newer].older = older;
        }
        if older == NONE {
            queue.tail = newer;
        } else {
            slots[older].newer = newer;
        }
    }

    /// The body of this slot now takes other bytes.
    pub(crate) fn reweigh(&mut self, state: State, before: u64, after: u64) {
        if let Some(queue) = self.queue(state) {
            queue.bytes = queue.bytes + after - before;
        }
    }

    /// The slot whose turn it is to prove that it is worth keeping.
    pub(crate) fn candidate(&self) -> Option<u32> {
        let share = (self.small.bytes + self.main.bytes) / SMALL_SHARE;
        let small_first = self.small.bytes >= share || self.main.tail == NONE;
        let tail =
            if small_first && self.small.tail != NONE { self.small.tail } else { self.main.tail };
        (tail != NONE).then_some(tail)
    }

    /// The oldest of both queues, oldest first, at most `count` of each.
    pub(crate) fn oldest<'a>(
        &self,
        slots: &'a Slots,
        count: usize,
    ) -> impl Iterator<Item = u32> + use<'a> {
        let walk = move |tail: u32| {
            let next = |&index: &u32| slots.get(index).map(|slot| slot.newer);
            std::iter::successors(Some(tail), next).take_while(|&index| index != NONE).take(count)
        };
        walk(self.small.tail).chain(walk(self.main.tail))
    }

    fn queue(&mut self, state: State) -> Option<&mut Queue> {
        match state {
            State::Small => Some(&mut self.small),
            State::Main => Some(&mut self.main),
            State::Vacant => None,
        }
    }
}

#[derive(Debug)]
struct Queue {
    head: u32,
    tail: u32,
    bytes: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: NONE, tail: NONE, bytes: 0 }
    }
}

/// What a slot counts for in its queue.
fn weight(slots: &Slots, index: u32) -> u64 {
    slots.get(index).map_or(0, |slot| slot.body.charged() + SLOT_WEIGHT)
}

/// The small queue may hold one part in so many of the bytes.
const SMALL_SHARE: u64 = 10;
/// A slot and its index entry.
const SLOT_WEIGHT: u64 = 72;
/// Hits that move an item from the small queue to the main one.
pub(crate) const PROVEN: u8 = 2;
/// Hits are counted up to this.
pub(crate) const FREQUENCY_MAX: u8 = 3;
