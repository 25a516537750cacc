//! What the system refuses to allocate is evicted for, or refused; it ends nothing, and every byte stays accounted for.
//!
//! One test, for the allocator that refuses above a cap serves the whole process. Segments are mapped and pass it by; they
//! have a cap of their own.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// A store whose system can run out of memory.
struct Capped {
    store: Store,
    segments: Arc<AtomicU64>,
}

impl Capped {
    fn new(config: Config) -> Self {
        let segments = Arc::new(AtomicU64::new(u64::MAX));
        let system_bytes_max = Some(Arc::clone(&segments));
        Self { store: Store::new(Config { system_bytes_max, ..config }), segments }
    }

    /// Does something while the system gives this many bytes more than are there now, allocated and in segments, and
    /// not one else.
    fn capped<R>(&self, more: usize, in_segments: u64, act: impl FnOnce(&Store) -> R) -> R {
        let now = self.store.stats().block_bytes;
        self.segments.store(now.saturating_add(in_segments), Ordering::Relaxed);
        let result = capped(more, || act(&self.store));
        self.segments.store(u64::MAX, Ordering::Relaxed);
        result
    }
}

/// Does something while the allocator gives this many bytes more than it has given.
fn capped<R>(more: usize, act: impl FnOnce() -> R) -> R {
    ALLOCATOR.set_limit(ALLOCATOR.allocated().saturating_add(more)).unwrap();
    let result = act();
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    result
}

/// Shortages: bytes that the allocator and the system still give. Each number of bytes in which an operation on values of
/// this length could fail at one allocation and not at another, or steps that are small enough for all of them.
fn shortages(len: usize) -> impl Iterator<Item = (usize, u64)> {
    let allocated = (0..400).chain((400..4 * len + 20_000).step_by(997 + len / 50));
    let segments = (0..8).map(|count| (usize::MAX / 2, count * SEGMENT));
    allocated.map(|left| (left, u64::MAX)).chain(segments)
}

const SEGMENT: u64 = 64 << 10;

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
        let capped = Capped::new(Config { shards: Some(4), ..kit::config(1024 * MIB) });
        let value = pattern(len, 1);
        let keys: Vec<_> = (0..(24 << 20) / (len + 100)).map(|i| format!("{i}")).collect();
        let refused = capped.capped(8 << 20, 8 << 20, |store| {
            keys.iter().filter(|key| Put::new(key, &value).into(store).is_err()).count()
        });
        let store = capped.store;
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
    let eviction = Eviction::Disabled;
    let config = Config { eviction, shards: Some(4), ..kit::config(1024 * MIB) };
    let capped = Capped::new(config);
    let value = pattern(70_000, 1);
    let keys: Vec<_> = (0..300).map(|index| format!("key {index}")).collect();
    let results: Vec<_> = keys.iter().map(|_| Ok(Outcome::NotFound)).collect();
    let results = capped.capped(8 << 20, 8 << 20, |store| {
        let mut results = results;
        for (result, key) in results.iter_mut().zip(&keys) {
            *result = Put::new(key, &value).into(store);
        }
        results
    });
    let store = capped.store;
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
            for left in shortages(len) {
                let capped = Capped::new(Config { eviction, ..kit::config(64 * MIB) });
                kit::stored(kit::set(&capped.store, "old", &value));
                kit::stored(kit::set(&capped.store, "n", b"9"));
                let before = capped.store.stats();
                let outcomes = capped.capped(left.0, left.1, |store| {
                    let condition = Condition::Append;
                    let joined = Put { condition, ..Put::new("old", &more) }.into(store);
                    let counted = store.adjust(b"n", Delta::Increment(1), NOW).map(|_| ());
                    (joined, counted, Put::new("new", &value).into(store))
                });
                let store = capped.store;
                let stats = store.stats();
                let (joined, counted, put) = outcomes;
                let no_memory = AdjustError::Refused(Refusal::OutOfMemory);
                let fails = |failed: bool| u64::from(failed);
                let refused = fails(joined == Err(Refusal::OutOfMemory))
                    + fails(counted == Err(no_memory))
                    + fails(put == Err(Refusal::OutOfMemory));
                assert_eq!(stats.out_of_memory, refused, "{len} {left:?}: {outcomes:?}");
                if eviction == Eviction::Disabled {
                    let old = [&value[..], if joined.is_ok() { &more } else { b"" }].concat();
                    assert_eq!(kit::value(&store, "old"), Some(old), "{len} {left:?}");
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
    // A long value's bytes are in segments, its head and the list of its runs are not.
    for (len, allocated) in [(30, 30), (3000, 3000), (20_000, 200)] {
        let value = pattern(len, 1);
        let mut stored = 0;
        for left in (0..allocated + 12_000).step_by(8) {
            let store = kit::store(64 * MIB);
            let result = capped(left, || Put::new("k", &value).into(&store));
            assert!(result.is_ok() || result == Err(Refusal::OutOfMemory), "{len} {left}");
            assert_eq!(kit::value(&store, "k"), result.ok().map(|_| value.clone()));
            stored += usize::from(result.is_ok());
            check_exact(&store);
        }
        assert!((200..1450).contains(&stored), "{stored} for {len}");
    }
}

fn a_draft_that_fails_to_grow_goes_on_later() {
    let capped = Capped::new(kit::config(64 * MIB));
    let store = &capped.store;
    let bytes = [pattern(1_000_000, 3), b"\r\n".to_vec()].concat();
    let mut draft = store.draft(b"k", 0, None, 1_000_000, NOW).unwrap();
    let refused = capped.capped(300_000, 4 * SEGMENT, |_| draft.push(&bytes));
    assert_eq!(refused, Err(Refusal::OutOfMemory));
    let done = bytes.len() - draft.missing();
    assert!(done > 250_000, "{done}");
    assert_eq!(store.stats().draft_bytes, draft.held_bytes());
    assert_eq!(draft.push(&bytes[done..]), Ok(bytes.len() - done));
    kit::stored(store.commit(draft, Condition::Set, NOW));
    assert_eq!(kit::value(store, "k").as_deref(), Some(&bytes[..1_000_000]));
    check_exact(store);
}
