//! What the system refuses to allocate is evicted for, or refused; it ends nothing, and every byte stays accounted for.
//!
//! One test, for the allocator that refuses above a cap serves the whole process.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use std::alloc::System;

use cap::Cap;
use kit::{MIB, NOW, Put, pattern};
use larder_store::{AdjustError, Condition, Config, Delta, Eviction, Outcome, Refusal, Store};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

#[test]
fn refused_allocations_end_nothing_and_lose_no_byte() {
    a_store_of_any_limit_is_made_of_little();
    with_eviction_sets_go_on_below_what_the_system_gives();
    without_eviction_sets_are_refused_and_nothing_is_lost();
    wherever_it_fails_the_account_is_exact();
    the_first_item_fails_anywhere_too();
    a_draft_that_fails_to_grow_goes_on_later();
}

/// Does something while the system gives this many bytes more than are allocated now, and not one else.
fn capped<R>(more: usize, act: impl FnOnce() -> R) -> R {
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + more).unwrap();
    let result = act();
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    result
}

/// What is held is what is known of: with nothing kept, nothing but the index; and no more than the process has.
#[track_caller]
fn check_exact(store: &Store) {
    kit::check_limit(store);
    store.flush(NOW);
    kit::sweep_all(store, NOW);
    kit::check_empty(store);
}

fn a_store_of_any_limit_is_made_of_little() {
    let before = ALLOCATOR.allocated();
    let store = capped(16 << 20, || kit::store(1_000_000_000 * MIB));
    let taken = ALLOCATOR.allocated() - before;
    assert!(taken < 4 << 20, "{taken}");
    assert!(store.stats().held_bytes >= taken as u64 / 2, "{:?}, {taken}", store.stats());
    // The index grows with what is stored.
    for index in 0..100_000 {
        kit::stored(kit::set(&store, &format!("key {index}"), b"value"));
    }
    let stats = store.stats();
    assert!(stats.index_bytes < 40 * MIB, "{stats:?}");
    assert_eq!(kit::value(&store, "key 99999"), Some(b"value".to_vec()));
}

fn with_eviction_sets_go_on_below_what_the_system_gives() {
    for len in [20, 1000, 3000, 70_000, 900_000] {
        let store = Store::new(Config { shards: Some(4), ..kit::config(1024 * MIB) });
        let value = pattern(len, 1);
        let keys: Vec<_> = (0..(24 << 20) / (len + 100)).map(|i| format!("{i}")).collect();
        let refused = capped(8 << 20, || {
            keys.iter().filter(|key| Put::new(key, &value).into(&store).is_err()).count()
        });
        let stats = store.stats();
        assert_eq!((refused, stats.out_of_memory), (0, 0), "{len}: {stats:?}");
        assert!(stats.evictions > 0 && stats.held_bytes > 5 * MIB, "{len}: {stats:?}");
        // What is held is rounded as glibc does; the cap knows the bare lengths.
        assert!(stats.held_bytes < 11 * MIB, "{len}: what is gone is not held: {stats:?}");
        assert_eq!(kit::value(&store, keys.last().unwrap()), Some(value), "{len}");
        check_exact(&store);
    }
}

fn without_eviction_sets_are_refused_and_nothing_is_lost() {
    let config = Config { eviction: Eviction::Disabled, ..kit::config(1024 * MIB) };
    let store = Store::new(config);
    let value = pattern(70_000, 1);
    let keys: Vec<_> = (0..300).map(|index| format!("key {index}")).collect();
    let results: Vec<_> = keys.iter().map(|_| Ok(Outcome::NotFound)).collect();
    let results = capped(8 << 20, || {
        let mut results = results;
        for (result, key) in results.iter_mut().zip(&keys) {
            *result = Put::new(key, &value).into(&store);
        }
        results
    });
    let kept = results.iter().filter(|result| result.is_ok()).count();
    assert!((90..120).contains(&kept), "{kept}");
    assert!(results[kept..].iter().all(|result| *result == Err(Refusal::OutOfMemory)));
    assert!(keys[..kept].iter().all(|key| kit::value(&store, key).as_ref() == Some(&value)));
    let stats = store.stats();
    assert_eq!((stats.items, stats.evictions), (kept as u64, 0));
    assert_eq!(stats.out_of_memory, (results.len() - kept) as u64);
    kit::stored(kit::set(&store, "again", &value));
    check_exact(&store);
}

/// Each operation with every number of bytes left, so that it fails at each of its allocations in turn.
fn wherever_it_fails_the_account_is_exact() {
    for eviction in [Eviction::Enabled, Eviction::Disabled] {
        for len in [30, 3000, 70_000] {
            let (value, more) = (pattern(len, 1), pattern(len, 2));
            for left in (0..400).chain((400..4 * len + 20_000).step_by(997 + len / 50)) {
                let store = Store::new(Config { eviction, ..kit::config(64 * MIB) });
                kit::stored(kit::set(&store, "old", &value));
                kit::stored(kit::set(&store, "n", b"9"));
                let before = store.stats();
                let outcomes = capped(left, || {
                    let condition = Condition::Append;
                    let joined = Put { condition, ..Put::new("old", &more) }.into(&store);
                    let counted = store.adjust(b"n", Delta::Increment(1), NOW).map(|_| ());
                    (joined, counted, Put::new("new", &value).into(&store))
                });
                let stats = store.stats();
                let (joined, counted, put) = outcomes;
                let no_memory = AdjustError::Refused(Refusal::OutOfMemory);
                let fails = |failed: bool| u64::from(failed);
                let refused = fails(joined == Err(Refusal::OutOfMemory))
                    + fails(counted == Err(no_memory))
                    + fails(put == Err(Refusal::OutOfMemory));
                assert_eq!(stats.out_of_memory, refused, "{len} {left}: {outcomes:?}");
                if eviction == Eviction::Disabled {
                    let old = [&value[..], if joined.is_ok() { &more } else { b"" }].concat();
                    assert_eq!(kit::value(&store, "old"), Some(old), "{len} {left}");
                    let number = if counted.is_ok() { b"10".to_vec() } else { b"9".to_vec() };
                    assert_eq!(kit::value(&store, "n"), Some(number));
                    assert_eq!(stats.evictions, 0);
                    let is_as_before = (stats.items, stats.bytes) == (before.items, before.bytes);
                    assert!(refused < 3 || is_as_before, "{stats:?} {before:?}");
                }
                check_exact(&store);
            }
        }
    }
}

/// The first item needs slots, a table and a ghost besides its bytes; the ghost can be done without.
fn the_first_item_fails_anywhere_too() {
    for len in [30, 3000] {
        let value = pattern(len, 1);
        let mut stored = 0;
        for left in (0..len + 12_000).step_by(8) {
            let store = kit::store(64 * MIB);
            let result = capped(left, || Put::new("k", &value).into(&store));
            assert!(result.is_ok() || result == Err(Refusal::OutOfMemory), "{len} {left}");
            assert_eq!(kit::value(&store, "k"), result.ok().map(|_| value.clone()));
            stored += usize::from(result.is_ok());
            check_exact(&store);
        }
        assert!((200..1000).contains(&stored), "{stored} for {len}");
    }
}

fn a_draft_that_fails_to_grow_goes_on_later() {
    let store = Store::new(kit::config(64 * MIB));
    let bytes = [pattern(1_000_000, 3), b"\r\n".to_vec()].concat();
    let mut draft = store.draft(b"k", 0, None, 1_000_000, NOW).unwrap();
    let refused = capped(300_000, || draft.push(&bytes));
    assert_eq!(refused, Err(Refusal::OutOfMemory));
    let done = bytes.len() - draft.missing();
    assert!(done > 250_000, "{done}");
    assert_eq!(store.stats().draft_bytes, draft.held_bytes());
    assert_eq!(draft.push(&bytes[done..]), Ok(bytes.len() - done));
    kit::stored(store.commit(draft, Condition::Set, NOW));
    assert_eq!(kit::value(&store, "k").as_deref(), Some(&bytes[..1_000_000]));
    check_exact(&store);
}
