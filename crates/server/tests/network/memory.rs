//! The memory limit, changed while the server runs.

use larder_server::Config;

use crate::kit::{Running, config};

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
