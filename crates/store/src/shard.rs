//! One lock's worth of items: tables, slots, queues and counters that change together.
//!
//! Nothing here waits, calls back or touches another shard.

use std::fmt;
use std::sync::Arc;

use crate::account::{Account, Grant, Need, Pool, allocation_bytes};
use crate::arena::Arena;
use crate::ghost::Ghost;
use crate::heap::Heap;
use crate::item::{Body, Kept};
use crate::lock::{Guard, Lock, Watch};
use crate::observer::Observer;
use crate::queues::{FREQUENCY_MAX, Queues};
use crate::reap::{Pass, SLICE};
use crate::seconds::{Expiry, Seconds};
use crate::slots::{Marks, Slot, Slots, State};
use crate::stats::{ClassStats, Counters};
use crate::tables::Tables;
use crate::visit::Visit;

/// A lock, what it guards, and the memory account beside it.
#[repr(align(128))]
pub(crate) struct Shard {
    items: Lock<Items>,
    pub(crate) account: Arc<Account>,
    /// Where the bodies of large items lie.
    pub(crate) heap: Arc<Heap>,
}

impl Shard {
    pub(crate) fn new(pool: &Arc<Pool>, arena: &Arc<Arena>, rules: Rules, watch: &Watch) -> Self {
        let account = Arc::new(Account::new(Arc::clone(pool)));
        let heap = Heap::new(arena, &account, watch);
        let items = Items::new(rules, Arc::clone(&account));
        account.force(items.index_bytes());
        Self { items: Lock::new(items, watch), account, heap }
    }

    /// Locks the shard and lets a flush that has come due happen.
    #[cfg_attr(feature = "hold-times", track_caller)]
    pub(crate) fn lock(&self, now: Seconds) -> Guard<'_, Items> {
        let mut items = self.items.lock();
        items.arrive(now);
        items
    }

    /// Locks the shard where time does not matter.
    #[cfg_attr(feature = "hold-times", track_caller)]
    pub(crate) fn lock_any_time(&self) -> Guard<'_, Items> {
        self.items.lock()
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What all shards of a store are told.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) size_classes: Arc<[u32]>,
    pub(crate) cas: bool,
    /// The first CAS number of this shard, and the step to the next: so that no two shards give the same.
    pub(crate) cas_first: u64,
    pub(crate) cas_step: u64,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Rules {
    /// The size of an item by memcached's arithmetic: a header of 48 bytes, 8 for CAS, 4 for flags unless they are 0, the
    /// key with a NUL, the value with `\r\n`.
    pub(crate) fn item_bytes(&self, key_len: usize, flags: u32, value_len: usize) -> u64 {
        let cas = if self.cas { 8 } else { 0 };
        let flags = if flags == 0 { 0 } else { 4 };
        48 + cas + flags + key_len as u64 + 1 + value_len as u64 + 2
    }

    fn class(&self, bytes: u64) -> u8 {
        let class = self.size_classes.partition_point(|&bound| u64::from(bound) < bytes);
        u8::try_from(class).unwrap_or(u8::MAX)
    }
}

/// The items of a shard.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) slots: Slots,
    pub(crate) counters: Counters,
    pub(crate) pass: Pass,
    tables: Tables,
    pub(crate) queues: Queues,
    pub(crate) ghost: Ghost,
    account: Arc<Account>,
    rules: Rules,
    cas_next: u64,
    /// Flushes so far; an item of an earlier generation is gone, whether it was removed yet or not.
    generation: u32,
    /// Items of earlier generations that still take memory.
    pub(crate) flushed: u64,
    flush_at: Expiry,
    /// The latest moment that anybody brought along.
    pub(crate) latest: Seconds,
}

/// Why an item is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    Deleted,
    Evicted(Seconds),
    /// Gone already, and met by whoever needed room or stored it anew.
    Expired,
    Flushed,
    /// It had expired, and was met by whoever asked for it.
    Missed,
    /// It had expired, and was met by the search for such.
    Swept,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Absent,
    Expired(u32),
    Flushed(u32),
    Live(u32),
}

/// What a slot is told of an item besides its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    pub(crate) flags: u32,
    pub(crate) expiry: Expiry,
    /// Its CAS number, unless it gets a new one.
    pub(crate) cas: Option<u64>,
    pub(crate) marks: Marks,
}

impl Attributes {
    pub(crate) fn new(flags: u32, expiry: Expiry) -> Self {
        Self { flags, expiry, cas: None, marks: Marks::default() }
    }
}

impl Items {
    fn new(rules: Rules, account: Arc<Account>) -> Self {
        Self {
            slots: Slots::default(),
            counters: Counters::new(rules.size_classes.len() + 1),
            pass: Pass::new(),
            tables: Tables::new(),
            queues: Queues::default(),
            ghost: Ghost::default(),
            account,
            cas_next: rules.cas_first,
            rules,
            generation: 0,
            flushed: 0,
            flush_at: Expiry::NEVER,
            latest: Seconds(0),
        }
    }

    /// Memory of what is not items.
    pub(crate) fn index_bytes(&self) -> u64 {
        let classes = allocation_bytes(self.counters.classes.len() * size_of::<ClassStats>());
        let heads = allocation_bytes(size_of::<Account>())
            + allocation_bytes(size_of::<Shard>())
            + Heap::BYTES;
        classes + heads + self.tables.bytes() + self.slots.bytes() + self.ghost.bytes()
    }

    pub(crate) fn find(&self, hash: u64, key: &[u8], now: Seconds) -> Found {
        let is_it = |index| {
            let slot: &Slot = &self.slots[index];
            slot.hash == hash && slot.key() == key
        };
        match self.tables.find(hash, is_it) {
            None => Found::Absent,
            Some(index) => self.judge(index, now),
        }
    }

    pub(crate) fn judge(&self, index: u32, now: Seconds) -> Found {
        let slot = &self.slots[index];
        if slot.generation != self.generation {
            Found::Flushed(index)
        } else if slot.expiry.is_due(now) {
            Found::Expired(index)
        } else {
            Found::Live(index)
        }
    }

    /// Finds a live item; one that is gone is removed on the way, and its bytes are added to `bodies`.
    pub(crate) fn find_live(
        &mut self,
        hash: u64,
        key: &[u8],
        now: Seconds,
        bodies: &mut Released,
    ) -> Found {
        let found = self.find(hash, key, now);
        match found {
            Found::Expired(index) => {
                self.counters.missed_expired += 1;
                bodies.push(self.remove(index, Farewell::Missed));
            }
            Found::Flushed(index) => {
                self.counters.missed_flushed += 1;
                bodies.push(self.remove(index, Farewell::Flushed));
            }
            Found::Absent | Found::Live(_) => {}
        }
        found
    }

    /// The same for a store that may be refused: what it meets makes room.
    pub(crate) fn find_live_to_store(
        &mut self,
        hash: u64,
        key: &[u8],
        now: Seconds,
        bodies: &mut Released,
    ) -> Found {
        let found = self.find(hash, key, now);
        if let Found::Expired(index) | Found::Flushed(index) = found {
            bodies.push(self.remove(index, Farewell::Expired));
        }
        found
    }

    /// Marks a hit.
    pub(crate) fn mark(&mut self, index: u32, now: Seconds) {
        let slot = &mut self.slots[index];
        if slot.frequency < FREQUENCY_MAX {
            slot.frequency += 1;
        }
        if slot.last_access != now {
            slot.last_access = now;
        }
        if !slot.was_fetched {
            slot.was_fetched = true;
        }
    }

    /// Sees to it that a new item of this hash can be inserted without taking memory.
    ///
    /// # Errors
    /// The bytes that are missing.
    pub(crate) fn prepare(&mut self, hash: u64, grant: &mut Grant<'_>) -> Result<(), Need> {
        self.slots.prepare(grant)?;
        let slots = &self.slots;
        self.tables.prepare(hash, |index| slots[index].hash, grant)
    }

    /// Keeps a new item, which [`Self::prepare`] has seen to. Returns its CAS number.
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key_len: u8,
        body: Body,
        with: Attributes,
        now: Seconds,
    ) -> u64 {
        let cas = self.given_cas(with.cas);
        let generation = self.generation;
        let index = self.slots.occupy(|slot| {
            slot.body = body;
            slot.hash = hash;
            slot.key_len = key_len;
            slot.cas = cas;
            slot.flags = with.flags;
            slot.expiry = with.expiry;
            slot.last_access = now;
            slot.generation = generation;
            slot.frequency = 0;
            slot.was_fetched = false;
            slot.marks = with.marks;
            slot.state = State::Small;
        });
        debug_assert!(index.is_some(), "no slot was prepared");
        let Some(index) = index else { return cas };
        let slots = &self.slots;
        self.tables.insert(hash, index, |index| slots[index].hash);
        let state = if self.ghost.take(hash) { State::Main } else { State::Small };
        self.queues.push(&mut self.slots, index, state);
        self.ghost.fit(self.slots.live(), &self.account);
        self.count_in(index);
        cas
    }

    /// Puts another body in the place of an item's. Returns its new CAS number, and the old body to drop.
    pub(crate) fn replace(
        &mut self,
        index: u32,
        body: Body,
        with: Attributes,
        now: Seconds,
    ) -> (u64, Option<Arc<Kept>>) {
        let cas = self.given_cas(with.cas);
        match self.judge(index, now) {
            Found::Expired(_) | Found::Flushed(_) => self.count_expired(index, Farewell::Expired),
            Found::Absent | Found::Live(_) => {}
        }
        self.count_out(index);
        let generation = self.generation;
        let slot = &mut self.slots[index];
        let (before, after) = (slot.body.charged(), body.charged());
        let old = match (&mut slot.body, body) {
            // As long as before: the bytes are copied, and the draft's memory, which the processor has at hand, is what the
            // next draft will get.
            (Body::Owned(kept), Body::Owned(new)) if kept.len() == new.len() => {
                kept.copy_from_slice(&new);
                Body::Owned(new)
            }
            (kept, body) => std::mem::replace(kept, body),
        };
        slot.cas = cas;
        slot.flags = with.flags;
        slot.expiry = with.expiry;
        slot.last_access = now;
        slot.generation = generation;
        slot.was_fetched = false;
        slot.marks = with.marks;
        // A key that is written again is in use.
        slot.frequency = (slot.frequency + 1).min(FREQUENCY_MAX);
        let state = slot.state;
        self.queues.reweigh(state, before, after);
        self.count_in(index);
        (cas, old.release(&self.account))
    }

    /// Gives the item another expiry.
    pub(crate) fn set_expiry(&mut self, index: u32, expiry: Expiry) {
        self.slots[index].expiry = expiry;
        self.note_expiry(expiry);
    }

    /// Gives an item that was changed in place this CAS number, or a new one.
    pub(crate) fn renew_cas(&mut self, index: u32, cas: Option<u64>) -> u64 {
        let cas = self.given_cas(cas);
        self.slots[index].cas = cas;
        cas
    }

    /// Keeps an item no longer. What the caller gets is for it to drop, best when it has left the lock.
    pub(crate) fn remove(&mut self, index: u32, farewell: Farewell) -> Option<Arc<Kept>> {
        match farewell {
            Farewell::Expired | Farewell::Swept => self.count_expired(index, farewell),
            Farewell::Evicted(now) => {
                self.count_evicted(index, now);
                if let Some(observer) = &self.rules.observer {
                    observer.evicts(Visit::new(self, &self.slots[index], &self.account), now);
                }
            }
            Farewell::Deleted | Farewell::Flushed | Farewell::Missed => {}
        }
        self.count_out(index);
        let hash = self.slots[index].hash;
        self.queues.remove(&mut self.slots, index);
        let slots = &self.slots;
        self.tables.remove(hash, index, |index| slots[index].hash, &self.account);
        self.slots.vacate(index, &self.account).release(&self.account)
    }

    /// Everything that is kept now is gone; the memory follows in slices.
    pub(crate) fn flush(&mut self) {
        self.flush_at = Expiry::NEVER;
        if self.counters.items > 0 {
            self.flushed += self.counters.items;
            self.counters.forget_items();
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// Flushes when this moment comes, and not at one that was set before.
    pub(crate) fn flush_at(&mut self, when: Seconds) {
        self.flush_at = Expiry::from(Some(when));
    }

    fn arrive(&mut self, now: Seconds) {
        self.latest = self.latest.max(now);
        if self.flush_at.is_due(now) {
            self.flush();
        }
    }

    /// Counts a refusal for want of memory.
    pub(crate) fn count_refusal(&mut self, bytes: u64) {
        let class = self.rules.class(bytes);
        self.counters.classes[usize::from(class)].out_of_memory += 1;
    }

    /// Adds what is known by class, the oldest accesses included.
    pub(crate) fn add_classes_to(&self, classes: &mut [ClassStats]) {
        for (sum, class) in classes.iter_mut().zip(&self.counters.classes) {
            sum.merge(class);
        }
        for index in self.queues.oldest(&self.slots, SLICE as usize) {
            let slot = &self.slots[index];
            if slot.generation == self.generation
                && let Some(class) = classes.get_mut(usize::from(slot.class))
            {
                class.saw(slot.last_access);
            }
        }
    }

    /// Accounted bytes of an item.
    pub(crate) fn item_bytes(&self, slot: &Slot) -> u64 {
        self.rules.item_bytes(slot.key_len.into(), slot.flags, slot.value_len())
    }

    fn given_cas(&mut self, given: Option<u64>) -> u64 {
        match given {
            Some(cas) if self.rules.cas => cas,
            _ => self.next_cas(),
        }
    }

    fn next_cas(&mut self) -> u64 {
        if !self.rules.cas {
            return 0;
        }
        let cas = self.cas_next;
        self.cas_next += self.rules.cas_step;
        cas
    }

    fn note_expiry(&mut self, expiry: Expiry) {
        self.pass.note(expiry);
    }

    fn count_in(&mut self, index: u32) {
        let bytes = self.item_bytes(&self.slots[index]);
        let class = self.rules.class(bytes);
        let slot = &mut self.slots[index];
        slot.class = class;
        let expiry = slot.expiry;
        self.counters.add(class, bytes);
        self.counters.total_items += 1;
        self.note_expiry(expiry);
    }

    fn count_out(&mut self, index: u32) {
        let slot = &self.slots[index];
        if slot.generation == self.generation {
            let (class, bytes) = (slot.class, self.item_bytes(slot));
            self.counters.remove(class, bytes);
        } else {
            self.flushed -= 1;
        }
    }

    fn count_expired(&mut self, index: u32, farewell: Farewell) {
        let slot = &self.slots[index];
        let class = &mut self.counters.classes[usize::from(slot.class)];
        if farewell == Farewell::Swept {
            class.swept += 1;
        } else {
            class.reclaimed += 1;
        }
        class.expired_unfetched += u64::from(!slot.was_fetched);
    }

    fn count_evicted(&mut self, index: u32, now: Seconds) {
        let slot = &self.slots[index];
        self.counters.evicted_active += u64::from(slot.frequency > 0);
        let class = &mut self.counters.classes[usize::from(slot.class)];
        class.evicted += 1;
        class.evicted_nonzero += u64::from(slot.expiry.is_some());
        class.evicted_unfetched += u64::from(!slot.was_fetched);
        class.last_evicted_age = now.since(slot.last_access);
        class.last_evicted_at = now;
    }
}

/// Large bodies that were let go of under a lock, to be dropped outside: one slice of work at most.
#[derive(Debug, Default)]
pub(crate) struct Released {
    bodies: Vec<Arc<Kept>>,
}

impl Released {
    pub(crate) fn push(&mut self, body: Option<Arc<Kept>>) {
        // Without memory for the list a body is dropped at once: slower for those who wait for the lock, and no harm.
        if self.bodies.try_reserve(1).is_ok() {
            self.bodies.extend(body);
        }
    }
}
