//! Dumps of keys: what is in them, who may have one, and what a reader costs that is slow or goes away.

use std::collections::BTreeSet;

use larder_server::Config;

use crate::kit::{Client, Running, config};

/// Stores `count` items with long keys, more than any buffer on the way holds the dump of.
fn fill(client: &mut Client, count: usize) {
    let mut sets = String::new();
    for number in 0..count {
        sets.push_str(&format!("set {number:0>100} 0 0 1 noreply\r\nx\r\n"));
    }
    client.send(sets);
    assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n");
}

/// The keys of a dump, from its first line to its last.
fn keys(client: &mut Client) -> Vec<usize> {
    assert_eq!(client.line(), "OK\r\n");
    let mut keys = Vec::new();
    loop {
        let line = client.line();
        if line == "END\r\n" {
            return keys;
        }
        let key = line.strip_prefix("key=").and_then(|rest| rest.split(' ').next());
        keys.push(key.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap());
    }
}

fn check_complete(keys: &[usize]) {
    let seen: BTreeSet<_> = keys.iter().copied().collect();
    assert_eq!((keys.len(), seen.len()), (COUNT, COUNT));
    assert_eq!(seen.last(), Some(&(COUNT - 1)));
}

#[test]
fn who_reads_prefixes_slowly_costs_nothing() {
    let server = Running::start(Config { threads: 1, detail: true, ..config() });
    let mut other = server.connect();
    let mut gets = String::new();
    for number in 0..PREFIXES {
        gets.push_str(&format!("delete {number:0>200}:x noreply\r\n"));
    }
    other.send(gets);
    assert_eq!(other.ask("version"), "VERSION 1.6.45\r\n");
    let mut slow = server.connect_narrow();
    slow.send("stats detail dump\r\nversion\r\n");
    other.until_stat("stats larder", "unread_reply_bytes", |bytes| bytes > 0);
    let held = other.stat("stats larder", "unread_reply_bytes");
    assert!((1..OUTPUT_MAX).contains(&held), "{held} bytes wait for a reader");
    for number in 0..PREFIXES {
        assert_eq!(slow.line(), format!("PREFIX {number:0>200} get 0 hit 0 set 0 del 1\r\n"));
    }
    assert_eq!((slow.line(), slow.line()), ("END\r\n".into(), "VERSION 1.6.45\r\n".into()));
}

#[test]
fn who_reads_a_dump_slowly_costs_nothing_and_misses_nothing() {
    // One worker: whatever the slow client did to it, the other would feel.
    let server = Running::start(Config { threads: 1, ..config() });
    let mut other = server.connect();
    fill(&mut other, COUNT);
    let mut slow = server.connect_narrow();
    slow.send("lru_crawler metadump all\r\nversion\r\n");
    other.until_stat("stats larder", "unread_reply_bytes", |bytes| bytes > 0);
    for number in 0..500 {
        let key = format!("{number:0>100}");
        assert_eq!(other.set(&key, b"another value"), "STORED\r\n");
        assert_eq!(other.get(&key).as_deref(), Some(&b"another value"[..]));
        let held = other.stat("stats larder", "unread_reply_bytes");
        assert!((1..OUTPUT_MAX).contains(&held), "{held} bytes wait for a reader");
    }
    assert_eq!(other.ask("lru_crawler metadump all"), BUSY);
    assert_eq!(other.ask("lru_crawler mgdump 1"), BUSY);
    let dumped = keys(&mut slow);
    // Those that were stored anew while it went on may be in it twice, in their old place and their new.
    let untouched: Vec<_> = dumped.iter().copied().filter(|&key| key >= 500).collect();
    assert_eq!(untouched.len(), COUNT - 500);
    assert_eq!(untouched.iter().collect::<BTreeSet<_>>().len(), COUNT - 500);
    // What came with the dump and after it is answered.
    assert_eq!(slow.line(), "VERSION 1.6.45\r\n");
    other.send("lru_crawler metadump all\r\n");
    check_complete(&keys(&mut other));
}

#[test]
fn who_goes_away_leaves_the_dump_to_the_next() {
    let server = Running::start(config());
    let mut other = server.connect();
    fill(&mut other, COUNT);
    for _ in 0..3 {
        let mut gone = server.connect_narrow();
        gone.send("lru_crawler metadump hash\r\n");
        assert_eq!(gone.line(), "OK\r\n");
        drop(gone);
        other.until_stat("stats", "curr_connections", |count| count == 1);
        other.send("lru_crawler metadump hash\r\n");
        check_complete(&keys(&mut other));
    }
}

#[test]
fn who_ends_its_side_still_gets_the_dump() {
    let server = Running::start(config());
    let mut client = server.connect();
    fill(&mut client, COUNT);
    client.send("lru_crawler metadump all\r\n");
    client.end();
    check_complete(&keys(&mut client));
    assert!(client.ends());
}

#[test]
fn who_does_not_read_a_dump_keeps_nobody_from_theirs() {
    let server = Running::start(Config { debug_commands: true, ..config() });
    let mut other = server.connect();
    fill(&mut other, COUNT);
    let mut dead = server.connect_narrow();
    assert_eq!(other.ask("debugtime p"), "OK\r\n");
    dead.send("lru_crawler metadump all\r\n");
    other.until_stat("stats larder", "unread_reply_bytes", |bytes| bytes > 200_000);
    assert_eq!(other.stat("stats", "lru_crawler_running"), 1);
    assert_eq!(other.ask("debugtime 29"), "OK\r\n");
    assert_eq!(other.ask("lru_crawler metadump all"), BUSY);
    assert_eq!(other.ask("debugtime 1"), "OK\r\n");
    other.send("lru_crawler metadump all\r\n");
    check_complete(&keys(&mut other));
    assert_eq!(other.stat("stats larder", "dumps_overtaken"), 1);
    // It goes on where it was, and takes no turn from whoever comes next.
    let mut third = server.connect_narrow();
    third.send("lru_crawler metadump all\r\n");
    third.line();
    check_complete(&keys(&mut dead));
    assert_eq!(other.ask("lru_crawler metadump all"), BUSY);
    assert_eq!(other.stat("stats", "lru_crawler_starts"), 3);
}

#[test]
fn a_class_is_dumped_as_far_as_was_asked() {
    let server = Running::start(Config { threads: 1, ..config() });
    let mut client = server.connect();
    fill(&mut client, COUNT);
    for (limit, expected) in [(1, 1), (300, 300), (0, CLASS_DUMP_LINES)] {
        client.send(format!("stats cachedump 4 {limit}\r\n"));
        let mut lines = 0;
        while client.line() != "END\r\n" {
            lines += 1;
        }
        assert_eq!(lines, expected, "a limit of {limit}");
    }
}

#[test]
fn sizes_are_counted_where_that_was_asked_for() {
    let mut config = Config { threads: 1, ..config() };
    config.tuning.track_sizes = true;
    let server = Running::start(config);
    let mut client = server.connect();
    fill(&mut client, 1000);
    assert_eq!(client.set("short", b"x"), "STORED\r\n");
    let (page, _) = client.stats_page("stats sizes");
    assert_eq!(page, [("96", "1"), ("160", "1000")].map(|(a, b)| (a.into(), b.into())));
}

const BUSY: &str = "BUSY currently processing crawler request\r\n";

/// Their dump has 11 MB, more than the system keeps for a socket.
const COUNT: usize = 60_000;

/// Of 230 bytes each in a dump: more than the system keeps for a socket, too.
const PREFIXES: usize = 25_000;

/// One output and a piece.
const OUTPUT_MAX: u64 = (256 + 64) << 10;

/// Lines of `ITEM `, 100 bytes of key, ` [1 b; 0 s]` that make up 2 MiB, the last above it.
const CLASS_DUMP_LINES: usize = (2_usize << 20).div_ceil(5 + 100 + 13);
