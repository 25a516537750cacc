//! Requests over UDP: what is answered and in how many datagrams, what is not, and who may ask for how much.

use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;

use larder_server::{Config, Udp};
use larder_testkit::process::Process;

use crate::datagrams::{Datagrams, Frame, frame};
use crate::kit::{Client, Running, config, pattern, until};

/// One worker, so that what it does with a datagram is done before the next.
fn config_with(udp: Udp) -> Config {
    Config { udp, threads: 1, item_bytes_max: 4 << 20, shutdown: true, ..config() }
}

fn udp() -> Udp {
    Udp { listen: vec![([127, 0, 0, 1], 0).into()], ..config().udp }
}

fn start() -> (Running, Datagrams) {
    let server = Running::start(config_with(udp()));
    let client = Datagrams::to(server.udp_addrs[0]);
    (server, client)
}

/// Sends each of these as one datagram, to Larder and to memcached, and compares every datagram of the answers.
#[track_caller]
fn judge(conversation: &[&[u8]]) {
    let (_server, ours) = start();
    // A new one for each: half a request leaves memcached's socket in the middle of it.
    let memcached = Process::memcached(&["-U", "-1", "-t", "1"]).unwrap();
    let theirs = Datagrams::to(udp_addr(&memcached));
    for request in conversation {
        let (ours, theirs) = (ours.ask(request), theirs.ask(request));
        // It says nothing in a datagram of none where it has nothing to say.
        let theirs: Vec<Frame> = theirs.into_iter().filter(|frame| frame.total > 0).collect();
        let [ours, theirs] = [ours, theirs].map(without_cas);
        assert_eq!(ours, theirs, "{}", request.escape_ascii());
    }
}

/// These frames with no CAS number in binary replies: memcached's count from 1, Larder's do not.
fn without_cas(frames: Vec<Frame>) -> Vec<Frame> {
    let mask = |mut frame: Frame| {
        if frame.payload.first() == Some(&0x81) {
            frame.payload[16..24].fill(0);
        }
        frame
    };
    frames.into_iter().map(mask).collect()
}

/// Where a memcached receives datagrams, which it says among its sockets.
fn udp_addr(memcached: &Process) -> SocketAddr {
    let mut client = Client::new(TcpStream::connect(memcached.address()).unwrap());
    let page = client.stats_page("stats conns").0;
    let addr = page.iter().find_map(|(_, value)| value.strip_prefix("udp:")).unwrap();
    addr.parse().unwrap()
}

#[test]
fn every_datagram_is_memcacheds() {
    judge(&[
        b"set a 0 0 3\r\nabc\r\n",
        b"set b 5 0 1\r\nx\r\n",
        b"get a\r\n",
        b"get a\n",
        b"get miss\r\n",
        b"get a b\r\n",
        b"get a miss\r\n",
        b"get a b miss\r\n",
        b"get a miss b\r\n",
        b"get miss a miss b miss\r\n",
        b"get miss miss\r\n",
        b"get a a a a a a a a a a a a a a a a a a a a a a a a\r\n",
        b"gat 0 a b\r\n",
        b"gat 0 a miss\r\n",
        b"incr b 1\r\n",
        b"set b 0 0 1\r\n5\r\n",
        b"incr b 1\r\n",
        b"delete b\r\n",
        b"touch a 0\r\n",
        b"flush_all 1000\r\n",
        b"verbosity 0\r\n",
        b"bogus\r\n",
    ]);
}

#[test]
fn several_requests_in_a_datagram_are_answered_as_memcached_does() {
    judge(&[
        b"set a 0 0 3\r\nabc\r\nset b 0 0 3\r\ndef\r\n",
        b"get a\r\nget b\r\nget a b\r\n",
        b"get a\r\nbogus\r\nget miss\r\nget miss a\r\nget b\r\n",
        b"set a 0 0 1 noreply\r\nx\r\nget a\r\n",
        b"set a 0 0 1 noreply\r\ny\r\n",
        b"delete nothing noreply\r\n",
        b"get a\r\n",
        b"mg a v\r\nmg b v\r\nmn\r\n",
        b"mg miss v q\r\nmn\r\n",
        b"ms c 2\r\nhi\r\nmg c v s t\r\nma c\r\nmd c q\r\n",
        b"set a 0 0 3\r\nabcdefghij\r\nget a\r\n",
        b"get a\r\nquit\r\nget a\r\n",
        b"get a\r\nget",
    ]);
    // Nothing is said here.
    judge(&[b"quit\r\n", b"get a", b"get a\r"]);
}

/// A binary request.
fn binary(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body_len = u32::try_from(extras.len() + key.len() + value.len()).unwrap().to_be_bytes();
    let [key_len, extras_len] = [key.len(), extras.len()].map(|len| u8::try_from(len).unwrap());
    let lens = [0x80, opcode, 0, key_len, extras_len, 0, 0, 0];
    [&lens, &body_len[..], &[1, 2, 3, 4], &[0; 8], extras, key, value].concat()
}

#[test]
fn binary_requests_are_answered_as_memcached_does() {
    const EXTRAS: [u8; 8] = [0; 8];
    let [get, get_quiet, noop, get_key, get_key_quiet] =
        [0, 9, 10, 12, 13].map(|opcode| move |key: &[u8]| binary(opcode, b"", key, b""));
    let set = |key: &[u8], value: &[u8]| binary(1, &EXTRAS, key, value);
    judge(&[
        &noop(b""),
        &set(b"a", b"abc"),
        &get(b"a"),
        &get_key(b"a"),
        &get(b"miss"),
        &get_quiet(b"miss"),
        &[get_quiet(b"a"), get_key_quiet(b"miss"), get_quiet(b"a"), noop(b"")].concat(),
        &binary(0x11, &EXTRAS, b"a", b"quiet"),
        &[get(b"a"), get(b"a")].concat(),
        &set(b"big", &pattern(1, 10_000)),
        &get(b"big"),
        &[get(b"a"), get(b"big"), get(b"a")].concat(),
        &binary(0x70, b"", b"", b""),
        &binary(4, b"", b"a", b""),
        // The first byte of each datagram says which protocol it speaks.
        b"get big a\r\n",
        &[get(b"big"), b"get a\r\n".to_vec()].concat(),
        &noop(b""),
        &binary(0, b"extras", b"", b""),
        &binary(7, b"", b"", b""),
    ]);
    let (server, client) = start();
    let whole = binary(1, &EXTRAS, b"key", b"value");
    for len in 1..whole.len() {
        assert_eq!(client.ask(&whole[..len]), [], "{len} bytes");
        assert_eq!(client.text(b"get key\r\n"), "END\r\n", "{len} bytes");
    }
    let mut observer = server.connect();
    assert_eq!(observer.stat("stats larder", "memory_draft_bytes"), 0);
    let stats = client.ask(&[binary(0x10, b"", b"", b""), noop(b"")].concat());
    let total = u16::try_from(stats.len()).unwrap();
    assert!(total > 2 && stats.iter().all(|frame| frame.total == total), "one message: {stats:?}");
}

#[test]
fn long_replies_are_cut_as_memcached_does() {
    let set = |key: &str, len| {
        let head = format!("set {key} 0 0 {len}\r\n");
        [head.as_bytes(), &pattern(3, len), b"\r\n"].concat()
    };
    let lens = [1360, 1369, 1370, 1371, 1376, 1392, 2777, 10_000, 40_000];
    for len in lens {
        let set = set("k", len);
        judge(&[&set, b"set a 0 0 1\r\nx\r\n", b"get k\r\n", b"get a k a\r\n"]);
        if len < 20_000 {
            judge(&[&set, b"get k miss\r\nget k\r\n", b"mg k v k\r\n"]);
        }
    }
    let keys: Vec<u8> = (0..400).flat_map(|key| format!(" key{key:06}").into_bytes()).collect();
    judge(&[
        b"set key000003 0 0 1\r\nx\r\n",
        &[b"get", &keys[..], b"\r\n"].concat(),
        &[&b"x".repeat(3000)[..], b"\r\n"].concat(),
    ]);
}

#[test]
fn frames_are_judged_by_memcached_too() {
    let (_server, ours) = start();
    let memcached = Process::memcached(&["-U", "-1", "-t", "1"]).unwrap();
    let theirs = Datagrams::to(udp_addr(&memcached));
    let request = b"delete nothing\r\n";
    const EDGES: [u16; 5] = [0, 1, 2, 256, u16::MAX];
    for total in EDGES {
        for (id, sequence, reserved) in
            EDGES.into_iter().flat_map(|edge| [(edge, 0, 0), (7, edge, 0), (7, 0, edge)])
        {
            let datagram = frame(id, sequence, total, reserved, request);
            let (ours, theirs) = (ours.exchange(&datagram), theirs.exchange(&datagram));
            assert_eq!(ours, theirs, "{id} {sequence} {total} {reserved}");
            assert_eq!(ours.len(), usize::from(total == 1), "{id} {sequence} {total} {reserved}");
        }
    }
    for len in 0..=8 {
        let datagram = &frame(7, 0, 1, 0, request)[..len];
        assert_eq!(ours.exchange(datagram), theirs.exchange(datagram), "{len} bytes");
    }
}

#[test]
fn every_datagram_is_counted_once() {
    let (server, client) = start();
    let mut observer = server.connect();
    let mut sent = 0;
    for (name, datagrams) in [
        (
            "udp_answered",
            &[frame(1, 0, 1, 0, b"version\r\n"), frame(1, 0, 1, 0, b"get a\r\nget")][..],
        ),
        (
            "udp_quiet",
            &[frame(1, 0, 1, 0, b"quit\r\n"), frame(1, 0, 1, 0, b"delete a noreply\r\n")],
        ),
        (
            "udp_half_requests",
            &[frame(1, 0, 1, 0, b"get a"), frame(1, 0, 1, 0, b"set a 0 0 9\r\nx")],
        ),
        ("udp_short_dropped", &[vec![], vec![0; 7]]),
        ("udp_fragments_dropped", &[vec![0; 8], frame(1, 0, 2, 0, b"version\r\n")]),
        ("udp_no_requests_dropped", &[frame(1, 0, 1, 0, b""), frame(1, 0, 1, 0, b"ERROR\r\n")]),
    ] {
        let before = observer.stat("stats larder", name);
        for datagram in datagrams {
            let answers = client.exchange(datagram);
            assert_eq!(answers.is_empty(), name != "udp_answered", "{}", datagram.escape_ascii());
            sent += 1;
        }
        // The exchanges end with a datagram each that is answered.
        let expected = if name == "udp_answered" { 4 } else { 2 };
        assert_eq!(observer.stat("stats larder", name), before + expected, "{name}");
    }
    let page = observer.stats("stats larder");
    let number = |name: &str| page[name].parse::<u64>().unwrap();
    assert_eq!(number("udp_received"), 2 * sent);
    let outcomes = ["answered", "quiet", "half_requests", "short_dropped", "fragments_dropped"]
        .into_iter()
        .chain(["no_requests_dropped", "over_reply_limit", "over_reply_rate", "unsent_replies"]);
    let sum: u64 = outcomes.map(|outcome| number(&format!("udp_{outcome}"))).sum();
    assert_eq!(sum, number("udp_received"), "{page:?}");
}

#[test]
fn half_a_request_leaves_nothing_behind() {
    let (server, client) = start();
    for half in [&b"set a 0 0 100000\r\nhalf"[..], b"set a 0 0 3\r\n", b"get a", b"mg a"] {
        assert_eq!(client.ask(half), []);
        // Nor does the next datagram complete it.
        assert_eq!(client.text(b"get a\r\n"), "END\r\n");
    }
    let mut observer = server.connect();
    assert_eq!(observer.stat("stats larder", "memory_draft_bytes"), 0);
    // A value that is too large takes the old one with it, and no datagram after it for its own.
    assert_eq!(client.text(b"set a 0 0 1\r\nx\r\n"), "STORED\r\n");
    assert_eq!(
        client.text(b"set a 0 0 9000000\r\nx"),
        "SERVER_ERROR object too large for cache\r\n"
    );
    assert_eq!(client.text(b"get a\r\n"), "END\r\n");
}

#[test]
fn a_datagram_buys_so_many_bytes_and_no_more() {
    let listen = udp().listen;
    let server = Running::start(config_with(Udp { reply_bytes_max: 3 * 1400, ..udp_at(listen) }));
    let client = Datagrams::to(server.udp_addrs[0]);
    let mut observer = server.connect();
    let fitting = 3 * 1392 - "VALUE fit 0 4145\r\n\r\nEND\r\n".len();
    observer.set("fit", &pattern(1, fitting));
    observer.set("big", &pattern(1, fitting + 1));
    observer.set("huge", &pattern(1, 3_000_000));
    observer.set("one", b"1");
    let whole = client.ask(b"get fit\r\n");
    assert_eq!(whole.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>(), [1392; 3]);
    let over = |observer: &mut Client| observer.stat("stats larder", "udp_over_reply_limit");
    assert_eq!(over(&mut observer), 0);
    for (request, answers, count) in [
        (&b"get big\r\n"[..], 0, 1),
        (b"get huge\r\n", 0, 2),
        // What fits is sent, in whole messages; what follows is not even looked at.
        (b"get one big one\r\nset one 0 0 1\r\n2\r\n", 1, 3),
        (b"get one\r\n", 1, 3),
    ] {
        let frames = client.ask(request);
        assert_eq!(frames.len(), answers, "{}", request.escape_ascii());
        assert!(frames.iter().all(|frame| frame.payload.starts_with(b"VALUE one 0 1\r\n1\r\n")));
        assert_eq!(over(&mut observer), count, "{}", request.escape_ascii());
    }
    // Small replies add up, headers included: 26 bytes each.
    let many = client.ask(&[b"get", &b" one".repeat(5000)[..], b"\r\n"].concat());
    assert_eq!(many.len(), 3 * 1400 / "12345678VALUE one 0 1\r\n1\r\n".len());
    assert_eq!(observer.stat("stats larder", "memory_pinned_bytes"), 0);
}

fn udp_at(listen: Vec<SocketAddr>) -> Udp {
    Udp { listen, ..config().udp }
}

#[test]
fn a_second_buys_so_many_bytes_and_no_more() {
    let rate = NonZeroU64::new(10_000);
    let server = Running::start(config_with(Udp { reply_bytes_per_second: rate, ..udp() }));
    let client = Datagrams::to(server.udp_addrs[0]);
    let mut observer = server.connect();
    observer.set("key", &pattern(1, 4000));
    // Two are answered in a second, however many ask.
    let before = observer.stat("stats", "uptime");
    for _ in 0..200 {
        client.send(b"get key\r\n");
    }
    observer.until_stat("stats larder", "udp_received", |received| received == 200);
    let seconds = observer.stat("stats", "uptime") - before + 1;
    let frames = client.take_all();
    assert!(frames.iter().all(|frame| frame.total == 3), "{frames:?}");
    let answered = frames.len() as u64 / 3;
    assert!((1..=2 * seconds).contains(&answered), "{answered} in {seconds} s");
    assert_eq!(observer.stat("stats larder", "udp_over_reply_rate"), 200 - answered);
    // It is not for ever.
    until("a new second", || {
        client.send(b"get key\r\n");
        client.take_all().len() >= 3
    });
}

#[test]
fn walking_the_store_ends_a_datagram() {
    let (server, client) = start();
    let frames = client.ask(b"stats larder\r\nversion\r\n");
    assert!(frames.last().unwrap().payload.ends_with(b"END\r\n"));
    let frames = client.ask(&b"stats sizes\r\n".repeat(1000));
    assert_eq!(frames.len(), 1);
    drop(server);
}

#[test]
fn answers_without_end_are_not_begun() {
    let mut config = config_with(udp());
    config.tuning.track_sizes = true;
    let server = Running::start(config);
    let client = Datagrams::to(server.udp_addrs[0]);
    for (request, expected) in [
        (&b"lru_crawler metadump all\r\n"[..], "ERROR metadump not allowed\r\n"),
        (b"watch\r\n", "CLIENT_ERROR watch commands not allowed\r\n"),
        (b"lru_crawler mgdump all\r\n", "ERROR metadump not allowed\r\n"),
        (b"stats sizes\r\n", "CLIENT_ERROR not over UDP\r\n"),
        (b"stats cachedump 1 0\r\n", "CLIENT_ERROR not over UDP\r\n"),
        (b"watch\r\n", "CLIENT_ERROR watch commands not allowed\r\n"),
    ] {
        assert_eq!(client.text(request), expected);
    }
    // Nor do they keep anybody else from it.
    assert_eq!(server.connect().ask("lru_crawler metadump all"), "OK\r\n");
}

#[test]
fn a_datagram_stops_no_server() {
    let (server, client) = start();
    assert_eq!(client.text(b"shutdown\r\n"), "SERVER_ERROR: shutdown not enabled\r\n");
    assert_eq!(client.text(b"version\r\n"), "VERSION 1.6.45\r\n");
    // A client that was connected is believed.
    let mut client = server.connect();
    client.send("shutdown\r\n");
    assert!(client.ends());
}

#[test]
fn sockets_count_as_connections_and_are_listed() {
    let server = Running::start(Config { threads: 3, ..config_with(udp()) });
    let memcached = Process::memcached(&["-U", "-1", "-t", "3"]).unwrap();
    let mut ours = server.connect();
    let mut theirs = Client::new(TcpStream::connect(memcached.address()).unwrap());
    for client in [&mut ours, &mut theirs] {
        // Each thread counts its socket when it starts.
        client.until_stat("stats", "curr_connections", |now| now == 4);
        let page = client.stats_page("stats conns").0;
        let (sockets, others): (Vec<_>, Vec<_>) =
            page.iter().partition(|(_, value)| value.starts_with("udp:127.0.0.1:"));
        assert_eq!(sockets.len(), 3, "{page:?}");
        for (name, _) in sockets {
            let (descriptor, _) = name.split_once(':').unwrap();
            let state = format!("{descriptor}:state");
            assert!(others.iter().any(|(name, value)| *name == state && value == "conn_read"));
            let listen_addr = format!("{descriptor}:listen_addr");
            assert!(others.iter().all(|(name, _)| *name != listen_addr), "{page:?}");
        }
    }
}

#[test]
fn a_hundred_sources_are_answered_by_all_workers() {
    const SOURCES: usize = 100;
    let server = Running::start(Config { threads: 4, ..config_with(udp()) });
    let clients: Vec<Datagrams> =
        (0..SOURCES).map(|_| Datagrams::to(server.udp_addrs[0])).collect();
    for round in 0..3 {
        for (index, client) in clients.iter().enumerate() {
            client.send(
                format!("set key{index} 0 0 3\r\n{index:03}\r\nget key{index}\r\n").as_bytes(),
            );
        }
        for (index, client) in clients.iter().enumerate() {
            let expected =
                ["STORED\r\n".to_owned(), format!("VALUE key{index} 0 3\r\n{index:03}\r\nEND\r\n")];
            for expected in expected {
                assert_eq!(client.take().unwrap().payload, expected.as_bytes(), "{round}: {index}");
            }
        }
    }
    let mut observer = server.connect();
    let page = observer.stats("stats larder");
    assert_eq!(page["udp_answered"], (3 * SOURCES).to_string());
    // Each worker has a socket: the system would have to be very unfair to leave one of four without work.
    let conns = observer.stats_page("stats conns").0;
    let sockets = conns.iter().filter(|(_, value)| value.starts_with("udp:"));
    assert_eq!(sockets.count(), 4);
}

#[test]
fn clients_have_their_turns_while_datagrams_pour_in() {
    let server = Running::start(config_with(udp()));
    let mut client = server.connect();
    client.set("key", b"value");
    let flood = Datagrams::to(server.udp_addrs[0]);
    std::thread::scope(|scope| {
        let (stop, is_stopped) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let many = [b"get", &b" key".repeat(1000)[..], b"\r\n"].concat();
            while is_stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                flood.send(&many);
            }
        });
        client.until_stat("stats larder", "udp_received", |received| received > 0);
        for _ in 0..200 {
            assert_eq!(client.get("key").unwrap(), b"value");
        }
        drop(stop);
    });
}

#[test]
fn udp_may_be_all_there_is() {
    let mut server = Running::start(Config { listen: Vec::new(), ..config_with(udp()) });
    let client = Datagrams::to(server.udp_addrs[0]);
    assert_eq!(client.text(b"version\r\n"), "VERSION 1.6.45\r\n");
    let settings = client.ask(b"stats settings\r\n");
    let text = settings.iter().flat_map(|frame| frame.payload.clone()).collect::<Vec<u8>>();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("STAT udpport {}\r\n", server.udp_addrs[0].port())), "{text}");
    assert!(text.contains("STAT tcpport 0\r\n"), "{text}");
    server.stop.stop_gracefully();
    server.ended().unwrap();
}

#[test]
fn several_addresses_are_served() {
    let mut listen: Vec<SocketAddr> = vec![([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()];
    if std::net::UdpSocket::bind("[::1]:0").is_ok() {
        listen.push("[::1]:0".parse().unwrap());
    }
    let server = Running::start(Config { threads: 2, ..config_with(udp_at(listen.clone())) });
    assert_eq!(server.udp_addrs.len(), listen.len());
    for (addr, asked) in server.udp_addrs.iter().zip(listen) {
        assert_eq!(addr.ip(), asked.ip());
        assert_eq!(addr.port(), server.udp_addrs[0].port(), "one port for all");
        for _ in 0..10 {
            assert_eq!(Datagrams::to(*addr).text(b"version\r\n"), "VERSION 1.6.45\r\n", "{addr}");
        }
    }
}

#[test]
fn an_address_that_somebody_has_is_refused() {
    let (server, _) = start();
    let again = Config { udp: udp_at(server.udp_addrs.clone()), ..config() };
    let refused = larder_server::Server::bind(again).unwrap_err().to_string();
    assert!(refused.contains("UDP address 127.0.0.1"), "{refused}");
    assert!(refused.contains("in use"), "{refused}");
}
