//! How an item gets its place: a new one, one instead of another, and one that grew by what it has to say.
//!
//! What may fail comes first: a [`Plan`] is made and the memory for it taken, and then nothing fails any more.

use std::sync::Arc;

use crate::account::{Grant, Need};
use crate::entry::{Bits, FREQUENCY_MAX, Marks, Shape, Words};
use crate::ghost::Memory;
use crate::item::{Body, Kept};
use crate::log::Queue;
use crate::seconds::{Expiry, Seconds};
use crate::shard::{Attributes, Farewell, Found, Items, rehash};

/// Where an item will lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    shape: Shape,
    words: Words,
    with: Attributes,
    queue: Queue,
    is_in_place: bool,
}

impl Items {
    fn plan(&self, key_len: u8, len: usize, with: Attributes) -> Plan {
        let words =
            Words { cas: self.coming_cas(with.cas), expiry: with.expiry, flags: with.flags };
        let data_len = len.saturating_sub(key_len.into());
        let short = if len <= self.short_len { Shape::short(key_len, data_len) } else { None };
        let shape = short.unwrap_or_else(|| Shape::large(key_len));
        let mut shape = shape.with(&words, self.rules.cas, with.marks);
        if !self.rules.evicts {
            // One that is touched must not need room then: there may be none, and it may not go.
            shape = shape.widened(true, false);
        }
        Plan { shape, words, with, queue: Queue::Small, is_in_place: false }
    }

    /// Sees to it that a new item can be inserted without taking memory. `len` is that of key, value and line end.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(
        &mut self,
        hash: u64,
        key_len: u8,
        len: usize,
        with: Attributes,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Plan, Need> {
        let mut plan = self.plan(key_len, len, with);
        if self.ghosts.find(hash).is_some() {
            plan.queue = Queue::Main;
        }
        self.prepare_place(&plan, now, grant)?;
        self.index.prepare(hash, rehash(&self.log, &self.rules.hasher), grant)?;
        Ok(plan)
    }

    /// The same for one in the place of another.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare_other(
        &mut self,
        old: u32,
        len: usize,
        with: Attributes,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<Plan, Need> {
        let entry = self.log.entry(old);
        let mut plan = self.plan(entry.key_len(), len, with);
        let slot = self.log.slot_of(old);
        plan.queue = slot.queue;
        plan.is_in_place = self.rules.policy.overwrite_in_place
            && plan.shape.fits(entry)
            && slot.generation == self.generation;
        if !plan.is_in_place {
            self.prepare_place(&plan, now, grant)?;
        }
        Ok(plan)
    }

    fn prepare_place(
        &mut self,
        plan: &Plan,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        if plan.shape.is_large() {
            self.bodies.prepare(grant)?;
        }
        let (queue, expiry, len) = (plan.queue, plan.words.expiry, plan.shape.len());
        self.log.prepare(queue, expiry, len, now, self.generation, grant)
    }

    /// Keeps a new item. Returns its handle and its CAS number.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: &[u8],
        body: Body,
        plan: &Plan,
        now: Seconds,
    ) -> (Option<u32>, u64) {
        let cas = self.given_cas(plan.with.cas);
        let handle = self.write(key, body, plan, now);
        debug_assert!(handle.is_some(), "no place was prepared");
        let Some(handle) = handle else { return (None, cas) };
        self.index.insert(hash, handle);
        let size = self.at(handle).charged();
        if let Some(Memory::Evicted(lost)) = self.ghosts.take(hash)
            && self.rules.policy.self_sizing
        {
            let all = self.log.queue_bytes(Queue::Small) + self.log.queue_bytes(Queue::Main);
            self.balance.missed(lost, size, all);
        }
        self.count_in(handle);
        (Some(handle), cas)
    }

    /// Writes a new item into the log.
    fn write(&mut self, key: &[u8], body: Body, plan: &Plan, now: Seconds) -> Option<u32> {
        let (queue, expiry) = (plan.queue, plan.words.expiry);
        let handle = self.log.append(queue, expiry, plan.shape.len(), now)?;
        let mut entry = self.log.entry_mut(handle);
        entry.write(&plan.shape, &plan.words, now);
        match body {
            Body::Owned(bytes) => {
                entry.content_mut().copy_from_slice(&bytes);
                drop(Body::Owned(bytes).release(&self.account));
            }
            Body::Shared(kept) => {
                let number = self.bodies.insert(kept);
                let (head, data) = entry.content_mut().split_at_mut(key.len());
                head.copy_from_slice(key);
                data.copy_from_slice(&number.to_le_bytes());
            }
        }
        Some(handle)
    }

    /// Puts another item in the place of one. Returns its handle, its CAS number, and the old body to drop.
    pub(crate) fn replace(
        &mut self,
        old: u32,
        hash: u64,
        body: Body,
        plan: &Plan,
        now: Seconds,
    ) -> (u32, u64, Option<Arc<Kept>>) {
        let cas = self.given_cas(plan.with.cas);
        match self.judge(old, now) {
            Found::Expired(_) | Found::Flushed(_) => self.count_expired(old, Farewell::Expired),
            Found::Absent | Found::Live(_) => {}
        }
        self.count_out(old);
        // A key that is written again is in use.
        let frequency = (self.at(old).entry.frequency() + 1).min(FREQUENCY_MAX);
        if plan.is_in_place {
            let body = self.write_over(old, body, plan, now);
            self.log.entry_mut(old).set_frequency(frequency);
            self.count_in(old);
            return (old, cas, body);
        }
        let mut key = [0; u8::MAX as usize];
        let key_len = self.at(old).key().len();
        key[..key_len].copy_from_slice(self.at(old).key());
        let new = self.write(&key[..key_len], body, plan, now);
        debug_assert!(new.is_some(), "no place was prepared");
        let Some(new) = new else { return (old, cas, None) };
        self.log.entry_mut(new).set_frequency(frequency);
        self.count_in(new);
        self.index.replace(hash, old, new);
        (new, cas, self.drop_entry(old))
    }

    /// Writes an item over one that lies as it will.
    fn write_over(
        &mut self,
        handle: u32,
        body: Body,
        plan: &Plan,
        now: Seconds,
    ) -> Option<Arc<Kept>> {
        let charged = self.at(handle).charged();
        self.log.unweigh(handle, charged);
        let number = self.log.entry(handle).body();
        self.log.note(handle, plan.words.expiry);
        let mut entry = self.log.entry_mut(handle);
        match (body, number) {
            (Body::Owned(bytes), _) => {
                entry.write(&plan.shape, &plan.words, now);
                entry.content_mut().copy_from_slice(&bytes);
                Body::Owned(bytes).release(&self.account)
            }
            (Body::Shared(kept), number) => {
                entry.write(&plan.shape, &plan.words, now);
                let old = number.and_then(|number| self.bodies.replace(number, kept));
                old.and_then(|kept| Body::Shared(kept).release(&self.account))
            }
        }
    }

    /// Sees to it that an item has room for an expiry and a CAS number that it may get next, where it has not: it is the same item
    /// under another handle then.
    ///
    /// # Errors
    /// What is missing; nothing has changed.
    pub(crate) fn widen(
        &mut self,
        old: u32,
        hash: u64,
        expiry: Expiry,
        cas: u64,
        now: Seconds,
        grant: &mut Grant<'_>,
    ) -> Result<u32, Need> {
        let record = self.at(old);
        let bits = record.entry.bits();
        let is_wide = !expiry.is_some() || bits.has(Bits::EXPTIME);
        let is_high = cas <= u64::from(u32::MAX) || bits.has(Bits::CAS_HIGH) || !self.rules.cas;
        if is_wide && is_high {
            return Ok(old);
        }
        let words = Words { cas: record.cas(), expiry: record.expiry(), flags: record.flags() };
        let shape = Shape::of(record.entry).widened(!is_wide, !is_high);
        let queue = self.log.slot_of(old).queue;
        // It may be moved for the number only, and expire when it did.
        let expiry = expiry.min(words.expiry);
        self.log.prepare(queue, expiry, shape.len(), now, self.generation, grant)?;
        let new = self.log.append(queue, expiry, shape.len(), now);
        debug_assert!(new.is_some(), "no place was prepared");
        let Some(new) = new else { return Ok(old) };
        let charged = self.at(old).charged();
        self.log.unweigh(old, charged);
        self.log.copy_widened(old, new, &shape, &words, self.latest);
        let charged = self.at(new).charged();
        self.log.weigh(new, charged);
        self.counters.copied_bytes += shape.len() as u64;
        self.pass.note_moved(expiry);
        self.index.replace(hash, old, new);
        self.log.kill(old).settle(&self.account);
        Ok(new)
    }

    /// Gives an item that was changed in place this CAS number, or a new one; [`Self::widen`] has seen to the room.
    pub(crate) fn renew_cas(&mut self, handle: u32, cas: Option<u64>) -> u64 {
        let cas = self.given_cas(cas);
        self.log.entry_mut(handle).set_cas(cas);
        cas
    }

    /// Gives the item another expiry; [`Self::widen`] has seen to the room.
    pub(crate) fn set_expiry(&mut self, handle: u32, expiry: Expiry) {
        self.log.entry_mut(handle).set_expiry(expiry);
        self.log.note(handle, expiry);
        self.pass.note(expiry);
    }

    /// Writes text over a value that is long enough and that nobody has pinned; says whether it was.
    pub(crate) fn write_text(&mut self, handle: u32, text: &[u8]) -> bool {
        let (key_len, number) = {
            let entry = self.log.entry(handle);
            (entry.key_len(), entry.body())
        };
        if let Some(number) = number {
            let body = self.bodies.body_mut(number);
            return body.is_some_and(|kept| Kept::write_over(kept, key_len, text));
        }
        let mut entry = self.log.entry_mut(handle);
        let data = entry.data_mut();
        let value_len = data.len().saturating_sub(crate::item::LINE_END.len());
        let Some(value) = data.get_mut(..value_len).filter(|value| text.len() <= value.len())
        else {
            return false;
        };
        let (written, blanks) = value.split_at_mut(text.len());
        written.copy_from_slice(text);
        blanks.fill(b' ');
        true
    }

    pub(crate) fn set_marks(&mut self, handle: u32, marks: Marks) {
        let mut entry = self.log.entry_mut(handle);
        entry.change_bits(Bits::STALE, marks.is_stale);
        entry.change_bits(Bits::WON, marks.is_won);
        entry.change_bits(Bits::ENCODED, marks.is_key_encoded);
    }

    /// Says whether anybody has fetched the item.
    pub(crate) fn set_fetched(&mut self, handle: u32, was_fetched: bool) {
        self.log.entry_mut(handle).change_bits(Bits::FETCHED, was_fetched);
    }
}
