//! Clients that read slowly or not at all: what they cost, what they get, and that others do not notice.

use std::thread;

use larder_server::Config;

use crate::kit::{Client, Running, config, pattern, until};

#[test]
fn who_does_not_read_is_not_read_from_and_loses_nothing() {
    const KEYS: usize = 10;
    const COMMANDS: usize = 10_000;
    // One worker: whatever the slow client did to it, the other would feel.
    let server = Running::start(Config { threads: 1, ..config() });
    let mut other = server.connect();
    let values: Vec<Vec<u8>> =
        (0_u8..).take(KEYS).map(|seed| pattern(seed, 500 + 700 * usize::from(seed))).collect();
    for (index, value) in values.iter().enumerate() {
        assert_eq!(other.set(&format!("key{index}"), value), "STORED\r\n");
    }
    let commands: String =
        (0..COMMANDS).map(|index| format!("get key{} {PADDING}\r\n", index % KEYS)).collect();
    let mut slow = server.connect_narrow();
    let sent = slow.send_until_blocked(commands.as_bytes());
    assert!(sent < commands.len(), "it took everything: {sent} bytes");

    let page = other.stats("stats larder");
    let number = |name: &str| page[name].parse::<u64>().unwrap();
    assert!((1..OUTPUT_MAX).contains(&number("unread_reply_bytes")), "{page:?}");
    assert!((1..BACKLOG_MAX).contains(&number("incomplete_command_bytes")), "{page:?}");
    let gets = other.stat("stats", "cmd_get");
    for _ in 0..1000 {
        assert_eq!(other.get("key3").as_ref(), Some(&values[3]));
    }
    assert_eq!(other.stat("stats", "cmd_get"), gets + 1000, "the slow one waits meanwhile");

    let mut writer = Client::new(slow.stream().try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| writer.send(&commands.as_bytes()[sent..]));
        for index in 0..COMMANDS {
            let index = index % KEYS;
            assert!(slow.value(&format!("key{index}")).as_ref() == Some(&values[index]));
        }
    });
    assert_eq!(slow.ask("version"), "VERSION 1.6.45\r\n");
    other.until_stat("stats larder", "unread_reply_bytes", |bytes| bytes == 0);
    other.until_stat("stats larder", "incomplete_command_bytes", |bytes| bytes == 0);
}

#[test]
fn a_slow_reader_gets_the_value_as_it_was() {
    type Interference = fn(&mut Client);
    let cases: [(&str, Interference); 5] = [
        ("replace", |client| assert_eq!(client.set("big", &pattern(99, LARGE)), "STORED\r\n")),
        ("delete", |client| assert_eq!(client.ask("delete big"), "DELETED\r\n")),
        ("append", |client| {
            client.send("append big 0 0 3\r\nxyz\r\n");
            assert_eq!(client.line(), "STORED\r\n");
        }),
        ("flush_all", |client| assert_eq!(client.ask("flush_all"), "OK\r\n")),
        ("expiry", |client| {
            assert_eq!(client.ask("touch big -1"), "TOUCHED\r\n");
            assert!(client.get("big").is_none());
        }),
    ];
    for (name, interfere) in cases {
        let server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
        let mut other = server.connect();
        let value = pattern(1, LARGE);
        assert_eq!(other.set("big", &value), "STORED\r\n");
        let mut slow = server.connect_narrow();
        slow.send("get big\r\n");
        other.until_stat("stats larder", "replies_in_flight", |count| count == 1);
        interfere(&mut other);
        // Some ways to go are completed by background work.
        other.until_stat("stats larder", "memory_pinned_bytes", |bytes| bytes >= LARGE as u64);
        assert!(slow.value("big").unwrap() == value, "{name}: another value");
        other.until_stat("stats larder", "memory_pinned_bytes", |bytes| bytes == 0);
        // A reply lets its value go before it is counted out.
        other.until_stat("stats larder", "replies_in_flight", |count| count == 0);
        // The memory is back: a store that lost 7 MB of 64 a case would not hold all of this.
        assert_eq!(other.ask("flush_all"), "OK\r\n");
        for index in 0_u8..6 {
            assert_eq!(other.set(&format!("after{index}"), &value), "STORED\r\n", "{name}");
        }
        for index in 0_u8..6 {
            assert!(other.get(&format!("after{index}")).is_some(), "{name}: after{index}");
        }
    }
}

#[test]
fn a_value_on_its_way_survives_a_store_that_overflows() {
    let server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
    let mut other = server.connect();
    let value = pattern(1, LARGE);
    assert_eq!(other.set("big", &value), "STORED\r\n");
    let mut slow = server.connect_narrow();
    slow.send("get big\r\n");
    other.until_stat("stats larder", "replies_in_flight", |count| count == 1);
    for round in 0_u8..30 {
        let filling = pattern(round, LARGE);
        assert_eq!(other.set(&format!("fill{round}"), &filling), "STORED\r\n");
    }
    assert!(other.stat("stats", "evictions") >= 20);
    assert!(slow.value("big").unwrap() == value, "another value");
    other.until_stat("stats larder", "memory_pinned_bytes", |bytes| bytes == 0);
    // Nothing holds it any more.
    assert_eq!(other.ask("delete big"), "DELETED\r\n");
    assert_eq!(other.stat("stats larder", "memory_pinned_bytes"), 0);
}

#[test]
fn a_reply_that_waits_keeps_the_number_of_its_time() {
    const COMMANDS: usize = 200;
    let server = Running::start(Config { threads: 1, ..config() });
    let mut other = server.connect();
    assert_eq!(other.set("number", b"0"), "STORED\r\n");
    assert_eq!(other.set("filler", &pattern(5, 100_000)), "STORED\r\n");
    let mut slow = server.connect_narrow();
    slow.send("get number filler\r\n".repeat(COMMANDS));
    other.until_stat("stats larder", "incomplete_command_bytes", |bytes| bytes > 0);
    let served_before = other.stat("stats", "cmd_get") / 2;
    assert_eq!(other.ask("incr number 1"), "1\r\n");
    let served_after = other.stat("stats", "cmd_get").div_ceil(2);
    let numbers = (0..COMMANDS).map(|_| {
        assert_eq!(slow.line(), "VALUE number 0 1\r\n");
        let number = slow.line();
        slow.bytes("VALUE filler 0 100000\r\n".len() + 100_000 + "\r\nEND\r\n".len());
        number
    });
    let numbers: Vec<String> = numbers.collect();
    let zeros = numbers.iter().take_while(|number| *number == "0\r\n").count() as u64;
    assert!((served_before..=served_after).contains(&zeros), "{served_before}: {zeros}");
    assert!(served_after < COMMANDS as u64);
    assert!(numbers.iter().skip(zeros.try_into().unwrap()).all(|number| number == "1\r\n"));
}

/// A key that misses and makes commands long, so that a client which is not read from is noticed sooner.
const PADDING: &str =
    "a-key-that-is-not-there-and-is-there-to-make-the-command-longer-than-it-would-be-otherwise";

/// What one connection may hold of replies: 256 KiB, and one value above it.
const OUTPUT_MAX: u64 = (256 << 10) + 8192;

/// What one connection may hold of commands: one read of 32 KiB, and one line.
const BACKLOG_MAX: u64 = (32 << 10) + (16 << 10);

/// More than the system's buffers take.
const LARGE: usize = 7 << 20;

#[test]
fn who_pins_values_and_takes_none_gives_way_to_stores() {
    let server = Running::start(Config { memory_bytes: 16 << 20, threads: 1, ..config() });
    let mut other = server.connect();
    let value = pattern(7, 900_000);
    let mut slow = Vec::new();
    // Each reader pins another value, until nothing is left that could be evicted.
    for index in 0..100 {
        let key = format!("key{index}");
        if other.set(&key, &value) != "STORED\r\n" {
            break;
        }
        let mut reader = server.connect_narrow();
        reader.send(format!("get {key}\r\n").repeat(10));
        other.until_stat("stats larder", "replies_in_flight", |count| count > slow.len() as u64);
        slow.push(reader);
    }
    assert!((5..100).contains(&slow.len()), "{} values were pinned", slow.len());
    until("stores succeed again", || other.set("new", &value) == "STORED\r\n");
    assert!(other.stat("stats larder", "replies_in_flight_closed") > 0);
    assert!(other.get("new") == Some(value), "another value");
}

#[test]
fn buffers_that_hold_nothing_are_given_back_under_pressure() {
    const CLIENTS: u64 = 30;
    let mut small = config();
    small.budgets.unread_reply_bytes = 2 << 20;
    let server = Running::start(Config { threads: 1, ..small });
    let mut other = server.connect();
    let value = pattern(1, 1000);
    assert_eq!(other.set("key", &value), "STORED\r\n");
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("get key\r\n".repeat(200));
        for _ in 0..200 {
            assert!(client.value("key").as_ref() == Some(&value), "another value");
        }
        // It stays active: nothing of this is the work of the sweep for idle clients.
        assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n");
    }
    let page = other.stats("stats larder");
    let spare = page["spare_buffer_bytes"].parse::<u64>().unwrap();
    assert!((1..=2 << 20).contains(&spare), "{spare} bytes are spare");
    assert_eq!(page["unread_reply_bytes_closed"], "0");
    for client in &mut clients {
        assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n", "nobody was closed");
    }
}

#[test]
fn walking_the_store_leaves_others_their_turns() {
    let server = Running::start(Config { threads: 1, ..config() });
    let mut other = server.connect();
    for index in 0..2000 {
        assert_eq!(other.set(&format!("key{index}"), b"x"), "STORED\r\n");
    }
    let mut walker = server.connect();
    walker.send("stats cachedump 1 0\r\nstats cachedump 63 0\r\n".repeat(300));
    // One read holds 600 walks; who asks meanwhile is answered between two of them.
    other.until_stat("stats", "conn_yields", |count| count > 0);
    for _ in 0..600 {
        while walker.line() != "END\r\n" {}
    }
}
