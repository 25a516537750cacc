//! The log of a shard: items one after the other in segments, segments in two queues from old to new.
//!
//! ```text
//!   small   oldest ─► [ item item † item ] ─► [ … ] ─► [ item item ___ ] open: new items are added here
//!   main    oldest ─► [ … ] ─► [ … ] ─► [ item ____ ] open                    († dead: passed over, freed with its segment)
//!   reserve [ ] [ ]
//!
//!   handle  | number of the segment | offset in granules of 2 bytes |
//! ```
//!
//! Each queue has an open segment for each of a few spans of remaining life, so that what expires together lies together. A
//! segment is freed as a whole, when nothing in it is alive: because all was removed, or because
//! what is left was copied to another. The log knows no index and no policy.

mod moving;

use std::sync::Arc;

use crate::account::{Grant, Need, allocation_bytes};
use crate::arena::{Arena, Segment};
use crate::entry::{Entry, EntryMut};
use crate::prefetch::prefetch;
use crate::seconds::{Expiry, Seconds};
use crate::slot::{Freed, NONE, Slot};

/// Segments of a shard, and the items in them.
#[derive(Debug)]
pub(crate) struct Log {
    arena: Arc<Arena>,
    segment_len: usize,
    /// Bits of a handle that are the offset; the others number segments, of which there may be so many.
    offset_bits: u32,
    segments_max: usize,
    /// Spans of life that have segments of their own.
    streams: usize,
    /// By number; the bytes lie apart from what is known of them, because every request needs them.
    segments: Vec<Option<Segment>>,
    slots: Vec<Slot>,
    /// The first number without a segment; the next follows in `newer`.
    vacant: u32,
    reserve: Vec<Segment>,
    queues: [Fifo; 2],
    open: [[u32; STREAMS]; 2],
    /// Closed segments with this many dead bytes are worth being compacted.
    holey_len: u32,
    /// One of them.
    pub(crate) holey: Option<u32>,
    dead_bytes: u64,
    used: usize,
    /// Segments freed so far.
    pub(crate) freed_segments: u64,
}

/// Who has to prove themselves, and who did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    Small,
    Main,
}

/// A queue of segments, and what lives in them.
#[derive(Debug)]
struct Fifo {
    newest: u32,
    oldest: u32,
    bytes: u64,
}

impl Log {
    pub(crate) fn new(arena: &Arc<Arena>, segment_len: usize, streams: usize) -> Self {
        let fifo = || Fifo { newest: NONE, oldest: NONE, bytes: 0 };
        let offset_bits = (segment_len / GRANULE).ilog2();
        Self {
            arena: Arc::clone(arena),
            segment_len,
            offset_bits,
            segments_max: 1 << (u32::BITS - offset_bits),
            streams: streams.clamp(1, STREAMS),
            segments: Vec::new(),
            slots: Vec::new(),
            vacant: NONE,
            reserve: Vec::with_capacity(RESERVE),
            queues: [fifo(), fifo()],
            open: [[NONE; STREAMS]; 2],
            holey_len: u32::try_from(segment_len / 2).unwrap_or(u32::MAX),
            holey: None,
            dead_bytes: 0,
            used: 0,
            freed_segments: 0,
        }
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_len as u64
    }

    /// Memory of what is known of segments, without their bytes.
    pub(crate) fn index_bytes(&self) -> u64 {
        list_bytes(self.slots.capacity()) + allocation_bytes(RESERVE * size_of::<Segment>())
    }

    /// Memory of all segments, those in reserve included.
    pub(crate) fn held_bytes(&self) -> u64 {
        (self.used() + self.reserve.len()) as u64 * self.segment_bytes()
    }

    /// Segments with items, or open.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Of dead items, in segments that are not freed yet.
    pub(crate) fn dead_bytes(&self) -> u64 {
        self.dead_bytes
    }

    /// Bytes of the living in a queue, bodies that lie elsewhere included.
    pub(crate) fn queue_bytes(&self, queue: Queue) -> u64 {
        self.queues[queue as usize].bytes
    }

    pub(crate) fn reserved(&self) -> usize {
        self.reserve.len()
    }

    /// Numbers are below this.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(NONE)
    }

    pub(crate) fn slot(&self, number: u32) -> Option<&Slot> {
        self.segments.get(number as usize)?.as_ref()?;
        self.slots.get(number as usize)
    }

    pub(crate) fn slot_mut(&mut self, number: u32) -> Option<&mut Slot> {
        self.segments.get(number as usize)?.as_ref()?;
        self.slots.get_mut(number as usize)
    }

    pub(crate) fn number_of(&self, handle: u32) -> u32 {
        handle >> self.offset_bits
    }

    fn place(&self, handle: u32) -> (usize, usize) {
        let offset = handle & ((1 << self.offset_bits) - 1);
        ((handle >> self.offset_bits) as usize, offset as usize * GRANULE)
    }

    pub(crate) fn handle(&self, number: u32, offset: u32) -> u32 {
        (number << self.offset_bits) | (offset / GRANULE_LEN)
    }

    /// What the living item of this handle was stored under.
    pub(crate) fn slot_of(&self, handle: u32) -> &Slot {
        &self.slots[self.number_of(handle) as usize]
    }

    pub(crate) fn entry(&self, handle: u32) -> Entry<'_> {
        let (number, offset) = self.place(handle);
        Entry::at(self.segments[number].as_deref().unwrap_or_default(), offset)
    }

    /// Starts fetching the beginning of the item, and what is known of its segment; a hint.
    pub(crate) fn prefetch(&self, handle: u32) {
        let (number, offset) = self.place(handle);
        if let Some(Some(segment)) = self.segments.get(number) {
            // Short items too lie across the boundary of two lines more often than not.
            prefetch(segment, offset);
            prefetch(segment, offset + LINE_LEN);
        }
        prefetch(&self.slots, number);
    }

    pub(crate) fn entry_mut(&mut self, handle: u32) -> EntryMut<'_> {
        let (number, offset) = self.place(handle);
        EntryMut::at(self.segments[number].as_deref_mut().unwrap_or_default(), offset)
    }

    /// The living item at or behind an offset of a segment, and where it begins; looks at no more than `patience` dead ones,
    /// and says where it stopped.
    pub(crate) fn next_living(
        &self,
        number: u32,
        mut offset: u32,
        patience: &mut usize,
    ) -> Result<u32, u32> {
        let Some(slot) = self.slot(number) else { return Err(offset) };
        while offset < slot.filled {
            let entry = self.entry(self.handle(number, offset));
            if !entry.is_dead() {
                return Ok(offset);
            }
            offset += u32::try_from(entry.len()).unwrap_or(u32::MAX);
            if *patience == 0 {
                break;
            }
            *patience -= 1;
        }
        Err(offset)
    }

    /// Sees to it that an item of this length can be added to a queue without taking memory.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(
        &mut self,
        queue: Queue,
        expiry: Expiry,
        len: usize,
        now: Seconds,
        generation: u32,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        let stream = self.stream(expiry, now);
        if self.has_room(self.open[queue as usize][stream], len) {
            return Ok(());
        }
        self.prepare_number(grant)?;
        // One is kept for copying what survives: without it nothing could be freed but by losing it.
        while self.reserve.len() < 2 {
            if self.free_empty() {
                continue;
            }
            let bytes = self.segment_bytes();
            grant.spend(bytes).map_err(|_| Need::Segment)?;
            let Some(segment) = self.arena.take() else {
                grant.account().credit(bytes);
                return Err(Need::Memory(bytes));
            };
            self.reserve.push(segment);
        }
        self.open(queue, stream, generation);
        Ok(())
    }

    /// Adds an item of this length; it is for the caller to write it. `None` if nothing was prepared.
    pub(crate) fn append(
        &mut self,
        queue: Queue,
        expiry: Expiry,
        len: usize,
        now: Seconds,
    ) -> Option<u32> {
        let stream = self.stream(expiry, now);
        let number = self.open[queue as usize][stream];
        self.has_room(number, len).then(|| self.add(number, expiry, len))
    }

    /// An item in this segment has got this expiry.
    pub(crate) fn note(&mut self, handle: u32, expiry: Expiry) {
        let number = self.number_of(handle) as usize;
        self.slots[number].note(expiry);
    }

    fn has_room(&self, number: u32, len: usize) -> bool {
        self.slot(number).is_some_and(|slot| slot.filled as usize + len <= self.segment_len)
    }

    fn add(&mut self, number: u32, expiry: Expiry, len: usize) -> u32 {
        let slot = &mut self.slots[number as usize];
        let offset = slot.filled;
        slot.filled += u32::try_from(len).unwrap_or(0);
        slot.items += 1;
        slot.note(expiry);
        self.handle(number, offset)
    }

    /// Which open segment is for this expiry.
    fn stream(&self, expiry: Expiry, now: Seconds) -> usize {
        let Some(exptime) = Option::<Seconds>::from(expiry) else { return self.streams - 1 };
        let left = exptime.since(now);
        SPANS.partition_point(|&span| span < left).min(self.streams - 1)
    }

    /// Adds this many bytes to what lives in the item's queue.
    pub(crate) fn weigh(&mut self, handle: u32, bytes: u64) {
        let queue = self.slot_of(handle).queue;
        self.queues[queue as usize].bytes += bytes;
    }

    /// Takes them away again.
    pub(crate) fn unweigh(&mut self, handle: u32, bytes: u64) {
        let queue = self.slot_of(handle).queue;
        let sum = &mut self.queues[queue as usize].bytes;
        debug_assert!(*sum >= bytes, "{sum} < {bytes}");
        *sum = sum.saturating_sub(bytes);
    }

    /// The item is dead. If it was the last one of its segment, that is free: gives back whether its bytes are to be credited.
    pub(crate) fn kill(&mut self, handle: u32) -> Freed {
        let len = self.entry(handle).len();
        self.entry_mut(handle).kill();
        let number = self.number_of(handle);
        let slot = &mut self.slots[number as usize];
        let dead = u32::try_from(len).unwrap_or(0);
        slot.dead += dead;
        slot.items -= 1;
        self.dead_bytes += u64::from(dead);
        let slot = &self.slots[number as usize];
        if slot.items == 0 {
            if slot.is_open {
                self.rewind(number);
                return Freed::Nothing;
            }
            return self.free(number);
        }
        // What is being emptied anyway needs no compaction.
        if !slot.is_open && slot.cursor == 0 && slot.dead >= self.holey_len {
            self.holey = Some(number);
        }
        Freed::Nothing
    }

    /// An open segment in which nothing lives begins anew.
    fn rewind(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        self.dead_bytes -= u64::from(slot.dead);
        (slot.filled, slot.dead, slot.cursor, slot.sought) = (0, 0, 0, 0);
        (slot.earliest, slot.latest) = (Expiry::NEVER, Expiry::from_word(0));
    }

    /// The oldest segment of a queue.
    pub(crate) fn oldest(&self, queue: Queue) -> Option<u32> {
        let number = self.queues[queue as usize].oldest;
        (number != NONE).then_some(number)
    }

    /// The one that came after it.
    pub(crate) fn next(&self, number: u32) -> Option<u32> {
        let newer = self.slot(number)?.newer;
        (newer != NONE).then_some(newer)
    }

    /// Nothing is added to this segment any more.
    pub(crate) fn close(&mut self, number: u32) {
        let Some(slot) = self.slot_mut(number) else { return };
        slot.is_open = false;
        let (queue, stream) = (slot.queue as usize, usize::from(slot.stream));
        if self.open[queue][stream] == number {
            self.open[queue][stream] = NONE;
        }
    }

    /// Nothing is added to any segment that there is now. Returns nothing: empty ones stay open.
    pub(crate) fn close_all(&mut self) {
        for number in self.open.into_iter().flatten().filter(|&number| number != NONE) {
            if self.slots[number as usize].items > 0 {
                self.close(number);
            }
        }
    }

    /// Open segments, which are empty, belong to this generation now.
    pub(crate) fn renew(&mut self, generation: u32) {
        for number in self.open.into_iter().flatten().filter(|&number| number != NONE) {
            self.slots[number as usize].generation = generation;
        }
    }

    /// Puts an open segment with nothing in it into the reserve, if there is one and room for it.
    fn free_empty(&mut self) -> bool {
        let mut open = self.open.into_iter().flatten();
        let is_empty = |&number: &u32| self.slot(number).is_some_and(|slot| slot.items == 0);
        let Some(number) = open.find(is_empty).filter(|_| self.reserve.len() < RESERVE) else {
            return false;
        };
        self.close(number);
        matches!(self.free(number), Freed::Reserved)
    }

    /// A segment that nothing lies in, of the reserve or an open one: to be dropped and credited.
    pub(crate) fn take_empty(&mut self) -> Option<Segment> {
        self.reserve.pop().or_else(|| {
            self.free_empty();
            self.reserve.pop()
        })
    }

    fn free(&mut self, number: u32) -> Freed {
        let index = number as usize;
        self.dead_bytes -= u64::from(self.slots[index].dead);
        let (newer, older) = (self.slots[index].newer, self.slots[index].older);
        let queue = self.slots[index].queue as usize;
        match newer {
            NONE => self.queues[queue].newest = older,
            _ => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.queues[queue].oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
        if self.holey == Some(number) {
            self.holey = None;
        }
        self.slots[index].newer = self.vacant;
        self.vacant = number;
        self.freed_segments += 1;
        self.used -= 1;
        let Some(segment) = self.segments[index].take() else { return Freed::Nothing };
        if self.reserve.len() < RESERVE {
            self.reserve.push(segment);
            return Freed::Reserved;
        }
        Freed::Segment(segment)
    }

    /// A segment of the reserve, which is credited to the account: all but one that copies need, or that one too.
    pub(crate) fn take_reserve(&mut self, keep: usize) -> Option<Segment> {
        if self.reserve.len() > keep { self.reserve.pop() } else { None }
    }

    /// Opens a segment out of the reserve.
    fn open(&mut self, queue: Queue, stream: usize, generation: u32) -> Option<u32> {
        let number = self.vacant;
        let slot = self.slots.get_mut(number as usize)?;
        let segment = self.reserve.pop()?;
        self.vacant = slot.newer;
        let older = self.queues[queue as usize].newest;
        *slot = Slot {
            older,
            generation,
            queue,
            stream: u8::try_from(stream).unwrap_or(0),
            is_open: true,
            ..Slot::EMPTY
        };
        self.segments[number as usize] = Some(segment);
        self.used += 1;
        let fifo = &mut self.queues[queue as usize];
        fifo.newest = number;
        match older {
            NONE => fifo.oldest = number,
            _ => self.slots[older as usize].newer = number,
        }
        let before = std::mem::replace(&mut self.open[queue as usize][stream], number);
        if let Some(slot) = self.slot_mut(before) {
            slot.is_open = false;
        }
        Some(number)
    }

    /// A number for one more segment, and one for what is copied.
    fn prepare_number(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let spare = self.slots.get(self.vacant as usize).is_some_and(|slot| slot.newer != NONE);
        if spare {
            return Ok(());
        }
        let (len, old) = (self.slots.len(), self.slots.capacity());
        if len + 2 > self.segments_max {
            // As if the system had none: some must be freed, whatever the limit.
            return Err(Need::Memory(self.segment_bytes()));
        }
        if len + 2 > old {
            let new = (old * 2).max(8);
            let bytes = list_bytes(new);
            grant.spend(bytes)?;
            let slots = self.slots.try_reserve_exact(new - len);
            if slots.and_then(|()| self.segments.try_reserve_exact(new - len)).is_err() {
                // What the slots got, if they did, is theirs: it is counted by their capacity.
                let kept = list_bytes(self.slots.capacity()) - list_bytes(old);
                grant.account().credit(bytes - kept);
                return Err(Need::Memory(bytes));
            }
            grant.account().credit(list_bytes(old));
        }
        for number in [len, len + 1] {
            self.slots.push(Slot { newer: self.vacant, ..Slot::EMPTY });
            self.segments.push(None);
            self.vacant = u32::try_from(number).unwrap_or(NONE);
        }
        Ok(())
    }
}

fn list_bytes(slots: usize) -> u64 {
    allocation_bytes(slots * size_of::<Slot>())
        + allocation_bytes(slots * size_of::<Option<Segment>>())
}

/// Items begin at multiples of it.
const GRANULE_LEN: u32 = 2;
const GRANULE: usize = GRANULE_LEN as usize;
const _: () = assert!(GRANULE == crate::entry::GRANULE, "items begin where handles can say");
/// Bytes that the processor fetches at once.
const LINE_LEN: usize = 64;
/// Segments a shard keeps for itself: one to copy to, one to open next.
pub(crate) const RESERVE: usize = 2;
/// Spans of remaining life that have segments of their own.
pub(crate) const STREAMS: usize = 4;
/// All but the last, in seconds.
const SPANS: [u32; STREAMS - 1] = [3 * 60, 20 * 60, 4 * 3600];

#[cfg(test)]
mod tests;
