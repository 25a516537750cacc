//! `-c`: how many clients are served, what the next one is told, what becomes of connection objects.

use larder_server::Config;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::kit::{Client, Running, config, until};

#[test]
fn exactly_so_many_clients_are_served() {
    for (connections_max, threads) in [(1, 1), (1, 4), (10, 3)] {
        let server = Running::start(Config { connections_max, threads, ..config() });
        let mut clients: Vec<Client> = (0..connections_max).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.ask("version"), "VERSION 1.6.45\r\n");
        }
        for _ in 0..3 {
            let mut late = server.connect();
            assert_eq!(late.line(), TOO_MANY);
            assert!(late.ends());
        }
        // One that speaks first is told as well.
        let mut late = server.connect();
        let _ = late.try_send("version\r\n");
        assert_eq!(late.line(), TOO_MANY);
        assert!(late.ends());

        let mut stay = clients.pop().unwrap();
        assert_eq!(stay.stat("stats", "max_connections"), connections_max as u64);
        assert_eq!(stay.stat("stats", "curr_connections"), connections_max as u64);
        assert_eq!(stay.stat("stats", "total_connections"), connections_max as u64);
        assert_eq!(stay.stat("stats", "rejected_connections"), 4);
        if clients.pop().is_some() {
            stay.until_stat("stats", "curr_connections", |now| now == connections_max as u64 - 1);
        } else {
            drop(stay);
            until("the only place is free", || server.connect().ask("version") != TOO_MANY);
            // That one's leaving is noticed before long too.
            until("it is free again", || server.connect().ask("version") != TOO_MANY);
            continue;
        }
        assert_eq!(server.connect().ask("version"), "VERSION 1.6.45\r\n");
    }
}

#[test]
fn connection_objects_are_recycled_and_given_back() {
    const CLIENTS: u64 = 6;
    let server = Running::start(Config { threads: 2, ..config() });
    let mut observer = server.connect();
    let objects = |observer: &mut Client| observer.stat("stats", "connection_structures");
    let crowd: Vec<Client> = (1..CLIENTS)
        .map(|_| {
            let mut client = server.connect();
            client.ask("version");
            client
        })
        .collect();
    assert_eq!(objects(&mut observer), CLIENTS);
    drop(crowd);
    observer.until_stat("stats", "curr_connections", |now| now == 1);
    for _ in 0..100 {
        assert_eq!(server.connect().ask("version"), "VERSION 1.6.45\r\n");
        assert!(objects(&mut observer) <= CLIENTS);
    }
    assert_eq!(observer.stat("stats", "total_connections"), CLIENTS + 100);
    // Idle, a server keeps only what it uses.
    observer.until_stat("stats", "connection_structures", |objects| objects == 1);
}

#[test]
fn a_storm_of_connections_is_answered() {
    const CLIENTS: usize = 2000;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let needed = 2 * CLIENTS as u64 + 1000;
    if soft < needed {
        assert!(hard >= needed, "this test needs {needed} descriptors, and {hard} are allowed");
        setrlimit(Resource::RLIMIT_NOFILE, needed, hard).unwrap();
    }
    // Not all fit the queue of connections that wait to be accepted.
    let server = Running::start(Config { connections_max: CLIENTS, backlog: 128, ..config() });
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| client.send("version\r\n"));
    for client in &mut clients {
        assert_eq!(client.line(), "VERSION 1.6.45\r\n");
    }
    assert_eq!(clients[0].stat("stats", "curr_connections"), CLIENTS as u64);
    assert_eq!(clients[0].stat("stats", "rejected_connections"), 0);
    // Dealt evenly, round robin: each of two workers has half of them, and no more objects than those.
    assert_eq!(clients[0].stat("stats", "connection_structures"), CLIENTS as u64);
    clients.truncate(1);
    clients[0].until_stat("stats", "curr_connections", |now| now == 1);
}

const TOO_MANY: &str = "ERROR Too many open connections\r\n";
