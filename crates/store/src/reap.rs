//! What a shard lets go of by itself: a slice of evictions, a slice of the search for what has expired.

use crate::queues::PROVEN;
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Farewell, Found, Items, Released};
use crate::slots::State;

impl Items {
    /// Evicts until about `wanted` bytes are freed, looking at 64 candidates at most and sparing what is pinned. `spared`
    /// is how many were looked at before in vain: when there are too many who have earned to stay, one goes all the same.
    pub(crate) fn evict(
        &mut self,
        now: Seconds,
        wanted: u64,
        spared: usize,
        bodies: &mut Released,
    ) -> Removed {
        let mut removed = Removed::default();
        for step in 1..=SLICE as usize {
            let Some(index) = self.queues.candidate() else { break };
            let slot = &self.slots[index];
            let charged = slot.body.charged();
            let (state, frequency) = (slot.state, slot.frequency);
            let farewell = match self.judge(index, now) {
                Found::Flushed(_) => Farewell::Flushed,
                Found::Expired(_) => Farewell::Expired,
                Found::Absent | Found::Live(_) => Farewell::Evicted(now),
            };
            if matches!(farewell, Farewell::Evicted(_)) {
                let again = match state {
                    _ if slot.body.is_pinned() => Some(frequency),
                    _ if removed.items == 0 && spared + step >= PATIENCE => None,
                    State::Small if frequency >= PROVEN => Some(0),
                    State::Main if frequency > 0 => Some(frequency - 1),
                    _ => None,
                };
                if let Some(frequency) = again {
                    self.queues.remove(&mut self.slots, index);
                    self.queues.push(&mut self.slots, index, State::Main);
                    self.slots[index].frequency = frequency;
                    continue;
                }
                if state == State::Small {
                    self.ghost.insert(self.slots[index].hash);
                }
            }
            bodies.push(self.remove(index, farewell));
            removed.add(charged);
            if removed.bytes >= wanted {
                break;
            }
        }
        removed
    }

    /// Whether a pass over the slots would find something to remove.
    pub(crate) fn wants_pass(&self, now: Seconds) -> bool {
        self.flushed > 0 || self.pass.at.is_some() || self.pass.earliest.is_due(now)
    }

    /// The same for a request that needs memory now. One that begins a pass which finds less than an item a slice is the last to
    /// do so in this second: who touches one item and stores another must not make the store look at all of them each time.
    pub(crate) fn wants_pass_at_once(&self, now: Seconds) -> bool {
        let begins = self.flushed > 0 || self.pass.begun != Some(now);
        self.wants_pass(now) && (self.pass.at.is_some() || begins)
    }

    /// Goes on with the pass over the slots: removes what has expired or was flushed among the next 64. `expired` says
    /// what the former are counted as.
    pub(crate) fn pass_slice(
        &mut self,
        now: Seconds,
        expired: Farewell,
        bodies: &mut Released,
    ) -> Removed {
        let start = self.pass.at.unwrap_or_else(|| {
            self.pass.begun = Some(now);
            self.pass.found = 0;
            self.pass.seen_earliest = Expiry::NEVER;
            0
        });
        let mut removed = Removed::default();
        let end = self.slots.end();
        let stop = start.saturating_add(SLICE).min(end);
        for index in start..stop {
            let Some(slot) = self.slots.get(index) else { continue };
            let (expiry, charged) = (slot.expiry, slot.body.charged());
            self.counters.classes[usize::from(slot.class)].looked_at += 1;
            let farewell = match self.judge(index, now) {
                Found::Flushed(_) => Farewell::Flushed,
                Found::Expired(_) => expired,
                Found::Absent | Found::Live(_) => {
                    self.pass.seen_earliest = self.pass.seen_earliest.min(expiry);
                    continue;
                }
            };
            bodies.push(self.remove(index, farewell));
            removed.add(charged);
        }
        self.pass.found += removed.items as u64;
        self.pass.at = (stop < end).then_some(stop);
        if self.pass.at.is_none() {
            self.pass.earliest = self.pass.seen_earliest;
            if self.pass.found * u64::from(SLICE) >= u64::from(end) {
                self.pass.begun = None;
            }
        }
        removed
    }
}

/// What a slice of work has removed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Removed {
    pub(crate) items: usize,
    /// What their bodies took.
    pub(crate) bytes: u64,
}

impl Removed {
    fn add(&mut self, bytes: u64) {
        self.items += 1;
        self.bytes += bytes;
    }
}

/// The search for what has expired or was flushed: through all slots, a slice at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    /// Where the running pass is, if one is.
    at: Option<u32>,
    /// No item expires before; what the running pass has seen so far.
    earliest: Expiry,
    seen_earliest: Expiry,
    /// When the last one began that was not worth its while, or the running one.
    begun: Option<Seconds>,
    /// What the running pass has removed.
    found: u64,
}

impl Pass {
    pub(crate) fn new() -> Self {
        Self {
            at: None,
            earliest: Expiry::NEVER,
            seen_earliest: Expiry::NEVER,
            begun: None,
            found: 0,
        }
    }

    /// An item has got this expiry.
    pub(crate) fn note(&mut self, expiry: Expiry) {
        self.earliest = self.earliest.min(expiry);
        self.seen_earliest = self.seen_earliest.min(expiry);
    }
}

/// Items looked at under one hold of a lock.
pub(crate) const SLICE: u32 = 64;

/// Items looked at before the next one is evicted whatever it has earned; a set that evicts must end soon.
pub(crate) const PATIENCE: usize = 16 * SLICE as usize;
