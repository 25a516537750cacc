//! A store and the map that says what it should hold: every operation is done to both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use larder_store::{Config, Eviction, Item, Seconds, Store};

use super::drafting::Drafting;
use super::map::{Judged, Map, Rules};
use super::operation::{Operation, PINS_MAX, fill_key};
use super::shown::{Care, Entry, Shown, is_value};
use super::walker::Walker;
use super::witness::Witness;

/// The two, and what is held outside of them.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) store: Store,
    pub(super) rules: Rules,
    pub(super) map: Map,
    pub(super) evicts: bool,
    pub(super) pins: Vec<(Item, Vec<u8>)>,
    pub(super) drafts: Vec<Drafting>,
    pub(super) told: Told,
    /// What may be held at most.
    pub(super) ceiling: u64,
    first_limit: u64,
    /// What is held with nothing stored.
    pub(super) fixed_bytes: u64,
    shards: usize,
    segment_bytes: usize,
    /// Bytes of segments that the system gives at most.
    system_bytes_max: Arc<AtomicU64>,
    /// What was held before an operation, and the bytes that it wants.
    pub(super) held_before: u64,
    pub(super) wanted: u64,
    pub(super) walker: Walker,
    /// Operations that were checked so far, and walks.
    pub(super) steps: usize,
    pub(super) walks: u32,
    witness: Witness,
    /// CAS numbers that the store has chosen, and the last one for each key.
    numbers: BTreeSet<u64>,
    chosen: BTreeMap<Vec<u8>, u64>,
}

/// What the store should have counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) evictions: u64,
    pub(super) evicted_unfetched: u64,
    pub(super) out_of_memory: u64,
}

impl Pair {
    pub(super) fn new(config: Config) -> Self {
        let rules = Rules {
            cas: config.cas,
            item_bytes_max: config.item_bytes_max,
            size_classes: config.size_classes.to_vec(),
        };
        let witness = Witness::default();
        let evicts = config.eviction == Eviction::Enabled;
        let first_limit = config.memory_bytes;
        let system_bytes_max = Arc::new(AtomicU64::new(u64::MAX));
        let (shards, segment_bytes) = (config.shards, config.segment_bytes);
        let store = Store::new(Config {
            observer: Some(Arc::new(witness.clone())),
            system_bytes_max: Some(Arc::clone(&system_bytes_max)),
            ..config
        });
        let fixed_bytes = store.stats().held_bytes;
        Self {
            map: Map::new(rules.clone(), BEGIN),
            rules,
            evicts,
            pins: Vec::new(),
            drafts: Vec::new(),
            told: Told::default(),
            ceiling: first_limit.max(fixed_bytes),
            first_limit,
            shards: shards.unwrap_or(1),
            segment_bytes: segment_bytes.unwrap_or(64 << 10),
            system_bytes_max,
            fixed_bytes,
            held_before: fixed_bytes,
            wanted: 0,
            walker: Walker::default(),
            steps: 0,
            walks: 0,
            witness,
            numbers: BTreeSet::new(),
            chosen: BTreeMap::new(),
            store,
        }
    }

    pub(super) const fn now(&self) -> Seconds {
        self.map.now
    }

    /// So many seconds from now, if that is not never.
    pub(super) fn later(&self, seconds: Option<u32>) -> Option<Seconds> {
        seconds.map(|seconds| Seconds(self.now().0 + seconds))
    }

    pub(super) fn own_cas(&self, key: &[u8]) -> u64 {
        self.map.entries.get(key).map_or(0, |entry| entry.shown.cas)
    }

    pub(super) fn apply(&mut self, operation: Operation) {
        let now = self.now();
        match operation {
            Operation::Abandon(index) => self.abandon(index),
            Operation::Adjust { key, delta, compare, counting, exptime } => {
                self.adjust(&key, delta, compare, counting, exptime);
            }
            Operation::Advance(seconds) => {
                self.map.now.0 += seconds;
                self.map.settle();
            }
            Operation::Amend { key, compare, amendment, exptime } => {
                self.amend(&key, compare, amendment, exptime);
            }
            Operation::Commit { draft, manner } => self.commit_of(draft, manner),
            Operation::Delete(key) => self.delete(&key),
            Operation::DeleteIf { key, cas } => self.delete_if(&key, cas),
            Operation::Draft(announced) => self.begin(announced),
            Operation::Feed { draft, len, in_place } => self.feed(draft, len, in_place),
            Operation::Fetch { key, marks_hit, exptime, recache, creation } => {
                self.fetch(&key, marks_hit, exptime, recache, creation);
            }
            Operation::Fill { first, count, len } => self.fill(first, count, len),
            Operation::Flush => {
                self.store.flush(now);
                self.absorb();
                self.map.flush();
                self.walker.note_all();
            }
            Operation::FlushAt(seconds) => self.flush_at(seconds),
            Operation::Limit(bytes) => self.limit(bytes),
            Operation::Pin(key) => self.pin(&key),
            Operation::Put { announced, manner } => self.put(announced, manner),
            Operation::Refresh { first, count, exptime } => {
                for number in first..first + count {
                    self.refresh(&fill_key(number % FILL_KEYS), exptime);
                }
            }
            Operation::ResetStats => {
                self.store.reset_stats();
                self.told = Told::default();
            }
            Operation::Starve(bytes) => self.starve(bytes),
            Operation::Sweep(budget) => {
                self.store.sweep(now, budget);
                self.absorb();
                self.sink();
            }
            Operation::SweepAll => self.sweep_all(),
            Operation::Touch { key, exptime } => self.touch(&key, exptime),
            Operation::Unpin(index) => {
                if index < self.pins.len() {
                    let (pin, value) = self.pins.swap_remove(index);
                    let is_same = is_value(&value, pin.slices(), Care::All);
                    assert!(is_same, "a pinned value changed");
                }
            }
            Operation::Visit(key) => {
                let said = self.store.visit(&key, now, |visit| Shown::of(&visit));
                self.visited(&key, None, said);
            }
            Operation::VisitTouching { key, exptime } => {
                let exptime = self.later(exptime);
                let said = self.store.visit_touching(&key, exptime, now, |v| Shown::of(&v));
                self.visited(&key, Some(exptime), said);
            }
            Operation::Walk => self.walker.step(&self.store, &self.map, now),
        }
    }

    /// Takes over what was done to a key, after it was judged by what was there before. What was evicted meanwhile may
    /// have gone before the store looked.
    pub(super) fn change(
        &mut self,
        key: &[u8],
        judge: impl Fn(&Rules, Option<&Entry>) -> Judged,
    ) -> Option<Entry> {
        let before = self.map.entries.get(key).cloned();
        let own = self.absorb_others(key);
        let is_before = |shown: &&Shown| before.as_ref().is_some_and(|b| b.shown == **shown);
        let was_evicted = own.iter().any(|shown| is_before(&shown));
        let mut judged = judge(&self.rules, if was_evicted { None } else { before.as_ref() });
        if let (true, Err(complaint)) = (was_evicted, &judged) {
            // The decision was made before the eviction; then it left things as they were.
            let unchanged = judge(&self.rules, before.as_ref()).ok();
            let is_fine = unchanged.is_some_and(|after| after == before);
            assert!(is_fine, "{}: {complaint}", key.escape_ascii());
            judged = Ok(None);
        }
        assert!(judged.is_ok(), "{}: {judged:?}", key.escape_ascii());
        let mut after = judged.ok().flatten();
        for shown in own.iter().filter(|shown| !is_before(shown)) {
            let was_there = after.take().is_some_and(|after| after.shown == *shown);
            assert!(was_there, "{}: {shown:?} was evicted and was not there", key.escape_ascii());
        }
        let value = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.shown.cas);
        if value(&before) != value(&after) || !self.rules.cas {
            self.walker.note(key);
        }
        self.map.put(key, after.clone());
        after
    }

    /// Takes over what was evicted.
    pub(super) fn absorb(&mut self) {
        for (key, shown) in self.witness.take() {
            self.evicted(&key, &shown);
        }
    }

    /// Takes over what was evicted but for one key, whose evictions are returned.
    fn absorb_others(&mut self, key: &[u8]) -> Vec<Shown> {
        let mut own = Vec::new();
        for (evicted, shown) in self.witness.take() {
            if evicted == key {
                self.count_evicted(&shown);
                own.push(shown);
            } else {
                self.evicted(&evicted, &shown);
            }
        }
        own
    }

    fn evicted(&mut self, key: &[u8], shown: &Shown) {
        self.count_evicted(shown);
        let entry = self.map.entries.remove(key);
        let was_there = entry.as_ref().is_some_and(|entry| entry.shown == *shown);
        assert!(was_there, "{}: {shown:?} was evicted, not {entry:?}", key.escape_ascii());
        self.walker.note(key);
    }

    fn count_evicted(&mut self, shown: &Shown) {
        assert!(self.evicts, "{shown:?} was evicted, which this store must not do");
        let (needed, limit) = (self.held_before + self.wanted, self.store.memory_limit());
        // Shards draw in blocks that fit the limit which the store was made with.
        let is_useful = limit >= LIMIT_USEFUL.max(self.first_limit / 32);
        let is_short = !is_useful || self.is_starved() || needed + self.grain() >= limit / 2;
        assert!(is_short, "{shown:?} was evicted though {needed} bytes of {limit} are needed");
        self.told.evictions += 1;
        self.told.evicted_unfetched += u64::from(!shown.was_fetched);
    }

    /// The store has chosen a CAS number for a key.
    pub(super) fn number(&mut self, key: &[u8], cas: u64) {
        if self.rules.cas {
            assert!(self.numbers.insert(cas), "the CAS number {cas} was given before");
            let before = self.chosen.insert(key.to_vec(), cas);
            assert!(before.is_none_or(|before| before < cas), "{cas} comes after {before:?}");
        }
    }

    /// A refusal for want of memory is counted, and was right.
    pub(super) fn refused(&mut self, len: usize) {
        self.told.out_of_memory += 1;
        self.check_refusal(len);
    }

    fn fill(&mut self, first: usize, count: usize, len: usize) {
        for number in first..first + count {
            self.put_plainly(&fill_key(number % FILL_KEYS), len);
        }
    }

    fn flush_at(&mut self, seconds: u32) {
        // What has come due happens before it can be replaced: every shard must be looked at.
        self.check_walk();
        let when = Seconds(self.now().0 + seconds);
        self.store.flush_at(when);
        self.map.flush_at = Some(when);
        self.map.settle();
        if seconds == 0 {
            self.walker.note_all();
        }
    }

    fn limit(&mut self, bytes: u64) {
        let now = self.now();
        self.store.set_memory_limit(bytes, now);
        self.absorb();
        assert_eq!(self.store.memory_limit(), bytes);
        self.ceiling = u64::MAX;
        self.sink();
    }

    /// Until a lower limit is reached, each sweep brings it nearer, and the store does not grow.
    fn sink(&mut self) {
        let limit = self.store.memory_limit().max(self.fixed_bytes);
        let held = self.store.stats().held_bytes;
        self.ceiling = self.ceiling.min(limit.max(held + SPARE_MAX)).max(limit);
    }

    pub(super) fn sweep_all(&mut self) {
        let now = self.now();
        let is_done = (0..100_000).any(|_| !self.store.sweep(now, 1000).more);
        assert!(is_done, "sweeping does not come to an end");
        self.absorb();
        self.map.sweep();
        let stats = self.store.stats();
        if self.evicts && self.outside() == 0 {
            // The index stays a little larger than it was when there was nothing.
            let limit = self.store.memory_limit().max(stats.index_bytes);
            assert!(stats.held_bytes <= limit, "{stats:?} is more than {limit}, all is swept");
            self.ceiling = limit;
        }
    }

    fn pin(&mut self, key: &[u8]) {
        let now = self.now();
        let keeps = self.pins.len() < PINS_MAX;
        let said = self.store.visit(key, now, |visit| (Shown::of(&visit), visit.pin()));
        let (shown, pin) = match said {
            Ok((shown, pin)) => (Ok(shown), Some(pin)),
            Err(miss) => (Err(miss), None),
        };
        if let (Ok(shown), Some(pin)) = (&shown, pin)
            && keeps
        {
            self.pins.push((pin, shown.value.clone()));
        }
        self.visited(key, None, shown);
    }

    /// From now on the system gives so many bytes of segments and not one more; what it has given stays.
    pub(super) fn starve(&self, bytes: u64) {
        self.system_bytes_max.store(bytes, Relaxed);
    }

    pub(super) fn is_starved(&self) -> bool {
        self.system_bytes_max.load(Relaxed) < u64::MAX
    }

    /// What may be lost to the grain in which shards draw: a few segments each.
    pub(super) const fn grain(&self) -> u64 {
        (self.shards * 3 * self.segment_bytes) as u64 + (64 << 10)
    }

    /// Bytes that cannot be evicted, at least.
    pub(super) fn outside(&self) -> u64 {
        let pinned: usize = self.pins.iter().map(|(_, value)| value.len() + 400).sum();
        let drafts: u64 = self.drafts.iter().map(Drafting::held_bytes).sum();
        pinned as u64 + drafts
    }
}

/// The moment at which everything begins.
const BEGIN: Seconds = Seconds(1000);
const FILL_KEYS: usize = 1024;

/// A store of less may have no room for anything.
pub(super) const LIMIT_USEFUL: u64 = 200_000;

/// What a store may still take of what it has drawn, though its limit was lowered.
const SPARE_MAX: u64 = 64 << 10;
