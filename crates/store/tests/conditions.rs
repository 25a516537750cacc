//! Storing under a condition, and what it leaves behind.

mod kit;

use kit::{NOW, Put, set, stored, strict, value};
use larder_store::{Condition, Config, Outcome, Refusal, Seconds, Store};

/// Before: the value of `k`, if there is one. Then `new` is put under a condition. After: the outcome, the value.
fn check(
    before: Option<&str>,
    condition: Condition,
    new: &str,
    outcome: Result<&str, Refusal>,
    after: Option<&str>,
) {
    let store = kit::store(4 * kit::MIB);
    if let Some(before) = before {
        stored(set(&store, "k", before.as_bytes()));
    }
    let result = Put { condition, ..Put::new("k", new.as_bytes()) }.into(&store);
    let name = result.map(|outcome| match outcome {
        Outcome::Stored { .. } => "stored",
        Outcome::NotStored => "not stored",
        Outcome::Exists => "exists",
        Outcome::NotFound => "not found",
    });
    assert_eq!(name, outcome, "{before:?} {condition:?}");
    let kept = value(&store, "k");
    assert_eq!(kept.as_deref(), after.map(str::as_bytes), "{before:?} {condition:?}");
    assert_eq!(store.stats().draft_bytes, 0);
}

#[test]
fn each_condition_with_and_without_an_item() {
    use Condition::{Add, Append, Cas, Prepend, Replace, Set};
    check(None, Set, "new", Ok("stored"), Some("new"));
    check(Some("old"), Set, "new", Ok("stored"), Some("new"));
    check(Some("old"), Set, "", Ok("stored"), Some(""));
    check(None, Add, "new", Ok("stored"), Some("new"));
    check(Some("old"), Add, "new", Ok("not stored"), Some("old"));
    check(None, Replace, "new", Ok("not stored"), None);
    check(Some("old"), Replace, "new", Ok("stored"), Some("new"));
    check(None, Append, "new", Ok("not stored"), None);
    check(Some("old"), Append, "new", Ok("stored"), Some("oldnew"));
    check(Some(""), Append, "new", Ok("stored"), Some("new"));
    check(Some("old"), Append, "", Ok("stored"), Some("old"));
    check(None, Prepend, "new", Ok("not stored"), None);
    check(Some("old"), Prepend, "new", Ok("stored"), Some("newold"));
    check(None, Cas(1), "new", Ok("not found"), None);
    check(Some("old"), Cas(1), "new", Ok("stored"), Some("new"));
    check(Some("old"), Cas(2), "new", Ok("exists"), Some("old"));
    check(Some("old"), Cas(0), "new", Ok("exists"), Some("old"));
}

#[test]
fn joining_crosses_every_layout() {
    let lens = [0, 1, 3000, 4000, 5000, 60_000, 66_000, 300_000];
    for (front, back) in lens.iter().flat_map(|&a| lens.iter().map(move |&b| (a, b))) {
        let store = kit::store(32 * kit::MIB);
        let (old, new) = (kit::pattern(front, 1), kit::pattern(back, 2));
        stored(set(&store, "k", &old));
        stored(Put { condition: Condition::Append, ..Put::new("k", &new) }.into(&store));
        assert_eq!(value(&store, "k"), Some([old.clone(), new.clone()].concat()), "{front}+{back}");
        stored(set(&store, "k", &old));
        stored(Put { condition: Condition::Prepend, ..Put::new("k", &new) }.into(&store));
        assert_eq!(value(&store, "k"), Some([new, old].concat()), "{back}+{front}");
        kit::check_limit(&store);
        assert!(store.delete(b"k", NOW));
        kit::check_empty(&store);
    }
}

#[test]
fn append_keeps_flags_and_expiry_and_gives_a_new_cas() {
    let store = kit::store(4 * kit::MIB);
    let exptime = Some(Seconds(2000));
    let first = stored(Put { flags: 5, exptime, ..Put::new("k", b"a") }.into(&store));
    let put = Put { flags: 9, condition: Condition::Append, ..Put::new("k", b"b") };
    let second = stored(put.into(&store));
    assert_ne!(first, second);
    let seen = store.visit(b"k", NOW, |item| (item.flags(), item.exptime(), item.cas()));
    assert_eq!(seen, Ok((5, exptime, second)));
}

#[test]
fn a_join_that_becomes_too_large_leaves_the_old_value() {
    // "k" with 4 bytes is 48 + 8 + 1 + 1 + 4 + 2.
    let store = Store::new(Config { item_bytes_max: 64, ..Config::new(4 * kit::MIB) });
    assert_eq!(store.item_bytes(1, 0, 4), 64);
    stored(set(&store, "k", b"abc"));
    let append =
        |value: &[u8]| Put { condition: Condition::Append, ..Put::new("k", value) }.into(&store);
    assert_eq!(append(b"de"), Err(Refusal::TooLarge));
    assert_eq!(value(&store, "k"), Some(b"abc".to_vec()));
    stored(append(b"d"));
    assert_eq!(value(&store, "k"), Some(b"abcd".to_vec()));
    assert_eq!(set(&store, "k", b"abcde"), Err(Refusal::TooLarge));
    assert_eq!(value(&store, "k"), Some(b"abcd".to_vec()), "deleting it is the caller's choice");
}

#[test]
fn accounted_bytes_follow_memcached() {
    let check = |cas, key_len, flags, value_len, bytes| {
        let store = Store::new(Config { cas, ..kit::config(4 * kit::MIB) });
        assert_eq!(store.item_bytes(key_len, flags, value_len), bytes);
    };
    check(true, 3, 0, 1_048_514, 1 << 20);
    check(true, 3, 1, 1_048_510, 1 << 20);
    check(false, 3, 0, 1_048_522, 1 << 20);
    check(false, 0, 0, 0, 51);
}

#[test]
fn without_cas_numbers_are_zero_and_never_match() {
    let store = Store::new(Config { cas: false, ..kit::config(4 * kit::MIB) });
    assert_eq!(stored(set(&store, "k", b"a")), 0);
    for cas in [0, 1] {
        let put = Put { condition: Condition::Cas(cas), ..Put::new("k", b"b") };
        assert_eq!(put.into(&store), Ok(Outcome::Exists));
    }
}

#[test]
fn add_to_an_existing_item_is_an_access() {
    let store = kit::store(4 * kit::MIB);
    stored(set(&store, "k", b"a"));
    let later = Seconds(NOW.0 + 50);
    let put = Put { condition: Condition::Add, now: later, ..Put::new("k", b"b") };
    assert_eq!(put.into(&store), Ok(Outcome::NotStored));
    let seen = store.visit(b"k", later, |item| (item.last_access(), item.was_fetched()));
    assert_eq!(seen, Ok((later, false)), "but nobody has fetched it");
}

#[test]
fn a_draft_that_is_incomplete_or_foreign_is_refused() {
    let (store, other) = (kit::store(4 * kit::MIB), kit::store(4 * kit::MIB));
    let mut draft = store.draft(b"k", 0, None, 3, NOW).unwrap();
    assert_eq!(draft.push(b"abc\r"), Ok(4));
    assert_eq!(store.commit(draft, Condition::Set, NOW), Err(Refusal::Misused));
    let mut draft = store.draft(b"k", 0, None, 3, NOW).unwrap();
    assert_eq!(draft.push(b"abc\r\n"), Ok(5));
    assert_eq!(other.commit(draft, Condition::Set, NOW), Err(Refusal::Misused));
    assert_eq!((value(&store, "k"), value(&other, "k")), (None, None));
    kit::check_empty(&store);
    assert!(store.draft(&[b'k'; 256], 0, None, 1, NOW).is_err(), "keys have up to 255 bytes");
    assert!(store.draft(&[b'k'; 255], 0, None, 1, NOW).is_ok());
}

#[test]
fn without_room_for_a_join_the_old_value_stays() {
    let store = strict(2 * kit::MIB);
    let half = kit::pattern(900_000, 1);
    stored(set(&store, "k", &half));
    let put = Put { condition: Condition::Append, ..Put::new("k", &half) };
    assert_eq!(put.into(&store), Err(Refusal::OutOfMemory));
    assert_eq!(value(&store, "k"), Some(half));
    assert_eq!(store.stats().out_of_memory, 1);
    assert!(store.delete(b"k", NOW));
    kit::check_empty(&store);
}
