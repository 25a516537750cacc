//! The two ways to stop.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use larder_server::Config;

use crate::kit::{Running, config, pattern};

#[test]
#[expect(clippy::disallowed_methods, reason = "how soon it ends is the promise")]
fn stopping_ends_run_and_closes_clients() {
    for is_graceful in [false, true] {
        let mut server = Running::start(config());
        let mut idle = server.connect();
        assert_eq!(idle.ask("version"), "VERSION 1.6.45\r\n");
        let mut half = server.connect();
        half.send("set key 0 0 10\r\nhalf");
        idle.until_stat("stats larder", "incomplete_value_bytes", |bytes| bytes > 0);
        let begin = Instant::now();
        if is_graceful {
            server.stop.stop_gracefully();
        } else {
            server.stop.stop();
        }
        server.ended().unwrap();
        // Nobody is owed anything, so there is nothing to wait for, though nobody leaves by itself.
        assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
        assert!(idle.ends());
        assert!(half.ends());
    }
}

#[test]
fn stopping_before_run_is_not_forgotten() {
    let config = config();
    let server = larder_server::Server::bind(config).unwrap();
    server.stop_handle().stop();
    server.run().unwrap();
}

#[test]
fn a_graceful_stop_sends_what_is_owed() {
    check_graceful(|server| server.stop.stop_gracefully());
}

#[test]
fn shutdown_graceful_sends_what_is_owed() {
    check_graceful(|server| server.connect().send("shutdown graceful\r\n"));
}

#[track_caller]
fn check_graceful(stop: impl FnOnce(&Running)) {
    let small = config();
    let mut server =
        Running::start(Config { item_bytes_max: 8 << 20, threads: 1, shutdown: true, ..small });
    let value = pattern(3, LARGE);
    assert_eq!(server.connect().set("key", &value), "STORED\r\n");
    let mut slow = server.connect_narrow();
    // The second has arrived and could not be answered yet.
    slow.send("get key\r\nget key\r\n");
    let mut observer = server.connect();
    observer.until_stat("stats larder", "replies_in_flight", |count| count == 1);
    stop(&server);
    assert!(observer.ends(), "those who are owed nothing go at once");
    assert!(server.is_running(), "it waits for its last client");
    for _ in 0..2 {
        assert!(slow.value("key").unwrap() == value, "another value");
    }
    assert!(slow.ends());
    server.ended().unwrap();
}

#[test]
fn a_graceful_stop_does_not_wait_for_ever() {
    let mut server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
    assert_eq!(server.connect().set("key", &pattern(3, LARGE)), "STORED\r\n");
    let mut slow = server.connect_narrow();
    slow.send("get key\r\n");
    server.connect().until_stat("stats larder", "replies_in_flight", |count| count == 1);
    server.stop.stop_gracefully();
    // It has ten seconds here, and gives itself five.
    server.ended().unwrap();
    drop(slow);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how soon it ends is the promise")]
fn a_plain_stop_does_not_wait_at_all() {
    let mut server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
    let value = pattern(3, LARGE);
    assert_eq!(server.connect().set("key", &value), "STORED\r\n");
    let mut slow = server.connect_narrow();
    slow.send("get key\r\n");
    server.connect().until_stat("stats larder", "replies_in_flight", |count| count == 1);
    let begin = Instant::now();
    server.stop.stop();
    server.ended().unwrap();
    // A graceful one would wait for this client for five seconds.
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    // Had it waited for this client, all of the value would be here.
    let mut received = Vec::new();
    let _ = slow.stream().read_to_end(&mut received);
    assert!(received.len() < LARGE, "{}", received.len());
}

#[test]
fn a_graceful_stop_cuts_no_reply() {
    let mut server = Running::start(Config { threads: 1, ..config() });
    let value = pattern(3, 1500);
    let mut other = server.connect();
    assert_eq!(other.set("key", &value), "STORED\r\n");
    // More commands than the server reads from a client that does not read: some stay unread for ever.
    let slow = server.connect_narrow();
    let sent = slow.send_until_blocked("get key\r\n".repeat(100_000).as_bytes());
    let answered = other.stat("stats", "cmd_get");
    server.stop.stop_gracefully();
    let reply = [&b"VALUE key 0 1500\r\n"[..], &value, b"\r\nEND\r\n"].concat();
    let mut received = Vec::new();
    thread::scope(|scope| {
        // It goes on sending, as if nothing had happened.
        let writer = slow.stream().try_clone().unwrap();
        scope.spawn(move || while (&writer).write_all(b"get key\r\n").is_ok() {});
        slow.stream().read_to_end(&mut received).unwrap();
        slow.stream().shutdown(Shutdown::Both).unwrap();
    });
    assert!(received.chunks(reply.len()).all(|chunk| chunk == reply), "a reply is cut");
    let received = (received.len() / reply.len()) as u64;
    assert!(received >= answered, "{received} of {answered}");
    assert!(received < (sent / "get key\r\n".len()) as u64, "the server read everything");
    drop(slow);
    server.ended().unwrap();
}

/// More than the system's buffers take.
const LARGE: usize = 7 << 20;
