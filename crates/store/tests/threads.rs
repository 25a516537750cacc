//! Many threads on one store: nothing is lost, mixed up, or held beyond the limit.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use kit::{MIB, NOW, Put, check_limit, pinned_value, set, stored};
use larder_store::{Condition, Config, Delta, Outcome, Refusal, Store};

/// A value that tells whether it belongs to its key and is whole.
fn value_for(key: usize, version: usize, len: usize) -> Vec<u8> {
    let mut value = format!("{key}:{version}:").into_bytes();
    let filler = u8::try_from(version % 251).unwrap();
    value.resize(value.len().max(len), filler);
    value
}

#[track_caller]
fn check_value(key: usize, value: &[u8]) {
    let mut parts = value.splitn(3, |&byte| byte == b':');
    let text = |part: Option<&[u8]>| String::from_utf8(part.unwrap_or_default().to_vec()).unwrap();
    assert_eq!(text(parts.next()), key.to_string());
    let version: usize = text(parts.next()).parse().unwrap();
    let filler = parts.next().unwrap_or_default();
    assert!(filler.iter().all(|&byte| usize::from(byte) == version % 251), "a torn value");
}

#[test]
fn the_limit_holds_and_values_are_whole() {
    let store = Store::new(Config { shards: Some(4), ..kit::config(4 * MIB) });
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker: usize| {
                let store = &store;
                scope.spawn(move || work(store, worker))
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let stats = store.stats();
                assert!(stats.held_bytes <= 4 * MIB, "{stats:?}");
                store.sweep(NOW, 100);
                thread::yield_now();
            }
        });
        let results: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
    check_limit(&store);
    kit::walk(&store, NOW, |item| {
        let key = String::from_utf8(item.key().to_vec()).unwrap();
        check_value(key.parse().unwrap(), &kit::value_of(&item));
    });
    store.flush(NOW);
    kit::sweep_all(&store, NOW);
    kit::check_empty(&store);
}

fn work(store: &Store, worker: usize) {
    let mut random = worker as u64 + 1;
    let mut pins = std::collections::VecDeque::new();
    for version in 0..6000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let choice = usize::try_from(random >> 40).unwrap();
        let key = choice % 700;
        let name = key.to_string();
        match choice / 700 % 8 {
            0 => drop(store.delete(name.as_bytes(), NOW)),
            1..=3 => {
                let lens = [10, 200, 3000, 6000, 20_000, 120_000];
                let value = value_for(key, version, lens[choice / 5600 % lens.len()]);
                stored(set(store, &name, &value));
            }
            4 => {
                let pin = store.visit(name.as_bytes(), NOW, |item| {
                    (item.value_len() > 5000).then(|| item.pin())
                });
                pins.extend(pin.ok().flatten().map(|pin| (key, pin)));
                if pins.len() > 3 {
                    pins.pop_front();
                }
                pins.iter().for_each(|(key, pin)| check_value(*key, &pinned_value(pin)));
            }
            5 => drop(store.draft(name.as_bytes(), 0, None, 30_000, NOW)),
            _ => {
                if let Ok(value) = store.visit(name.as_bytes(), NOW, |item| kit::value_of(&item)) {
                    check_value(key, &value);
                }
            }
        }
    }
}

#[test]
fn counting_loses_nothing() {
    let store = kit::store(4 * MIB);
    stored(set(&store, "n", b"0"));
    let (threads, rounds) = (4, 5000);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..rounds {
                    store.adjust(b"n", Delta::Increment(1), NOW).unwrap();
                }
            });
        }
    });
    assert_eq!(store.adjust(b"n", Delta::Increment(0), NOW).unwrap().value, threads * rounds);
}

/// From this many bytes on, four threads put pieces at both ends.
fn check_joins(start_len: usize, rounds: usize) {
    let store = kit::store(64 * MIB);
    stored(set(&store, "log", &vec![b'.'; start_len]));
    let (threads, piece) = (4, 500);
    thread::scope(|scope| {
        for thread in 0..threads {
            let store = &store;
            scope.spawn(move || {
                let value = vec![b'a' + thread; piece];
                for round in 0..rounds {
                    let condition = [Condition::Append, Condition::Prepend][round % 2];
                    stored(Put { condition, ..Put::new("log", &value) }.into(store));
                }
            });
        }
    });
    let value = kit::value(&store, "log").unwrap();
    for thread in 0..threads {
        let count = value.iter().filter(|&&byte| byte == b'a' + thread).count();
        assert_eq!(count, rounds * piece, "of {}", b'a' + thread);
    }
    assert_eq!(value.len(), start_len + usize::from(threads) * rounds * piece);
    assert!(value.chunks(piece).all(|piece| piece.iter().all(|byte| *byte == piece[0])));
}

#[test]
fn appending_loses_nothing_however_long_the_value_is() {
    // Begins short, in one allocation, and ends in chunks.
    check_joins(0, 60);
    // So long that joining takes longer than a turn of a thread: others come in between.
    check_joins(3_000_000, 20);
}

#[test]
fn only_one_wins_a_cas_and_no_number_comes_twice() {
    let store = Store::new(Config { shards: Some(4), ..kit::config(8 * MIB) });
    let (threads, rounds) = (4, 2000);
    stored(set(&store, "n", b"0"));
    let numbers: Vec<u64> = thread::scope(|scope| {
        let store = &store;
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || swap(store, thread, rounds))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let count = numbers.len();
    let distinct: std::collections::BTreeSet<_> = numbers.into_iter().collect();
    assert_eq!(distinct.len(), count);
    assert_eq!(kit::value(&store, "n"), Some((threads * rounds).to_string().into_bytes()));
}

/// Counts up by CAS, and stores other keys in between; returns all CAS numbers it was given.
fn swap(store: &Store, thread: usize, rounds: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for round in 0..rounds {
        numbers.push(stored(set(store, &format!("{thread} {round}"), b"x")));
        loop {
            let seen = store.visit(b"n", NOW, |item| (item.cas(), kit::value_of(&item)));
            let (cas, value) = seen.unwrap();
            let value: u64 = String::from_utf8(value).unwrap().parse().unwrap();
            let next = (value + 1).to_string();
            let put = Put { condition: Condition::Cas(cas), ..Put::new("n", next.as_bytes()) };
            match put.into(store) {
                Ok(Outcome::Stored { cas }) => break numbers.push(cas),
                other => assert_eq!(other, Ok(Outcome::Exists)),
            }
        }
    }
    numbers
}

#[test]
fn what_is_shown_under_the_lock_may_be_dropped_there() {
    let store = kit::store(4 * MIB);
    stored(set(&store, "k", &[b'v'; 10_000]));
    let draft = store.draft(b"k", 0, None, 500_000, NOW).unwrap();
    let pin = store.visit(b"k", NOW, |item| item.pin()).unwrap();
    store.delete(b"k", NOW);
    stored(set(&store, "k", b"other"));
    let dropped = store.visit(b"k", NOW, |item| {
        drop(item.pin());
        drop(pin);
        drop(draft);
    });
    assert_eq!(dropped, Ok(()));
    assert_eq!(store.stats().pinned_bytes, 0);
    assert_eq!(set(&store, "k", &vec![b'v'; 5 << 20]), Err(Refusal::TooLarge));
}
