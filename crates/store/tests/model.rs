//! Any sequence of operations, beside a plain map with the same clock.

mod kit;

use std::collections::{BTreeMap, BTreeSet};

use kit::{Put, pattern, pinned_value, value_of};
use larder_store::{
    AdjustError, Condition, Config, Delta, Draft, Item, Outcome, Refusal, Seconds, Store,
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Adjust { key: u8, delta: Delta },
    Advance(u32),
    Delete(u8),
    Draft { key: u8, value_len: usize, sent: usize },
    DropDraft,
    DropPin(usize),
    Flush,
    FlushAt(u32),
    Limit(u64),
    Pin(u8),
    Put { key: u8, condition: Kind, number: bool, len: usize, exptime: Option<u32>, flags: u32 },
    Sweep,
    Touch { key: u8, exptime: Option<u32> },
    Visit(u8),
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Add,
    Append,
    CasOf,
    CasOther,
    Prepend,
    Replace,
    Set,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..12_u8;
    let exptime = || proptest::option::of(0..6_u32);
    let len = || {
        let lens = vec![0, 1, 5, 20, 100, 1000, 4080, 4090, 5000, 65_000, 65_530, 70_000, 200_000];
        prop::sample::select(lens)
    };
    let kind = prop::sample::select(vec![
        Kind::Add,
        Kind::Append,
        Kind::CasOf,
        Kind::CasOther,
        Kind::Prepend,
        Kind::Replace,
        Kind::Set,
        Kind::Set,
        Kind::Set,
    ]);
    let put = (key(), kind, any::<bool>(), len(), exptime(), 0..2_u32).prop_map(
        |(key, condition, number, len, exptime, flags)| Op::Put {
            key,
            condition,
            number,
            len,
            exptime,
            flags,
        },
    );
    let delta = prop_oneof![
        (0..200_u64).prop_map(Delta::Increment),
        Just(Delta::Increment(u64::MAX - 5)),
        (0..200_u64).prop_map(Delta::Decrement),
    ];
    prop_oneof![
        16 => put,
        4 => key().prop_map(Op::Visit),
        3 => (key(), delta).prop_map(|(key, delta)| Op::Adjust { key, delta }),
        2 => (0..3_u32).prop_map(Op::Advance),
        2 => key().prop_map(Op::Delete),
        2 => key().prop_map(Op::Pin),
        2 => (0..8_usize).prop_map(Op::DropPin),
        2 => (key(), exptime()).prop_map(|(key, exptime)| Op::Touch { key, exptime }),
        1 => (key(), len(), 0..100_000_usize)
            .prop_map(|(key, value_len, sent)| Op::Draft { key, value_len, sent }),
        1 => Just(Op::DropDraft),
        1 => Just(Op::Sweep),
        1 => prop_oneof![
            Just(Op::Flush),
            (0..4_u32).prop_map(Op::FlushAt),
            (2..6_u64).prop_map(|mib| Op::Limit(mib << 20)),
        ],
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    value: Vec<u8>,
    flags: u32,
    exptime: Option<Seconds>,
    cas: u64,
}

/// The store, the map that says what it should hold, and what is held outside.
struct Pair {
    store: Store,
    map: BTreeMap<u8, Entry>,
    /// Whether the store may have dropped what the map holds.
    evicts: bool,
    now: Seconds,
    flush_at: Option<Seconds>,
    cas_numbers: BTreeSet<u64>,
    pins: Vec<(Item, Vec<u8>)>,
    drafts: Vec<Draft>,
    puts: usize,
}

impl Pair {
    fn new(memory_bytes: u64, shards: usize, evicts: bool) -> Self {
        let size_classes = [100, 1000, 10_000].into();
        let config = Config {
            item_bytes_max: 500_000,
            shards: Some(shards),
            size_classes,
            ..Config::new(memory_bytes)
        };
        Self {
            store: Store::new(config),
            map: BTreeMap::new(),
            evicts,
            now: kit::NOW,
            flush_at: None,
            cas_numbers: BTreeSet::new(),
            pins: Vec::new(),
            drafts: Vec::new(),
            puts: 0,
        }
    }

    /// The entry that should be live. What the store has evicted is forgotten here first.
    fn expect(&mut self, key: u8) -> Option<Entry> {
        self.settle();
        if self.evicts && self.map.contains_key(&key) {
            let mut is_there = false;
            kit::walk(&self.store, self.now, |item| is_there |= item.key() == [key]);
            if !is_there {
                self.map.remove(&key);
            }
        }
        self.map.get(&key).cloned()
    }

    /// What time has done to the map.
    fn settle(&mut self) {
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.map.clear();
            self.flush_at = None;
        }
        let now = self.now;
        self.map.retain(|_, entry| entry.exptime.is_none_or(|at| at > now));
    }

    fn keep(&mut self, key: u8, entry: Entry) {
        assert!(self.cas_numbers.insert(entry.cas), "CAS {} was given before", entry.cas);
        self.map.insert(key, entry);
        self.settle();
    }

    fn in_future(&self, seconds: Option<u32>) -> Option<Seconds> {
        seconds.map(|seconds| Seconds(self.now.0 + seconds))
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Adjust { key, delta } => self.adjust(key, delta),
            Op::Advance(seconds) => self.now.0 += seconds,
            Op::Delete(key) => {
                let expected = self.expect(key).is_some();
                assert_eq!(self.store.delete(&[key], self.now), expected);
                self.map.remove(&key);
            }
            Op::Draft { key, value_len, sent } => self.draft(key, value_len, sent),
            Op::DropDraft => drop(self.drafts.pop()),
            Op::DropPin(index) => {
                if index < self.pins.len() {
                    self.pins.swap_remove(index);
                }
            }
            Op::Flush => {
                self.store.flush(self.now);
                self.map.clear();
                self.flush_at = None;
            }
            Op::FlushAt(seconds) => self.flush_at(seconds),
            Op::Limit(bytes) => {
                if self.evicts {
                    self.store.set_memory_limit(bytes, self.now);
                    kit::sweep_all(&self.store, self.now);
                }
            }
            Op::Pin(key) => self.pin(key),
            Op::Put { key, condition, number, len, exptime, flags } => {
                let exptime = self.in_future(exptime);
                self.put(key, condition, number, len, exptime, flags);
            }
            Op::Sweep => {
                kit::sweep_all(&self.store, self.now);
                self.settle();
                self.check_sums();
            }
            Op::Touch { key, exptime } => {
                let exptime = self.in_future(exptime);
                let expected = self.expect(key).is_some();
                assert_eq!(self.store.touch(&[key], exptime, self.now), expected);
                if let Some(entry) = self.map.get_mut(&key) {
                    entry.exptime = exptime;
                }
            }
            Op::Visit(key) => {
                let expected = self.expect(key);
                let seen = self.store.visit(&[key], self.now, |item| Entry {
                    value: value_of(&item),
                    flags: item.flags(),
                    exptime: item.exptime(),
                    cas: item.cas(),
                });
                assert_eq!(seen.ok(), expected);
            }
        }
    }

    fn draft(&mut self, key: u8, value_len: usize, sent: usize) {
        let draft = self.store.draft(&[key], 0, None, value_len, self.now);
        if let Ok(mut draft) = draft {
            let pushed = draft.push(&pattern(sent, 0));
            assert!(pushed.is_ok() || self.evicts);
            self.drafts.push(draft);
        }
    }

    fn flush_at(&mut self, seconds: u32) {
        self.settle();
        // What has come due happens before it can be replaced: somebody must look.
        self.store.sweep(self.now, 1000);
        let when = Seconds(self.now.0 + seconds);
        self.store.flush_at(when);
        self.flush_at = Some(when);
    }

    fn pin(&mut self, key: u8) {
        let expected = self.expect(key);
        let pin = self.store.visit(&[key], self.now, |item| item.pin()).ok();
        assert_eq!(pin.is_some(), expected.is_some());
        let pins = pin.zip(expected.map(|entry| entry.value));
        self.pins.extend(pins.filter(|_| self.pins.len() < 8));
    }

    fn put(
        &mut self,
        key: u8,
        kind: Kind,
        number: bool,
        len: usize,
        exptime: Option<Seconds>,
        flags: u32,
    ) {
        self.puts += 1;
        let value =
            if number { self.puts.to_string().into_bytes() } else { pattern(len, self.puts) };
        let old = self.expect(key);
        let condition = match kind {
            Kind::Add => Condition::Add,
            Kind::Append => Condition::Append,
            Kind::CasOf => Condition::Cas(old.as_ref().map_or(1, |old| old.cas)),
            Kind::CasOther => Condition::Cas(old.as_ref().map_or(0, |old| old.cas + 1)),
            Kind::Prepend => Condition::Prepend,
            Kind::Replace => Condition::Replace,
            Kind::Set => Condition::Set,
        };
        let (key_bytes, now) = ([key], self.now);
        let put = Put { key: &key_bytes, value: &value, flags, exptime, condition, now };
        let outcome = put.into(&self.store);
        let joined = |front: &[u8], back: &[u8]| [front, back].concat();
        let (expected, value) = match (kind, &old) {
            (Kind::Add, Some(_)) => (Outcome::NotStored, None),
            (Kind::Append | Kind::Prepend | Kind::Replace, None) => (Outcome::NotStored, None),
            (Kind::CasOf | Kind::CasOther, None) => (Outcome::NotFound, None),
            (Kind::CasOther, Some(_)) => (Outcome::Exists, None),
            (Kind::Append, Some(old)) => (STORED, Some(joined(&old.value, &value))),
            (Kind::Prepend, Some(old)) => (STORED, Some(joined(&value, &old.value))),
            _ => (STORED, Some(value)),
        };
        let (flags, exptime) = match (kind, &old) {
            (Kind::Append | Kind::Prepend, Some(old)) => (old.flags, old.exptime),
            _ => (flags, exptime),
        };
        match (outcome, value) {
            (Ok(Outcome::Stored { cas }), Some(value)) => {
                self.keep(key, Entry { value, flags, exptime, cas });
            }
            (Ok(other), None) => assert_eq!(other, expected),
            (Err(Refusal::TooLarge), Some(value)) => {
                assert!(self.store.item_bytes(1, flags, value.len()) > 500_000);
            }
            (Err(Refusal::OutOfMemory), _) => assert!(self.evicts && self.held_outside() > 0),
            // Making room for the draft has evicted what the condition is about.
            (outcome, value) => {
                let value_len = value.map(|value| value.len());
                assert!(self.evicts, "{outcome:?}, expected {expected:?} of {value_len:?}");
                self.adopt(key);
            }
        }
    }

    /// Takes over what the store says of a key, where eviction makes both outcomes right.
    fn adopt(&mut self, key: u8) {
        let entry = self.store.visit(&[key], self.now, |item| Entry {
            value: value_of(&item),
            flags: item.flags(),
            exptime: item.exptime(),
            cas: item.cas(),
        });
        match entry {
            Ok(entry) => drop(self.map.insert(key, entry)),
            Err(_) => drop(self.map.remove(&key)),
        }
    }

    fn adjust(&mut self, key: u8, delta: Delta) {
        let expected = self.expect(key);
        let result = self.store.adjust(&[key], delta, self.now);
        let Some(mut entry) = expected else {
            assert_eq!(result, Err(AdjustError::NotFound));
            return;
        };
        let text = String::from_utf8(entry.value.clone()).unwrap_or_default();
        let Ok(number) = text.trim_end_matches(' ').parse::<u64>() else {
            if !entry.value.iter().any(u8::is_ascii_digit) {
                assert_eq!(result, Err(AdjustError::NonNumeric));
            }
            // A pattern may happen to begin like a number; then the store is believed.
            self.adopt(key);
            return;
        };
        let number = match delta {
            Delta::Increment(by) => number.wrapping_add(by),
            Delta::Decrement(by) => number.saturating_sub(by),
        };
        match result {
            Ok(adjusted) => {
                assert_eq!(adjusted.value, number);
                let width = entry.value.len();
                entry.value = format!("{number:<width$}").into_bytes();
                entry.cas = adjusted.cas;
                self.keep(key, entry);
            }
            Err(error) => {
                assert_eq!(error, AdjustError::Refused(Refusal::OutOfMemory));
                assert!(self.evicts && self.held_outside() > 0);
            }
        }
    }

    fn held_outside(&self) -> u64 {
        let stats = self.store.stats();
        stats.draft_bytes + stats.pinned_bytes + self.pins.len() as u64
    }

    /// What must hold after every operation.
    fn check(&mut self) {
        kit::check_limit(&self.store);
        for (pin, bytes) in &self.pins {
            assert_eq!(&pinned_value(pin), bytes, "a pinned value changed");
        }
        self.settle();
        let mut kept = BTreeMap::new();
        kit::walk(&self.store, self.now, |item| {
            let entry = Entry {
                value: value_of(&item),
                flags: item.flags(),
                exptime: item.exptime(),
                cas: item.cas(),
            };
            assert!(entry.exptime.is_none_or(|at| at > self.now), "an expired item is visible");
            assert!(kept.insert(item.key()[0], entry).is_none(), "a key is there twice");
        });
        if self.evicts {
            for (key, entry) in &kept {
                assert_eq!(self.map.get(key), Some(entry), "key {key}");
            }
        } else {
            assert_eq!(kept, self.map);
        }
        self.map = kept;
    }

    /// After a sweep nothing is counted that is not there.
    fn check_sums(&self) {
        let (mut items, mut bytes) = (0, 0);
        kit::walk(&self.store, self.now, |item| {
            items += 1;
            bytes += self.store.item_bytes(item.key().len(), item.flags(), item.value_len());
        });
        let stats = self.store.stats();
        assert_eq!((stats.items, stats.bytes), (items, bytes));
        let classes = self.store.class_stats();
        assert_eq!(classes.iter().map(|class| class.bytes).sum::<u64>(), bytes);
        assert_eq!(stats.draft_bytes, self.drafts.iter().map(Draft::held_bytes).sum::<u64>());
    }

    fn end(mut self) {
        self.pins.clear();
        self.drafts.clear();
        self.store.flush(self.now);
        kit::sweep_all(&self.store, self.now);
        kit::check_empty(&self.store);
    }
}

const STORED: Outcome = Outcome::Stored { cas: 0 };

fn run(mut pair: Pair, ops: Vec<Op>) {
    for op in ops {
        pair.apply(op);
        pair.check();
    }
    pair.end();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn with_memory_for_all_the_store_is_a_map(
        ops in prop::collection::vec(op(), 1..80),
        shards in 1..5_usize,
    ) {
        run(Pair::new(64 << 20, shards, false), ops);
    }

    #[test]
    fn with_little_memory_it_is_a_map_that_forgets(
        ops in prop::collection::vec(op(), 1..120),
        shards in 1..5_usize,
    ) {
        run(Pair::new(2 << 20, shards, true), ops);
    }
}
