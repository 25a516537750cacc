//! Large values: what they hold, what they leave, and how they share the memory with small ones.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use std::thread;

use kit::{MIB, NOW, check_limit, pattern, pinned_value, set, stored, value};
use larder_store::{Condition, Config, Eviction, Refusal, Store};

/// Bytes of values that are kept.
fn values(store: &Store) -> u64 {
    let mut sum = 0;
    kit::walk(store, NOW, |item| sum += item.value_len() as u64);
    sum
}

/// Stores values of this length until more than twice the limit came in; none is refused.
fn fill(store: &Store, name: &str, value_len: usize) {
    let count = 2 * store.memory_limit() / (value_len as u64 + 60);
    let value = pattern(value_len, 1);
    for index in 0..count {
        stored(set(store, &format!("{name} {index}"), &value));
        if index % 64 == 0 {
            check_limit(store);
        }
    }
    check_limit(store);
}

/// Sizes that change with time: whatever was there before, most of the memory holds values of the new size, and there is
/// nothing that stays behind.
#[test]
fn the_memory_follows_the_sizes() {
    // Value lengths, and the least percentage of the limit that they fill.
    let check = |limit: u64, turns: &[(usize, u64)]| {
        let store = kit::store(limit);
        for (turn, &(value_len, percent)) in turns.iter().enumerate() {
            fill(&store, &format!("{turn}"), value_len);
            let (sum, stats) = (values(&store), store.stats());
            assert!(sum * 100 >= limit * percent, "turn {turn}: {sum} of {limit}: {stats:?}");
            assert_eq!(stats.out_of_memory, 0, "turn {turn}");
        }
        store.flush(NOW);
        kit::sweep_all(&store, NOW);
        kit::check_empty(&store);
    };
    check(16 * MIB, &[(900_000, 80), (500, 60), (900_000, 80), (20_000, 85), (500, 60)]);
    check(16 * MIB, &[(100, 30), (100_000, 85), (100, 30), (9000, 80), (4000, 80), (70_000, 85)]);
    check(4 * MIB, &[(100, 30), (300_000, 70), (3000, 70), (2500, 70), (100, 30), (300_000, 70)]);
}

/// A gap in the middle of small ones is as good as any: values of every length fill what others left.
#[test]
fn values_of_all_lengths_leave_little_unused() {
    let store = kit::store(16 * MIB);
    let (mut random, mut worst) = (1_u64, 0);
    for step in 0..4000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let choice = usize::try_from(random >> 33).unwrap();
        // From 9000 to 300,000, short ones more often.
        let len = 9000 + choice % (1 << (choice / 7 % 19));
        stored(set(&store, &format!("key {}", choice / 3 % 3000), &pattern(len, step)));
        if step > 2000 {
            worst = worst.max(store.stats().slack_bytes);
        }
    }
    check_limit(&store);
    assert!(store.stats().evictions > 500);
    assert!(worst < MIB, "{worst} bytes of cells were free in a full store");
}

#[test]
fn what_replaces_a_value_of_its_size_needs_no_other_blocks() {
    let store = kit::store(64 * MIB);
    let value = pattern(100_000, 1);
    for _ in 0..3 {
        stored(set(&store, "k", &value));
    }
    let blocks = store.stats().block_bytes;
    for _ in 0..100 {
        stored(set(&store, "k", &value));
        assert_eq!(store.stats().block_bytes, blocks);
    }
    assert!(blocks <= 256 << 10, "{blocks}");
}

#[test]
fn a_value_of_most_of_the_memory_comes_and_goes() {
    let limit = 300 * MIB;
    let store = Store::new(Config { item_bytes_max: 2 << 30, ..kit::config(limit) });
    let (len, piece) = (256 << 20, pattern(1 << 20, 3));
    stored(set(&store, "small", b"value"));
    let mut draft = store.draft(b"large", 0, None, len, NOW).unwrap();
    for _ in 0..256 {
        assert_eq!(draft.push(&piece), Ok(piece.len()));
    }
    assert_eq!(draft.push(b"\r\n"), Ok(2));
    stored(store.commit(draft, Condition::Set, NOW));
    let stats = store.stats();
    assert!(stats.held_bytes < (len as u64) + 4 * MIB, "{stats:?}");
    let pin = store.visit(b"large", NOW, |item| item.pin()).unwrap();
    let mut at = 0;
    while at < len {
        let slice = pin.slice_from(at);
        assert!(!slice.is_empty() && slice[0] == piece[at % piece.len()], "at {at}");
        at += slice.len();
    }
    drop(pin);
    // Not a second one; but in its place.
    let second = store.draft(b"second", 0, None, len, NOW).map(|draft| draft.value_len());
    assert_eq!(second, Ok(len));
    assert!(store.delete(b"large", NOW) && value(&store, "small").is_some());
    assert!(store.stats().held_bytes < 2 * MIB, "{:?}", store.stats());
    let refused = store.draft(b"k", 0, None, 300 << 20, NOW).map(|_| ());
    assert_eq!(refused, Err(Refusal::OutOfMemory));
}

/// Drafts that grow at the same time in a full store: each gets what it needs as long as there is something to evict.
#[test]
fn drafts_of_many_threads_grow_in_a_full_store() {
    let store = Store::new(Config { shards: Some(2), ..kit::config(32 * MIB) });
    for index in 0..3000 {
        stored(set(&store, &format!("old {index}"), &[b'v'; 20_000]));
    }
    thread::scope(|scope| {
        for worker in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..60 {
                    let (key, bytes) = (format!("{worker} {round}"), pattern(700_000, worker));
                    stored(set(store, &key, &bytes));
                    if let Ok(pin) = store.visit(key.as_bytes(), NOW, |item| item.pin()) {
                        assert!(pinned_value(&pin) == bytes, "{key}");
                    }
                }
            });
        }
    });
    check_limit(&store);
    assert_eq!(store.stats().out_of_memory, 0);
}

/// A block is a good part of a small memory: whoever looks for one must not keep the other half of it.
#[test]
fn a_block_is_found_in_a_memory_of_few() {
    let store = Store::new(Config { shards: Some(2), ..kit::config(64 * MIB) });
    store.set_memory_limit(800_000, NOW);
    // CAS numbers are dealt out in turn, so they tell the shard.
    let keys: Vec<_> = (0..4000).map(|index| format!("{index}")).collect();
    let (here, there): (Vec<_>, Vec<_>) =
        keys.iter().partition(|key| stored(set(&store, key, b"")).is_multiple_of(2));
    for round in 0..20 {
        store.flush(NOW);
        kit::sweep_all(&store, NOW);
        let draft = store.draft(there[0].as_bytes(), 0, None, 9000, NOW);
        assert!(draft.is_ok());
        here.iter().for_each(|key| _ = stored(set(&store, key, &[b'v'; 100])));
        // Some is free, though not enough for a block.
        let kept = here.iter().rev().filter(|key| value(&store, key).is_some());
        kept.take(round * 25).for_each(|key| assert!(store.delete(key.as_bytes(), NOW)));
        stored(set(&store, here[0], &pattern(9000, round)));
    }
}

/// With every number of bytes there can be for the first large value, its block and what knows of it: it is stored or refused,
/// and whoever makes room for one part of it does not take another back.
#[test]
fn the_first_large_value_is_stored_or_refused() {
    let mut stored = 0;
    for limit in (60_000..110_000).step_by(64) {
        let store = Store::new(Config { shards: Some(1), ..kit::config(limit) });
        for round in 0..3 {
            let result = set(&store, &format!("{round}"), &pattern(4090, 1));
            assert_eq!(value(&store, &format!("{round}")).is_some(), result.is_ok(), "{limit}");
            stored += usize::from(result.is_ok());
        }
        check_limit(&store);
    }
    assert!((300..2300).contains(&stored), "{stored}");
}

/// Values of a few pins keep blocks, and the cells beside them stay of use.
#[test]
fn what_is_pinned_here_and_there_blocks_little() {
    let store = Store::new(Config { eviction: Eviction::Enabled, ..kit::config(16 * MIB) });
    let bytes = pattern(20_000, 5);
    let mut pins = Vec::new();
    for index in 0..700 {
        let key = format!("key {index}");
        stored(set(&store, &key, &bytes));
        if index % 10 == 0 {
            pins.push(store.visit(key.as_bytes(), NOW, |item| item.pin()).unwrap());
        }
    }
    fill(&store, "large", 500_000);
    let sum = values(&store);
    assert!(sum > 11 * MIB, "{sum} beside {} pins: {:?}", pins.len(), store.stats());
    fill(&store, "medium", 9000);
    assert!(values(&store) > 11 * MIB, "{:?}", store.stats());
    assert!(pins.iter().all(|pin| pinned_value(pin) == bytes));
}
