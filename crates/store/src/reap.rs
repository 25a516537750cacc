//! What a shard lets go of by itself, a slice at a time: evictions, compaction, what has expired or was flushed.

use crate::entry::FREQUENCY_MAX;
use crate::log::{Queue, RESERVE};
use crate::policy::{self, Balance};
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Farewell, Found, Items, Released};

impl Items {
    /// Goes on emptying the oldest segment of one of the queues, or one that is mostly dead, until about `wanted` bytes are
    /// freed, and looks at `records` items at most. `spared` is how many were looked at before in vain: when there are too
    /// many who have earned to stay, one goes all the same.
    pub(crate) fn evict(
        &mut self,
        now: Seconds,
        wanted: u64,
        records: usize,
        spared: usize,
        bodies: &mut Released,
    ) -> Removed {
        let mut removed = Removed::default();
        let mut looked_at = 0;
        while looked_at < records && removed.bytes < wanted {
            let is_long = spared + looked_at >= PATIENCE / 2;
            let Some((number, is_compacted)) = self.victim(is_long) else { break };
            let held = self.log.freed_segments;
            // Large items are few: each may be enough.
            let batch = if self.bodies.is_empty() { BATCH } else { 1 };
            let Some(seen) = self.gather(number, batch.min(records - looked_at)) else { break };
            for &(handle, hash) in &seen.items[..seen.count] {
                looked_at += 1;
                let is_due = removed.items == 0 && spared + looked_at >= PATIENCE;
                if is_compacted {
                    let _is_gone = self.compact(handle, hash, now, &mut removed, bodies);
                } else {
                    self.decide(handle, hash, now, is_due, &mut removed, bodies);
                }
            }
            if seen.count == 0 {
                // A slice may go by with nothing but what is dead.
                looked_at += 1;
            }
            let freed = self.log.freed_segments - held;
            removed.bytes += freed * self.log.segment_bytes();
            removed.segments += freed;
            looked_at += if freed > 0 { SEGMENT_ITEMS } else { 0 };
        }
        removed
    }

    /// The segment to be emptied, and whether what lives in it stays. When the search has been long, new items seem all to
    /// have proved themselves: then main, where they have to do so again, has something to give.
    fn victim(&mut self, is_long: bool) -> Option<(u32, bool)> {
        if let Some((number, is_compacted)) = self.drained
            && self.log.slot(number).is_some_and(|slot| slot.is_draining)
        {
            return Some((number, is_compacted));
        }
        let holey = if self.rules.policy.compaction { self.log.take_holey() } else { None };
        if let Some(number) = holey {
            return Some(self.drain(number, true));
        }
        let (small, main) = (self.log.queue_bytes(Queue::Small), self.log.queue_bytes(Queue::Main));
        let balance = if self.rules.policy.self_sizing { self.balance } else { Balance::default() };
        let queue = if is_long && main > 0 { Queue::Main } else { balance.victim(small, main) };
        let other = if queue == Queue::Small { Queue::Main } else { Queue::Small };
        let number = self.oldest(queue).or_else(|| self.oldest(other))?;
        Some(self.drain(number, false))
    }

    /// Begins to empty a segment. It is emptied to its end before another is: so one segment in reserve is enough for what
    /// survives.
    fn drain(&mut self, number: u32, is_compacted: bool) -> (u32, bool) {
        self.log.close(number);
        if let Some(slot) = self.log.slot_mut(number) {
            slot.is_draining = true;
        }
        self.drained = Some((number, is_compacted));
        (number, is_compacted)
    }

    /// The oldest segment of a queue in which something lives.
    fn oldest(&self, queue: Queue) -> Option<u32> {
        let mut number = self.log.oldest(queue);
        while let Some(candidate) = number {
            if self.log.slot(candidate).is_some_and(|slot| slot.items > 0) {
                return Some(candidate);
            }
            number = self.log.next(candidate);
        }
        None
    }

    /// The next living items of a segment with their hashes, behind its cursor, which moves past them; their places in the index
    /// are on their way from memory.
    fn gather(&mut self, number: u32, count: usize) -> Option<Seen> {
        let mut seen = Seen { items: [(0, 0); BATCH], count: 0 };
        let mut at = self.log.slot(number)?.cursor;
        let mut patience = DEAD_MAX;
        while seen.count < count {
            match self.log.next_living(number, at, &mut patience) {
                Err(stop) => {
                    at = stop;
                    break;
                }
                Ok(offset) => {
                    let handle = self.log.handle(number, offset);
                    let hash = self.hash(handle);
                    self.index.prefetch(hash);
                    seen.items[seen.count] = (handle, hash);
                    seen.count += 1;
                    let len = self.log.entry(handle).len();
                    at = offset + u32::try_from(len).unwrap_or(u32::MAX);
                }
            }
        }
        let slot = self.log.slot_mut(number)?;
        // At the end nothing can be alive but what was passed over: look again.
        slot.cursor = if seen.count == 0 && at >= slot.filled { 0 } else { at };
        Some(seen)
    }

    /// Copies an item to the young end of its queue, and removes it if it is gone already; says whether its place is free.
    fn compact(
        &mut self,
        handle: u32,
        hash: u64,
        now: Seconds,
        removed: &mut Removed,
        bodies: &mut Released,
    ) -> bool {
        let queue = self.log.slot_of(handle).queue;
        let farewell = match self.judge(handle, now) {
            Found::Live(_) | Found::Absent => {
                let is_moved = self.relocate(handle, hash, queue).is_some();
                if is_moved || !self.rules.evicts {
                    return is_moved;
                }
                Farewell::Evicted(now)
            }
            Found::Flushed(_) => Farewell::Flushed,
            Found::Expired(_) => Farewell::Expired,
        };
        removed.add(self.at(handle).body.map_or(0, |body| body.charged()));
        bodies.push(self.remove(handle, hash, farewell));
        true
    }

    /// Removes the item, or moves it on if it has earned to stay.
    fn decide(
        &mut self,
        handle: u32,
        hash: u64,
        now: Seconds,
        is_due: bool,
        removed: &mut Removed,
        bodies: &mut Released,
    ) {
        let queue = self.log.slot_of(handle).queue;
        let farewell = match self.judge(handle, now) {
            Found::Flushed(_) => Farewell::Flushed,
            Found::Expired(_) => Farewell::Expired,
            Found::Absent | Found::Live(_) => Farewell::Evicted(now),
        };
        if matches!(farewell, Farewell::Evicted(_)) {
            if let Some(frequency) = self.earned(handle, queue, is_due)
                && let Some(moved) = self.relocate(handle, hash, Queue::Main)
            {
                self.log.entry_mut(moved).set_frequency(frequency);
                return;
            }
            self.ghosts.insert(hash, queue, false);
        }
        removed.add(self.at(handle).body.map_or(0, |body| body.charged()));
        bodies.push(self.remove(handle, hash, farewell));
    }

    /// Whether the item stays, and the hits that it is left with.
    fn earned(&self, handle: u32, queue: Queue, is_due: bool) -> Option<u8> {
        let record = self.at(handle);
        let frequency = record.entry.frequency();
        if record.is_pinned() {
            return Some(frequency);
        }
        let mean = self.rules.policy.size_aware.then(|| self.mean_charged());
        if is_due || !policy::stays(queue, frequency, record.charged(), mean) {
            return None;
        }
        Some(match queue {
            Queue::Small => 0,
            Queue::Main => frequency.min(FREQUENCY_MAX) - 1,
        })
    }

    /// Sees to it, a few items at a time, that there is a segment to open next when the memory is full: who adds an item pays
    /// with a look at about as many bytes.
    pub(crate) fn tend(&mut self, now: Seconds, bodies: &mut Released) {
        if !self.rules.evicts {
            // Items that had to move may have taken more than there was: what they left is won back.
            if self.log.reserved() == 0 || !self.account.has_room(0) {
                self.compact_slice(now, bodies);
            }
            return;
        }
        let has_reserve = self.log.reserved() >= RESERVE;
        let live = usize::try_from(self.counters.items).unwrap_or(usize::MAX);
        if !self.ghosts.are_fit(live) && !self.ghosts.fit(live, &self.account) {
            // What is remembered is worth more than what lies in a segment: one goes for it where all is full.
            self.shrink(has_reserve && self.log.used() >= TENDED_SEGMENTS);
        }
        if has_reserve
            || self.log.used() < TENDED_SEGMENTS
            || self.account.has_room(self.log.segment_bytes())
            || self.account.is_poor()
        {
            return;
        }
        self.evict(now, self.log.segment_bytes(), TENDED, 0, bodies);
    }

    /// Without eviction, memory is won only from what is dead: copies the living out of the segment that has most of it. Says
    /// whether there was anything to win.
    pub(crate) fn compact_slice(&mut self, now: Seconds, bodies: &mut Released) -> bool {
        let running = self
            .drained
            .map(|(number, _)| number)
            .filter(|&number| self.log.slot(number).is_some_and(|slot| slot.is_draining));
        let Some(number) = running.or_else(|| self.log.holiest(1)) else { return false };
        self.drain(number, true);
        let Some(seen) = self.gather(number, SLICE as usize / 2) else { return true };
        let mut removed = Removed::default();
        for &(handle, hash) in &seen.items[..seen.count] {
            if !self.compact(handle, hash, now, &mut removed, bodies) {
                // There is no room to copy to: the segment stays as it is.
                if let Some(slot) = self.log.slot_mut(number) {
                    slot.cursor = 0;
                    slot.is_draining = false;
                }
                return false;
            }
        }
        true
    }

    /// Whether a pass over the segments would find something to remove.
    pub(crate) fn wants_pass(&self, now: Seconds) -> bool {
        let due = if self.pass.hurries { self.pass.earliest } else { self.pass.due };
        self.flushed > 0 || self.pass.at.is_some() || due.is_due(now)
    }

    /// The same for a request that needs memory now, which must not look at everything each time.
    pub(crate) fn wants_pass_at_once(&self, now: Seconds) -> bool {
        let begins = self.flushed > 0 || self.pass.begun != Some(now);
        let is_due = self.flushed > 0 || self.pass.earliest.is_due(now);
        self.pass.at.is_some() || (is_due && begins)
    }

    /// Goes on with the pass over the segments: removes what has expired or was flushed among the next 64 items. `expired` says
    /// what the former are counted as.
    pub(crate) fn pass_slice(
        &mut self,
        now: Seconds,
        expired: Farewell,
        bodies: &mut Released,
    ) -> Removed {
        let mut removed = Removed::default();
        if self.pass.at.is_none() {
            self.pass.begin(now);
        }
        let at_once = self.pass.hurries;
        let held = self.log.freed_segments;
        let mut left = Left { items: SLICE as usize, dead: DEAD_MAX };
        while left.items > 0
            && left.dead > 0
            && let Some(number) = self.pass.at
        {
            let is_due = self.log.slot(number).is_some_and(|slot| {
                slot.items > 0 && (slot.generation != self.generation || slot.is_due(now, at_once))
            });
            if !is_due {
                left.items -= 1;
                self.skip(number);
                continue;
            }
            let freed = self.log.freed_segments;
            let stop = self.search(number, &mut left, now, expired, &mut removed, bodies);
            if self.log.freed_segments > freed {
                left.items = left.items.saturating_sub(SEGMENT_ITEMS);
            }
            match (stop, self.log.slot_mut(number)) {
                (Some(stop), Some(slot)) => slot.sought = stop,
                _ => self.settle_search(number, now),
            }
        }
        removed.segments = self.log.freed_segments - held;
        removed.bytes += removed.segments * self.log.segment_bytes();
        self.pass.found += removed.items as u64;
        removed
    }

    /// Goes on to remove what is gone from a segment; says where it stopped before the end.
    fn search(
        &mut self,
        number: u32,
        left: &mut Left,
        now: Seconds,
        expired: Farewell,
        removed: &mut Removed,
        bodies: &mut Released,
    ) -> Option<u32> {
        let mut offset = self.log.slot(number)?.sought;
        loop {
            match self.log.next_living(number, offset, &mut left.dead) {
                Err(stop) => {
                    let filled = self.log.slot(number).map_or(0, |slot| slot.filled);
                    return (stop < filled).then_some(stop);
                }
                Ok(next) if left.items == 0 => return Some(next),
                Ok(next) => offset = next,
            }
            left.items -= 1;
            let handle = self.log.handle(number, offset);
            let len = u32::try_from(self.log.entry(handle).len()).unwrap_or(u32::MAX);
            offset += len;
            let class = usize::from(self.class(handle));
            self.counters.classes[class].looked_at += 1;
            let farewell = match self.judge(handle, now) {
                Found::Flushed(_) => Farewell::Flushed,
                Found::Expired(_) => expired,
                Found::Absent | Found::Live(_) => {
                    let expiry = self.log.entry(handle).expiry();
                    self.pass.seen_earliest = self.pass.seen_earliest.min(expiry);
                    continue;
                }
            };
            let charged = self.at(handle).body.map_or(0, |body| body.charged());
            let hash = self.hash(handle);
            bodies.push(self.remove(handle, hash, farewell));
            removed.add(charged);
        }
    }

    /// A segment was searched to its end.
    fn settle_search(&mut self, number: u32, now: Seconds) {
        let earliest = self.pass.seen_earliest;
        // What was looked at first may have expired since.
        let begun = self.pass.begun.unwrap_or(now);
        if let Some(slot) = self.log.slot_mut(number) {
            slot.earliest = earliest;
            slot.searched = begun;
        }
        self.skip(number);
    }

    /// On to the next segment, or to the end of the pass.
    fn skip(&mut self, number: u32) {
        if let Some(slot) = self.log.slot_mut(number).filter(|slot| slot.items > 0) {
            slot.sought = 0;
            let (due, earliest) = (slot.due(), slot.earliest);
            self.pass.next_due = self.pass.next_due.min(due);
            self.pass.next_earliest = self.pass.next_earliest.min(earliest);
        }
        self.pass.seen_earliest = Expiry::NEVER;
        if number + 1 < self.log.end() {
            self.pass.at = Some(number + 1);
        } else {
            self.pass.end();
        }
    }
}

/// Items on their way out.
struct Seen {
    items: [(u32, u64); BATCH],
    count: usize,
}

/// What a slice may still look at.
struct Left {
    items: usize,
    /// Passed over on the way, whatever the number of segments.
    dead: usize,
}

/// What a slice of work has removed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Removed {
    pub(crate) items: usize,
    /// What came free: large bodies, and segments as a whole.
    pub(crate) bytes: u64,
    pub(crate) segments: u64,
}

impl Removed {
    fn add(&mut self, bytes: u64) {
        self.items += 1;
        self.bytes += bytes;
    }
}

/// The search for what has expired or was flushed: through all segments, a slice at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    /// The segment that the running pass is in, if one is; how far, the segment knows, which may begin anew meanwhile.
    at: Option<u32>,
    /// No segment is worth a search before.
    due: Expiry,
    /// No item expires before.
    earliest: Expiry,
    /// What the running pass has seen of both so far, and in its segment.
    next_due: Expiry,
    next_earliest: Expiry,
    seen_earliest: Expiry,
    /// When the last one began that was not worth its while, or the running one.
    begun: Option<Seconds>,
    /// What the running pass has removed.
    found: u64,
    /// Segments are not left to ripen, until a pass that began so has ended.
    hurries: bool,
    began_hurrying: bool,
}

impl Pass {
    pub(crate) fn new() -> Self {
        Self {
            at: None,
            due: Expiry::NEVER,
            earliest: Expiry::NEVER,
            next_due: Expiry::NEVER,
            next_earliest: Expiry::NEVER,
            seen_earliest: Expiry::NEVER,
            begun: None,
            found: 0,
            hurries: false,
            began_hurrying: false,
        }
    }

    /// Until the end of a whole pass, everything that has expired is removed.
    pub(crate) fn hurry(&mut self) {
        self.hurries = true;
    }

    /// An item has got this expiry.
    pub(crate) fn note(&mut self, expiry: Expiry) {
        for earliest in [
            &mut self.due,
            &mut self.earliest,
            &mut self.next_due,
            &mut self.next_earliest,
            &mut self.seen_earliest,
        ] {
            *earliest = (*earliest).min(expiry);
        }
    }

    /// An item of this expiry lies elsewhere now: maybe where the running pass has been, out of where it was to come.
    pub(crate) fn note_moved(&mut self, expiry: Expiry) {
        self.next_due = self.next_due.min(expiry);
        self.next_earliest = self.next_earliest.min(expiry);
    }

    fn begin(&mut self, now: Seconds) {
        self.begun = Some(now);
        self.found = 0;
        self.began_hurrying = self.hurries;
        self.next_due = Expiry::NEVER;
        self.next_earliest = Expiry::NEVER;
        self.seen_earliest = Expiry::NEVER;
        self.at = Some(0);
    }

    fn end(&mut self) {
        self.at = None;
        if self.began_hurrying {
            self.hurries = false;
        }
        self.due = self.next_due;
        self.earliest = self.next_earliest;
        if self.found > 0 {
            self.begun = None;
        }
    }
}

/// Items looked at under one hold of a lock.
pub(crate) const SLICE: u32 = 64;
/// A segment that goes back to the system is a call to it under the lock, and counts as so many.
const SEGMENT_ITEMS: usize = 8;
/// Dead ones passed over on the way to them.
const DEAD_MAX: usize = 8 * SLICE as usize;
/// Items whose places in the index are fetched at the same time.
const BATCH: usize = SLICE as usize / 2;
/// Items that a new one looks at when memory is full.
const TENDED: usize = 4;
/// With fewer segments a shard waits until it must evict: the oldest of them may be as new as the item.
const TENDED_SEGMENTS: usize = 6;
/// Items looked at before the next one is evicted whatever it has earned; a set that evicts must end soon.
pub(crate) const PATIENCE: usize = 32 * SLICE as usize;
