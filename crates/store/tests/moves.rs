//! What lies in the log is moved, and its segments are filled anew, while searches and requests go on.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use kit::{MIB, NOW, Put, pattern, set, stored, value_at};
use larder_store::{Amended, Amendment, Condition, Config, Eviction, Refusal, Seconds, Store};

fn at(seconds: u32) -> Seconds {
    Seconds(NOW.0 + seconds)
}

/// One shard of the smallest segments.
fn one_shard(memory_bytes: u64) -> Config {
    Config { shards: Some(1), segment_bytes: Some(16 << 10), ..kit::config(memory_bytes) }
}

/// A number below a bound; they look random and repeat.
fn next(random: &mut u64, below: u64) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    usize::try_from((*random >> 33) % below).unwrap()
}

#[test]
fn a_search_goes_on_where_items_begin_though_its_segment_was_filled_anew() {
    for seed in 1..40 {
        let store = Store::new(one_shard(4 * MIB));
        for index in 0..100 {
            let key = format!("gone {index}");
            stored(Put { exptime: Some(at(1)), ..Put::new(&key, &[b'v'; 70]) }.into(&store));
        }
        // It stops in the middle of the segment, and what is left there goes by itself.
        assert!(store.sweep(at(1), 1).more);
        for index in 0..100 {
            store.delete(format!("gone {index}").as_bytes(), at(1));
        }
        assert_eq!(store.stats().items, 0);
        let mut random = seed;
        let mut kept = Vec::new();
        stored(Put { exptime: Some(at(2)), now: at(1), ..Put::new("due", b"") }.into(&store));
        for index in 0..60 {
            let len = next(&mut random, 300);
            let value: Vec<_> =
                (0..len).map(|_| u8::try_from(next(&mut random, 256)).unwrap() & 3).collect();
            let key = format!("kept {index}");
            let exptime = Some(at(90));
            stored(Put { exptime, now: at(1), ..Put::new(&key, &value) }.into(&store));
            kept.push((key, value));
        }
        store.hurry();
        kit::sweep_all(&store, at(2));
        for (key, value) in &kept {
            assert_eq!(value_at(&store, key, at(2)).as_ref(), Ok(value), "{key}, {seed}");
            assert!(store.delete(key.as_bytes(), at(2)));
        }
        kit::sweep_all(&store, at(100));
        kit::check_empty(&store);
    }
}

#[test]
fn what_has_expired_is_found_wherever_it_was_moved() {
    let mut random = 1;
    for round in 0..30 {
        let store = Store::new(one_shard(MIB));
        let mut now = 0;
        for step in 0..6000 {
            let key = format!("key {}", next(&mut random, 3000));
            match next(&mut random, 8) {
                0..=3 => {
                    let ttl = u32::try_from(next(&mut random, 400)).unwrap() + 1;
                    let exptime = Some(at(now + ttl)).filter(|_| step % 3 > 0);
                    let value = pattern(next(&mut random, 900), step);
                    let put = Put { exptime, now: at(now), ..Put::new(&key, &value) };
                    stored(put.into(&store));
                }
                4..=5 => drop(value_at(&store, &key, at(now))),
                6 => drop(store.sweep(at(now), 1)),
                _ => now += u32::from(next(&mut random, 10) == 0),
            }
        }
        // Past all that expires, and past what segments are given to ripen.
        now += 1000;
        kit::sweep_all(&store, at(now));
        let mut live = 0;
        kit::walk(&store, at(now), |_| live += 1);
        assert_eq!(store.stats().items, live, "round {round}: some have expired and are there");
    }
}

#[test]
fn an_item_that_moves_for_a_high_number_expires_as_before() {
    let store = Store::new(one_shard(4 * MIB));
    stored(Put { exptime: Some(at(5)), ..Put::new("k", b"value") }.into(&store));
    // Far from the others that expire.
    for index in 0..20 {
        stored(set(&store, &format!("key {index}"), &[b'v'; 1500]));
    }
    let amendment = Amendment { stales: true, cas: Some(1 << 40), ..Amendment::default() };
    assert!(matches!(store.amend(b"k", &amendment, NOW), Ok(Amended::Done { .. })));
    assert_eq!(
        store.visit(b"k", NOW, |item| (item.cas(), item.exptime())),
        Ok((1 << 40, Some(at(5))))
    );
    assert_eq!(kit::sweep_all(&store, at(100)), 1);
    assert_eq!(store.stats().items, 20);
}

/// An attempt that needs memory twice must not be granted for ever what is enough for once.
#[test]
fn joins_end_however_much_is_left() {
    for eviction in [Eviction::Enabled, Eviction::Disabled] {
        for limit in (MIB..2 * MIB).step_by(49_999) {
            let store = Store::new(Config { eviction, ..one_shard(limit) });
            for index in 0..limit / 1000 {
                let key = format!("key {index}");
                for condition in [Condition::Set, Condition::Append] {
                    let result = Put { condition, ..Put::new(&key, &[b'v'; 900]) }.into(&store);
                    let is_refused = result == Err(Refusal::OutOfMemory);
                    assert!(!is_refused || eviction == Eviction::Disabled, "{index} {limit}");
                }
            }
            kit::check_limit(&store);
        }
    }
}

/// Where a segment has one item left, each that is removed is a call to the system.
#[test]
fn a_slice_frees_some_segments_and_not_all() {
    let store = Store::new(one_shard(8 * MIB));
    for index in 0..800 {
        stored(
            Put { exptime: Some(at(1)), ..Put::new(&format!("key {index}"), &[b'v'; 1900]) }
                .into(&store),
        );
    }
    for index in (0..800).filter(|index| index % 8 > 0) {
        assert!(store.delete(format!("key {index}").as_bytes(), NOW));
    }
    let held = |store: &Store| store.stats().segment_bytes / (16 << 10);
    let before = held(&store);
    let mut slices = 0;
    while store.stats().items > 0 {
        let was = held(&store);
        store.sweep(at(100), 1);
        slices += 1;
        assert!(was - held(&store) <= 10, "{was} {}", held(&store));
    }
    assert!(before > 90 && held(&store) < 4 && slices < 40, "{before} in {slices}");
}
