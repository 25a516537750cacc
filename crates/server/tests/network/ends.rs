//! How connections begin, end, and are given up; and values that arrive slowly.

use std::time::Duration;

use larder_server::Config;

use crate::kit::{Running, config, pattern, until};

#[test]
fn idle_clients_are_closed_when_they_were_idle_too_long() {
    let idle_timeout = Some(Duration::from_secs(1));
    let server = Running::start(Config { idle_timeout, ..config() });
    let mut active = server.connect();
    let (silent, mut spoke) = (server.connect(), server.connect());
    spoke.ask("version");
    until("both are closed", || {
        assert_eq!(active.ask("version"), "VERSION 1.6.45\r\n");
        silent.is_closed() && spoke.is_closed()
    });
    assert_eq!(active.stat("stats larder", "idle_closed"), 2);
    assert_eq!(active.stat("stats larder", "error_closed"), 0);
    assert_eq!(active.stat("stats", "curr_connections"), 1);
}

#[test]
fn without_a_timeout_nobody_is_idle_too_long() {
    let server = Running::start(config());
    let silent = server.connect();
    let mut observer = server.connect();
    let begin = observer.stat("stats", "uptime");
    observer.until_stat("stats", "uptime", |now| now >= begin + 3);
    assert!(!silent.is_closed());
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    const COMMANDS: usize = 5000;
    let server = Running::start(config());
    let mut client = server.connect();
    let value = pattern(1, 3000);
    assert_eq!(client.set("key", &value), "STORED\r\n");
    let stream = client.stream().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = crate::kit::Client::new(stream);
            for _ in 0..COMMANDS {
                writer.send("get key\r\n");
            }
            // No line end: never a command, so it is never answered.
            writer.send("get ke");
            writer.end();
        });
        for _ in 0..COMMANDS {
            assert_eq!(client.value("key").as_ref(), Some(&value));
        }
    });
    assert_eq!(client.rest(), "");
    let mut other = server.connect();
    other.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(other.stat("stats", "cmd_get"), COMMANDS as u64);
    assert_eq!(other.stat("stats larder", "error_closed"), 0);
}

#[test]
fn a_value_cut_off_by_the_end_is_not_kept() {
    let server = Running::start(config());
    let mut client = server.connect();
    client.send("set key 0 0 10\r\nhalf");
    client.end();
    assert_eq!(client.rest(), "");
    let mut other = server.connect();
    assert_eq!(other.get("key"), None);
    other.until_stat("stats larder", "incomplete_value_bytes", |bytes| bytes == 0);
    other.until_stat("stats larder", "memory_draft_bytes", |bytes| bytes == 0);
}

#[test]
fn quit_ends_a_pipeline() {
    let server = Running::start(config());
    for (sent, expected) in [
        ("quit\r\n", ""),
        ("version\r\nquit\r\nversion\r\n", "VERSION 1.6.45\r\n"),
        ("set key 0 0 1\r\na\r\nget key\r\nquit\r\nset key 0 0 1\r\nb\r\n", HIT),
        // The second is what the first left behind, whatever came after its quit.
        ("get key\r\nquit\r\n", "VALUE key 0 1\r\na\r\nEND\r\n"),
    ] {
        let mut client = server.connect();
        client.send(sent);
        assert_eq!(client.rest(), expected, "{sent:?}");
    }
    let mut observer = server.connect();
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stat("stats larder", "error_closed"), 0);
}

#[test]
fn coming_and_going_without_a_word_is_no_error() {
    const CLIENTS: u64 = 50;
    let server = Running::start(config());
    let mut observer = server.connect();
    observer.ask("version");
    for _ in 0..CLIENTS {
        drop(server.connect());
    }
    observer.until_stat("stats", "total_connections", |total| total == 1 + CLIENTS);
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stat("stats larder", "error_closed"), 0);
    assert_eq!(observer.stat("stats", "rejected_connections"), 0);
}

#[test]
fn the_first_byte_says_which_protocol_is_spoken() {
    let server = Running::start(config());
    let mut client = server.connect();
    client.send(b"\x80\x0a");
    client.send([0; 22]);
    assert_eq!(client.bytes(24)[..2], [0x81, 0x0a]);
    client.send(b"version\r\n");
    assert!(client.ends());
    let mut client = server.connect();
    assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n");
    client.send(b"\x80abc\r\n");
    assert_eq!(client.line(), "ERROR\r\n");
}

#[test]
fn a_value_may_arrive_byte_by_byte() {
    let server = Running::start(config());
    let mut client = server.connect();
    for len in [1, 100, 5000] {
        let value = pattern(7, len);
        let set = [format!("set key 0 0 {len}\r\n").as_bytes(), &value, b"\r\n"].concat();
        for byte in &set {
            client.send([*byte]);
        }
        assert_eq!(client.line(), "STORED\r\n");
        assert_eq!(client.get("key").as_ref(), Some(&value));
    }
}

#[test]
fn a_large_value_may_arrive_in_odd_pieces_and_behind_it_the_next_command() {
    let server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
    let mut client = server.connect();
    let value = pattern(9, 5_000_001);
    let head = format!("set key 0 0 {}\r\n", value.len());
    let set = [head.as_bytes(), &value, b"\r\nget key\r\n"].concat();
    for piece in set.chunks(77_777) {
        client.send(piece);
    }
    assert_eq!(client.line(), "STORED\r\n");
    assert!(client.value("key").unwrap() == value, "another value");
}

const HIT: &str = "STORED\r\nVALUE key 0 1\r\na\r\nEND\r\n";
