//! The hard limit: drafts, pins, tiny and changing limits, refusals.

mod kit;

use kit::{MIB, NOW, Put, check_limit, pattern, pinned_value, set, stored, strict, value};
use larder_store::{Amended, Amendment, Condition, Config, Fetch, Refusal, Seconds, Store};

#[test]
fn filling_far_beyond_the_limit_stays_within_it() {
    // Limit, value length, the least share of the limit that values must fill.
    let check = |limit: u64, value_len: usize, least_percent: u64| {
        let store = kit::store(limit);
        let value = pattern(value_len, 3);
        let count = 3 * limit / value_len as u64;
        for index in 0..count {
            stored(set(&store, &format!("key {index}"), &value));
            if index % 16 == 0 {
                check_limit(&store);
            }
        }
        let stats = store.stats();
        let values = stats.items * value_len as u64;
        assert!(stats.evictions > 0 && stats.out_of_memory == 0, "{stats:?}");
        assert!(values * 100 >= limit * least_percent, "{values} of {limit}: {stats:?}");
        store.flush(NOW);
        kit::sweep_all(&store, NOW);
        kit::check_empty(&store);
    };
    check(2 * MIB, 100, 45);
    check(2 * MIB, 1000, 80);
    check(2 * MIB, 70_000, 80);
    check(2 * MIB, 400_000, 70);
    check(64 * MIB, 1000, 85);
    check(64 * MIB, 1_000_000, 85);
}

#[test]
fn tiny_limits_work_or_refuse_and_never_hang() {
    for limit in [0, 1, 1000, 40_000, 150_000, MIB] {
        let store = kit::store(limit);
        let before = store.stats().held_bytes;
        let results: Vec<_> =
            (0..2000).map(|index| set(&store, &format!("key {index}"), &[b'v'; 300])).collect();
        if limit < 150_000 {
            assert!(results.iter().all(|result| *result == Err(Refusal::OutOfMemory)), "{limit}");
            assert!(store.stats().held_bytes <= limit.max(before));
        } else {
            let refused = results.iter().filter(|result| result.is_err()).count();
            assert_eq!(refused, 0, "at {limit}");
            check_limit(&store);
        }
    }
}

#[test]
fn an_item_that_can_never_fit_is_refused_at_once() {
    let store = kit::store(2 * MIB);
    stored(set(&store, "small", b"value"));
    let refused = store.draft(b"large", 0, None, 3 << 20, NOW).map(|_| ());
    assert_eq!(refused, Err(Refusal::OutOfMemory));
    assert_eq!(value(&store, "small"), Some(b"value".to_vec()), "nothing was evicted for it");
    let stats = store.stats();
    assert_eq!((stats.evictions, stats.out_of_memory), (0, 1));
}

#[test]
fn without_eviction_a_full_store_refuses_and_keeps() {
    let store = strict(2 * MIB);
    let mut count = 0;
    while set(&store, &format!("key {count}"), &[b'v'; 700]).is_ok() {
        count += 1;
        check_limit(&store);
    }
    assert!(count > 2000, "{count}");
    assert_eq!(set(&store, "one more", &[b'v'; 700]), Err(Refusal::OutOfMemory));
    for index in 0..count {
        assert!(value(&store, &format!("key {index}")).is_some(), "key {index}");
    }
    let stats = store.stats();
    assert_eq!((stats.items, stats.evictions, stats.out_of_memory), (count, 0, 2));
    assert!(store.delete(b"key 7", NOW));
    stored(set(&store, "one more", &[b'v'; 700]));
}

#[test]
fn a_draft_holds_what_arrived_and_a_chunk() {
    let store = kit::store(64 * MIB);
    let before = store.stats().held_bytes;
    let mut drafts = Vec::new();
    for index in 0..200 {
        let mut draft =
            store.draft(format!("key {index}").as_bytes(), 0, None, 900_000, NOW).unwrap();
        assert_eq!(draft.push(&pattern(180_000, index)), Ok(180_000));
        assert!(draft.held_bytes() <= 180_000 + (64 << 10) + 1000, "{}", draft.held_bytes());
        assert_eq!(draft.missing(), 720_002);
        drafts.push(draft);
    }
    let stats = store.stats();
    assert_eq!(stats.draft_bytes, drafts.iter().map(|draft| draft.held_bytes()).sum::<u64>());
    let apart = stats.index_bytes + stats.segment_bytes + stats.slack_bytes;
    assert_eq!(stats.draft_bytes, stats.held_bytes - apart, "of {before}");
    assert_eq!(stats.items, 0, "nobody sees a draft");
    for index in 0..50 {
        stored(set(&store, &format!("other {index}"), &pattern(900_000, index)));
    }
    drop(drafts);
    assert_eq!(store.stats().draft_bytes, 0);
    check_limit(&store);
}

#[test]
fn a_gigabyte_is_announced_and_little_of_it_sent() {
    let store = Store::new(Config { item_bytes_max: 2 << 30, ..kit::config(2 << 30) });
    let before = store.stats().held_bytes;
    let mut draft = store.draft(b"large", 0, None, 1 << 30, NOW).unwrap();
    assert_eq!(draft.value_len(), 1 << 30);
    assert!(draft.held_bytes() < 2 * MIB, "{}", draft.held_bytes());
    assert_eq!(draft.push(&pattern(3 << 20, 1)), Ok(3 << 20));
    assert!(draft.held_bytes() < 5 * MIB, "{}", draft.held_bytes());
    assert!(!draft.is_complete());
    drop(draft);
    kit::check_empty(&store);
    let kept = store.stats().held_bytes - before;
    assert!(kept < 200 << 10, "{kept}: a few empty blocks");
}

#[test]
fn a_large_value_comes_whole_through_any_cut() {
    let store = kit::store(64 * MIB);
    for len in [
        8189, 8190, 8191, 9000, 65_500, 65_531, 65_532, 65_533, 65_534, 65_536, 131_070, 1_000_000,
        4_000_000,
    ] {
        let bytes = [pattern(len, 5), b"\r\n".to_vec()].concat();
        let mut draft = store.draft(b"k", 0, None, len, NOW).unwrap();
        let (mut done, mut cut) = (0, 1);
        while !draft.is_complete() {
            let space = draft.space().unwrap();
            assert!(!space.is_empty() && space.len() <= 64 << 10);
            let count = space.len().min(cut).min(bytes.len() - done);
            space[..count].copy_from_slice(&bytes[done..done + count]);
            draft.filled(count);
            done += count;
            cut = cut * 7 % 40_009 + 1;
        }
        assert_eq!(draft.space(), Ok(&mut [][..]));
        assert!(draft.is_terminated());
        assert_eq!(done, bytes.len());
        stored(store.commit(draft, Condition::Set, NOW));
        assert_eq!(value(&store, "k").as_deref(), Some(&bytes[..len]));
        let in_one_piece = store.visit(b"k", NOW, |item| item.data().is_some());
        // One of up to a block's length may lie in pieces.
        if !(8 << 10..64 << 10).contains(&(len + 3)) {
            assert_eq!(in_one_piece, Ok(len + 3 <= 8 << 10), "{len}");
        }
    }
}

#[test]
fn a_draft_that_cannot_grow_says_so_and_can_go_on_later() {
    let store = strict(4 * MIB);
    let mut draft = store.draft(b"k", 0, None, 2_000_000, NOW).unwrap();
    let mut index = 0;
    while set(&store, &format!("key {index}"), &[b'v'; 50_000]).is_ok() {
        index += 1;
    }
    let bytes = pattern(2_000_000, 1);
    assert_eq!(draft.push(&bytes), Err(Refusal::OutOfMemory));
    let done = 2_000_002 - draft.missing();
    assert!(done > 0 && !draft.is_complete());
    assert_eq!(draft.space().map(|_| ()), Err(Refusal::OutOfMemory));
    store.flush(NOW);
    assert_eq!(draft.push(&bytes[done..]), Ok(2_000_000 - done));
    assert_eq!(draft.push(b"\r\n"), Ok(2));
    stored(store.commit(draft, Condition::Set, NOW));
    assert_eq!(value(&store, "k"), Some(bytes));
}

#[test]
fn a_pinned_value_can_be_read_from_anywhere() {
    for len in [0, 10, 5000, 65_530, 300_000] {
        let store = kit::store(4 * MIB);
        let bytes = pattern(len, 2);
        stored(set(&store, "k", &bytes));
        let pin = store.visit(b"k", NOW, |item| item.pin()).unwrap();
        let data = [bytes, b"\r\n".to_vec()].concat();
        for start in [0, 1, len / 3, len, len + 1] {
            let mut at = start;
            while at < data.len() {
                let slice = pin.slice_from(at);
                assert!(!slice.is_empty() && data[at..].starts_with(slice), "{len} at {at}");
                at += slice.len();
            }
        }
        assert!(pin.slice_from(len + 2).is_empty() && pin.slice_from(usize::MAX).is_empty());
    }
}

#[test]
fn what_is_deleted_is_shown_once_more() {
    let store = kit::store(4 * MIB);
    stored(set(&store, "k", b"value"));
    let seen = store.visit_deleting(b"k", NOW, |item| (item.value_len(), item.was_fetched()));
    assert_eq!(seen, Some((5, false)));
    assert_eq!(store.visit_deleting(b"k", NOW, |_| ()), None);
    kit::check_empty(&store);
}

/// What makes the store drop the item `k`.
type End = fn(&Store);

#[test]
fn a_pin_outlives_everything() {
    for len in [5, 3000, 5000, 60_000, 300_000] {
        let ends: [(&str, End); 6] = [
            ("replace", |store| assert_ne!(stored(set(store, "k", b"other")), 0)),
            ("delete", |store| assert!(store.delete(b"k", NOW))),
            ("flush", |store| store.flush(NOW)),
            ("expire", |store| assert!(store.touch(b"k", Some(NOW), NOW))),
            ("evict", |store| {
                (0..3000).for_each(|i| assert!(set(store, &format!("{i}"), &[b'v'; 2000]).is_ok()));
            }),
            ("shrink", |store| store.set_memory_limit(MIB, NOW)),
        ];
        for (name, end) in ends {
            let store = kit::store(3 * MIB);
            let bytes = pattern(len, 9);
            stored(set(&store, "k", &bytes));
            let pin = store.visit(b"k", NOW, |item| item.pin()).unwrap();
            let clone = pin.clone();
            end(&store);
            kit::sweep_all(&store, NOW);
            drop(pin);
            assert_eq!(pinned_value(&clone), bytes, "{len} {name}");
            check_limit(&store);
            store.flush(NOW);
            kit::sweep_all(&store, NOW);
            let stats = store.stats();
            assert!(stats.pinned_bytes >= len as u64, "{len} {name}: {stats:?}");
            let apart = stats.index_bytes + stats.segment_bytes + stats.slack_bytes;
            assert_eq!(stats.held_bytes, apart + stats.pinned_bytes);
            drop(clone);
            kit::check_empty(&store);
        }
    }
}

#[test]
fn a_pin_may_be_the_last_holder_of_a_whole_store() {
    let store = kit::store(3 * MIB);
    stored(set(&store, "k", &pattern(100_000, 1)));
    let pin = store.visit(b"k", NOW, |item| item.pin()).unwrap();
    let draft = store.draft(b"k", 0, None, 1_000_000, NOW).unwrap();
    drop(store);
    assert_eq!(pinned_value(&pin), pattern(100_000, 1));
    assert_eq!(draft.value_len(), 1_000_000);
}

#[test]
fn with_all_memory_pinned_there_is_a_refusal_and_no_loop() {
    let store = kit::store(4 * MIB);
    let mut pins = Vec::new();
    for index in 0..200 {
        let key = format!("key {index}");
        if set(&store, &key, &pattern(50_000, index)).is_err() {
            break;
        }
        pins.push(store.visit(key.as_bytes(), NOW, |item| item.pin()).unwrap());
    }
    assert!(pins.len() > 60 && pins.len() < 90, "{}", pins.len());
    assert_eq!(set(&store, "one more", &pattern(50_000, 0)), Err(Refusal::OutOfMemory));
    check_limit(&store);
    for (index, pin) in pins.iter().enumerate() {
        assert_eq!(pinned_value(pin), pattern(50_000, index));
    }
    drop(pins);
    stored(set(&store, "one more", &pattern(50_000, 0)));
}

#[test]
fn short_pins_are_counted_and_go_into_the_reserve() {
    let store = kit::store(2 * MIB);
    for index in 0..5000 {
        stored(set(&store, &format!("key {index}"), &[b'v'; 500]));
    }
    let pins: Vec<_> = (4990..5000)
        .map(|index| store.visit(format!("key {index}").as_bytes(), NOW, |item| item.pin()))
        .collect();
    assert!(pins.iter().all(Result::is_ok));
    assert!(store.stats().pinned_bytes > 5000);
    check_limit(&store);
}

#[test]
fn the_limit_moves_while_the_store_runs() {
    let store = kit::store(32 * MIB);
    for index in 0..40_000 {
        stored(set(&store, &format!("key {index}"), &[b'v'; 1000]));
    }
    let full = store.stats();
    assert!(full.held_bytes > 28 * MIB);
    store.set_memory_limit(8 * MIB, NOW);
    assert_eq!(store.memory_limit(), 8 * MIB);
    let started = store.stats();
    assert!(full.items - started.items <= 64 * 4, "the change itself is short");
    for index in 0..100 {
        let before = store.stats();
        stored(set(&store, &format!("during {index}"), &[b'v'; 1000]));
        let after = store.stats();
        assert!(after.held_bytes <= before.held_bytes + 2000, "it does not grow meanwhile");
        assert!(before.items - after.items.min(before.items) <= 256, "no set pays for it all");
    }
    kit::sweep_all(&store, NOW);
    check_limit(&store);
    assert!(store.stats().held_bytes > 5 * MIB, "not more than needed is evicted");
    store.set_memory_limit(16 * MIB, NOW);
    for index in 0..40_000 {
        stored(set(&store, &format!("key {index}"), &[b'v'; 1000]));
    }
    check_limit(&store);
    assert!(store.stats().held_bytes > 13 * MIB);
}

#[test]
fn without_eviction_a_lower_limit_is_reached_as_items_go() {
    let store = strict(8 * MIB);
    for index in 0..5000 {
        stored(set(&store, &format!("key {index}"), &[b'v'; 1000]));
    }
    store.set_memory_limit(2 * MIB, NOW);
    kit::sweep_all(&store, NOW);
    assert_eq!(store.stats().items, 5000);
    // What there is room for in segments that are there may come; the store does not grow.
    let held = store.stats().held_bytes;
    let more = (0..200).filter(|index| set(&store, &format!("new {index}"), &[b'v'; 1000]).is_ok());
    assert!(more.count() < 100 && store.stats().held_bytes <= held);
    for index in 0..4500 {
        assert!(store.delete(format!("key {index}").as_bytes(), NOW));
    }
    kit::sweep_all(&store, NOW);
    check_limit(&store);
    stored(set(&store, "new", &[b'v'; 1000]));
}

#[test]
fn what_gets_an_expiry_that_it_had_no_room_for_stays_within_the_limit() {
    let exptime = Some(Seconds(NOW.0 + 5000));
    let touches: [(&str, Touch); 3] = [
        ("touch", |store, key, exptime| store.touch(key, exptime, NOW)),
        ("fetch", |store, key, exptime| {
            let fetch = Fetch { exptime: Some(exptime), ..Fetch::default() };
            store.fetch(key, &fetch, NOW, |item, _| item.exptime()) == Ok(exptime)
        }),
        ("amend", |store, key, exptime| {
            let amendment = Amendment { exptime: Some(exptime), ..Amendment::default() };
            matches!(store.amend(key, &amendment, NOW), Ok(Amended::Done { .. }))
        }),
    ];
    for (name, touch) in touches {
        for store in [kit::store(4 * MIB), strict(4 * MIB)] {
            let mut count = 0;
            while count < 15_000 && set(&store, &format!("key {count}"), &[b'v'; 300]).is_ok() {
                count += 1;
            }
            let (before, mut touched) = (store.stats(), 0);
            for index in 0..count {
                touched += u64::from(touch(&store, format!("key {index}").as_bytes(), exptime));
                check_limit(&store);
            }
            let stats = store.stats();
            let gone = before.items - stats.items;
            // Four bytes more for each are less than a twentieth.
            assert!(gone * 20 < before.items, "{name}: {stats:?} {before:?}");
            assert_eq!(stats.evictions - before.evictions, gone, "{name}");
            assert!(touched >= before.items - gone, "{name}: {touched} of {before:?}");
        }
    }
}

/// Gives an item an expiry; whether there was one.
type Touch = fn(&Store, &[u8], Option<Seconds>) -> bool;

/// Who adds to a value in a full store needs room for the bytes and for their place: one of them had must not be missed by the
/// other, again and again.
#[test]
fn values_grow_in_a_full_store() {
    let store = kit::store(4 * MIB);
    let mut random = 1_u64;
    for step in 0..100_000_u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = format!("key{}", (random >> 33) % 4000);
        let len = usize::try_from((random >> 45) % 1200).unwrap();
        stored(set(&store, &key, &pattern(len, 1)));
        let condition = if step % 2 == 0 { Condition::Append } else { Condition::Prepend };
        let more = pattern(1 + len % 300, 2);
        stored(Put { condition, ..Put::new(&key, &more) }.into(&store));
        if step % 1000 == 0 {
            check_limit(&store);
        }
    }
    assert!(store.stats().evictions > 1000);
}
