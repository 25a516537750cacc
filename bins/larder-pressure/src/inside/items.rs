//! A store, and the items that are put into it.

use larder_store::{Condition, Config, Refusal, Seconds, Store};

use crate::error::Error;

/// A store of this many bytes that decides the same in every run.
pub(crate) fn open(memory_bytes: u64) -> Store {
    Store::new(Config { seed: Some(7), ..Config::new(memory_bytes) })
}

/// The key of this number: 20 bytes.
pub(crate) fn key(number: u64) -> Key {
    let mut key = *b"key:0000000000000000";
    let mut rest = number;
    for byte in key.iter_mut().rev() {
        if rest == 0 {
            break;
        }
        *byte = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    key
}

/// Stores a value of this length.
///
/// # Errors
/// The store's.
pub(crate) fn set(
    store: &Store,
    key: &[u8],
    len: usize,
    exptime: Option<Seconds>,
    now: Seconds,
) -> Result<(), Refusal> {
    let mut draft = store.draft(key, 0, exptime, len, now)?;
    let mut left = len;
    while left > 0 {
        left -= draft.push(&VALUE[..left.min(VALUE.len())])?;
    }
    draft.push(b"\r\n")?;
    store.commit(draft, Condition::Set, now).map(drop)
}

/// Copies a value out, as a reply; says whether it was there.
pub(crate) fn get(store: &Store, key: &[u8], now: Seconds, reply: &mut Vec<u8>) -> bool {
    let seen = store.visit(key, now, |item| match item.data() {
        Some(data) if data.len() <= REPLY_MAX => {
            reply.clear();
            reply.extend_from_slice(data);
        }
        // What is long is pinned, and sent from where it lies.
        _ => drop(item.pin()),
    });
    seen.is_ok()
}

/// Stores numbered items until something is evicted; returns how many fit.
///
/// # Errors
/// A sentence when the store refuses one.
pub(crate) fn fill(store: &Store, len: usize) -> Result<u64, Error> {
    let mut number = 0;
    while number % LOOK != 0 || store.stats().evictions == 0 {
        set_numbered(store, number, len)?;
        number += 1;
    }
    Ok(number)
}

/// Stores the item of this number.
///
/// # Errors
/// A sentence when the store refuses it.
pub(crate) fn set_numbered(store: &Store, number: u64, len: usize) -> Result<(), Error> {
    set(store, &key(number), len, None, NOW)
        .map_err(|refusal| Error::new(format!("item {number} was refused: {refusal:?}")))
}

pub(crate) type Key = [u8; 20];

pub(crate) const NOW: Seconds = Seconds(1000);
/// Stores between two looks at the statistics.
const LOOK: u64 = 4096;
/// Values that the server sends from where they lie begin about here.
const REPLY_MAX: usize = 2048;
static VALUE: [u8; 64 << 10] = [b'v'; 64 << 10];

#[cfg(test)]
mod tests {
    use super::{NOW, fill, get, key, open, set_numbered};

    #[test]
    fn keys_are_numbered() {
        assert_eq!(&key(0), b"key:0000000000000000");
        assert_eq!(&key(1_203), b"key:0000000000001203");
    }

    #[test]
    fn what_is_set_is_got_until_it_is_evicted() {
        let store = open(4 << 20);
        let count = fill(&store, 100).unwrap();
        assert!(count > 4096 && store.stats().evictions > 0);
        set_numbered(&store, count, 7).unwrap();
        let mut reply = Vec::new();
        assert!(get(&store, &key(count), NOW, &mut reply));
        assert_eq!(reply, b"vvvvvvv\r\n");
        assert!(!get(&store, &key(count + 1), NOW, &mut reply));
    }
}
