//! Descriptors run out: new clients are told, nobody burns time, and service goes on as soon as one is free.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use larder_testkit::process::{Process, is_root};

use crate::{Client, TICKS_IDLE, now, start, ticks_in_a_second, until};

#[test]
fn without_descriptors_new_clients_are_told() {
    const ROOM: usize = 3;
    let server = start(&["-c", "1000"]);
    let mut observer = Client::connect(&server);
    assert_eq!(observer.ask("version"), VERSION);
    limit(&server, limit_with_room(&server, ROOM));
    let mut served: Vec<Client> = (0..ROOM).map(|_| Client::connect(&server)).collect();
    for client in &mut served {
        assert_eq!(client.ask("version"), VERSION);
    }
    for _ in 0..10 {
        let begin = now();
        let mut late = Client::connect(&server);
        assert_eq!(late.line(), TOO_MANY);
        assert_eq!(late.line(), "", "and closed");
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    }
    assert_eq!(observer.stat("stats", "rejected_connections"), 10);
    let ticks = ticks_in_a_second(&server);
    assert!(ticks < TICKS_IDLE, "{ticks} ticks in a second");

    // One leaves: its place is free at once.
    drop(served.pop());
    let begin = now();
    until("a new client is served", || {
        let mut client = Client::connect(&server);
        client.ask_politely() == VERSION
    });
    let took = begin.elapsed();
    println!("served {took:?} after a client left");
    assert!(took < RECOVERY, "{took:?}");
    for client in &mut served {
        assert_eq!(client.ask("version"), VERSION, "the others never noticed");
    }
}

#[test]
fn without_even_the_reserve_clients_wait_and_nobody_burns_time() {
    let server = start(&["-c", "1000"]);
    let mut observer = Client::connect(&server);
    assert_eq!(observer.ask("version"), VERSION);
    let before = soft_limit(&server);
    // Below what is open already, the descriptor in reserve included: giving that up does not help.
    limit(&server, 3);
    let mut waiting: Vec<Client> = (0..5).map(|_| Client::connect(&server)).collect();
    waiting.iter().for_each(|client| client.send("version\r\n"));
    until("accepting pauses", || observer.stat("stats", "listen_disabled_num") > 0);
    let ticks = ticks_in_a_second(&server);
    assert!(ticks < TICKS_IDLE, "{ticks} ticks in a second");
    assert!(observer.stat("stats", "time_in_listen_disabled_us") > 0);

    limit(&server, before);
    let begin = now();
    for client in &mut waiting {
        assert_eq!(client.line(), VERSION);
    }
    let took = begin.elapsed();
    println!("served {took:?} after there were descriptors again");
    assert!(took < RECOVERY, "{took:?}");
    until("it accepts as before", || observer.stat("stats", "accepting_conns") == 1);
    // The reserve is there again.
    limit(&server, limit_with_room(&server, 0));
    assert_eq!(Client::connect(&server).line(), TOO_MANY);
}

#[test]
fn descriptors_are_given_back() {
    let server = start(&["-c", "1000"]);
    let mut observer = Client::connect(&server);
    assert_eq!(observer.ask("version"), VERSION);
    let before = open(&server).len();
    for _ in 0..3 {
        let mut crowd: Vec<Client> = (0..100).map(|_| Client::connect(&server)).collect();
        for client in &mut crowd {
            assert_eq!(client.ask("version"), VERSION);
        }
        assert_eq!(open(&server).len(), before + 100);
        drop(crowd);
        until("all are closed", || open(&server).len() == before);
    }
}

impl Client {
    /// Asks for the version; one that is refused may find the connection closed.
    fn ask_politely(&mut self) -> String {
        use std::io::{BufRead as _, Write as _};
        let mut line = String::new();
        let _ = self.stream().write_all(b"version\r\n");
        let _ = self.0.read_line(&mut line);
        line
    }
}

/// Descriptors that a process has open.
fn open(server: &Process) -> Vec<u64> {
    let directory = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    directory.map(|entry| name(entry).to_str().unwrap().parse().unwrap()).collect()
}

/// The limit under which a process can open so many more: a limit bounds numbers, and those that are free count.
fn limit_with_room(server: &Process, room: usize) -> u64 {
    let open = open(server);
    (0..).filter(|number| !open.contains(number)).nth(room).unwrap()
}

/// Sets the soft limit on open descriptors of a running process, as its own user: root may lack the right in a container.
fn limit(server: &Process, soft: u64) {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let id = |name: &str| -> u32 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let mut command = Command::new("prlimit");
    command.arg(format!("--pid={}", server.pid())).arg(format!("--nofile={soft}:"));
    if is_root().unwrap() {
        command.uid(id("Uid:")).gid(id("Gid:"));
    }
    assert!(command.status().expect("prlimit of util-linux is needed").success());
}

fn soft_limit(server: &Process) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

const VERSION: &str = "VERSION 1.6.45\r\n";
const TOO_MANY: &str = "ERROR Too many open connections\r\n";

/// The goal is 100 ms; a busy machine may take longer.
const RECOVERY: Duration = Duration::from_secs(2);
