//! What the tests of the store say often.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test ends where it fails")]

use larder_store::{
    Condition, Config, Cursor, Eviction, Item, Miss, Outcome, Refusal, Seconds, Store, Visit,
};

pub(crate) const NOW: Seconds = Seconds(1000);
pub(crate) const MIB: u64 = 1 << 20;

/// A store with one seed, so that a test repeats.
pub(crate) fn store(memory_bytes: u64) -> Store {
    Store::new(config(memory_bytes))
}

pub(crate) fn config(memory_bytes: u64) -> Config {
    Config { seed: Some(7), item_bytes_max: 4 * MIB, ..Config::new(memory_bytes) }
}

/// The same without eviction.
pub(crate) fn strict(memory_bytes: u64) -> Store {
    Store::new(Config { eviction: Eviction::Disabled, ..config(memory_bytes) })
}

/// What a client sends to store a value, as one step.
pub(crate) struct Put<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) flags: u32,
    pub(crate) exptime: Option<Seconds>,
    pub(crate) condition: Condition,
    pub(crate) now: Seconds,
}

impl<'a> Put<'a> {
    pub(crate) fn new(key: &'a str, value: &'a [u8]) -> Self {
        let key = key.as_bytes();
        Self { key, value, flags: 0, exptime: None, condition: Condition::Set, now: NOW }
    }

    pub(crate) fn into(self, store: &Store) -> Result<Outcome, Refusal> {
        let mut draft =
            store.draft(self.key, self.flags, self.exptime, self.value.len(), self.now)?;
        assert_eq!(draft.push(self.value)?, self.value.len());
        assert!(!draft.is_complete() && !draft.is_terminated());
        assert_eq!(draft.push(b"\r\n...")?, 2, "no more than was announced");
        assert!(draft.is_complete() && draft.is_terminated());
        store.commit(draft, self.condition, self.now)
    }
}

pub(crate) fn set(store: &Store, key: &str, value: &[u8]) -> Result<Outcome, Refusal> {
    Put::new(key, value).into(store)
}

/// The CAS number of something that must have been stored.
#[track_caller]
pub(crate) fn stored(outcome: Result<Outcome, Refusal>) -> u64 {
    match outcome {
        Ok(Outcome::Stored { cas }) => cas,
        other => panic!("not stored: {other:?}"),
    }
}

pub(crate) fn value_at(store: &Store, key: &str, now: Seconds) -> Result<Vec<u8>, Miss> {
    store.visit(key.as_bytes(), now, |item| value_of(&item))
}

pub(crate) fn value(store: &Store, key: &str) -> Option<Vec<u8>> {
    value_at(store, key, NOW).ok()
}

pub(crate) fn value_of(item: &Visit<'_>) -> Vec<u8> {
    let data = item.slices().collect::<Vec<_>>().concat();
    assert_eq!(data.len(), item.value_len() + 2);
    without_line_end(data)
}

pub(crate) fn pinned_value(item: &Item) -> Vec<u8> {
    let data = item.slices().collect::<Vec<_>>().concat();
    assert_eq!(data.len(), item.value_len() + 2);
    without_line_end(data)
}

fn without_line_end(mut data: Vec<u8>) -> Vec<u8> {
    assert!(data.ends_with(b"\r\n"));
    data.truncate(data.len() - 2);
    data
}

/// Bytes that differ by place and by seed.
pub(crate) fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at / 251 + at * 7 + seed * 31) % 251).unwrap()).collect()
}

/// Everything that is kept.
pub(crate) fn walk(store: &Store, now: Seconds, mut see: impl FnMut(Visit<'_>)) {
    let mut cursor = Some(Cursor::default());
    while let Some(at) = cursor {
        cursor = store.walk(at, now, &mut see);
    }
}

/// Sweeps until there is nothing more to do, and says how much was removed.
pub(crate) fn sweep_all(store: &Store, now: Seconds) -> usize {
    let mut removed = 0;
    for _ in 0..1_000_000 {
        let swept = store.sweep(now, 1000);
        removed += swept.removed;
        if !swept.more {
            return removed;
        }
    }
    panic!("sweeping does not come to an end");
}

/// With nothing kept, drafted or pinned, only the index is held, and a few empty blocks and segments.
#[track_caller]
pub(crate) fn check_empty(store: &Store) {
    let stats = store.stats();
    assert_eq!((stats.items, stats.bytes), (0, 0));
    assert_eq!((stats.draft_bytes, stats.pinned_bytes), (0, 0));
    assert_eq!(stats.block_bytes, stats.slack_bytes, "{stats:?}");
    let empty = stats.segment_bytes + stats.slack_bytes;
    assert_eq!((stats.held_bytes, stats.dead_bytes), (stats.index_bytes + empty, 0), "{stats:?}");
}

/// What is held is within the limit, and is what is known of.
#[track_caller]
pub(crate) fn check_limit(store: &Store) {
    let stats = store.stats();
    assert!(stats.held_bytes <= store.memory_limit(), "{stats:?} of {}", store.memory_limit());
    assert!(stats.slack_bytes <= stats.block_bytes, "{stats:?}");
    let empty = stats.segment_bytes + stats.slack_bytes;
    let known = stats.index_bytes + stats.draft_bytes + stats.pinned_bytes + empty;
    assert!(known <= stats.held_bytes, "{stats:?}");
}
