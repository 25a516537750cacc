//! Fetching, storing, counting and changing on terms: any sequence of it, beside a plain map with the same clock.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use std::collections::BTreeMap;

use kit::{NOW, value_of};
use larder_store::{
    AdjustError, Amended, Amendment, Condition, Config, Counting, Creation, Delta, Fetch, Item,
    Outcome, Recache, Refusal, Seconds, Store, Terms, Visit,
};
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Op {
    Adjust {
        key: u8,
        delta: Delta,
        compare: Option<Number>,
        cas: Option<u64>,
        exptime: Exptime,
    },
    Advance(u32),
    Amend {
        key: u8,
        compare: Option<Number>,
        stales: bool,
        empties: bool,
        exptime: Exptime,
        cas: Option<u64>,
    },
    DeleteIf {
        key: u8,
        compare: Number,
    },
    Fetch {
        key: u8,
        marks_hit: bool,
        exptime: Exptime,
        recache: u32,
        creation: Option<(Option<u32>, Option<u64>)>,
    },
    Flush,
    Pin(u8),
    Put {
        key: u8,
        condition: Kind,
        len: usize,
        number: Number,
        terms: Terms,
        exptime: Option<u32>,
    },
}

/// Another expiry, if one is given: in so many seconds, or never.
type Exptime = Option<Option<u32>>;

/// A CAS number, told from that of the item.
#[derive(Debug, Clone, Copy)]
enum Number {
    Nobodys,
    Lower,
    Its,
    Higher,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Add,
    Append,
    Cas,
    Prepend,
    Replace,
    Set,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..4_u8;
    let number = || {
        let all = vec![Number::Nobodys, Number::Lower, Number::Its, Number::Its, Number::Higher];
        prop::sample::select(all)
    };
    let seconds = || proptest::option::of(0..5_u32);
    let exptime = move || proptest::option::of(seconds());
    let cas = || proptest::option::weighted(0.2, 1..2000_u64);
    let maybe = || proptest::option::of(number());
    let kinds = vec![
        Kind::Add,
        Kind::Append,
        Kind::Cas,
        Kind::Cas,
        Kind::Prepend,
        Kind::Replace,
        Kind::Set,
    ];
    let put = (
        key(),
        prop::sample::select(kinds),
        prop::sample::select(vec![0, 1, 1, 30, 5000, 70_000]),
        number(),
        (any::<bool>(), any::<bool>(), cas(), any::<bool>()),
        seconds(),
    );
    prop_oneof![
        6 => put.prop_map(|(key, condition, len, number, flags, exptime)| {
            let (stales_when_older, creates, cas, is_key_encoded) = flags;
            let terms = Terms { compare: None, stales_when_older, creates, cas, is_key_encoded };
            Op::Put { key, condition, len, number, terms, exptime }
        }),
        6 => (key(), any::<bool>(), exptime(), 0..6_u32, proptest::option::of((seconds(), cas())))
            .prop_map(|(key, marks_hit, exptime, recache, creation)| {
                Op::Fetch { key, marks_hit, exptime, recache, creation }
            }),
        3 => (key(), maybe(), any::<bool>(), any::<bool>(), exptime(), cas()).prop_map(
            |(key, compare, stales, empties, exptime, cas)| {
                Op::Amend { key, compare, stales, empties, exptime, cas }
            }
        ),
        2 => (key(), 0..200_u64, any::<bool>(), maybe(), cas(), exptime()).prop_map(
            |(key, by, is_up, compare, cas, exptime)| {
                let delta = if is_up { Delta::Increment(by) } else { Delta::Decrement(by) };
                Op::Adjust { key, delta, compare, cas, exptime }
            }
        ),
        1 => (key(), number()).prop_map(|(key, compare)| Op::DeleteIf { key, compare }),
        1 => key().prop_map(Op::Pin),
        1 => (0..3_u32).prop_map(Op::Advance),
        1 => Just(Op::Flush),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    value: Vec<u8>,
    exptime: Option<Seconds>,
    cas: u64,
    last_access: Seconds,
    was_fetched: bool,
    is_stale: bool,
    is_key_encoded: bool,
}

impl Entry {
    fn new(value: &[u8], exptime: Option<Seconds>, now: Seconds) -> Self {
        Self {
            value: value.to_vec(),
            exptime,
            cas: 0,
            last_access: now,
            was_fetched: false,
            is_stale: false,
            is_key_encoded: false,
        }
    }

    fn of(item: &Visit<'_>) -> Self {
        Self {
            value: value_of(item),
            exptime: item.exptime(),
            cas: item.cas(),
            last_access: item.last_access(),
            was_fetched: item.was_fetched(),
            is_stale: item.is_stale(),
            is_key_encoded: item.is_key_encoded(),
        }
    }
}

/// The store, the map that says what it should hold, with who has won what, and pins.
struct Pair {
    store: Store,
    map: BTreeMap<u8, (Entry, bool)>,
    now: Seconds,
    pins: Vec<(Item, Vec<u8>)>,
    puts: usize,
}

impl Pair {
    fn new() -> Self {
        let config = Config { item_bytes_max: 500_000, shards: Some(2), ..Config::new(64 << 20) };
        let (map, pins) = (BTreeMap::new(), Vec::new());
        Self { store: Store::new(config), map, now: NOW, pins, puts: 0 }
    }

    fn old(&mut self, key: u8) -> Option<(Entry, bool)> {
        let now = self.now;
        self.map.retain(|_, (entry, _)| entry.exptime.is_none_or(|at| at > now));
        self.map.get(&key).cloned()
    }

    fn later(&self, seconds: Option<u32>) -> Option<Seconds> {
        seconds.map(|seconds| Seconds(self.now.0 + seconds))
    }

    fn number(&mut self, key: u8, number: Number) -> u64 {
        let its = self.old(key).map_or(5, |(entry, _)| entry.cas);
        match number {
            Number::Nobodys => 0,
            Number::Lower => its.saturating_sub(1),
            Number::Its => its,
            Number::Higher => its + 1,
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Adjust { key, delta, compare, cas, exptime } => {
                let compare = compare.map(|number| self.number(key, number));
                let exptime = exptime.map(|seconds| self.later(seconds));
                self.adjust(key, delta, &Counting { compare, cas, exptime });
            }
            Op::Advance(seconds) => self.now.0 += seconds,
            Op::Amend { key, compare, stales, empties, exptime, cas } => {
                let compare = compare.map(|number| self.number(key, number));
                let exptime = exptime.map(|seconds| self.later(seconds));
                self.amend(key, &Amendment { compare, stales, empties, exptime, cas });
            }
            Op::DeleteIf { key, compare } => {
                let cas = self.number(key, compare);
                let expected = match self.old(key) {
                    None => "not found",
                    Some((old, _)) if old.cas != cas => "exists",
                    Some(_) => "done",
                };
                let amended = self.store.delete_if(&[key], cas, self.now);
                assert_eq!(name(amended), expected);
                if expected == "done" {
                    self.map.remove(&key);
                }
            }
            Op::Fetch { key, marks_hit, exptime, recache, creation } => {
                let exptime = exptime.map(|seconds| self.later(seconds));
                let recache = match recache {
                    0 => Recache::Never,
                    1 => Recache::WhenStale,
                    2 => Recache::Always,
                    seconds => Recache::Before(Seconds(self.now.0 + seconds)),
                };
                let creation =
                    creation.map(|(seconds, cas)| Creation { exptime: self.later(seconds), cas });
                self.fetch(key, &Fetch { marks_hit, exptime, recache, creation });
            }
            Op::Flush => {
                self.store.flush(self.now);
                self.map.clear();
            }
            Op::Pin(key) => {
                let fetch = Fetch::default();
                let pin = self.store.fetch(&[key], &fetch, self.now, |item, _| item.pin());
                let value = self.old(key).map(|(entry, _)| entry.value);
                assert_eq!(pin.is_ok(), value.is_some());
                self.pins.extend(pin.ok().zip(value).filter(|_| self.pins.len() < 4));
            }
            Op::Put { key, condition, len, number, terms, exptime } => {
                let number = self.number(key, number);
                self.put(key, condition, len, number, terms, exptime);
            }
        }
    }

    fn fetch(&mut self, key: u8, fetch: &Fetch) {
        let now = self.now;
        let old = self.old(key);
        let seen =
            self.store.fetch(&[key], fetch, now, |item, fetched| (Entry::of(&item), fetched));
        let Some((mut entry, was_won)) = old else {
            let Some(creation) = fetch.creation else {
                assert!(seen.is_err(), "{seen:?}");
                return;
            };
            let Ok((entry, fetched)) = seen else { panic!("it was not created") };
            assert!(fetched.wins && !fetched.was_won && fetched.created_after.is_some());
            assert_eq!((&entry.value[..], entry.exptime), (&b""[..], creation.exptime));
            assert!(!entry.was_fetched && !entry.is_stale && !entry.is_key_encoded);
            assert!(creation.cas.is_none_or(|cas| cas == entry.cas));
            let kept = Entry { was_fetched: fetch.marks_hit, last_access: now, ..entry };
            self.map.insert(key, (kept, true));
            return;
        };
        let Ok((seen, fetched)) = seen else { panic!("{key} was not found") };
        let is_wanted = match fetch.recache {
            Recache::Never => false,
            Recache::WhenStale => entry.is_stale,
            Recache::Before(at) => entry.is_stale || entry.exptime.is_some_and(|end| end < at),
            Recache::Always => true,
        };
        assert_eq!((fetched.was_won, fetched.wins), (was_won, is_wanted && !was_won));
        assert_eq!((fetched.exptime_before, fetched.created_after), (entry.exptime, None));
        entry.exptime = fetch.exptime.unwrap_or(entry.exptime);
        assert_eq!(seen, entry);
        if fetch.marks_hit {
            (entry.was_fetched, entry.last_access) = (true, now);
        }
        self.map.insert(key, (entry, was_won || is_wanted));
    }

    fn put(
        &mut self,
        key: u8,
        kind: Kind,
        len: usize,
        number: u64,
        terms: Terms,
        exptime: Option<u32>,
    ) {
        self.puts += 1;
        // Values of one byte are counters.
        let value = if len == 1 { b"9".to_vec() } else { kit::pattern(len, self.puts) };
        let (now, exptime) = (self.now, self.later(exptime));
        let joins = matches!(kind, Kind::Append | Kind::Prepend);
        let terms = Terms { compare: joins.then_some(number), ..terms };
        let condition = match kind {
            Kind::Add => Condition::Add,
            Kind::Append => Condition::Append,
            Kind::Cas => Condition::Cas(number),
            Kind::Prepend => Condition::Prepend,
            Kind::Replace => Condition::Replace,
            Kind::Set => Condition::Set,
        };
        let old = self.old(key);
        let mut draft = self.store.draft(&[key], 0, exptime, value.len(), now).unwrap();
        draft.push(&value).unwrap();
        draft.push(b"\r\n").unwrap();
        let committed = self.store.commit_with(draft, condition, &terms, now);
        let (fresh, won, refused) =
            expected(kind, &old, &value, number, &terms, Entry::new(&value, exptime, now));
        let committed = match committed {
            Ok(committed) => committed,
            Err(Refusal::TooLarge) => {
                let size = self.store.item_bytes(1, 0, fresh.value.len());
                return assert!(size > 500_000 && refused.is_none());
            }
            Err(refusal) => panic!("{refusal}"),
        };
        if let Some(refused) = refused {
            assert_eq!((committed.outcome, committed.value_len), (refused, value.len()));
            if let (Kind::Add, Some((entry, _))) = (kind, self.map.get_mut(&key)) {
                entry.last_access = now;
            }
            return;
        }
        let Outcome::Stored { cas } = committed.outcome else { panic!("{committed:?}") };
        assert!(terms.cas.is_none_or(|given| given == cas));
        assert_eq!(committed.value_len, fresh.value.len());
        self.map.insert(key, (Entry { cas, ..fresh }, won));
    }

    fn amend(&mut self, key: u8, amendment: &Amendment) {
        let old = self.old(key);
        let amended = self.store.amend(&[key], amendment, self.now).unwrap();
        let Some((mut entry, mut won)) = old else {
            return assert_eq!(amended, Amended::NotFound);
        };
        if amendment.compare.is_some_and(|cas| cas != entry.cas) {
            return assert_eq!(amended, Amended::Exists);
        }
        assert_eq!(name(amended), "done");
        if amendment.empties {
            entry.value.clear();
            entry.exptime = None;
            (entry.last_access, entry.was_fetched) = (self.now, false);
            (entry.is_stale, entry.is_key_encoded, won) = (false, false, false);
            entry.cas = amendment.cas.unwrap_or(entry.cas);
        }
        entry.exptime = amendment.exptime.unwrap_or(entry.exptime);
        if amendment.stales {
            (entry.is_stale, won) = (true, false);
            let fetch = Fetch::default();
            let cas = self.store.fetch(&[key], &fetch, self.now, |item, _| item.cas());
            // It may have expired just now.
            let cas = cas.unwrap_or(0);
            assert!(cas != entry.cas || amendment.cas == Some(cas));
            assert!(amendment.cas.is_none_or(|given| given == cas || cas == 0));
            entry.cas = cas;
        }
        self.map.insert(key, (entry, won));
    }

    fn adjust(&mut self, key: u8, delta: Delta, counting: &Counting) {
        let old = self.old(key);
        let adjusted = self.store.adjust_with(&[key], delta, counting, self.now);
        let Some((mut entry, mut won)) = old else {
            return assert_eq!(adjusted, Err(AdjustError::NotFound));
        };
        if entry.value.is_empty() {
            return assert_eq!(adjusted, Err(AdjustError::NonNumeric));
        }
        if counting.compare.is_some_and(|cas| cas != 0 && cas != entry.cas) {
            return assert_eq!(adjusted, Err(AdjustError::Exists));
        }
        let text = String::from_utf8(entry.value.clone()).unwrap_or_default();
        let Ok(number) = text.trim_end_matches(' ').parse::<u64>() else {
            return assert_eq!(adjusted, Err(AdjustError::NonNumeric), "{text:?}");
        };
        let number = match delta {
            Delta::Increment(by) => number.wrapping_add(by),
            Delta::Decrement(by) => number.saturating_sub(by),
        };
        let width = entry.value.len();
        let adjusted = adjusted.unwrap();
        assert_eq!((adjusted.value, adjusted.exptime_before), (number, entry.exptime));
        assert!(counting.cas.is_none_or(|cas| cas == adjusted.cas));
        entry.value = format!("{number:<width$}").into_bytes();
        entry.cas = adjusted.cas;
        entry.exptime = counting.exptime.unwrap_or(entry.exptime);
        if entry.value.len() > width {
            (entry.is_stale, entry.is_key_encoded, won) = (false, false, false);
            entry.was_fetched = false;
        }
        entry.last_access = self.now;
        self.map.insert(key, (entry, won));
    }

    /// What must hold after every operation.
    fn check(&mut self) {
        for (pin, bytes) in &self.pins {
            assert_eq!(&kit::pinned_value(pin), bytes, "a pinned value changed");
        }
        self.old(0);
        let mut kept = BTreeMap::new();
        kit::walk(&self.store, self.now, |item| drop(kept.insert(item.key()[0], Entry::of(&item))));
        let expected: BTreeMap<_, _> =
            self.map.iter().map(|(&key, (entry, _))| (key, entry.clone())).collect();
        assert_eq!(kept, expected);
        kit::check_limit(&self.store);
    }
}

/// What a store comes to: the entry that is kept, whether its renewal is won, and why it is not kept, if so.
fn expected(
    kind: Kind,
    old: &Option<(Entry, bool)>,
    value: &[u8],
    number: u64,
    terms: &Terms,
    mut fresh: Entry,
) -> (Entry, bool, Option<Outcome>) {
    fresh.is_key_encoded = terms.is_key_encoded;
    let mut won = false;
    let refused = match (kind, old) {
        (Kind::Cas, None) => Some(Outcome::NotFound),
        (Kind::Cas, Some((old, was_won))) if number != 0 && number < old.cas => {
            fresh = Entry { exptime: old.exptime, is_stale: true, ..fresh };
            won = *was_won;
            (!terms.stales_when_older).then_some(Outcome::Exists)
        }
        (Kind::Cas, Some((old, _))) => (number != old.cas).then_some(Outcome::Exists),
        (Kind::Replace, None) | (Kind::Add, Some(_)) => Some(Outcome::NotStored),
        (Kind::Append | Kind::Prepend, None) => (!terms.creates).then_some(Outcome::NotStored),
        (Kind::Append | Kind::Prepend, Some((old, _))) => {
            let parts = [&old.value[..], value];
            let value = if matches!(kind, Kind::Append) {
                parts.concat()
            } else {
                [parts[1], parts[0]].concat()
            };
            let exptime = old.exptime;
            fresh = Entry { value, exptime, is_key_encoded: false, ..fresh };
            (number != 0 && number != old.cas).then_some(Outcome::Exists)
        }
        _ => None,
    };
    (fresh, won, refused)
}

fn name(amended: Amended) -> &'static str {
    match amended {
        Amended::Done { .. } => "done",
        Amended::Exists => "exists",
        Amended::NotFound => "not found",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn terms_are_kept(ops in prop::collection::vec(op(), 1..120)) {
        let mut pair = Pair::new();
        for op in ops {
            pair.apply(op);
            pair.check();
        }
        pair.pins.clear();
        pair.store.flush(pair.now);
        kit::sweep_all(&pair.store, pair.now);
        kit::check_empty(&pair.store);
    }
}
