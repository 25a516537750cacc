//! Expiry, touch, flush and sweep: time is an argument, so the tests do not wait.

mod kit;

use kit::{NOW, Put, set, stored, strict, value, value_at};
use larder_store::{Condition, Config, Eviction, Miss, Outcome, Refusal, Seconds, Store};

fn at(seconds: u32) -> Seconds {
    Seconds(NOW.0 + seconds)
}

fn set_until(store: &Store, key: &str, exptime: Seconds) {
    stored(Put { exptime: Some(exptime), ..Put::new(key, b"value") }.into(store));
}

#[test]
fn an_item_is_gone_from_its_exptime_on() {
    let check = |exptime: Option<Seconds>, now: Seconds, is_there: bool| {
        let store = kit::store(4 * kit::MIB);
        stored(Put { exptime, ..Put::new("k", b"value") }.into(&store));
        assert_eq!(value_at(&store, "k", now).is_ok(), is_there, "{exptime:?} at {now:?}");
    };
    check(None, NOW, true);
    check(None, Seconds(u32::MAX), true);
    check(Some(at(1)), NOW, true);
    check(Some(at(1)), at(1), false);
    check(Some(at(1)), at(2), false);
    check(Some(NOW), NOW, false);
    check(Some(Seconds(0)), NOW, false);
    check(Some(Seconds(u32::MAX)), Seconds(u32::MAX), true);
}

#[test]
fn every_verb_takes_an_expired_item_for_none() {
    let count = |verb: &dyn Fn(&Store) -> bool| {
        let store = kit::store(4 * kit::MIB);
        set_until(&store, "k", at(1));
        assert!(verb(&store));
        let stats = store.stats();
        assert_eq!((stats.missed_flushed, stats.swept), (0, 0), "{stats:?}");
        (stats.missed_expired, stats.reclaimed, stats.expired_unfetched)
    };
    let check = |verb: &dyn Fn(&Store) -> bool| assert_eq!(count(verb), (1, 0, 0));
    // A store takes its room.
    let check_store = |verb: &dyn Fn(&Store) -> bool| assert_eq!(count(verb), (0, 1, 1));
    let put = |store: &Store, condition| {
        Put { condition, now: at(1), ..Put::new("k", b"new") }.into(store)
    };
    check(&|store| store.visit(b"k", at(1), |_| ()) == Err(Miss::Expired));
    check(&|store| !store.touch(b"k", None, at(1)));
    check(&|store| !store.delete(b"k", at(1)));
    check(&|store| store.adjust(b"k", larder_store::Delta::Increment(1), at(1)).is_err());
    check_store(&|store| matches!(put(store, Condition::Add), Ok(Outcome::Stored { .. })));
    check_store(&|store| matches!(put(store, Condition::Set), Ok(Outcome::Stored { .. })));
    check_store(&|store| put(store, Condition::Replace) == Ok(Outcome::NotStored));
    check_store(&|store| put(store, Condition::Append) == Ok(Outcome::NotStored));
    check_store(&|store| put(store, Condition::Cas(1)) == Ok(Outcome::NotFound));
}

#[test]
fn a_miss_says_why_once() {
    let store = kit::store(4 * kit::MIB);
    assert_eq!(value(&store, "k"), None);
    set_until(&store, "k", at(1));
    assert_eq!(value_at(&store, "k", at(1)), Err(Miss::Expired));
    assert_eq!(value_at(&store, "k", at(1)), Err(Miss::Absent));
    stored(set(&store, "k", b"value"));
    store.flush(NOW);
    assert_eq!(value_at(&store, "k", NOW), Err(Miss::Flushed));
    assert_eq!(value_at(&store, "k", NOW), Err(Miss::Absent));
}

#[test]
fn touch_moves_the_expiry() {
    let store = kit::store(4 * kit::MIB);
    set_until(&store, "k", at(1));
    assert!(store.touch(b"k", Some(at(5)), NOW));
    assert!(value_at(&store, "k", at(4)).is_ok());
    let seen = store.visit_touching(b"k", Some(at(9)), at(4), |item| item.exptime());
    assert_eq!(seen, Ok(Some(at(9))));
    assert!(value_at(&store, "k", at(8)).is_ok());
    assert!(store.touch(b"k", None, at(8)));
    assert!(value_at(&store, "k", at(5000)).is_ok());
    assert!(store.touch(b"k", Some(at(5000)), at(5000)), "it expires at once");
    assert_eq!(value_at(&store, "k", at(5000)), Err(Miss::Expired));
    assert!(!store.touch(b"k", None, at(5000)));
}

#[test]
fn a_visit_shows_the_item_as_it_was_and_marks_the_hit() {
    let store = kit::store(4 * kit::MIB);
    stored(set(&store, "k", b"value"));
    let see = |now| store.visit(b"k", now, |item| (item.was_fetched(), item.last_access()));
    assert_eq!(see(at(3)), Ok((false, NOW)));
    assert_eq!(see(at(7)), Ok((true, at(3))));
    stored(Put { now: at(8), ..Put::new("k", b"other") }.into(&store));
    assert_eq!(see(at(9)), Ok((false, at(8))), "what is stored anew was not fetched yet");
}

#[test]
fn a_flush_takes_what_was_before_and_leaves_what_comes_after() {
    let store = kit::store(4 * kit::MIB);
    stored(set(&store, "old", b"value"));
    stored(set(&store, "again", b"value"));
    store.flush(NOW);
    assert_eq!(store.stats().items, 0);
    stored(set(&store, "new", b"value"));
    stored(set(&store, "again", b"other"));
    assert_eq!(value(&store, "old"), None);
    assert_eq!(value(&store, "new"), Some(b"value".to_vec()));
    assert_eq!(value(&store, "again"), Some(b"other".to_vec()));
    let put = Put { condition: Condition::Append, ..Put::new("old", b"x") };
    assert_eq!(put.into(&store), Ok(Outcome::NotStored));
    assert_eq!(store.stats().items, 2);
    store.flush(NOW);
    kit::sweep_all(&store, NOW);
    kit::check_empty(&store);
}

#[test]
fn a_delayed_flush_happens_at_its_moment() {
    let store = kit::store(4 * kit::MIB);
    stored(set(&store, "before", b"value"));
    store.flush_at(at(5));
    stored(Put { now: at(4), ..Put::new("between", b"value") }.into(&store));
    assert!(value_at(&store, "before", at(4)).is_ok());
    stored(Put { now: at(5), ..Put::new("after", b"value") }.into(&store));
    assert_eq!(value_at(&store, "before", at(5)), Err(Miss::Flushed));
    assert_eq!(value_at(&store, "between", at(5)), Err(Miss::Flushed));
    assert!(value_at(&store, "after", at(5)).is_ok());
    assert!(value_at(&store, "after", at(500)).is_ok(), "it happens once");
}

#[test]
fn a_later_flush_replaces_a_pending_one() {
    let store = kit::store(4 * kit::MIB);
    store.flush_at(at(5));
    store.flush_at(at(9));
    stored(set(&store, "k", b"value"));
    assert!(value_at(&store, "k", at(8)).is_ok());
    assert_eq!(value_at(&store, "k", at(9)), Err(Miss::Flushed));
    store.flush_at(at(20));
    store.flush(at(10));
    stored(Put { now: at(11), ..Put::new("k", b"value") }.into(&store));
    assert!(value_at(&store, "k", at(21)).is_ok());
}

#[test]
fn a_sweep_is_bounded_and_finds_everything() {
    let store = kit::store(16 * kit::MIB);
    for index in 0..5000_u32 {
        set_until(&store, &format!("key {index}"), at(if index % 2 == 0 { 5 } else { 100 }));
    }
    assert_eq!(kit::sweep_all(&store, NOW), 0);
    // What expires beside what does not is left to ripen for half a minute.
    assert_eq!(kit::sweep_all(&store, at(34)), 0);
    let swept = store.sweep(at(35), 128);
    assert!(swept.more && swept.removed <= 128 && swept.removed > 0, "{swept:?}");
    assert_eq!(swept.removed + kit::sweep_all(&store, at(35)), 2500);
    assert_eq!(store.stats().items, 2500);
    assert_eq!(kit::sweep_all(&store, at(99)), 0);
    assert_eq!(kit::sweep_all(&store, at(100)), 2500);
    kit::check_empty(&store);
    let stats = store.stats();
    assert_eq!((stats.swept, stats.expired_unfetched), (5000, 5000));
    assert_eq!((stats.reclaimed, stats.evictions), (0, 0));
    assert!(stats.looked_at >= 5000, "{stats:?}");
    assert!(stats.index_bytes < 200_000, "the index of 5000 items is given back: {stats:?}");
}

#[test]
fn what_expires_behind_a_sweep_that_rests_is_found_when_it_goes_on() {
    let store = kit::store(16 * kit::MIB);
    set_until(&store, "early", at(1));
    for number in 0..100 {
        set_until(&store, &format!("key{number}"), at(3));
    }
    for number in 0..100 {
        set_until(&store, &format!("stays{number}"), at(170));
    }
    store.hurry();
    let swept = store.sweep(at(2), 1);
    assert!(swept.removed == 1 && swept.more, "{swept:?}: it was to stop in between");
    kit::sweep_all(&store, at(100));
    assert_eq!(store.stats().items, 100);
}

#[test]
fn a_sweep_passes_over_a_bounded_number_of_dead_items() {
    let store = kit::store(16 * kit::MIB);
    let key = |number: u32| format!("key{number:05}");
    let count = 60_000;
    for number in 0..count {
        set_until(&store, &key(number), at(50));
    }
    // One or two of a segment's two thousand are left.
    let stays = |number: u32| number.is_multiple_of(1500);
    for number in (0..count).filter(|&number| !stays(number)) {
        assert!(store.delete(key(number).as_bytes(), NOW));
    }
    let mut removed = 0;
    loop {
        let swept = store.sweep(at(100), 1);
        assert!(swept.removed <= 3, "{swept:?}");
        removed += swept.removed;
        if !swept.more {
            break;
        }
    }
    assert_eq!(removed, (0..count).filter(|&number| stays(number)).count());
}

#[test]
fn without_eviction_expired_items_make_room_before_anything_is_refused() {
    let store = strict(2 * kit::MIB);
    let mut count = 0;
    let put = |index: u32, now| {
        let key = format!("key {index}");
        let exptime = Some(if index & 1 == 0 { at(1) } else { at(100) });
        Put { exptime, now, ..Put::new(&key, &[b'v'; 500]) }.into(&store).is_ok()
    };
    while put(count, NOW) {
        count += 1;
    }
    assert!(count > 3000, "{count} items");
    assert_eq!(store.stats().evictions, 0);
    let fits = (0..count).take_while(|index| put(count + index, at(1))).count();
    assert!(fits >= count as usize / 2, "{fits} of {count}");
    let lasting = (0..count).filter(|index| index % 2 == 1);
    for index in lasting {
        assert!(value_at(&store, &format!("key {index}"), at(1)).is_ok(), "key {index}");
    }
    assert_eq!(store.stats().evictions, 0);
    kit::check_limit(&store);
}

#[test]
fn without_eviction_a_request_looks_at_a_bounded_number_of_items() {
    let store = Store::new(Config {
        eviction: Eviction::Disabled,
        shards: Some(1),
        ..kit::config(8 * kit::MIB)
    });
    let put = |key: &str, now| Put { now, ..Put::new(key, &[b'v'; 300]) }.into(&store).is_ok();
    let count = (0..).take_while(|index| put(&format!("key {index}"), NOW)).count();
    assert!(count > 15_000, "{count}");
    // How many sets are refused until one finds the only expired item.
    let tries = |key: &str, now| (0..100).take_while(|_| !put(key, now)).count();
    let expire =
        |index: usize| assert!(store.touch(format!("key {index}").as_bytes(), Some(NOW), NOW));
    expire(count - 1);
    let first = tries("first", at(1));
    assert!(first <= count / 1000, "{first} of {count}: {:?}", store.stats());
    // No second pass for so little in the same second; the sweeper may, and the next second.
    tries("to the end", at(1));
    expire(count - 2);
    assert_eq!(tries("second", at(1)), 100);
    assert_eq!(kit::sweep_all(&store, at(40)), 1);
    assert_eq!(tries("second", at(40)), 0);
    expire(3);
    assert_eq!(tries("third", at(41)), 0);
    assert_eq!(store.stats().evictions, 0);
}

#[test]
fn a_draft_grows_by_what_expired_since_it_began() {
    let store = strict(4 * kit::MIB);
    let mut draft = store.draft(b"k", 0, None, 2_000_000, NOW).unwrap();
    let exptime = Some(at(5));
    let put = |index: u32| {
        Put { exptime, ..Put::new(&format!("key {index}"), &[b'v'; 50_000]) }.into(&store).is_ok()
    };
    assert!((0..).take_while(|&index| put(index)).count() > 60);
    let bytes = kit::pattern(2_000_000, 1);
    assert_eq!(draft.push(&bytes), Err(Refusal::OutOfMemory));
    let done = 2_000_002 - draft.missing();
    assert_eq!(value_at(&store, "another", at(5)), Err(Miss::Absent), "the clock has gone on");
    assert_eq!(draft.push(&bytes[done..]), Ok(2_000_000 - done));
    assert!(store.stats().reclaimed > 30);
}

#[test]
fn flushed_items_make_room_before_others_are_evicted() {
    let store = kit::store(2 * kit::MIB);
    let mut index = 0;
    while store.stats().evictions == 0 {
        stored(set(&store, &format!("old {index}"), &[b'v'; 500]));
        index += 1;
    }
    store.flush(NOW);
    store.reset_stats();
    for new in 0..index / 2 {
        stored(set(&store, &format!("new {new}"), &[b'v'; 500]));
    }
    assert_eq!(store.stats().evictions, 0);
    assert_eq!(store.stats().items, index / 2);
}
