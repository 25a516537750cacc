//! Who is evicted, and what is counted about it.

mod kit;

use std::sync::{Arc, Mutex, PoisonError};

use kit::{MIB, NOW, Put, set, stored, value};
use larder_store::{Config, Observer, Seconds, Store, Visit};

#[test]
fn what_is_asked_for_stays_and_what_is_not_goes() {
    let store = kit::store(4 * MIB);
    for index in 0..500 {
        stored(set(&store, &format!("hot {index}"), &[b'h'; 500]));
    }
    // Ten times the memory runs through, while the hot ones are asked for now and then.
    for index in 0..40_000 {
        stored(set(&store, &format!("cold {index}"), &[b'c'; 500]));
        if index % 4 == 0 {
            value(&store, &format!("hot {}", index / 4 % 500));
        }
    }
    let hot = (0..500).filter(|index| value(&store, &format!("hot {index}")).is_some()).count();
    assert!(hot >= 480, "{hot} of 500 hot items are left");
    assert_eq!(store.stats().out_of_memory, 0);
}

#[test]
fn an_item_that_comes_back_is_believed() {
    // Larger than the small queue, smaller than the memory: a scan would push it out of an LRU.
    let store = kit::store(4 * MIB);
    for round in 0..6 {
        for index in 0..2000 {
            let key = format!("loop {index}");
            if value(&store, &key).is_none() {
                stored(set(&store, &key, &[b'l'; 500]));
            }
        }
        for index in 0..6000 {
            stored(set(&store, &format!("scan {round} {index}"), &[b's'; 500]));
        }
    }
    let kept = (0..2000).filter(|index| value(&store, &format!("loop {index}")).is_some()).count();
    assert!(kept > 1500, "{kept} of 2000 survived the scans");
}

#[test]
fn among_the_proven_the_hot_ones_stay() {
    let store = kit::store(4 * MIB);
    // Everything is asked for often enough to get into the main queue; ten of it all the time.
    for index in 0..15_000 {
        let key = format!("proven {index}");
        stored(set(&store, &key, &[b'p'; 500]));
        (0..3).for_each(|_| assert!(value(&store, &key).is_some()));
        (0..10).for_each(|hot| drop(value(&store, &format!("proven {hot}"))));
    }
    let hot = (0..10).filter(|hot| value(&store, &format!("proven {hot}")).is_some()).count();
    assert_eq!(hot, 10);
}

#[test]
fn what_is_pinned_is_spared_for_it_would_free_nothing() {
    let store = kit::store(4 * MIB);
    stored(set(&store, "pinned", &kit::pattern(10_000, 1)));
    let pin = store.visit(b"pinned", NOW, |item| item.pin());
    for index in 0..2000 {
        stored(set(&store, &format!("key {index}"), &kit::pattern(10_000, index)));
    }
    assert!(store.stats().evictions > 1500);
    assert!(value(&store, "pinned").is_some());
    assert_eq!(pin.map(|pin| kit::pinned_value(&pin) == kit::pattern(10_000, 1)), Ok(true));
}

#[test]
fn a_shard_that_has_little_takes_from_those_that_have_much() {
    let config = || Config { shards: Some(8), ..kit::config(4 * MIB) };
    // CAS numbers are dealt out in turn, so they tell the shard; another store of the same seed is asked.
    let probe = Store::new(config());
    let is_poor = |key: &str| stored(set(&probe, key, b"")) % 8 == 1;
    let store = Store::new(config());
    for key in (0..12_000).map(|index| format!("key {index}")).filter(|key| !is_poor(key)) {
        stored(set(&store, &key, &[b'v'; 1000]));
    }
    assert!(store.stats().evictions > 0, "it is full");
    let poor: Vec<_> =
        (0..1000).map(|index| format!("poor {index}")).filter(|key| is_poor(key)).collect();
    for key in &poor {
        stored(set(&store, key, &[b'v'; 1000]));
    }
    let kept = poor.iter().filter(|key| value(&store, key).is_some()).count();
    assert!(poor.len() > 80 && kept == poor.len(), "{kept} of {}", poor.len());
}

#[test]
fn a_mixed_load_misses_little() {
    // A skewed choice among 50 000 keys, memory for about a sixth of them.
    let store = kit::store(4 * MIB);
    let (mut random, mut misses) = (1_u64, 0_u32);
    let rounds = 100_000_u32;
    for _ in 0..rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let uniform = f64::from(u32::try_from(random >> 33).unwrap()) / f64::from(1_u32 << 31);
        // The inverse of a Zipf distribution of exponent 1.
        let key = format!("key {}", 50_000_f64.powf(uniform).floor());
        if value(&store, &key).is_none() {
            misses += 1;
            stored(set(&store, &key, &[b'v'; 300]));
        }
    }
    let ratio = f64::from(misses) / f64::from(rounds);
    // Keeping the best sixth from the start would miss 0.17, and cold misses come to that.
    assert!(ratio < 0.32, "miss ratio {ratio}");
}

#[test]
fn large_items_make_room_of_many_small_ones_across_shards() {
    let store = Store::new(Config { shards: Some(8), ..kit::config(8 * MIB) });
    for index in 0..30_000 {
        stored(set(&store, &format!("small {index}"), &[b's'; 200]));
    }
    for index in 0..30 {
        let key = format!("large {index}");
        stored(set(&store, &key, &kit::pattern(1_500_000, index)));
        assert_eq!(value(&store, &key), Some(kit::pattern(1_500_000, index)));
        kit::check_limit(&store);
    }
    for index in 0..30_000 {
        stored(set(&store, &format!("small {index}"), &[b's'; 200]));
    }
    assert_eq!(store.stats().out_of_memory, 0);
}

#[test]
fn a_key_in_an_empty_shard_finds_room_in_the_others() {
    let store = Store::new(Config { shards: Some(64), ..kit::config(8 * MIB) });
    for index in 0..200 {
        stored(set(&store, &format!("key {index}"), &kit::pattern(100_000, index)));
        kit::check_limit(&store);
    }
    assert!(store.stats().items >= 10, "{:?}", store.stats());
}

#[test]
fn statistics_by_class_add_up() {
    let bounds = [100, 1000, 10_000];
    let store = Store::new(Config { size_classes: bounds.into(), ..kit::config(2 * MIB) });
    let lens = [10, 500, 5000, 50_000];
    for index in 0..4000 {
        let key = format!("key {index}");
        let exptime = (index % 2 == 0).then_some(Seconds(NOW.0 + 9000));
        let value = kit::pattern(lens[index % 4], index);
        let now = Seconds(NOW.0 + u32::try_from(index).unwrap());
        stored(Put { exptime, now, ..Put::new(&key, &value) }.into(&store));
    }
    let (stats, classes) = (store.stats(), store.class_stats());
    assert_eq!(classes.len(), 4);
    let sum = |part: fn(&larder_store::ClassStats) -> u64| classes.iter().map(part).sum::<u64>();
    assert_eq!(sum(|class| class.items), stats.items);
    assert_eq!(sum(|class| class.bytes), stats.bytes);
    assert_eq!(sum(|class| class.evicted), stats.evictions);
    assert_eq!(sum(|class| class.evicted_unfetched), stats.evictions);
    let nonzero = sum(|class| class.evicted_nonzero);
    assert!(nonzero > 0 && nonzero < stats.evictions, "{nonzero} of {}", stats.evictions);
    assert_eq!(stats.total_items, 4000);
    let mut seen = vec![(0, 0); 4];
    kit::walk(&store, NOW, |item| {
        let bytes = item.item_bytes();
        let class = bounds.iter().filter(|&&bound| u64::from(bound) < bytes).count();
        assert_eq!(item.class(), class);
        seen[class].0 += 1;
        seen[class].1 += bytes;
    });
    for (class, seen) in classes.iter().zip(seen) {
        assert_eq!((class.items, class.bytes), seen);
        assert!(class.last_evicted_age > 0 || class.evicted == 0, "{class:?}");
        // It is sought among the oldest only.
        assert!(class.oldest_access.is_none() || class.items > 0, "{class:?}");
    }
    store.reset_stats();
    let after = store.stats();
    assert_eq!((after.items, after.bytes), (stats.items, stats.bytes));
    assert_eq!((after.evictions, after.total_items, after.reclaimed), (0, 0, 0));
    let classes = store.class_stats();
    assert!(classes.iter().all(|class| class.evicted == 0 && class.last_evicted_age == 0));
}

#[test]
fn fetched_and_active_victims_are_told_apart() {
    let store = kit::store(2 * MIB);
    for index in 0..10_000 {
        let key = format!("key {index}");
        stored(set(&store, &key, &[b'v'; 400]));
        if index % 2 == 0 {
            value(&store, &key);
        }
    }
    let stats = store.stats();
    assert!(stats.evicted_unfetched > stats.evictions / 3, "{stats:?}");
    assert!(stats.evicted_unfetched < stats.evictions, "{stats:?}");
    assert!(stats.evicted_active > 0, "{stats:?}");
}

/// Remembers what it is told.
#[derive(Debug, Default)]
struct Witness(Mutex<Vec<Told>>);

#[derive(Debug, PartialEq)]
struct Told {
    key: String,
    value_len: usize,
    was_fetched: bool,
    exptime: Option<Seconds>,
    idle: u32,
}

impl Observer for Witness {
    fn evicts(&self, item: Visit<'_>, now: Seconds) {
        let told = Told {
            key: String::from_utf8_lossy(item.key()).into_owned(),
            value_len: item.value_len(),
            was_fetched: item.was_fetched(),
            exptime: item.exptime(),
            idle: now.since(item.last_access()),
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }
}

#[test]
fn the_observer_is_told_of_each_eviction_and_of_nothing_else() {
    let witness = Arc::new(Witness::default());
    let observer: Arc<dyn Observer> = witness.clone();
    let store = Store::new(Config { observer: Some(observer), ..kit::config(2 * MIB) });
    let later = Seconds(NOW.0 + 3);
    stored(set(&store, "deleted", b"value"));
    assert!(store.delete(b"deleted", NOW));
    stored(Put { exptime: Some(NOW), ..Put::new("expired", b"value") }.into(&store));
    stored(
        Put { exptime: Some(Seconds(NOW.0 + 60)), ..Put::new("fetched", &[b'1'; 1500]) }
            .into(&store),
    );
    value(&store, "fetched");
    for index in 0..20_000 {
        stored(Put { now: later, ..Put::new(&format!("key {index}"), &[b'v'; 400]) }.into(&store));
    }
    let told = std::mem::take(&mut *witness.0.lock().unwrap());
    assert!(told.len() > 10_000);
    assert_eq!(told.len() as u64, store.stats().evictions);
    let exptime = Some(Seconds(NOW.0 + 60));
    let key = "fetched".to_owned();
    let expected = Told { key, value_len: 1500, was_fetched: true, exptime, idle: 3 };
    assert!(told.contains(&expected), "{:?}", told.first());
    for told in &told {
        assert!(value(&store, &told.key).is_none(), "{told:?} is still there");
        assert!(told.key != "deleted" && told.key != "expired", "{told:?}");
    }
}

#[test]
fn a_walk_sees_everything_once_though_the_store_moves() {
    let store = Store::new(Config { shards: Some(4), ..kit::config(8 * MIB) });
    for index in 0..3000 {
        stored(set(&store, &format!("stays {index}"), b"value"));
    }
    let mut seen = std::collections::BTreeMap::new();
    let mut cursor = Some(larder_store::Cursor::default());
    let mut step = 0;
    while let Some(at) = cursor {
        cursor = store.walk(at, NOW, |item| {
            *seen.entry(item.key().to_vec()).or_insert(0) += 1;
        });
        stored(set(&store, &format!("comes {step}"), b"value"));
        stored(set(&store, &format!("stays {step}"), &[b'x'; 5000]));
        store.delete(format!("comes {}", step / 2).as_bytes(), NOW);
        step += 1;
    }
    assert!(step >= 8, "{step} slices");
    for index in 0..3000 {
        assert_eq!(seen.get(format!("stays {index}").as_bytes()), Some(&1), "{index}");
    }
    let store = kit::store(2 * MIB);
    stored(set(&store, "k", b"value"));
    kit::walk(&store, Seconds(NOW.0 + 5), |_| ());
    let seen = store.visit(b"k", NOW, |item| (item.was_fetched(), item.last_access()));
    assert_eq!(seen, Ok((false, NOW)), "a walk is no hit");
}

/// What is remembered of the evicted needs memory when there is none to spare, or else it would never be had; and it is given
/// back when there are fewer items than there were.
#[test]
fn what_is_remembered_follows_the_number_of_items() {
    let store = kit::store(16 * MIB);
    for number in 0..500_000_u32 {
        stored(set(&store, &format!("key{number}"), b"short"));
    }
    kit::check_limit(&store);
    let stats = store.stats();
    assert!(stats.evictions > 50_000, "{stats:?}");
    // Two bytes an item.
    let percent = stats.ghost_bytes * 100 / (2 * stats.items);
    assert!((95..125).contains(&percent), "{stats:?}");
    let long = vec![b'x'; 5000];
    for number in 0..20_000_u32 {
        stored(set(&store, &format!("key{number}"), &long));
    }
    kit::check_limit(&store);
    let stats = store.stats();
    assert!(stats.ghost_bytes < 16 << 10, "{stats:?}");
}
