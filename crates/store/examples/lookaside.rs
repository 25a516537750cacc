//! A cache beside something slow: look, and on a miss fetch and store. Hot keys stay, the rest comes and goes.

use larder_store::{Condition, Config, Refusal, Seconds, Store};

fn main() -> Result<(), Refusal> {
    let store = Store::new(Config::new(2 << 20));
    let (mut hits, mut misses) = (0_u32, 0_u32);
    let mut random = 1_u64;
    for turn in 0..200_000_u32 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Half of the questions are about 100 keys, the other half about 100 000.
        let keys = if turn % 2 == 0 { 100 } else { 100_000 };
        let key = format!("row:{}", (random >> 33) % keys);
        let now = Seconds(turn / 1000);
        if store.visit(key.as_bytes(), now, |item| item.value_len()).is_ok() {
            hits += 1;
            continue;
        }
        misses += 1;
        let row = slow_source(&key);
        let mut draft =
            store.draft(key.as_bytes(), 0, Some(Seconds(now.0 + 60)), row.len(), now)?;
        draft.push(row.as_bytes())?;
        draft.push(b"\r\n")?;
        store.commit(draft, Condition::Set, now)?;
        if turn % 1000 == 0 {
            store.sweep(now, 1000);
        }
    }
    let stats = store.stats();
    assert!(stats.held_bytes <= store.memory_limit());
    let mut report = std::io::stdout().lock();
    let text = format!(
        "{hits} hits, {misses} misses\n{} items of {} bytes each with all overhead, {} evictions\n",
        stats.items,
        stats.held_bytes / stats.items.max(1),
        stats.evictions,
    );
    // Nobody may be reading; the numbers are not worth a failure.
    let _ = std::io::Write::write_all(&mut report, text.as_bytes());
    Ok(())
}

fn slow_source(key: &str) -> String {
    format!("the row of {key}, which took a while to come by")
}
