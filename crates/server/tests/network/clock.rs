//! A clock that clients may change: what follows it.

use std::time::Duration;

use larder_server::Config;

use crate::kit::{Running, config};

fn changeable() -> Config {
    Config { debug_commands: true, ..config() }
}

#[test]
fn items_expire_when_the_clock_says_so() {
    let server = Running::start(changeable());
    let (mut one, mut other) = (server.connect(), server.connect());
    assert_eq!(one.ask("debugtime p"), "OK\r\n");
    let now = one.stat("stats", "time");
    // Requests that come with the order are of the new time, and so are those of other workers.
    one.send(format!(
        "set rel 0 100 1\r\nx\r\nset abs 0 {} 1\r\nx\r\ndebugtime 99\r\nget rel abs\r\ndebugtime 1\r\nget rel abs\r\n",
        now + 150
    ));
    for expected in ["STORED", "STORED", "OK", "VALUE rel 0 1", "x", "VALUE abs 0 1", "x", "END"] {
        assert_eq!(one.line().trim_end(), expected);
    }
    for expected in ["OK", "VALUE abs 0 1", "x", "END"] {
        assert_eq!(one.line().trim_end(), expected);
    }
    assert_eq!(other.get("abs").as_deref(), Some(&b"x"[..]));
    assert_eq!(one.ask("debugtime 50"), "OK\r\n");
    assert_eq!(other.get("abs"), None);
    assert_eq!(other.stat("stats", "time"), now + 150);
    assert_eq!(other.ask("debugtime -150"), "OK\r\n");
    assert_eq!(other.stat("stats", "time"), now);
}

#[test]
fn flushes_and_uptime_follow_the_clock() {
    let server = Running::start(changeable());
    let mut client = server.connect();
    assert_eq!(client.ask("debugtime p"), "OK\r\n");
    let uptime = client.stat("stats", "uptime");
    assert_eq!(client.set("k", b"x"), "STORED\r\n");
    assert_eq!(client.ask("flush_all 60"), "OK\r\n");
    assert_eq!(client.ask("debugtime 59"), "OK\r\n");
    assert!(client.get("k").is_some());
    assert_eq!(client.ask("debugtime 1"), "OK\r\n");
    assert!(client.get("k").is_none());
    assert_eq!(client.stat("stats", "uptime"), uptime + 60);
    assert_eq!(client.ask("debugtime r"), "OK\r\n");
    client.until_stat("stats", "uptime", |now| now > uptime + 60);
}

#[test]
fn a_crawl_removes_what_has_expired_and_counts_it() {
    let server = Running::start(changeable());
    let mut client = server.connect();
    assert_eq!(client.ask("debugtime p"), "OK\r\n");
    for number in 0..300 {
        let exptime = if number % 3 == 0 { 0 } else { 50 };
        client.send(format!("set key{number} 0 {exptime} 1\r\nx\r\n"));
        assert_eq!(client.line(), "STORED\r\n");
    }
    assert!(client.get("key1").is_some());
    // Nothing has expired, so nothing is looked at.
    assert_eq!(client.ask("lru_crawler crawl all"), "OK\r\n");
    client.until_stat("stats", "lru_crawler_running", |running| running == 0);
    assert_eq!(client.stat("stats", "curr_items"), 300);
    assert_eq!(client.ask("debugtime 50"), "OK\r\n");
    assert_eq!(client.ask("lru_crawler crawl 1"), "OK\r\n");
    client.until_stat("stats", "curr_items", |items| items == 100);
    let page = client.stats("stats");
    let number = |name: &str| page[name].parse::<u64>().unwrap();
    assert_eq!(number("lru_crawler_starts"), 2);
    assert_eq!((number("crawler_reclaimed"), number("expired_unfetched")), (200, 199));
    assert_eq!((number("reclaimed"), number("get_expired")), (0, 0));
    assert!((200..400).contains(&number("crawler_items_checked")), "{page:?}");
    assert_eq!(client.stat("stats items", "items:1:crawler_reclaimed"), 200);
    assert_eq!(client.ask("stats reset"), "RESET\r\n");
    for name in ["lru_crawler_starts", "crawler_reclaimed", "crawler_items_checked"] {
        assert_eq!(client.stat("stats", name), 0, "{name}");
    }
}

#[test]
fn the_idle_are_closed_by_the_clock() {
    let idle_timeout = Some(Duration::from_secs(3600));
    let server = Running::start(Config { idle_timeout, ..changeable() });
    let (mut idle, mut client) = (server.connect(), server.connect());
    assert_eq!(idle.ask("version"), "VERSION 1.6.45\r\n");
    assert_eq!(client.ask("debugtime 3500"), "OK\r\n");
    assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n");
    assert_eq!(client.ask("debugtime 200"), "OK\r\n");
    assert!(idle.ends());
    client.until_stat("stats larder", "idle_closed", |count| count == 1);
}

#[test]
fn nobody_changes_a_clock_that_is_not_for_tests() {
    let server = Running::start(config());
    let mut client = server.connect();
    for order in ["debugtime 1", "debugtime p", "debugtime r", "debugtime", "debugtime x"] {
        assert_eq!(client.ask(order), "ERROR\r\n", "{order}");
    }
    let server = Running::start(changeable());
    let mut client = server.connect();
    for order in ["debugtime", "debugtime x", "debugtime 1 2", "debugtime 9223372036854775808"] {
        assert_eq!(client.ask(order), "ERROR\r\n", "{order}");
    }
}
