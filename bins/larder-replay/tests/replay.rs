//! Replays against servers: a real memcached, and Larder in this process.

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use larder_replay::{Access, Facts, Plan, Report, Trace, Verb, make, replay};
use larder_testkit::process::Process;
use support::{Larder, plan};

fn play(trace: &Trace, plan: &Plan) -> Report {
    replay(trace, plan, |_| {}).expect("the server is there and speaks the protocol")
}

/// Plays the trace against memcached and against Larder, with room for everything that it needs.
fn check_both(trace: &Trace, change: impl Fn(&mut Plan), check: impl Fn(&Report)) {
    let memcached = Process::memcached(&["-m", "256", "-t", "1"]).expect("Debian's memcached");
    let larder = Larder::start(256 << 20);
    for address in [memcached.address(), larder.address()] {
        let mut plan = plan(address);
        change(&mut plan);
        check(&play(trace, &plan));
    }
}

/// One figure of the server's `stats`.
fn stat(server: SocketAddr, name: &str) -> u64 {
    let mut stream = TcpStream::connect(server).expect("it listens");
    stream.write_all(b"stats\r\n").expect("it reads");
    let prefix = format!("STAT {name} ");
    BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix(&prefix)?.parse().ok())
        .expect("stats has a number of this name")
}

/// A trace of few keys, all kinds of accesses and all lengths, that needs less than 20 MB.
fn mixed(accesses: u64, keys: u64) -> Trace {
    let mut state = 1_u64;
    let mut draw = |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % end
    };
    let access = |_| {
        let key = draw(keys).min(draw(keys));
        let verb = match draw(10) {
            0 => Verb::Set,
            1 | 2 => Verb::Delete,
            _ => Verb::Get,
        };
        let value_len = u32::try_from(draw(40) * key % 5000).expect("small");
        Access { key, at: 0, value_len, ttl: 0, key_len: 10, verb }
    };
    Trace { name: "mixed".to_owned(), accesses: (0..accesses).map(access).collect() }
}

#[test]
fn what_fits_misses_once_a_key() {
    for (name, requests) in [("zipf1.1", 60_000), ("tw45", 30_000), ("meta-kvreg", 60_000)] {
        let trace = make(name, Some(requests), 1).expect(name);
        let keys = Facts::of(&trace).keys;
        for (connections, pipeline) in [(1, 1), (1, 300), (7, 20)] {
            check_both(
                &trace,
                |plan| (plan.connections, plan.pipeline) = (connections, pipeline),
                |report| {
                    let counts = [report.tally.misses, report.tally.fills, report.items];
                    assert_eq!(counts, [keys; 3], "{report}");
                    assert_eq!(report.tally.gets, trace.accesses.len() as u64, "{report}");
                    let none = [report.tally.refused, report.evictions, report.items_before];
                    assert_eq!(none, [0; 3], "{report}");
                },
            );
        }
    }
}

/// However long the turns are, the server answers as if each access had waited for the one before.
#[test]
fn misses_are_those_of_accesses_one_after_the_other() {
    let trace = mixed(30_000, 300);
    let (mut there, mut misses) = (BTreeSet::new(), 0);
    for Access { key, verb, .. } in &trace.accesses {
        match verb {
            Verb::Get => misses += u64::from(there.insert(*key)),
            Verb::Set => _ = there.insert(*key),
            Verb::Delete => _ = there.remove(key),
        }
    }
    for (connections, pipeline) in [(1, 1), (1, 2), (2, 50), (5, 400)] {
        check_both(
            &trace,
            |plan| (plan.connections, plan.pipeline) = (connections, pipeline),
            |report| {
                assert_eq!(report.tally.misses, misses, "{connections} {pipeline} {report}");
                assert_eq!(report.items, there.len() as u64, "{report}");
            },
        );
    }
}

#[test]
fn the_server_has_counted_the_same() {
    let server = Process::memcached(&["-m", "8"]).expect("Debian's memcached");
    let trace = make("tw22", Some(200_000), 1).expect("a name of the catalogue");
    let mut plan = plan(server.address());
    plan.pid = Some(server.pid());
    let report = play(&trace, &plan);
    let tally = report.tally;
    assert!(tally.misses > 0 && tally.sets > 0 && report.evictions > 0, "{report}");
    assert_eq!(stat(server.address(), "get_misses"), tally.misses + tally.asked_again);
    assert_eq!(stat(server.address(), "cmd_get"), tally.gets + tally.asked_again);
    assert_eq!(stat(server.address(), "cmd_set"), tally.fills + tally.sets);
    assert_eq!(report.limit_bytes, 8 << 20);
    let memory = report.memory.expect("its process was read");
    assert!((1 << 20..1 << 30).contains(&memory.resident) && memory.peak >= memory.resident);
}

/// Requests and replies of a turn are far more than the sockets hold: neither side may wait for the other.
#[test]
fn large_values_do_not_stand_in_each_others_way() {
    let access = |number: u64| {
        let (key, verb) = match number % 2 {
            0 => (number % 20, Verb::Get),
            _ => (number, Verb::Set),
        };
        Access { key, at: 0, value_len: 900_000, ttl: 0, key_len: 10, verb }
    };
    let trace = Trace { name: "large".to_owned(), accesses: (0..200).map(access).collect() };
    check_both(
        &trace,
        |plan| (plan.connections, plan.pipeline) = (2, 60),
        |report| {
            assert_eq!((report.items, report.tally.misses), (110, 10), "{report}");
            assert_eq!((report.tally.gets, report.tally.sets), (100, 100), "{report}");
        },
    );
}

#[test]
fn refused_values_are_counted() {
    let access =
        |key| Access { key, at: 0, value_len: 2 << 20, ttl: 0, key_len: 10, verb: Verb::Get };
    let trace = Trace { name: "too large".to_owned(), accesses: [0, 1, 0, 0].map(access).to_vec() };
    let check = |report: &Report| {
        let tally = report.tally;
        assert_eq!((tally.misses, tally.refused, tally.fills), (4, 4, 0), "{report}");
    };
    check_both(&trace, |_| {}, check);
}

#[test]
fn ttls_and_times_are_kept_when_asked() {
    let access = |at| Access { key: 0, at, value_len: 5, ttl: 200, key_len: 10, verb: Verb::Get };
    let trace = Trace { name: "ttl".to_owned(), accesses: [0, 1, 400, 401].map(access).to_vec() };
    for (has_ttls, misses) in [(true, 2), (false, 1)] {
        check_both(
            &trace,
            |plan| (plan.has_ttls, plan.speed) = (has_ttls, Some(100.0)),
            |report| {
                assert_eq!(report.tally.misses, misses, "{report}");
                assert!(report.elapsed >= Duration::from_secs(4), "{report}");
            },
        );
    }
}

#[test]
fn progress_is_told_and_ends_at_the_end() {
    let larder = Larder::start(64 << 20);
    let trace = make("zipf1.0", Some(10_000), 1).expect("a name of the catalogue");
    let mut seen = Vec::new();
    replay(&trace, &plan(larder.address()), |progress| seen.push(*progress)).expect("it serves");
    assert!(seen.is_sorted_by_key(|progress| (progress.sent, progress.elapsed)));
    let last = seen.last().expect("at least the end is told");
    assert_eq!((last.sent, last.tally.gets), (10_000, 10_000));
}

/// Answers each request of two connections by `answer`; ends one where that is empty.
fn lying_server(answer: fn(line: &str) -> &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let serve = move || {
        for stream in listener.incoming().take(2) {
            let stream = stream.expect("a client");
            for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                let answer = if line.starts_with("stats") { "END\r\n" } else { answer(&line) };
                if answer.is_empty() || (&stream).write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    };
    std::thread::Builder::new().spawn(serve).expect("a thread");
    address
}

#[test]
fn servers_that_misbehave_end_the_replay() {
    let trace = make("zipf1.0", Some(100), 1).expect("a name of the catalogue");
    let check = |answer: fn(&str) -> &'static str, expected: &str| {
        let mut plan = plan(lying_server(answer));
        // One request at a time: with more, an answer too many could be taken for the next one's.
        (plan.connections, plan.pipeline, plan.timeout) = (1, 1, Duration::from_millis(300));
        let error = replay(&trace, &plan, |_| {}).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(|_| "ERROR\r\n", "the server answered `ERROR`");
    check(|_| "END\r\nEND\r\n", "the server answered more than it was asked");
    check(|_| "STORED\r\n", "the server answered Stored");
    check(|_| "", "connection was lost: ");
    check(|_| "VALUE k 0 1000000\r\n", "did not answer in time");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let free = listener.local_addr().expect("it is bound");
    drop(listener);
    let error = replay(&trace, &plan(free), |_| {}).expect_err("nobody listens").to_string();
    assert!(error.contains("cannot be connected to"), "{error}");
}
