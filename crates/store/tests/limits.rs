//! Limits that nobody is near to at first: of what a shard can number, of what a segment can say, of what was there before.

mod kit;

use kit::{MIB, NOW, Put, check_limit, pattern, set, stored, strict, value};
use larder_store::{Condition, Config, Store};

/// One shard of the smallest segments.
fn one_shard(memory_bytes: u64) -> Config {
    Config { shards: Some(1), segment_bytes: Some(16 << 10), ..kit::config(memory_bytes) }
}

/// What small items took besides their bytes, index, ghosts and lists, must not stay when the limit is a small part of it.
#[test]
fn a_limit_far_below_is_reached_and_used() {
    let store = Store::new(one_shard(16 * MIB));
    for index in 0..500_000 {
        stored(set(&store, &format!("key {index}"), b"value"));
    }
    assert!(store.stats().evictions > 0, "it is full");
    store.set_memory_limit(MIB, NOW);
    kit::sweep_all(&store, NOW);
    check_limit(&store);
    for index in 0..40_000 {
        stored(set(&store, &format!("new {index}"), b"value"));
        if index % 100 == 0 {
            kit::sweep_all(&store, NOW);
        }
    }
    check_limit(&store);
    let stats = store.stats();
    assert!(stats.items > 12_000, "{stats:?}");
}

/// Segments that are mostly dead are won back though nothing was left in reserve when it was full.
#[test]
fn without_eviction_what_was_deleted_makes_room() {
    let store = strict(4 * MIB);
    let mut count = 0;
    while set(&store, &format!("key {count}"), &[b'v'; 300]).is_ok() {
        count += 1;
    }
    let mut large = 0;
    while set(&store, &format!("large {large}"), &[b'v'; 20_000]).is_ok() {
        large += 1;
    }
    for len in [5000, 2500, 1200, 600, 300, 100, 10] {
        for index in 0..300 {
            let _ = set(&store, &format!("more {len} {index}"), &pattern(len, index));
        }
    }
    for index in (0..count).filter(|index| index % 10 > 0) {
        assert!(store.delete(format!("key {index}").as_bytes(), NOW));
    }
    let room = count * 8 / 10;
    for index in 0..room {
        stored(set(&store, &format!("again {index}"), &[b'v'; 300]));
    }
    check_limit(&store);
}

#[test]
fn segments_of_any_length_take_values_of_any_length() {
    for segment_bytes in [16 << 10, 64 << 10, 512 << 10, 1 << 20] {
        let config = Config { segment_bytes: Some(segment_bytes), ..kit::config(64 * MIB) };
        let store = Store::new(config);
        for len in [0, 100, 8000, 60_000, 65_530, 65_535, 65_536, 100_000, 131_000, 132_000] {
            let (value, more) = (pattern(len, 1), pattern(10, 2));
            stored(set(&store, "", &value));
            stored(set(&store, "k", &value));
            let put = Put { condition: Condition::Append, ..Put::new("k", &more) };
            stored(put.into(&store));
            assert_eq!(kit::value(&store, "").as_ref(), Some(&value), "{segment_bytes} {len}");
            assert_eq!(kit::value(&store, "k"), Some([value, more].concat()));
        }
        store.flush(NOW);
        kit::sweep_all(&store, NOW);
        kit::check_empty(&store);
    }
}

/// A long value that grows needs as many blocks as it is long, each of which may take the eviction of others.
#[test]
fn a_very_long_value_grows_in_a_full_store() {
    let len = 70 << 20;
    let config = Config { item_bytes_max: 1 << 30, shards: Some(1), ..kit::config(160 * MIB) };
    let store = Store::new(config);
    let value = pattern(4000, 1);
    for index in 0..45_000 {
        stored(set(&store, &format!("{index}"), &value));
    }
    stored(set(&store, "k", &vec![b'v'; len]));
    let put = Put { condition: Condition::Append, ..Put::new("k", b"more") };
    stored(put.into(&store));
    assert_eq!(store.visit(b"k", NOW, |item| item.value_len()), Ok(len + 4));
}

#[test]
fn nothing_is_evicted_for_a_lower_limit_that_is_reached() {
    let store = kit::store(2 * MIB);
    stored(set(&store, "flushed", b"value"));
    store.flush(NOW);
    stored(set(&store, "large", &pattern(1_000_000, 1)));
    let held = store.stats().held_bytes;
    // A little too low for it. There is a flushed item to be removed first, so it is the next one that takes its place.
    store.set_memory_limit(held - 1, NOW);
    stored(set(&store, "small", b"value"));
    let stats = store.stats();
    assert!(stats.evictions <= 1 && stats.held_bytes < held / 2, "{stats:?}");
    kit::sweep_all(&store, NOW);
    assert_eq!(value(&store, "small").as_deref(), Some(&b"value"[..]));
}
