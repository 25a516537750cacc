//! The store: what one operation costs, on a store that is warm or full.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use larder_store::{Condition, Config, Refusal, Seconds, Store};

criterion_group!(benches, gets, sets);
criterion_main!(benches);

fn gets(criterion: &mut Criterion) {
    let store = filled(256 << 20, KEYS);
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let mut hits = keys(0);
    group.bench_function("get_hit_100b", |bencher| {
        bencher.iter_batched(&mut hits, |key| get(&store, &key), BatchSize::SmallInput);
    });
    let mut misses = keys(KEYS);
    group.bench_function("get_miss", |bencher| {
        bencher.iter_batched(&mut misses, |key| get(&store, &key), BatchSize::SmallInput);
    });
    group.finish();
}

fn sets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(1));
    let roomy = filled(256 << 20, KEYS);
    let mut known = keys(0);
    group.bench_function("set_overwrite_100b", |bencher| {
        bencher.iter_batched(&mut known, |key| set(&roomy, &key), BatchSize::SmallInput);
    });
    assert_eq!(roomy.stats().evictions, 0, "there was to be room");
    let full = filled(32 << 20, KEYS);
    let mut fresh = 0_u64;
    let mut next = || {
        fresh += 1;
        format!("fresh:{fresh:014}")
    };
    group.bench_function("set_evicting_100b", |bencher| {
        bencher.iter_batched(&mut next, |key| set(&full, &key), BatchSize::SmallInput);
    });
    assert!(full.stats().evictions > 0, "it was to be full");
    group.finish();
}

fn get(store: &Store, key: &str) -> usize {
    let mut reply = [0; VALUE.len()];
    let len = store.visit(key.as_bytes(), NOW, |item| {
        let data = item.data().unwrap_or_default();
        let len = data.len().min(reply.len());
        reply[..len].copy_from_slice(&data[..len]);
        len
    });
    black_box(&reply);
    len.unwrap_or(0)
}

fn set(store: &Store, key: &str) -> Result<(), Refusal> {
    let mut draft = store.draft(key.as_bytes(), 0, None, VALUE.len() - 2, NOW)?;
    draft.push(VALUE)?;
    store.commit(draft, Condition::Set, NOW).map(|_| ())
}

fn filled(memory_bytes: u64, count: u64) -> Store {
    let store = Store::new(Config::new(memory_bytes));
    for index in 0..count {
        let done = set(&store, &key(index));
        assert_eq!(done, Ok(()), "filling");
    }
    store
}

/// Keys of 20 bytes in no order: those below `KEYS` are there.
fn keys(from: u64) -> impl FnMut() -> String {
    let mut random = 1_u64;
    move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        key(from + (random >> 33) % KEYS)
    }
}

fn key(index: u64) -> String {
    format!("key:{index:016}")
}

const KEYS: u64 = 500_000;
const NOW: Seconds = Seconds(1);
const VALUE: &[u8] = &{
    let mut value = [b'v'; 102];
    value[100] = b'\r';
    value[101] = b'\n';
    value
};
