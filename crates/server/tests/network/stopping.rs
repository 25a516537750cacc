//! The two ways to stop.

use larder_server::Config;

use crate::kit::{Running, config, pattern};

#[test]
fn stopping_ends_run_and_closes_clients() {
    for is_graceful in [false, true] {
        let mut server = Running::start(config());
        let mut idle = server.connect();
        assert_eq!(idle.ask("version"), "VERSION 1.6.45\r\n");
        let mut half = server.connect();
        half.send("set key 0 0 10\r\nhalf");
        if is_graceful {
            server.stop.stop_gracefully();
        } else {
            server.stop.stop();
        }
        server.ended().unwrap();
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
    let mut server = Running::start(Config { item_bytes_max: 8 << 20, threads: 1, ..config() });
    let value = pattern(3, LARGE);
    assert_eq!(server.connect().set("key", &value), "STORED\r\n");
    let mut slow = server.connect_narrow();
    // The second has arrived and could not be answered yet.
    slow.send("get key\r\nget key\r\n");
    let mut observer = server.connect();
    observer.until_stat("stats larder", "replies_in_flight", |count| count == 1);
    server.stop.stop_gracefully();
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
fn a_plain_stop_does_not_wait_at_all() {
    let mut server = Running::start(Config { item_bytes_max: 8 << 20, ..config() });
    let value = pattern(3, LARGE);
    assert_eq!(server.connect().set("key", &value), "STORED\r\n");
    let mut slow = server.connect_narrow();
    slow.send("get key\r\n");
    server.connect().until_stat("stats larder", "replies_in_flight", |count| count == 1);
    server.stop.stop();
    server.ended().unwrap();
    // Had it waited for this client, all of the value would be here.
    let mut received = Vec::new();
    let _ = std::io::Read::read_to_end(&mut slow.stream(), &mut received);
    assert!(received.len() < LARGE, "{}", received.len());
}

/// More than the system's buffers take.
const LARGE: usize = 7 << 20;
