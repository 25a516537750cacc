//! Where the numbers of segments end, which is at 8 GiB a shard, there are as many segments as there can be.
#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use crate::{Condition, Config, Eviction, Outcome, Refusal, Seconds, Store};

const NOW: Seconds = Seconds(1000);
const SETS: u64 = 3000;

#[test]
fn where_numbers_end_items_are_evicted_or_refused() {
    for eviction in [Eviction::Enabled, Eviction::Disabled] {
        let (shards, segment_bytes) = (Some(1), Some(16 << 10));
        let store = Store::new(Config { eviction, shards, segment_bytes, ..Config::new(64 << 20) });
        store.inner.shards[0].lock_any_time().log.segments_max = 40;
        let refused = (0..SETS).filter(|&index| set(&store, index) == Err(Refusal::OutOfMemory));
        let refused = refused.count() as u64;
        let stats = store.stats();
        assert!(stats.items > 400 && stats.segment_bytes <= 42 * 16 * 1024, "{stats:?}");
        if eviction == Eviction::Enabled {
            assert_eq!((refused, stats.items), (0, SETS - stats.evictions));
        } else {
            assert_eq!((refused, stats.evictions), (SETS - stats.items, 0));
        }
    }
}

fn set(store: &Store, index: u64) -> Result<Outcome, Refusal> {
    let key = format!("key {index}");
    let mut draft = store.draft(key.as_bytes(), 0, None, 1000, NOW)?;
    draft.push(&[b'v'; 1000])?;
    draft.push(b"\r\n")?;
    store.commit(draft, Condition::Set, NOW)
}
