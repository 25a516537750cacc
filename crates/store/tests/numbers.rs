//! Counting up and down, by memcached's rules.

mod kit;

use kit::{NOW, Put, set, stored, strict, value};
use larder_store::Delta::{Decrement, Increment};
use larder_store::{AdjustError, Adjusted, Condition, Delta, Refusal, Seconds};

fn check(before: &str, delta: Delta, after: Result<u64, AdjustError>, kept: &str) {
    let store = kit::store(4 * kit::MIB);
    stored(set(&store, "n", before.as_bytes()));
    let result = store.adjust(b"n", delta, NOW).map(|adjusted| adjusted.value);
    assert_eq!(result, after, "{before:?} {delta:?}");
    assert_eq!(value(&store, "n").as_deref(), Some(kept.as_bytes()), "{before:?} {delta:?}");
}

/// Each was asked of memcached 1.6.18, whose answers these are.
#[test]
fn numbers_count() {
    check("10", Increment(1), Ok(11), "11");
    check("10", Decrement(1), Ok(9), "9 ");
    check("99", Increment(1), Ok(100), "100");
    check("10", Decrement(11), Ok(0), "0 ");
    check("1000", Decrement(5000), Ok(0), "0   ");
    check("18446744073709551615", Increment(1), Ok(0), "0                   ");
    check("18446744073709551615", Increment(0), Ok(u64::MAX), "18446744073709551615");
    check("0", Increment(u64::MAX), Ok(u64::MAX), "18446744073709551615");
    check(" 10", Increment(1), Ok(11), "11 ");
    check("10 ", Increment(1), Ok(11), "11 ");
    check("10 x", Increment(1), Ok(11), "11  ");
    check("+5", Increment(1), Ok(6), "6 ");
    check("\t5", Increment(1), Ok(6), "6 ");
    check("5\u{b}", Increment(1), Ok(6), "6 ");
    check("5\rx", Increment(1), Ok(6), "6  ");
    check("5\0", Increment(1), Ok(6), "6 ");
    check("00000000000000000000000000005", Increment(1), Ok(6), "6                            ");
    check(
        "5                                 ",
        Increment(1),
        Ok(6),
        "6                                 ",
    );
    check("1 1 1 1 1 1 1 1 1 1 ", Increment(1), Ok(2), "2                   ");
}

#[test]
fn what_is_no_number_stays() {
    for text in ["", " ", "x", "10x", "-1", "- 1", "--1", "+", "+ 5", "++5", "0x10", "1.5"] {
        check(text, Increment(1), Err(AdjustError::NonNumeric), text);
    }
    for text in ["18446744073709551616", "99999999999999999999", "100000000000000000000000"] {
        check(text, Decrement(1), Err(AdjustError::NonNumeric), text);
    }
    let long = "9".repeat(200_000);
    check(&long, Increment(1), Err(AdjustError::NonNumeric), &long);
}

#[test]
fn nothing_to_count() {
    let store = kit::store(4 * kit::MIB);
    assert_eq!(store.adjust(b"n", Increment(1), NOW), Err(AdjustError::NotFound));
}

#[test]
fn counting_keeps_flags_and_expiry_and_gives_a_new_cas() {
    let store = kit::store(4 * kit::MIB);
    let exptime = Some(Seconds(2000));
    let mut last = stored(Put { flags: 5, exptime, ..Put::new("n", b"98") }.into(&store));
    for expected in [99, 100, 101] {
        let Adjusted { value, cas, .. } = store.adjust(b"n", Increment(1), NOW).unwrap();
        assert_eq!(value, expected);
        assert_ne!(cas, last);
        let seen = store.visit(b"n", NOW, |item| (item.flags(), item.exptime(), item.cas()));
        assert_eq!(seen, Ok((5, exptime, cas)));
        last = cas;
    }
    let stale = Put { condition: Condition::Cas(last - 1), ..Put::new("n", b"0") };
    assert_eq!(stale.into(&store), Ok(larder_store::Outcome::Exists));
}

#[test]
fn counting_is_an_access() {
    let store = kit::store(4 * kit::MIB);
    let check = |number: &[u8], delta, after: u32| {
        stored(set(&store, "n", number));
        store.adjust(b"n", delta, Seconds(NOW.0 + after)).unwrap();
        let seen = store.visit(b"n", NOW, |item| (item.last_access(), item.was_fetched()));
        assert_eq!(seen, Ok((Seconds(NOW.0 + after), false)), "{delta:?} after {after}");
    };
    check(b"98", Increment(1), 1);
    check(b"98", Increment(1), 61);
    check(b"99", Increment(1), 9);
    stored(set(&store, "n", b"9"));
    assert!(value(&store, "n").is_some());
    for (delta, was_fetched) in [(Increment(0), true), (Increment(1), false)] {
        store.adjust(b"n", delta, NOW).unwrap();
        let seen = store.visit(b"n", NOW, |item| item.was_fetched());
        assert_eq!(seen, Ok(was_fetched), "it hides none, unless the number grows: {delta:?}");
    }
}

#[test]
fn a_pinned_number_does_not_change() {
    let store = kit::store(4 * kit::MIB);
    for padding in [0, 10_000] {
        let text = format!("7{}", " ".repeat(padding));
        stored(set(&store, "n", text.as_bytes()));
        let pin = store.visit(b"n", NOW, |item| item.pin()).unwrap();
        assert_eq!(store.adjust(b"n", Increment(1), NOW).unwrap().value, 8);
        assert_eq!(kit::pinned_value(&pin), text.as_bytes());
        assert_eq!(value(&store, "n"), Some(text.replace('7', "8").into_bytes()));
    }
}

#[test]
fn a_number_that_grows_needs_room() {
    let store = strict(2 * kit::MIB);
    stored(set(&store, "n", &[b'9'; 19]));
    let mut index = 0;
    while set(&store, &format!("key {index}"), &[b'v'; 3000]).is_ok() {
        index += 1;
    }
    // To the last byte.
    let mut drafts = Vec::new();
    while let Ok(draft) = store.draft(b"k", 0, None, 0, NOW) {
        drafts.push(draft);
    }
    let before = store.stats();
    let result = store.adjust(b"n", Increment(1), NOW);
    assert_eq!(result, Err(AdjustError::Refused(Refusal::OutOfMemory)));
    assert_eq!(value(&store, "n"), Some(vec![b'9'; 19]));
    assert_eq!(store.stats().out_of_memory, before.out_of_memory + 1);
    assert_eq!(
        store.adjust(b"n", Decrement(1), NOW).map(|n| n.value),
        Ok(9_999_999_999_999_999_998)
    );
}
