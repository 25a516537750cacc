//! The index against a plain map: with hashes good and bad, and with memory that is refused.

use std::cell::Cell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::*;
use crate::account::Pool;

#[test]
fn any_sequence_agrees_with_a_map() {
    for (name, hash_of) in HASHES {
        for (segment_len, most) in [(1 << 10, 1200), (4 << 10, 4000)] {
            // What agrees is searched one by one.
            let most = if name == "spread" { most } else { most / 4 };
            let mut trial = Trial::new(name, Arena::new(segment_len), hash_of, most * 2);
            let mut random = Random(u64::from(most));
            for round in 0..most * 7 {
                // More and more, as many as before, fewer and fewer.
                let chance = [9, 5, 1][(round / most % 3) as usize];
                let key = random.below(most * 2);
                match trial.there[key as usize] {
                    Some(_) if random.below(3) == 0 => trial.replace(key),
                    Some(_) if random.below(10) >= chance => trial.remove(key),
                    None if random.below(10) < chance => trial.add(key).unwrap(),
                    _ => trial.check_one(key),
                }
                trial.check_bytes();
                if round % (most / 4) == 0 {
                    trial.check_all();
                }
            }
            (0..most * 2).for_each(|key| trial.remove(key));
            trial.check_all();
            assert_eq!((trial.index.items, trial.index.stash.len()), (0, 0), "{name}");
        }
    }
}

#[test]
fn it_grows_to_a_million_and_shrinks_to_nothing() {
    let mut trial = Trial::new("spread", Arena::new(64 << 10), spread, MILLION);
    for key in 0..MILLION {
        trial.add(key).unwrap();
        let bytes = trial.index.bytes() as f64 / f64::from(key + 1);
        // Pages are 64 KiB.
        assert!(bytes <= 6.85 + 65_536.0 * 1.1 / f64::from(key + 1), "{key}: {bytes}");
        if key % 50_000 == 0 {
            trial.check_bytes();
            trial.check_shape();
        }
    }
    trial.check_all();
    for key in 0..MILLION {
        trial.remove(key);
        let left = MILLION - key - 1;
        let bytes = trial.index.bytes();
        assert!(bytes <= u64::from(left) * 8 + (192 << 10), "{left} left: {bytes}");
        if key % 50_000 == 0 {
            trial.check_bytes();
            trial.check_one(key);
            trial.check_one(MILLION - 1);
        }
    }
    trial.check_all();
    assert_eq!(trial.index.pages.pieces(), 1);
}

#[test]
fn what_comes_and_goes_takes_no_room() {
    const COUNT: u32 = 60_000;
    let mut trial = Trial::new("spread", Arena::new(16 << 10), spread, COUNT * 4);
    (0..COUNT).for_each(|key| trial.add(key).unwrap());
    let bytes = trial.index.bytes();
    for key in COUNT..COUNT * 4 {
        trial.remove(key - COUNT);
        trial.add(key).unwrap();
    }
    trial.check_bytes();
    trial.check_shape();
    trial.check_all();
    assert!(trial.index.bytes() <= bytes + (16 << 10), "{} from {bytes}", trial.index.bytes());
}

#[test]
fn a_call_hashes_few_keys() {
    let mut trial = Trial::new("spread", Arena::new(16 << 10), spread, 100_000);
    let (mut worst, mut all) = (0, 0);
    for key in 0..100_000 {
        trial.hashed.set(0);
        trial.add(key).unwrap();
        worst = worst.max(trial.hashed.get());
        all += trial.hashed.get();
    }
    for key in 0..100_000 {
        trial.hashed.set(0);
        trial.remove(key);
        worst = worst.max(trial.hashed.get());
        all += trial.hashed.get();
    }
    assert!(worst <= 6 * 12, "{worst} in one call");
    assert!(all < 500_000, "{all} for 200,000 calls");
}

#[test]
fn room_is_asked_for_a_page_at_a_time() {
    let mut trial = Trial::new("spread", Arena::new(16 << 10), spread, 50_000);
    let mut others = trial.account.take_up_to(u64::MAX);
    for key in 0..50_000 {
        while let Err(need) = trial.add(key) {
            let Need::Room(bytes) = need else { panic!("{need:?}") };
            assert!(bytes <= 17 << 10, "{bytes}");
            others -= bytes;
            trial.account.credit(bytes);
        }
        assert_eq!(trial.account.held(), others + trial.index.bytes(), "{key}");
    }
    trial.account.credit(others);
    trial.check_all();
    let bytes = trial.index.bytes() as f64 / 50_000.0;
    assert!(bytes < 6.5, "{bytes}: it asks for room only when it is crowded");
}

#[test]
fn pages_that_the_system_refuses_lose_nothing() {
    let cap = Arc::new(AtomicU64::new(0));
    let arena = Arena::capped(16 << 10, Some(Arc::clone(&cap)));
    let mut trial = Trial::new("spread", arena, spread, 50_000);
    let mut refused = 0;
    for key in 0..50_000 {
        while let Err(need) = trial.add(key) {
            assert_eq!(need, Need::Memory(16 << 10));
            trial.check_bytes();
            refused += 1;
            cap.fetch_add(16 << 10, Relaxed);
        }
    }
    assert!(refused > 10, "{refused}");
    trial.check_all();
    (0..50_000).for_each(|key| trial.remove(key));
    trial.check_all();
}

/// Whatever comes and goes meanwhile, so that it grows or shrinks, those that stay are seen once; and a step is short.
#[test]
fn a_walk_sees_once_who_stays() {
    const STAY: u32 = 20_000;
    let hashes = HASHES.iter().filter(|(name, _)| ["spread", "all in one half"].contains(name));
    for &(name, hash_of) in hashes {
        for grows in [true, false] {
            let mut trial = Trial::new(name, Arena::new(16 << 10), hash_of, STAY * 3);
            let others = STAY..STAY * 3;
            (0..STAY).for_each(|key| trial.add(key).unwrap());
            if !grows {
                others.clone().for_each(|key| trial.add(key).unwrap());
            }
            let mut others = others.cycle();
            let mut seen = vec![0; STAY as usize * 3];
            let (mut from, mut worst) = (Some(0), 0);
            while let Some(place) = from {
                let hashed = Cell::new(0);
                let hash_of = |handle| {
                    hashed.set(hashed.get() + 1);
                    hash_of(handle)
                };
                from = trial.index.walk(place, hash_of, |handle| seen[handle as usize] += 1);
                worst = worst.max(hashed.get());
                for key in others.by_ref().take(12) {
                    match trial.there[key as usize] {
                        None if grows => trial.add(key).unwrap(),
                        Some(_) if !grows => trial.remove(key),
                        _ => {}
                    }
                }
            }
            assert!(seen[..STAY as usize].iter().all(|&times| times == 1), "{name} {grows}");
            assert!(seen.iter().all(|&times| times <= 1), "{name} {grows}");
            assert!(worst <= 200, "{name} {grows}: {worst} in one step");
        }
    }
}

/// An index, the account that it takes from, and what must be in it.
struct Trial {
    name: &'static str,
    index: Index,
    account: Account,
    hash_of: HashOf,
    /// By key: which of its handles is there. A key's handles have the same remainder.
    there: Vec<Option<u32>>,
    /// Keys that the index has hashed.
    hashed: Cell<u32>,
}

impl Trial {
    fn new(name: &'static str, arena: Arc<Arena>, hash_of: HashOf, keys: u32) -> Self {
        let account = Account::new(Arc::new(Pool::new(64 << 20, 1)));
        let there = vec![None; keys as usize];
        Self { name, index: Index::new(arena), account, hash_of, there, hashed: Cell::new(0) }
    }

    fn keys(&self) -> u32 {
        u32::try_from(self.there.len()).unwrap()
    }

    fn add(&mut self, key: u32) -> Result<(), Need> {
        let (keys, hash_of, hashed) = (self.keys(), self.hash_of, &self.hashed);
        let items = |handle: u32| {
            hashed.set(hashed.get() + 1);
            hash_of(handle % keys)
        };
        self.index.prepare(hash_of(key), items, &mut Grant::empty(&self.account))?;
        let bytes = self.index.bytes();
        self.index.insert((self.hash_of)(key), key);
        assert_eq!(self.index.bytes(), bytes, "what was prepared takes nothing");
        self.there[key as usize] = Some(key);
        Ok(())
    }

    /// Removes what is there, or shows that nothing is.
    fn remove(&mut self, key: u32) {
        let (keys, hash_of, hashed) = (self.keys(), self.hash_of, &self.hashed);
        let handle = self.there[key as usize].take().unwrap_or(key);
        let items = |other: u32| {
            hashed.set(hashed.get() + 1);
            assert_ne!(other, handle, "its item may be gone");
            hash_of(other % keys)
        };
        self.index.remove(hash_of(key), handle, items, &self.account);
    }

    fn replace(&mut self, key: u32) {
        let (hash, keys) = ((self.hash_of)(key), self.keys());
        let old = self.there[key as usize].unwrap();
        let new = (old + keys) % (keys * 1000);
        assert!(!self.index.replace(hash, new, old), "{}: {new} is not there", self.name);
        assert!(self.index.replace(hash, old, new), "{}: {old} is there", self.name);
        self.there[key as usize] = Some(new);
    }

    fn check_one(&self, key: u32) {
        let (keys, there) = (self.keys(), self.there[key as usize]);
        let found = self.index.find((self.hash_of)(key), |handle| handle % keys == key);
        assert_eq!(found, there, "{}: {key}", self.name);
    }

    fn check_bytes(&self) {
        assert_eq!(self.account.held(), self.index.bytes(), "{}", self.name);
    }

    fn check_all(&self) {
        self.check_bytes();
        (0..self.keys()).for_each(|key| self.check_one(key));
        let there = self.there.iter().flatten().count();
        assert_eq!(self.index.items, there, "{}", self.name);
        // Nothing else is in it, and what says that something went away is true.
        let pages = &self.index.pages;
        let buckets = (0..pages.buckets_of(pages.pieces())).map_while(|at| pages.get(at));
        let lies: usize = buckets.clone().map(bucket::len).sum();
        assert_eq!(lies + self.index.stash.len(), there, "{}", self.name);
        for (home, bucket) in buckets.enumerate() {
            for way in bucket::ways(bucket) {
                let other = pages.get(home + way + 1).unwrap();
                assert!(bucket::guests(other, way).next().is_some(), "{}: {home}", self.name);
            }
            let is_of_it = |stashed: &Stashed| self.index.home(stashed.hash).bucket == home;
            let is_stashed = self.index.stash.position(is_of_it).is_some();
            assert_eq!(bucket::has_stashed(bucket), is_stashed, "{}: {home}", self.name);
        }
    }

    /// Hardly anything lies where a look-up has to go on, with a hash that spreads.
    fn check_shape(&self) {
        let pages = &self.index.pages;
        let buckets = (0..pages.buckets_of(pages.pieces())).map_while(|at| pages.get(at));
        let away: usize =
            buckets.map(|bucket| bucket::len(bucket) - bucket::residents(bucket).count()).sum();
        let items = self.index.items;
        assert!(away <= items / 13, "{away} of {items} are guests");
        assert!(self.index.stash.len() <= 2 + items / 20_000, "{}", self.index.stash.len());
    }
}

/// How a key is hashed.
type HashOf = fn(u32) -> u64;

fn spread(key: u32) -> u64 {
    let mut hash = u64::from(key).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    hash ^= hash >> 32;
    hash.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(29)
}

const HASHES: [(&str, HashOf); 7] = [
    ("spread", spread),
    ("all equal", |_| 0x0123_4567_89AB_CDEF),
    ("all in the first home", |key| u64::from(key)),
    ("all in the last home", |key| u64::MAX - u64::from(key)),
    // Every bit that is ever in a tag.
    ("all with one tag", |key| spread(key) & !0x0000_003F_FFFF_0000),
    ("all in a few homes", |key| u64::from(key % 5) << 41 | spread(key) & 0xFFFF_FFFF),
    ("all in one half", |key| spread(key) & !(1 << 43)),
];

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u32::try_from((self.0 >> 33) % u64::from(end)).unwrap()
    }
}

const MILLION: u32 = 1_000_000;
