//! `stats`: what is counted, beside a memcached that counts the same conversation.

use std::collections::BTreeMap;
use std::net::TcpStream;

use larder_server::Config;
use larder_testkit::process::Process;

use crate::kit::{Client, Running, config, pattern};

#[test]
fn a_fresh_server_has_counted_nothing() {
    let server = Running::start(like_memcached());
    let mut client = server.connect();
    let (page, len) = client.stats_page("stats");
    assert!(len < 4096, "monitors read one page: {len} bytes");
    let zero = ["cmd_", "get_", "delete_", "incr_", "decr_", "cas_", "touch_", "store_", "evict"];
    for (name, value) in &page {
        if zero.iter().any(|start| name.starts_with(start)) {
            assert_eq!(value, "0", "{name}");
        }
    }
    let number = |name: &str| page.iter().find(|(found, _)| found == name).unwrap().1.clone();
    for (name, expected) in [
        ("curr_connections", "1"),
        ("total_connections", "1"),
        ("curr_items", "0"),
        ("total_items", "0"),
        ("bytes", "0"),
        ("bytes_read", "7"),
        ("bytes_written", "0"),
        ("limit_maxbytes", "67108864"),
        ("accepting_conns", "1"),
        ("listen_disabled_num", "0"),
        ("threads", "2"),
    ] {
        assert_eq!(number(name), expected, "{name}");
    }
}

#[test]
fn names_and_their_order_are_memcacheds() {
    let server = Running::start(like_memcached());
    let memcached = Process::memcached(MEMCACHED_ARGS).unwrap();
    let mut ours = server.connect();
    let mut theirs = Client::new(TcpStream::connect(memcached.address()).unwrap());
    for (client, key) in [(&mut ours, "key"), (&mut theirs, "key")] {
        assert_eq!(client.set(key, b"value"), "STORED\r\n");
    }
    for command in ["stats", "stats settings", "stats items", "stats slabs"] {
        let names = |client: &mut Client| -> Vec<String> {
            let page = client.stats_page(command).0.into_iter().map(|(name, _)| name);
            // A memcached that is built with TLS has settings for it.
            page.filter(|name| name == "ssl_enabled" || !name.starts_with("ssl_")).collect()
        };
        assert_eq!(names(&mut ours), names(&mut theirs), "{command}");
    }
}

#[test]
fn every_command_counts_what_it_counts_in_memcached() {
    let server = Running::start(like_memcached());
    let memcached = Process::memcached(MEMCACHED_ARGS).unwrap();
    let mut ours = Counted::new(server.connect());
    let mut theirs = Counted::new(Client::new(TcpStream::connect(memcached.address()).unwrap()));
    let large = format!("set large 0 0 100000\r\n{}\r\n", "x".repeat(100_000));
    let too_large = format!("set a 0 0 1048576\r\n{}\r\n", "x".repeat(1 << 20));
    let before =
        BEFORE_FLUSH.iter().copied().chain([&*large, &*too_large, "append large 0 0 1\r\nx\r\n"]);
    let after = AFTER_FLUSH.iter().copied();
    let steps = before.map(|step| (step, &[][..])).chain(after.map(|step| (step, LATER)));
    let mut differences = Vec::new();
    for (index, (step, differs_here)) in steps.enumerate() {
        let shown: String = step.chars().take(60).collect();
        let (our_page, their_page) = (ours.count(step), theirs.count(step));
        for (name, our) in &our_page {
            let may_differ = |names: &[&str]| names.contains(&&**name);
            let their = their_page.get(name).map_or("nothing", |their| their);
            if our == their
                || may_differ(differs_here)
                || MAY_DIFFER.iter().any(|(names, _)| may_differ(names))
            {
                continue;
            }
            differences.push(format!("{index} {shown:?}: {name} is {our}, memcached's {their}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_reset_forgets_what_was_counted_and_nothing_else() {
    let server = Running::start(like_memcached());
    let mut client = server.connect();
    let crowd: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    assert_eq!(client.set("key", b"value"), "STORED\r\n");
    client.get("key");
    client.until_stat("stats", "total_connections", |total| total == 4);
    let before = client.stats("stats");
    assert_eq!(client.ask("stats reset"), "RESET\r\n");
    let after = client.stats("stats");
    for name in ["cmd_get", "cmd_set", "get_hits", "total_items", "total_connections"] {
        assert_ne!(before[name], "0", "{name}");
        assert_eq!(after[name], "0", "{name}");
    }
    for name in ["curr_items", "bytes", "curr_connections", "limit_maxbytes", "hash_bytes"] {
        assert_ne!(before[name], "0", "{name}");
        assert_eq!(after[name], before[name], "{name}");
    }
    drop(crowd);
}

#[test]
fn connections_are_shown_with_what_they_are_busy_with() {
    let server = Running::start(Config { item_bytes_max: 8 << 20, ..like_memcached() });
    let mut observer = server.connect();
    assert_eq!(observer.set("big", &pattern(1, 7 << 20)), "STORED\r\n");
    let mut idle = server.connect();
    assert_eq!(idle.ask("version"), "VERSION 1.6.45\r\n");
    let mut sending = server.connect();
    sending.send("set key 0 0 10\r\nhalf");
    let mut refused = server.connect();
    refused.send("set key 0 0 10000000\r\nhalf");
    assert_eq!(refused.line(), "SERVER_ERROR object too large for cache\r\n");
    let mut reading = server.connect_narrow();
    reading.send("get big\r\n");
    observer.until_stat("stats larder", "replies_in_flight", |count| count == 1);
    observer.until_stat("stats larder", "incomplete_value_bytes", |bytes| bytes > 0);

    let page = observer.stats("stats conns");
    let listening = format!("tcp:{}", server.addrs[0]);
    let state_of = |client: &Client| {
        let peer = format!("tcp:{}", client.stream().local_addr().unwrap());
        let addr = page.iter().find(|(_, value)| **value == peer);
        let (name, _) = addr.unwrap_or_else(|| panic!("{peer}: {page:?}"));
        let descriptor = name.strip_suffix(":addr").unwrap();
        assert_eq!(page[&format!("{descriptor}:listen_addr")], listening);
        let seconds = &page[&format!("{descriptor}:secs_since_last_cmd")];
        assert!(seconds.parse::<u32>().unwrap() < 60, "{seconds}");
        page[&format!("{descriptor}:state")].clone()
    };
    for (client, state) in [
        (&observer, "conn_parse_cmd"),
        (&idle, "conn_read"),
        (&sending, "conn_nread"),
        (&refused, "conn_swallow"),
        (&reading, "conn_mwrite"),
    ] {
        assert_eq!(state_of(client), state);
    }
    let listeners: Vec<_> = page.iter().filter(|(_, state)| *state == "conn_listening").collect();
    assert_eq!(listeners.len(), 1);
    let listener = listeners[0].0.strip_suffix(":state").unwrap();
    assert_eq!(page[&format!("{listener}:addr")], listening);
    assert!(!page.contains_key(&format!("{listener}:listen_addr")));
    drop((idle, sending, refused, reading));
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    assert_eq!(observer.stats("stats conns").len(), 3 + 4);
}

/// A client that knows how many bytes went either way.
struct Counted {
    client: Client,
    sent: usize,
    received: usize,
}

impl Counted {
    const fn new(client: Client) -> Self {
        Self { client, sent: 0, received: 0 }
    }

    /// Sends commands, waits for their answers, and returns the statistics after that.
    fn count(&mut self, commands: &str) -> BTreeMap<String, String> {
        // A command whose answer cannot be mistaken ends each step, and shows that nothing more comes.
        let sent = format!("{commands}version\r\n");
        self.client.send(&sent);
        loop {
            let line = self.client.line();
            self.received += line.len();
            if line.starts_with("VERSION ") {
                break;
            }
        }
        let (page, len) = self.client.stats_page("stats");
        let page: BTreeMap<_, _> = page.into_iter().collect();
        self.sent += sent.len() + "stats\r\n".len();
        if commands == RESET {
            // What was counted in this turn before the reset is forgotten; what it sent afterwards is not.
            self.sent = page["bytes_read"].parse().unwrap();
            self.received = page["bytes_written"].parse().unwrap();
        }
        assert_eq!(page["bytes_read"], self.sent.to_string(), "{commands:?}");
        assert_eq!(page["bytes_written"], self.received.to_string(), "{commands:?}");
        self.received += len;
        page
    }
}

/// What need not be equal, and why.
const MAY_DIFFER: &[(&[&str], &str)] = &[
    (
        &["conn_yields"],
        "a turn ends after a request for statistics, in memcached after -R requests",
    ),
    (&["pid", "uptime", "time", "version", "rusage_user", "rusage_system"], "two processes"),
    (&["libevent"], "there is none"),
    (&["total_connections", "connection_structures"], "memcached counts its listener"),
    (&["response_obj_count", "response_obj_bytes"], "replies are not objects"),
    (&["read_buf_bytes", "read_buf_bytes_free"], "one buffer a worker, of another size"),
    (&["reserved_fds"], "other descriptors are open"),
    (&["hash_power_level", "hash_bytes"], "the index has another shape"),
    (&["lru_crawler_starts", "lru_crawler_running", "crawler_items_checked"], "no such thread"),
    (&["lru_maintainer_juggles", "lrutail_reflocked"], "no such thread"),
    (&["moves_to_cold", "moves_to_warm", "moves_within_lru"], "other queues"),
    (
        &["reclaimed", "expired_unfetched"],
        "memcached counts only what its own search finds expired",
    ),
    (&["bytes_written"], "pages have other lengths: checked against what arrived instead"),
    (&["bytes_read"], "checked against what was sent instead"),
];

/// What differs once a flush has happened: here all items are gone at once, in memcached when somebody meets them.
const LATER: &[&str] = &["bytes", "curr_items"];

const RESET: &str = "stats reset\r\n";

const BEFORE_FLUSH: &[&str] = &[
    "get a\r\n",
    "set a 0 0 1\r\n1\r\n",
    "get a\r\n",
    "get a b c a\r\n",
    "gets a b\r\n",
    "set b 5 0 10 noreply\r\n0123456789\r\n",
    "add a 0 0 1\r\n2\r\n",
    "add c 0 0 1\r\n2\r\n",
    "replace none 0 0 1\r\n2\r\n",
    "replace a 0 0 1\r\n2\r\n",
    "append none 0 0 1\r\n2\r\n",
    "append a 0 0 2\r\n34\r\n",
    "prepend a 0 0 1\r\n1\r\n",
    "cas none 0 0 1 1\r\nx\r\n",
    "cas a 0 0 1 999999\r\nx\r\n",
    "incr a 1\r\n",
    "incr none 1\r\n",
    "incr a x\r\n",
    "decr a 1\r\n",
    "decr none 1\r\n",
    "set text 0 0 3\r\nabc\r\n",
    "incr text 1\r\n",
    "set n 0 0 1\r\n9\r\n",
    "incr n 1\r\n",
    "incr n 99999999999\r\n",
    "touch a 100\r\n",
    "touch none 100\r\n",
    "gat 100 a\r\n",
    "gat 100 none a b\r\n",
    "gats 100 a\r\n",
    "delete a\r\n",
    "delete a\r\n",
    "delete b noreply\r\n",
    // In one step: between two, background work of either server may be the first to find them.
    "set expired 0 -1 1\r\nx\r\nget expired\r\n",
    "touch c -1\r\nget c\r\n",
    "set bad 0 0\r\n",
    "nonsense\r\n",
    "verbosity 0\r\n",
    "set d 0 0 1\r\nx\r\nset e 0 0 1\r\ny\r\nget d e\r\n",
];

const AFTER_FLUSH: &[&str] = &[
    "flush_all\r\nget d\r\n",
    "set d 0 0 1\r\nz\r\n",
    RESET,
    "get d\r\n",
    "flush_all 100 noreply\r\n",
    "get d\r\n",
];

fn like_memcached() -> Config {
    Config { threads: 2, connections_max: 1024, ..config() }
}

const MEMCACHED_ARGS: &[&str] = &["-t", "2", "-m", "64", "-c", "1024"];
