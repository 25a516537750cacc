//! Watchers: what they are told, in which order, and what it costs the others when they do not listen. What each command
//! says, the transcripts hold.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::thread;
use std::time::Duration;

use larder_server::Config;

use crate::kit::{Client, Running, config, until};
use crate::unix_socket::Place;

/// A client that watches.
fn watcher(server: &Running, streams: &str) -> Client {
    watching(server.connect(), streams)
}

fn watching<S: std::io::Read + std::io::Write>(mut client: Client<S>, streams: &str) -> Client<S> {
    assert_eq!(client.ask(format!("watch {streams}")), "OK\r\n");
    client
}

/// The next line, taken apart: its number, and what follows it.
fn told<S: std::io::Read + std::io::Write>(watcher: &mut Client<S>) -> (u64, String) {
    let line = watcher.line();
    let parts: Vec<&str> = line.trim_end().splitn(3, ' ').collect();
    let [stamp, gid, text] = parts[..] else { panic!("{line:?}") };
    assert!(stamp.starts_with("ts="), "{line:?}");
    (gid.strip_prefix("gid=").unwrap().parse().unwrap(), text.to_owned())
}

#[track_caller]
fn check_told(watcher: &mut Client, expected: &str) {
    let (_, text) = told(watcher);
    assert!(text.starts_with(expected), "{text:?} is not {expected:?}");
}

/// The descriptor of a client, by its own address.
fn descriptor(asking: &mut Client, of: &Client) -> String {
    let addr = format!("tcp:{}", of.stream().local_addr().unwrap());
    let page = asking.stats("stats conns");
    let found = page.iter().find(|(name, value)| name.ends_with(":addr") && **value == addr);
    found.unwrap_or_else(|| panic!("{page:?}")).0.trim_end_matches(":addr").to_owned()
}

#[test]
fn deletions_are_told_by_command() {
    let server = Running::start(config());
    let (mut client, mut watcher) = (server.connect(), watcher(&server, "deletions"));
    for command in ["delete", "md"] {
        client.set("k", b"value");
        client.ask(format!("{command} k"));
        let expected = format!("type=deleted key=k cmd={command} clsid=1 size=5");
        assert_eq!(told(&mut watcher).1, expected);
        client.ask(format!("{command} k"));
    }
    client.set("k", b"value");
    assert_eq!(client.ask("md k C1000000"), "EX\r\n");
    assert_eq!(client.ask("md k I"), "HD\r\n");
    let cas = client.ask("mg k c").trim_end().rsplit('c').next().unwrap().to_owned();
    assert_eq!(client.ask(format!("md k C{}", cas.split(' ').next().unwrap())), "HD\r\n");
    assert_eq!(told(&mut watcher).1, "type=deleted key=k cmd=md clsid=1 size=5");
}

#[test]
fn an_eviction_is_told_at_once_and_before_what_it_made_room_for() {
    let server = Running::start(Config { memory_bytes: 8 << 20, threads: 1, ..config() });
    let (mut client, mut watcher) = (server.connect(), watcher(&server, "evictions mutations"));
    let mut evicted = Vec::new();
    for number in 0..1000 {
        let exptime = if number % 2 == 0 { 0 } else { 1000 };
        client.send(format!("set key{number} 0 {exptime} 50000\r\n{}\r\n", "x".repeat(50_000)));
        assert_eq!(client.line(), "STORED\r\n");
        client.get(&format!("key{}", number / 3 * 3));
        loop {
            let (_, text) = told(&mut watcher);
            let Some(eviction) = text.strip_prefix("type=eviction key=key") else {
                let stored = format!("type=item_store key=key{number} status=stored cmd=set");
                assert!(text.starts_with(&stored), "{text:?}");
                break;
            };
            let (key, rest) = eviction.split_once(' ').unwrap();
            let key: i32 = key.parse().unwrap();
            assert!(key < number, "{key} goes for {number}");
            let fetch = if key % 3 == 0 { "yes" } else { "no" };
            assert!(rest.starts_with(&format!("fetch={fetch} ttl=")), "{text:?}");
            assert_eq!(rest.contains("ttl=-1 "), key % 2 == 0, "{text:?}");
            assert!(rest.contains(" la=") && rest.ends_with(" clsid=29 size=50000"), "{text:?}");
            evicted.push(key);
        }
    }
    assert!(evicted.len() > 800, "{}", evicted.len());
    assert_eq!(client.stat("stats", "evictions"), evicted.len() as u64);
}

#[test]
fn what_time_has_taken_is_told_once() {
    let server = Running::start(Config { debug_commands: true, ..config() });
    let (mut client, mut watcher) = (server.connect(), watcher(&server, "fetchers"));
    for (command, status) in [("debugtime 10", "expired"), ("flush_all", "flushed")] {
        // What goes in the background may take it before.
        until(status, || {
            client.send(format!("set k 0 5 1\r\nx\r\n{command}\r\nget k k\r\nmn\r\n"));
            while client.line() != "MN\r\n" {}
            check_told(&mut watcher, "type=item_get key=k status=");
            let (_, first) = told(&mut watcher);
            check_told(&mut watcher, "type=item_get key=k status=not_found clsid=0 cfd=");
            first.starts_with(&format!("type=item_get key=k status={status} clsid=0 cfd="))
                && first.ends_with(" size=0")
        });
    }
}

#[test]
fn clients_are_told_with_their_addresses_and_descriptors() {
    let server = Running::start(config());
    let mut watcher = watcher(&server, "connevents fetchers");
    let mut asking = server.connect();
    told(&mut watcher);
    let mut client = server.connect();
    assert_eq!(client.ask("get k"), "END\r\n");
    let (addr, cfd) = (client.stream().local_addr().unwrap(), descriptor(&mut asking, &client));
    let peer = format!("rip=127.0.0.1 rport={} transport=tcp", addr.port());
    assert_eq!(told(&mut watcher).1, format!("type=conn_new {peer} cfd={cfd}"));
    let looked_up = format!("type=item_get key=k status=not_found clsid=0 cfd={cfd} size=0");
    assert_eq!(told(&mut watcher).1, looked_up);
    drop(client);
    assert_eq!(told(&mut watcher).1, format!("type=conn_close {peer} reason=normal cfd={cfd}"));
    let page = asking.stats("stats conns");
    assert!(page.values().any(|state| state == "conn_watch"), "{page:?}");
}

#[test]
fn clients_of_a_unix_socket_have_no_address() {
    let place = Place::new();
    let _server = Running::start(place.config(0o700));
    let mut watcher = watching(place.connect(), "connevents");
    drop(place.connect());
    let is_unix = |text: &str, kind: &str| {
        text.starts_with(&format!("type={kind} rip=unix rport=0 transport=local "))
    };
    let (_, came) = told(&mut watcher);
    assert!(is_unix(&came, "conn_new"), "{came:?}");
    let (_, went) = told(&mut watcher);
    assert!(is_unix(&went, "conn_close") && went.contains(" reason=normal cfd="), "{went:?}");
}

#[test]
fn reasons_of_the_server_are_told() {
    let idle_timeout = Some(Duration::from_secs(1));
    let mut server = Running::start(Config { idle_timeout, threads: 1, ..config() });
    let mut watcher = watcher(&server, "connevents");
    let idle = server.connect();
    check_told(&mut watcher, "type=conn_new ");
    let (_, closed) = told(&mut watcher);
    assert!(closed.contains(" reason=idle_timeout cfd="), "{closed:?}");
    assert!(idle.is_closed(), "and the watcher, which is silent as long, is not");
    let mut client = server.connect();
    assert_eq!(client.ask("mn"), "MN\r\n");
    check_told(&mut watcher, "type=conn_new ");
    server.stop.stop_gracefully();
    let (_, closed) = told(&mut watcher);
    assert!(closed.contains(" reason=shutdown cfd="), "{closed:?}");
    assert_eq!(watcher.line(), "", "it goes last");
    drop(watcher);
    server.ended().unwrap();
}

#[test]
fn there_are_twenty_places() {
    let server = Running::start(config());
    let mut watchers: Vec<Client> = (0..20).map(|_| watcher(&server, "")).collect();
    let mut late = server.connect();
    assert_eq!(late.ask("watch"), "WATCHER_TOO_MANY log watcher limit reached\r\n");
    assert_eq!(late.stat("stats", "log_watchers"), 20);
    assert_eq!(late.stat("stats larder", "watchers_rejected"), 1);
    drop(watchers.remove(7));
    late.until_stat("stats", "log_watchers", |count| count == 19);
    assert_eq!(late.ask("watch"), "OK\r\n");
    watchers[0].end();
    assert_eq!(watchers[0].line(), "", "whoever ends its side is not told any more");
}

#[test]
fn who_does_not_read_is_told_how_much_it_missed() {
    let server = Running::start(Config { watcher_log_bytes: 4096, threads: 2, ..config() });
    let mut slow = watching(server.connect_narrow(), "fetchers");
    let mut client = server.connect();
    let mut asked: u64 = 0;
    // What its system keeps for it, and the server's output: then its buffer fills.
    until("lines are left out", || {
        client.send("get key\r\n".repeat(1000) + "mn\r\n");
        while client.line() != "MN\r\n" {}
        asked += 1000;
        client.stat("stats", "log_watcher_skipped") > 10_000
    });
    let stats = client.stats("stats");
    let count = |name: &str| stats[name].parse::<u64>().unwrap();
    assert_eq!(count("log_worker_written"), asked);
    assert_eq!(count("log_watcher_sent") + count("log_watcher_skipped"), asked);
    assert_eq!((count("log_worker_dropped"), count("log_watchers")), (0, 1));
    let held = client.stat("stats larder", "unread_reply_bytes");
    assert!(held <= 256 << 10, "{held} bytes wait for it");
    // It reads now, and what it missed last it learns with the next line.
    let sent = count("log_watcher_sent");
    let (mut skipped, mut last) = (0, 0);
    for read in 0..=sent {
        if read == sent {
            assert_eq!(client.ask("get key"), "END\r\n");
        }
        let (mut line, mut missed) = (slow.line(), 0);
        if let Some(count) = line.strip_prefix("skipped=") {
            missed = count.trim_end().parse().unwrap();
            line = slow.line();
        }
        let gid: u64 =
            line.split(' ').nth(1).unwrap().strip_prefix("gid=").unwrap().parse().unwrap();
        assert_eq!(gid, last + missed + 1, "after {last}");
        (last, skipped) = (gid, skipped + missed);
    }
    assert_eq!((last, skipped), (asked + 1, count("log_watcher_skipped")));
    assert_eq!(client.ask("stats reset"), "RESET\r\n");
    let names = ["log_worker_written", "log_watcher_sent", "log_watcher_skipped"];
    assert_eq!(names.map(|name| client.stat("stats", name)), [0; 3]);
}

#[test]
fn lines_are_in_order_whoever_writes_them() {
    let server = Running::start(Config { threads: 4, watcher_log_bytes: 8 << 20, ..config() });
    let mut watcher = watcher(&server, "fetchers");
    thread::scope(|scope| {
        for name in 0..8 {
            let mut client = server.connect();
            scope.spawn(move || {
                for round in 0..20 {
                    let first = round * 50;
                    let keys = (first..first + 50).map(|number| format!("get {name}-{number}\r\n"));
                    client.send(keys.collect::<String>());
                    (0..50).for_each(|_| assert_eq!(client.line(), "END\r\n"));
                }
            });
        }
    });
    let (mut last, mut next) = (0, [0; 8]);
    for _ in 0..8 * 1000 {
        let (gid, text) = told(&mut watcher);
        assert_eq!(gid, last + 1);
        last = gid;
        let key = text.strip_prefix("type=item_get key=").unwrap().split(' ').next().unwrap();
        let (name, number) = key.split_once('-').unwrap();
        let expected = &mut next[name.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<i32>().unwrap(), *expected, "of client {name}");
        *expected += 1;
    }
}

#[test]
fn watchers_go_in_the_middle_of_the_load() {
    let server = Running::start(Config { threads: 4, watcher_log_bytes: 4096, ..config() });
    let (watching, rounds) = (AtomicUsize::new(3), AtomicU64::new(0));
    thread::scope(|scope| {
        for key in ["a", "b", "c"] {
            let (mut client, watching, rounds) = (server.connect(), &watching, &rounds);
            scope.spawn(move || {
                let set = format!("set {key} 0 0 1 noreply\r\nx\r\n");
                let requests = format!("{set}get {key}\r\ndelete {key}\r\n").repeat(50);
                while watching.load(Relaxed) > 0 && rounds.fetch_add(1, Relaxed) < 50_000 {
                    client.send(&requests);
                    (0..4 * 50).for_each(|_| assert_ne!(client.line(), ""));
                }
            });
        }
        for _ in 0..3 {
            let (server, watching) = (&server, &watching);
            scope.spawn(move || {
                for round in 0..60 {
                    let mut watcher = watcher(server, "fetchers mutations connevents deletions");
                    (0..round % 5).for_each(|_| assert_ne!(watcher.line(), ""));
                }
                watching.fetch_sub(1, Relaxed);
            });
        }
    });
    let mut client = server.connect();
    client.until_stat("stats", "log_watchers", |count| count == 0);
    client.until_stat("stats", "curr_connections", |count| count == 1);
    let stats = client.stats("stats");
    let [sets, deletes] =
        ["cmd_set", "delete_hits"].map(|name| stats[name].parse::<u64>().unwrap());
    assert!(sets > 0 && sets % 50 == 0 && sets == deletes, "{sets} sets, {deletes} deletes");
}

/// memcached 1.6.18 ends here.
#[test]
fn a_binary_value_that_is_refused_is_told_too() {
    let server = Running::start(config());
    let mut watcher = watcher(&server, "mutations fetchers");
    let mut client = server.connect();
    let value_len: u32 = 2 << 20;
    let mut frame = vec![0x80, 0x01, 0, 1, 8, 0, 0, 0];
    frame.extend_from_slice(&(8 + 1 + value_len).to_be_bytes());
    frame.extend_from_slice(&[0; 12 + 8]);
    frame.push(b'k');
    frame.resize(frame.len() + value_len as usize, b'x');
    client.send(frame);
    let head = client.bytes(24);
    assert_eq!(head[..8], [0x81, 1, 0, 0, 0, 0, 0, 3], "too large");
    check_told(&mut watcher, "type=item_store key=k status=too_large cmd=set ttl=0 clsid=0 cfd=");
    check_told(&mut watcher, "type=item_get key=k status=not_found clsid=0 cfd=");
}
