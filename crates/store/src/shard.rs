//! One lock's worth of items: index, log, ghosts and counters that change together.
//!
//! Nothing here waits, calls back or touches another shard.

use std::fmt;
use std::sync::Arc;

use ahash::RandomState;

use crate::account::{Account, Pool, allocation_bytes};
use crate::arena::Arena;
use crate::bodies::Bodies;
use crate::entry::{Bits, FREQUENCY_MAX, Marks};
use crate::ghost::Ghosts;
use crate::heap::Heap;
use crate::index::{Ahead, Index, Rehash};
use crate::item::{Body, Kept};
use crate::lock::{Guard, Lock, Watch};
use crate::log::{Log, Queue};
use crate::observer::Observer;
use crate::policy::{Balance, Policy};
use crate::reap::Pass;
use crate::record::Record;
use crate::seconds::{Expiry, Seconds};
use crate::stats::{ClassStats, Counters};
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
    pub(crate) fn new(
        pool: &Arc<Pool>,
        [arena, index_arena]: [&Arc<Arena>; 2],
        rules: Rules,
        watch: &Watch,
    ) -> Self {
        let account = Arc::new(Account::new(Arc::clone(pool)));
        let heap = Heap::new(arena, &account, watch);
        let items = Items::new(rules, Arc::clone(&account), [arena, index_arena], &heap);
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
    pub(crate) hasher: RandomState,
    pub(crate) policy: Policy,
    pub(crate) evicts: bool,
    /// Spans of life that have segments of their own.
    pub(crate) streams: usize,
}

impl Rules {
    /// The size of an item by memcached's arithmetic: a header of 48 bytes, 8 for CAS, 4 for flags unless they are 0, the
    /// key with a NUL, the value with `\r\n`.
    pub(crate) fn item_bytes(&self, key_len: usize, flags: u32, value_len: usize) -> u64 {
        let cas = if self.cas { 8 } else { 0 };
        let flags = if flags == 0 { 0 } else { 4 };
        48 + cas + flags + key_len as u64 + 1 + value_len as u64 + 2
    }

    pub(crate) fn class(&self, bytes: u64) -> u8 {
        let class = self.size_classes.partition_point(|&bound| u64::from(bound) < bytes);
        u8::try_from(class).unwrap_or(u8::MAX)
    }
}

/// The items of a shard. They are known by their handles in the log, which change when an item is moved.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) log: Log,
    pub(crate) bodies: Bodies,
    pub(crate) counters: Counters,
    pub(crate) pass: Pass,
    pub(crate) index: Index,
    pub(crate) ghosts: Ghosts,
    pub(crate) balance: Balance,
    /// The segment that is being emptied, and whether all that lives in it stays.
    pub(crate) drained: Option<(u32, bool)>,
    pub(crate) account: Arc<Account>,
    pub(crate) rules: Rules,
    /// Longest content, key and line end included, that lies in the log.
    pub(crate) short_len: usize,
    cas_next: u64,
    /// Flushes so far; an item of an earlier generation is gone, whether it was removed yet or not.
    pub(crate) generation: u32,
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

/// What an item is besides its key and value.
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
    fn new(
        rules: Rules,
        account: Arc<Account>,
        [arena, index_arena]: [&Arc<Arena>; 2],
        heap: &Heap,
    ) -> Self {
        let mut ghosts = Ghosts::default();
        ghosts.is_on = rules.policy.ghost;
        Self {
            log: Log::new(arena, arena.segment_len(), rules.streams),
            bodies: Bodies::default(),
            counters: Counters::new(rules.size_classes.len() + 1),
            pass: Pass::new(),
            index: Index::new(Arc::clone(index_arena)),
            ghosts,
            balance: Balance::default(),
            drained: None,
            account,
            cas_next: rules.cas_first,
            rules,
            short_len: heap.short_len(),
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
        let tables = self.index.bytes() + self.bodies.bytes() + self.log.index_bytes();
        classes + heads + tables + self.ghosts.bytes()
    }

    /// The item of a handle.
    pub(crate) fn at(&self, handle: u32) -> Record<'_> {
        let entry = self.log.entry(handle);
        Record { entry, body: entry.body().and_then(|number| self.bodies.body(number)) }
    }

    pub(crate) fn hash(&self, handle: u32) -> u64 {
        self.rules.hasher.hash_one(self.log.entry(handle).key())
    }

    pub(crate) fn find(&self, hash: u64, key: &[u8], now: Seconds) -> Found {
        match self.index.find(hash, |handle| self.log.entry(handle).key() == key) {
            None => Found::Absent,
            Some(handle) => self.judge(handle, now),
        }
    }

    pub(crate) fn judge(&self, handle: u32, now: Seconds) -> Found {
        if self.log.slot_of(handle).generation != self.generation {
            Found::Flushed(handle)
        } else if self.log.entry(handle).expiry().is_due(now) {
            Found::Expired(handle)
        } else {
            Found::Live(handle)
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
            Found::Expired(handle) => {
                self.counters.missed_expired += 1;
                bodies.push(self.remove(handle, hash, Farewell::Missed));
            }
            Found::Flushed(handle) => {
                self.counters.missed_flushed += 1;
                bodies.push(self.remove(handle, hash, Farewell::Flushed));
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
        if let Found::Expired(handle) | Found::Flushed(handle) = found {
            bodies.push(self.remove(handle, hash, Farewell::Expired));
        }
        found
    }

    /// Marks a hit.
    pub(crate) fn mark(&mut self, handle: u32, now: Seconds) {
        let age = now.since(self.log.entry(handle).last_access(self.latest));
        self.counters.count_hit(age);
        self.log.entry_mut(handle).mark_hit(now);
    }

    /// Marks a use that fetched nothing.
    pub(crate) fn mark_used(&mut self, handle: u32, now: Seconds) {
        let was_fetched = self.at(handle).was_fetched();
        let mut entry = self.log.entry_mut(handle);
        entry.mark_hit(now);
        entry.change_bits(Bits::FETCHED, was_fetched);
    }

    pub(crate) fn set_access(&mut self, handle: u32, now: Seconds) {
        self.log.entry_mut(handle).set_access(now);
    }

    /// Keeps an item no longer. What the caller gets is for it to drop, best when it has left the lock.
    pub(crate) fn remove(
        &mut self,
        handle: u32,
        hash: u64,
        farewell: Farewell,
    ) -> Option<Arc<Kept>> {
        match farewell {
            Farewell::Expired | Farewell::Swept => self.count_expired(handle, farewell),
            Farewell::Evicted(now) => {
                self.count_evicted(handle, now);
                if let Some(observer) = &self.rules.observer {
                    observer.evicts(Visit::new(self, handle, &self.account), now);
                }
            }
            Farewell::Deleted | Farewell::Flushed | Farewell::Missed => {}
        }
        if matches!(farewell, Farewell::Expired | Farewell::Swept | Farewell::Missed) {
            self.remember_expired(handle, hash);
        }
        self.count_out(handle);
        let items = rehash(&self.log, &self.rules.hasher);
        self.index.remove(hash, handle, items, &self.account);
        self.drop_entry(handle)
    }

    /// Frees the item's place in the log, and hands out its body.
    pub(crate) fn drop_entry(&mut self, handle: u32) -> Option<Arc<Kept>> {
        let charged = self.at(handle).charged();
        self.log.unweigh(handle, charged);
        let body = self.log.entry(handle).body().and_then(|number| self.bodies.remove(number));
        self.log.kill(handle).settle(&self.account);
        body.and_then(|kept| Body::Shared(kept).release(&self.account))
    }

    /// Moves an item into a queue, if there is room; it is the same item under another handle.
    pub(crate) fn relocate(&mut self, handle: u32, hash: u64, queue: Queue) -> Option<u32> {
        let new = self.log.copy(handle, queue, self.latest, self.generation)?;
        let record = self.at(handle);
        let (charged, len) = (record.charged(), record.entry.len());
        self.log.unweigh(handle, charged);
        self.log.weigh(new, charged);
        let is_moved = self.index.replace(hash, handle, new);
        debug_assert!(is_moved, "an item in the log is in the index");
        self.counters.copied_bytes += len as u64;
        self.pass.note_moved(self.log.entry(new).expiry());
        self.log.kill(handle).settle(&self.account);
        Some(new)
    }

    /// Everything that is kept now is gone; the memory follows in slices.
    pub(crate) fn flush(&mut self) {
        self.flush_at = Expiry::NEVER;
        if self.counters.items > 0 {
            self.flushed += self.counters.items;
            self.counters.forget_items();
            self.generation = self.generation.wrapping_add(1);
            self.log.close_all();
            self.log.renew(self.generation);
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

    /// Accounted bytes of an item.
    pub(crate) fn item_bytes(&self, handle: u32) -> u64 {
        let record = self.at(handle);
        self.rules.item_bytes(record.key().len(), record.flags(), record.value_len())
    }

    /// Its size class.
    pub(crate) fn class(&self, handle: u32) -> u8 {
        self.rules.class(self.item_bytes(handle))
    }

    /// The CAS number that an item gets.
    pub(crate) fn coming_cas(&self, given: Option<u64>) -> u64 {
        match given {
            _ if !self.rules.cas => 0,
            Some(cas) => cas,
            None => self.cas_next,
        }
    }

    /// The same, and the next will get another.
    pub(crate) fn given_cas(&mut self, given: Option<u64>) -> u64 {
        let cas = self.coming_cas(given);
        if self.rules.cas && given.is_none() {
            self.cas_next += self.rules.cas_step;
        }
        cas
    }

    /// What expires was not worth less for that: if it had proved itself, it will be believed when it is stored again.
    fn remember_expired(&mut self, handle: u32, hash: u64) {
        let proven = self.log.slot_of(handle).queue == Queue::Main
            || self.log.entry(handle).frequency() >= FREQUENCY_MAX - 1;
        if proven {
            self.ghosts.insert(hash, Queue::Main, true);
        }
    }

    /// Items that take memory.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.counters.items + self.flushed).unwrap_or(usize::MAX)
    }

    /// Gives up what the log holds in reserve beyond what it needs to go on.
    pub(crate) fn shrink(&mut self, is_wanted: bool) {
        while is_wanted && let Some(segment) = self.log.take_reserve(1) {
            let bytes = segment.len() as u64;
            drop(segment);
            self.account.credit(bytes);
        }
    }

    /// Gives up what index and ghosts have beyond what so few items need, a little at a time; says whether there was anything.
    pub(crate) fn trim_tables(&mut self) -> bool {
        let live = usize::try_from(self.counters.items).unwrap_or(usize::MAX);
        let before = self.ghosts.bytes();
        self.ghosts.fit(live, &self.account);
        let items = rehash(&self.log, &self.rules.hasher);
        let steps = (0..TRIM_STEPS).take_while(|_| self.index.trim(&items, &self.account));
        steps.count() > 0 || self.ghosts.bytes() < before
    }

    /// Gives up all that nothing lies in.
    pub(crate) fn give_up_empty(&mut self) {
        while let Some(segment) = self.log.take_empty() {
            let bytes = segment.len() as u64;
            drop(segment);
            self.account.credit(bytes);
        }
    }

    /// The mean of what an item takes.
    pub(crate) fn mean_charged(&self) -> u64 {
        let all = self.log.queue_bytes(Queue::Small) + self.log.queue_bytes(Queue::Main);
        all / (self.counters.items + self.flushed).max(1)
    }
}

/// Steps of the index under one hold of the lock: each moves some thirty items, or gives a page back.
const TRIM_STEPS: usize = 8;

/// What the index may ask about the items it knows the handles of.
pub(crate) fn rehash<'a>(log: &'a Log, hasher: &'a RandomState) -> impl Rehash + use<'a> {
    Ahead {
        hash_of: |handle| hasher.hash_one(log.entry(handle).key()),
        prefetch: |handle| log.prefetch(handle),
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
