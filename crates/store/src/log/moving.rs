//! Items that get another place: copied as they are, or with more to say; and which segments are worth being copied from.

use super::{Log, Queue};
use crate::entry::{Entry, EntryMut, Shape, Words};
use crate::seconds::Seconds;
use crate::slot::NONE;

impl Log {
    /// Copies an item into a queue, to where there is room without taking memory: at best to what lives as long. The old one is
    /// still there.
    pub(crate) fn copy(
        &mut self,
        handle: u32,
        queue: Queue,
        now: Seconds,
        generation: u32,
    ) -> Option<u32> {
        let entry = self.entry(handle);
        let (len, expiry) = (entry.len(), entry.expiry());
        let stream = self.stream(expiry, now);
        let from = self.number_of(handle);
        let number = self.room_for_copy(queue, stream, len, from, generation)?;
        let new = self.add(number, expiry, len);
        let (from, from_offset) = self.place(handle);
        let (to, to_offset) = self.place(new);
        let source = self.segments[from].take();
        if let (Some(source), Some(target)) = (&source, &mut self.segments[to]) {
            target[to_offset..to_offset + len]
                .copy_from_slice(&source[from_offset..from_offset + len]);
        }
        self.segments[from] = source;
        Some(new)
    }

    /// Writes a new head over an item's copy: of another shape, with the same key, value and history.
    pub(crate) fn copy_widened(
        &mut self,
        from: u32,
        to: u32,
        shape: &Shape,
        words: &Words,
        now: Seconds,
    ) {
        if self.number_of(from) == self.number_of(to) {
            return self.copy_widened_within(from, to, shape, words, now);
        }
        let (number, offset) = self.place(from);
        // Taken out, so that the other can be written to.
        let source = self.segments[number].take();
        if let Some(bytes) = &source {
            let old = Entry::at(bytes, offset);
            let mut new = self.entry_mut(to);
            new.write(shape, words, old.last_access(now));
            new.content_mut().copy_from_slice(old.content());
        }
        self.segments[number] = source;
    }

    fn copy_widened_within(
        &mut self,
        from: u32,
        to: u32,
        shape: &Shape,
        words: &Words,
        now: Seconds,
    ) {
        let (number, from_offset) = self.place(from);
        let to_offset = self.place(to).1;
        let Some(bytes) = self.segments[number].as_deref_mut() else { return };
        // What is added lies behind all that there is.
        let (before, behind) = bytes.split_at_mut(to_offset);
        let old = Entry::at(before, from_offset);
        let mut new = EntryMut::at(behind, 0);
        new.write(shape, words, old.last_access(now));
        new.content_mut().copy_from_slice(old.content());
    }

    /// A segment with so much room that is not `from`.
    fn room_for_copy(
        &mut self,
        queue: Queue,
        stream: usize,
        len: usize,
        from: u32,
        generation: u32,
    ) -> Option<u32> {
        let own = self.open[queue as usize][stream];
        if own != from && self.has_room(own, len) {
            return Some(own);
        }
        if !self.reserve.is_empty() && self.vacant != NONE {
            return self.open(queue, stream, generation);
        }
        let open = self.open[queue as usize];
        open.into_iter().find(|&number| number != from && self.has_room(number, len))
    }

    /// A closed segment with more dead bytes than living ones, if one is known.
    pub(crate) fn take_holey(&mut self) -> Option<u32> {
        let number = self.holey.take()?;
        let slot = self.slot(number)?;
        (!slot.is_open && slot.cursor == 0 && slot.dead >= self.holey_len).then_some(number)
    }

    /// The segment that most bytes would come free of, at least so many.
    pub(crate) fn holiest(&self, at_least: u32) -> Option<u32> {
        let dead = |&number: &u32| self.slot(number).map_or(0, |slot| slot.dead);
        (0..self.end()).max_by_key(dead).filter(|number| dead(number) >= at_least)
    }
}
