//! Whatever threads ask of a key at once, and whatever is evicted meanwhile, there is an order of one after the other in which
//! each was told what it had to be told.
//!
//! The store tells of evictions, so an item may vanish only where that is in the history of its key: nothing that was
//! acknowledged is lost otherwise, and nothing comes back.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod check;
mod history;
#[path = "../kit/mod.rs"]
mod kit;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use history::{Action, Event, Said, State};
use kit::NOW;
use larder_store::{
    AdjustError, Condition, Config, Delta, Fetch, Observer, Outcome, Refusal, Seconds, Store, Visit,
};

#[test]
fn one_key_is_one_thing_whatever_is_evicted() {
    let mut evicted = 0;
    for shards in [1, 2] {
        let store = Store::new(Config {
            shards: Some(shards),
            observer: Some(Arc::new(Teller)),
            ..kit::config(LIMIT)
        });
        let mut numbers = BTreeSet::new();
        for round in 0..ROUNDS {
            evicted += play(&store, round * 2 + shards as u64, &mut numbers);
        }
        kit::check_limit(&store);
        store.flush(NOW);
        kit::sweep_all(&store, NOW);
        kit::check_empty(&store);
    }
    assert!(evicted > ROUNDS / 10, "{evicted} evictions of a key that is watched");
}

/// Lets threads loose on the keys for a few operations each, and checks what they were told. Returns how many of the keys' items
/// were evicted.
fn play(store: &Store, round: u64, numbers: &mut BTreeSet<u64>) -> u64 {
    let first = KEYS.map(|key| look(store, key));
    let barrier = Barrier::new(WORKERS + 1);
    let mut events: Vec<(Vec<u8>, Event)> = thread::scope(|scope| {
        let loose = |worker: usize| {
            let barrier = &barrier;
            let mut choices = Choices::new(round * 16 + worker as u64);
            scope.spawn(move || {
                barrier.wait();
                if worker < WORKERS {
                    work(store, &mut choices)
                } else {
                    press(store, &mut choices)
                }
            })
        };
        let threads: Vec<_> = (0..=WORKERS).map(loose).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    for (_, event) in &events {
        if let Some(cas) = event.said.new_cas() {
            assert!(numbers.insert(cas), "the CAS number {cas} was given twice");
        }
    }
    for (key, first) in KEYS.iter().zip(&first) {
        let last = note(|| (Action::Get, Said::Shows(look(store, key))));
        events.push((key.to_vec(), last));
        let of_key = |(of, event): &(Vec<u8>, Event)| (of == key).then(|| event.clone());
        let mut of_key: Vec<Event> = events.iter().filter_map(of_key).collect();
        of_key.sort_by_key(|event| event.called);
        check::check(key, first, &of_key);
    }
    let is_evicted = |event: &Event| matches!(event.action, Action::Evict(_));
    let evicted = events.iter().filter(|(key, event)| is_evicted(event) && KEYS.contains(&&**key));
    evicted.count() as u64
}

/// What a key holds, without a hit.
fn look(store: &Store, key: &[u8]) -> State {
    let seen = store.fetch(key, &Fetch::default(), NOW, |visit, _| shown(&visit));
    seen.ok()
}

fn shown(visit: &Visit<'_>) -> (u64, Arc<Vec<u8>>) {
    // Others come to wait for the lock.
    thread::yield_now();
    (visit.cas(), Arc::new(kit::value_of(visit)))
}

/// A few operations on the keys.
fn work(store: &Store, choices: &mut Choices) -> Vec<(Vec<u8>, Event)> {
    let mut events = Vec::new();
    let mut seen = [1; KEYS.len()];
    for _ in 0..OPERATIONS {
        let index = choices.below(KEYS.len());
        let event = note(|| act(store, KEYS[index], seen[index], choices));
        if let Said::Shows(Some((cas, _))) = &event.said {
            seen[index] = *cas;
        }
        seen[index] = event.said.new_cas().unwrap_or(seen[index]);
        events.push((KEYS[index].to_vec(), event.clone()));
        events.extend(evicted_until(event.returned));
    }
    events
}

/// Other items, for which those of the keys must go.
fn press(store: &Store, choices: &mut Choices) -> Vec<(Vec<u8>, Event)> {
    let mut events = Vec::new();
    for _ in 0..FILLERS {
        let key = format!("filler {}", choices.below(2000));
        match choices.below(160) {
            0 => {
                let flushed = note(|| {
                    store.flush(NOW);
                    (Action::Flush, Said::Done)
                });
                events.extend(KEYS.map(|key| (key.to_vec(), flushed.clone())));
            }
            1..20 => drop(store.sweep(NOW, choices.below(64))),
            _ => {
                let len = 500 + choices.below(6000);
                drop(put(store, key.as_bytes(), Condition::Set, &vec![b'f'; len]));
            }
        }
        events.extend(evicted_until(tick()));
    }
    events
}

fn act(store: &Store, key: &[u8], cas: u64, choices: &mut Choices) -> (Action, Said) {
    let store_it = |action, condition, choices: &mut Choices| {
        let value = choices.value();
        (action, put(store, key, condition, &value))
    };
    match choices.below(20) {
        0..5 => {
            let seen = store.visit(key, NOW, |visit| shown(&visit));
            (Action::Get, Said::Shows(seen.ok()))
        }
        5..8 => store_it(Action::Set, Condition::Set, choices),
        8 => store_it(Action::Add, Condition::Add, choices),
        9 => store_it(Action::Replace, Condition::Replace, choices),
        10 | 11 => store_it(Action::Append, Condition::Append, choices),
        12 => store_it(Action::Prepend, Condition::Prepend, choices),
        13..16 => store_it(Action::Cas(cas), Condition::Cas(cas), choices),
        16 | 17 => (Action::Increment, count(store, key)),
        18 if choices.below(2) == 0 => (Action::Delete, done(store.delete(key, NOW))),
        18 => (Action::Expire, done(store.touch(key, Some(NOW), NOW))),
        _ => (Action::Touch, done(store.touch(key, None, NOW))),
    }
}

fn put(store: &Store, key: &[u8], condition: Condition, value: &[u8]) -> Said {
    let Ok(mut draft) = store.draft(key, 0, None, value.len(), NOW) else { return Said::Refused };
    if draft.push(&value[..value.len() / 2]).is_err() {
        return Said::Refused;
    }
    thread::yield_now();
    if draft.push(&value[value.len() / 2..]).is_err() || draft.push(b"\r\n").is_err() {
        return Said::Refused;
    }
    match store.commit(draft, condition, NOW) {
        Ok(Outcome::Stored { cas }) => Said::Stored(cas, value.to_vec()),
        Ok(Outcome::NotStored) => Said::NotStored,
        Ok(Outcome::Exists) => Said::Exists,
        Ok(Outcome::NotFound) => Said::NotFound,
        Err(refusal) => {
            assert_ne!(refusal, Refusal::Misused);
            Said::Refused
        }
    }
}

fn count(store: &Store, key: &[u8]) -> Said {
    match store.adjust(key, Delta::Increment(1), NOW) {
        Ok(adjusted) => Said::Counted(adjusted.value, adjusted.cas),
        Err(AdjustError::NotFound) => Said::NotFound,
        Err(AdjustError::NonNumeric) => Said::NonNumeric,
        Err(_) => Said::Refused,
    }
}

const fn done(is_done: bool) -> Said {
    if is_done { Said::Done } else { Said::NotFound }
}

/// Does something and writes down when.
fn note(act: impl FnOnce() -> (Action, Said)) -> Event {
    let called = tick();
    let (action, said) = act();
    Event { action, said, called, returned: tick() }
}

fn tick() -> u64 {
    CLOCK.fetch_add(1, SeqCst)
}

/// What this thread was told to be evicted, by what it was doing until now.
fn evicted_until(returned: u64) -> Vec<(Vec<u8>, Event)> {
    let told = EVICTED.take();
    let event = |(key, cas, called)| {
        let (action, said) = (Action::Evict(cas), Said::Done);
        (key, Event { action, said, called, returned })
    };
    told.into_iter().map(event).collect()
}

/// Notes evictions for the thread that they happen on.
#[derive(Debug)]
struct Teller;

impl Observer for Teller {
    fn evicts(&self, item: Visit<'_>, _now: Seconds) {
        let told = (item.key().to_vec(), item.cas(), tick());
        EVICTED.with_borrow_mut(|evicted| evicted.push(told));
        thread::yield_now();
    }
}

/// Numbers without a pattern, the same in each run.
struct Choices {
    state: u64,
}

impl Choices {
    const fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) }
    }

    fn below(&mut self, count: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.state >> 33).unwrap() % count
    }

    /// A value that nobody else stores: a number, and blanks behind it in most.
    fn value(&mut self) -> Vec<u8> {
        let lens = [0, 0, 0, 10, 300, 3000, 9000, 20_000, 70_000];
        let number = VALUES.fetch_add(1, SeqCst);
        history::digits(number, lens[self.below(lens.len())])
    }
}

thread_local! {
    static EVICTED: RefCell<Vec<(Vec<u8>, u64, u64)>> = const { RefCell::new(Vec::new()) };
}

static CLOCK: AtomicU64 = AtomicU64::new(0);
static VALUES: AtomicU64 = AtomicU64::new(1);

const KEYS: [&[u8]; 3] = [b"a", b"b", b"a key of some length"];
/// Threads that work on the keys; one more makes them go.
const WORKERS: usize = 3;
const OPERATIONS: usize = 10;
const FILLERS: usize = 40;
const ROUNDS: u64 = 1000;
/// Room for a few dozen items that fill.
const LIMIT: u64 = 300_000;
