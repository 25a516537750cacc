//! The memory limit, changed while the server runs.

use larder_server::Config;

use crate::kit::{Client, Running, config, pattern};

#[test]
fn a_lowered_limit_is_reached_and_a_raised_one_used() {
    let server = Running::start(Config { memory_bytes: 64 << 20, threads: 1, ..config() });
    let mut client = server.connect();
    let value = vec![b'x'; 100_000];
    for number in 0..400 {
        assert_eq!(client.set(&format!("key{number}"), &value), "STORED\r\n");
    }
    assert_eq!(client.stat("stats", "curr_items"), 400);
    assert_eq!(client.stat("stats", "evictions"), 0);
    assert_eq!(client.ask("cache_memlimit 8"), "OK\r\n");
    assert_eq!(client.stat("stats", "limit_maxbytes"), 8 << 20);
    assert_eq!(client.stat("stats settings", "maxbytes"), 8 << 20);
    // By the work that is done beside requests: nobody has to store for it.
    client.until_stat("stats larder", "memory_held_bytes", |bytes| bytes <= 8 << 20);
    let kept = client.stat("stats", "curr_items");
    assert!((40..84).contains(&kept), "{kept} items of 100 KB are left in 8 MiB");
    assert_eq!(client.stat("stats", "evictions"), 400 - kept);
    assert_eq!(client.ask("cache_memlimit 7"), {
        "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
    });
    assert_eq!(client.ask("cache_memlimit 32"), "OK\r\n");
    for number in 1000..1200 {
        assert_eq!(client.set(&format!("key{number}"), &value), "STORED\r\n");
    }
    assert_eq!(client.stat("stats", "curr_items"), kept + 200);
    assert_eq!(client.get("key1000").as_ref(), Some(&value));
}

#[test]
fn what_the_memory_holds_adds_up() {
    let server = Running::start(Config { memory_bytes: 8 << 20, threads: 1, ..config() });
    let mut client = server.connect();
    let store = |client: &mut Client, keys: std::ops::Range<u32>, len: usize| {
        for number in keys {
            assert_eq!(client.set(&format!("key{number:05}"), &pattern(1, len)), "STORED\r\n");
        }
    };
    store(&mut client, 0..100, 1000);
    store(&mut client, 100..110, 100_000);
    let of = |client: &mut Client| {
        let page = client.stats("stats larder");
        move |name: &str| -> u64 {
            page[name].parse().unwrap_or_else(|_| panic!("{name} is {}", page[name]))
        }
    };
    let at_first = of(&mut client);
    assert_eq!(at_first("items_asked_bytes"), 100 * (8 + 1000) + 10 * (8 + 100_000));
    assert_eq!((at_first("memory_dead_bytes"), at_first("evicted_small")), (0, 0));
    assert_adds_up(&at_first);

    // Every other one is longer now, and what was there is dead among the living.
    for number in (0..100).step_by(2) {
        store(&mut client, number..number + 1, 1500);
    }
    let with_dead = of(&mut client);
    let dead = with_dead("memory_dead_bytes");
    assert!((50 * 1000..50 * 1100).contains(&dead), "{dead}");
    assert_eq!(with_dead("items_asked_bytes"), at_first("items_asked_bytes") + 50 * 500);
    assert_adds_up(&with_dead);

    // Some are asked for again and again while others pour in: those prove themselves and are copied.
    for round in 0..100 {
        for number in 0..20 {
            assert!(client.get(&format!("key{number:05}")).is_some(), "round {round}");
        }
        store(&mut client, 1000 + round * 200..1200 + round * 200, 1000);
    }
    let full = of(&mut client);
    let evictions = client.stat("stats", "evictions");
    assert_eq!(full("evicted_small") + full("evicted_main"), evictions);
    assert!(evictions > 10_000, "{evictions}");
    assert!(full("items_copied_bytes") >= 20 * 1000, "{}", full("items_copied_bytes"));
    assert!(full("memory_ghost_bytes") > 0);
    assert!((2..=90).contains(&full("small_queue_percent")));
    assert_adds_up(&full);
    let hits = client.stat("stats", "get_hits");
    let page = client.stats("stats larder");
    let ages = page.iter().filter(|(name, _)| name.starts_with("hit_age_"));
    let ages: Vec<u64> = ages.map(|(_, hits)| hits.parse().unwrap()).collect();
    assert_eq!((ages.len(), ages.iter().sum::<u64>()), (17, hits));
}

fn assert_adds_up(of: &impl Fn(&str) -> u64) {
    let sum = |names: &[&str]| names.iter().map(|name| of(name)).sum::<u64>();
    let held = of("memory_held_bytes");
    let parts = sum(&["memory_segment_bytes", "memory_block_bytes", "memory_index_bytes"]);
    assert!((parts..=8 << 20).contains(&held), "{held} are held, {parts} for a purpose");
    let items = sum(&["memory_segment_bytes", "memory_block_bytes"]);
    let others = sum(&["memory_dead_bytes", "memory_slack_bytes"]);
    let asked = of("items_asked_bytes");
    assert!(asked + others <= items, "{asked} asked for and {others} of nobody in {items}");
    assert!(of("memory_ghost_bytes") <= of("memory_index_bytes"));
    assert!(asked <= of("items_inserted_bytes"));
}
