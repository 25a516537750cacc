//! Many clients at once.

use std::collections::BTreeMap;
use std::thread;

use larder_server::Config;

use crate::kit::{Client, Running, config};

#[test]
fn no_client_ever_sees_a_wrong_value_and_counters_add_up() {
    const THREADS: u64 = 4;
    let server = Running::start(Config { threads: 4, ..config() });
    let total = thread::scope(|scope| {
        let server = &server;
        let threads: Vec<_> =
            (0..THREADS).map(|seed| scope.spawn(move || mix(server, seed))).collect();
        threads.into_iter().fold(Tally::default(), |mut total, thread| {
            for (name, number) in thread.join().unwrap() {
                *total.entry(name).or_default() += number;
            }
            total
        })
    });
    let mut observer = server.connect();
    for (name, expected) in total {
        assert_eq!(observer.stat("stats", name), expected, "{name}");
    }
    assert_eq!(observer.stat("stats", "evictions"), 0);
    assert_eq!(observer.stat("stats larder", "error_closed"), 0);
}

type Tally = BTreeMap<&'static str, u64>;

/// Two thousand commands over two connections on keys that all threads share; what it should be counted as.
fn mix(server: &Running, seed: u64) -> Tally {
    const COMMANDS: usize = 2000;
    let mut tally = Tally::new();
    let mut clients = [server.connect(), server.connect()];
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for round in 0..COMMANDS {
        // xorshift64: reproducible, and good enough to mix.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let client = &mut clients[round % 2];
        let key = format!("key{}", (random >> 8) % 50);
        step(client, &key, random, &mut tally);
    }
    tally
}

fn step(client: &mut Client, key: &str, random: u64, tally: &mut Tally) {
    let mut count = |name| *tally.entry(name).or_default() += 1;
    match (random >> 32) % 8 {
        0..=3 => {
            count("cmd_get");
            let found = client.get(key);
            count(if found.is_some() { "get_hits" } else { "get_misses" });
            if let Some(value) = found {
                check(key, &value);
            }
        }
        4 | 5 => {
            count("cmd_set");
            // Short ones are copied into replies, long ones pinned.
            let repeats = 1 + usize::try_from(random % 700).unwrap();
            assert_eq!(client.set(key, format!("{key};").repeat(repeats).as_bytes()), "STORED\r\n");
        }
        6 => match &*client.ask(format!("delete {key}")) {
            "DELETED\r\n" => count("delete_hits"),
            "NOT_FOUND\r\n" => count("delete_misses"),
            other => panic!("{other}"),
        },
        _ => {
            count("cmd_set");
            client.send(format!("append {key} 0 0 {}\r\n{key};\r\n", key.len() + 1));
            let reply = client.line();
            assert!(["STORED\r\n", "NOT_STORED\r\n"].contains(&&*reply), "{reply}");
        }
    }
}

/// Every value is its key, again and again.
fn check(key: &str, value: &[u8]) {
    let unit = format!("{key};");
    let mut units = value.chunks_exact(unit.len());
    assert!(units.by_ref().all(|found| found == unit.as_bytes()), "{key}: another key's value");
    assert!(!value.is_empty() && units.remainder().is_empty(), "{key}: a value in part");
}
