//! Nothing is lost at the end of a connection: whoever ends it, and whatever is on its way then.

use std::net::TcpStream;
use std::thread;

use larder_server::Config;
use larder_testkit::process::Process;

use crate::kit::{Client, Running, config, pattern};

/// A server that keeps `big`, of a megabyte and a half, and what a `get` of it replies.
fn server_with_big() -> (Running, Vec<u8>) {
    let server = Running::start(Config { item_bytes_max: 8 << 20, threads: 1, ..config() });
    let value = pattern(5, 1_500_000);
    assert_eq!(server.connect().set("big", &value), "STORED\r\n");
    (server, [b"VALUE big 0 1500000\r\n", &value[..], b"\r\nEND\r\n"].concat())
}

/// Sends `input` whole, then reads to the end; what is read must be `count` replies for `big` and `last`.
#[track_caller]
fn check_end(server: &Running, reply: &[u8], input: &[u8], count: usize, last: &str) {
    let mut client = server.connect_narrow();
    let stream = client.stream().try_clone().unwrap();
    thread::scope(|scope| {
        // It may be refused, when the server has had enough; what was answered must arrive all the same.
        scope.spawn(|| Client::new(stream).try_send(input));
        for _ in 0..count {
            assert!(client.bytes(reply.len()) == reply, "another reply");
        }
        assert_eq!(client.rest(), last);
        client.stream().shutdown(std::net::Shutdown::Both).unwrap();
    });
    let mut observer = server.connect();
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stat("stats larder", "error_closed"), 0);
}

#[test]
fn replies_before_a_quit_arrive_whatever_is_behind_it() {
    let (server, reply) = server_with_big();
    let more = "get big\r\n".repeat(200_000);
    for input in [
        format!("get big\r\nget big\r\nget big\r\nquit\r\n{more}"),
        format!("get big\r\nget big\r\nget big\r\nshutdown now\r\nquit\r\n{more}"),
    ] {
        let last =
            if input.contains("shutdown") { "SERVER_ERROR: shutdown not enabled\r\n" } else { "" };
        check_end(&server, &reply, input.as_bytes(), 3, last);
    }
    let mut observer = server.connect();
    assert_eq!(observer.stat("stats", "cmd_get"), 6, "what is behind a quit is not looked at");
}

#[test]
fn replies_before_a_line_that_is_too_long_arrive() {
    let (server, reply) = server_with_big();
    let input = [&b"get big\r\nget big\r\n"[..], &b"x".repeat(3 << 20)].concat();
    check_end(&server, &reply, &input, 2, "");
}

#[test]
fn replies_before_a_web_request_arrive() {
    let (server, reply) = server_with_big();
    let body = "x".repeat(1 << 20);
    let input = format!("get big\r\nGET /index.html HTTP/1.1\r\nHost: example\r\n\r\n{body}");
    check_end(&server, &reply, input.as_bytes(), 1, "");
}

#[test]
fn who_sends_no_more_is_still_answered() {
    const COUNT: usize = 6;
    let (server, reply) = server_with_big();
    let mut client = server.connect_narrow();
    client.send("get big\r\n".repeat(COUNT));
    client.end();
    let mut observer = server.connect();
    // Its input is closed long before it reads.
    observer.until_stat("stats larder", "replies_in_flight", |count| count > 0);
    for _ in 0..COUNT {
        assert!(client.bytes(reply.len()) == reply, "another reply");
    }
    assert_eq!(client.rest(), "");
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stat("stats larder", "error_closed"), 0);
}

#[test]
fn what_was_sent_before_closing_is_done() {
    const KEYS: usize = 20_000;
    let server = Running::start(config());
    let mut client = server.connect();
    let sets: String =
        (0..KEYS).map(|key| format!("set key{key} 0 0 1 noreply\r\nx\r\n")).collect();
    client.send(sets);
    drop(client);
    let mut observer = server.connect();
    observer.until_stat("stats", "total_connections", |total| total == 2);
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stat("stats", "curr_items"), KEYS as u64);
}

#[test]
fn what_was_sent_before_leaving_with_replies_unread_is_done() {
    const KEYS: usize = 1500;
    let server = Running::start(Config { threads: 1, ..config() });
    let mut observer = server.connect();
    assert_eq!(observer.set("value", &pattern(1, 1000)), "STORED\r\n");
    // Its system says that it is gone as soon as the first reply finds nobody, or even before.
    for round in 1..=100 {
        let mut client = server.connect();
        let sets: String =
            (0..KEYS).map(|key| format!("set {key} 0 0 3\r\n{round:03}\r\n")).collect();
        client.send(format!("get value\r\n{sets}"));
        drop(client);
        observer.until_stat("stats", "total_connections", |total| total == 1 + round as u64);
        observer.until_stat("stats", "curr_connections", |now| now == 1);
        assert_eq!(observer.stat("stats", "cmd_set"), (1 + round * KEYS) as u64, "{round}");
        let last = observer.get(&(KEYS - 1).to_string()).unwrap();
        assert_eq!(last, format!("{round:03}").as_bytes());
    }
}

#[test]
fn a_dump_for_nobody_ends() {
    let server = Running::start(Config { threads: 1, ..config() });
    let mut observer = server.connect();
    for key in 0..20_000 {
        observer.send(format!("set {key} 0 0 1 noreply\r\nx\r\n"));
    }
    assert_eq!(observer.stat("stats", "curr_items"), 20_000);
    let mut client = server.connect_narrow();
    client.send("lru_crawler metadump all\r\n");
    assert_eq!(client.line(), "OK\r\n");
    drop(client);
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    // Only one may run at a time.
    assert_eq!(observer.ask("lru_crawler metadump all"), "OK\r\n");
}

#[test]
fn half_a_value_takes_nothing_away() {
    let server = Running::start(config());
    let memcached = Process::memcached(&[]).unwrap();
    for addr in [server.addrs[0], memcached.address()] {
        let connect = || Client::new(TcpStream::connect(addr).unwrap());
        let mut observer = connect();
        assert_eq!(observer.set("key", b"old"), "STORED\r\n");
        for half in ["set key 0 0 10\r\nhalf", "set key 0 0 10\r\n", "append key 0 0 2\r\nx\r"] {
            let before = observer.stat("stats", "total_connections");
            let mut client = connect();
            client.send(half);
            drop(client);
            observer.until_stat("stats", "total_connections", |total| total > before);
            observer.until_stat("stats", "curr_connections", |now| now == 1);
            assert_eq!(observer.get("key").unwrap(), b"old", "{half:?}");
        }
    }
}

#[test]
fn a_value_that_is_too_large_leaves_the_connection_as_it_was() {
    let server = Running::start(config());
    let memcached = Process::memcached(&[]).unwrap();
    for addr in [server.addrs[0], memcached.address()] {
        let connect = || Client::new(TcpStream::connect(addr).unwrap());
        let mut client = connect();
        let large = pattern(1, 3_000_000);
        for _ in 0..3 {
            assert_eq!(client.set("key", b"old"), "STORED\r\n");
            assert_eq!(client.set("key", &large), "SERVER_ERROR object too large for cache\r\n");
            // The writer believes the old value to be gone, and so it is.
            assert_eq!(client.get("key"), None);
        }
        // Also when the connection ends behind it.
        let head = format!("set key 0 0 {}\r\n", large.len());
        let pipeline = [b"set a 0 0 1\r\nx\r\n", head.as_bytes(), &large, b"\r\nget a\r\nquit\r\n"];
        client.send(pipeline.concat());
        let expected =
            "STORED\r\nSERVER_ERROR object too large for cache\r\nVALUE a 0 1\r\nx\r\nEND\r\n";
        assert_eq!(client.rest(), expected);
    }
}

#[test]
fn quiet_commands_are_done_before_a_quit() {
    let server = Running::start(config());
    let memcached = Process::memcached(&[]).unwrap();
    for addr in [server.addrs[0], memcached.address()] {
        let mut client = Client::new(TcpStream::connect(addr).unwrap());
        client.send(
            "set a 0 0 1 noreply\r\nx\r\nms b 1 q\r\ny\r\nmg miss v q\r\nmg b v k q\r\n\
             delete a noreply\r\nmd miss q\r\nget a b\r\nquit\r\nset c 0 0 1\r\nz\r\n",
        );
        assert_eq!(client.rest(), "VA 1 kb\r\ny\r\nNF\r\nVALUE b 0 1\r\ny\r\nEND\r\n", "{addr}");
        let mut observer = Client::new(TcpStream::connect(addr).unwrap());
        assert_eq!(observer.get("c"), None);
    }
}

#[test]
fn who_does_not_end_is_not_waited_for_for_ever() {
    let server = Running::start(config());
    let mut watcher = server.connect();
    assert_eq!(watcher.ask("watch connevents"), "OK\r\n");
    let mut client = server.connect();
    client.send("version\r\nquit\r\n");
    assert_eq!(client.rest(), "VERSION 1.6.45\r\n");
    let mut observer = server.connect();
    // It has read its end, and its place is kept.
    assert_eq!(observer.stat("stats", "curr_connections"), 3);
    let page = observer.stats_page("stats conns").0;
    assert!(page.iter().any(|(_, value)| value == "conn_closing"), "{page:?}");
    observer.until_stat("stats larder", "lingering_seconds_closed", |count| count == 1);
    assert_eq!(observer.stat("stats", "curr_connections"), 2);
    assert!(watcher.line().contains("type=conn_new"));
    assert!(watcher.line().contains("type=conn_new"));
    let end = watcher.line();
    assert!(end.contains("type=conn_close") && end.contains("reason=normal"), "{end}");
}

#[test]
fn who_goes_on_sending_is_cut_off() {
    const LIMIT: u64 = 16 << 20;
    let server = Running::start(Config { threads: 1, ..config() });
    let mut client = server.connect();
    client.send("quit\r\n");
    assert_eq!(client.rest(), "");
    let mut observer = server.connect();
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while client.try_send(&piece).is_ok() {
        sent += piece.len() as u64;
        assert!(sent < 4 * LIMIT, "it takes everything");
        assert_eq!(observer.ask("version"), "VERSION 1.6.45\r\n");
    }
    assert!(sent >= LIMIT, "{sent}");
    observer.until_stat("stats larder", "lingering_bytes_closed", |count| count == 1);
    assert_eq!(observer.stat("stats", "curr_connections"), 1);
    assert!(observer.stat("stats", "bytes_read") < 10_000, "they were for nobody");
}
