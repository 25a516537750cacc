//! How long locks are held is known by place, with the feature `hold-times`.
#![cfg(feature = "hold-times")]
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod kit;

use kit::{MIB, NOW, set, stored};

#[test]
fn each_hold_is_recorded_under_its_place() {
    let store = kit::store(4 * MIB);
    for number in 0..100 {
        stored(set(&store, &format!("key{number}"), b"value"));
    }
    let before = holds_of(&store, "store.rs");
    for number in 0..100 {
        store.visit(format!("key{number}").as_bytes(), NOW, |_| ()).unwrap();
    }
    assert_eq!(holds_of(&store, "store.rs"), before + 100);
    assert_eq!(holds_of(&store, "commit.rs"), 100);
    for times in store.hold_times() {
        let (shortest, _) = times.counts().last().unwrap();
        assert!(shortest <= times.longest, "{} {}", times.place, times.longest);
    }
}

#[test]
fn the_longest_hold_is_told_once() {
    let store = kit::store(4 * MIB);
    stored(set(&store, "key", b"value"));
    store.take_longest_hold().unwrap();
    assert_eq!(store.take_longest_hold(), None);
    // A closure runs under the lock, so what it does is held.
    let mut sum = 0_u64;
    store
        .visit(b"key", NOW, |item| {
            for _ in 0..1000 {
                sum += std::hint::black_box(kit::value_of(&item)).len() as u64;
            }
        })
        .unwrap();
    let (place, long) = store.take_longest_hold().unwrap();
    store.visit(b"key", NOW, |_| ()).unwrap();
    let (_, short) = store.take_longest_hold().unwrap();
    assert!(place.file().ends_with("store.rs") && sum == 5000);
    assert!(short < long, "{short} {long}");
}

fn holds_of(store: &larder_store::Store, file: &str) -> u64 {
    let times = store.hold_times().into_iter().filter(|times| times.place.file().ends_with(file));
    times.map(|times| times.counts().map(|(_, count)| count).sum::<u64>()).sum()
}
