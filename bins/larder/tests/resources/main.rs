//! What the program takes from the system: descriptors, memory, time, and that it gives it back. Real processes on
//! free ports; each test ends what it starts.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use larder_testkit::process::{self, Process};

mod descriptors;
mod endings;
mod memory;
mod time;

fn start(args: &[&str]) -> Process {
    Process::larder(env!("CARGO_BIN_EXE_larder"), args).unwrap()
}

/// One connection; it waits for a bounded time.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(server: &Process) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn send(&self, bytes: impl AsRef<[u8]>) {
        self.stream().write_all(bytes.as_ref()).unwrap();
    }

    /// The next line, its end included; empty at the end of the connection.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n"));
        self.line()
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.read_exact(bytes).unwrap();
    }

    /// A number among the statistics.
    fn stat(&mut self, command: &str, name: &str) -> u64 {
        self.send(format!("{command}\r\n"));
        let mut page = BTreeMap::new();
        loop {
            let line = self.line();
            if line == "END\r\n" {
                return page[name];
            }
            let stat = line.strip_prefix("STAT ").and_then(|stat| stat.trim_end().split_once(' '));
            let (name, value) = stat.unwrap_or_else(|| panic!("{command}: {line:?}"));
            page.extend(value.parse::<u64>().ok().map(|value| (name.to_owned(), value)));
        }
    }
}

/// Polls a condition, and gives up after ten seconds.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let found = process::until(|| Ok(is_so().then_some(())));
    assert!(found.unwrap().is_some(), "not so in time: {what}");
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is the promise")]
fn now() -> Instant {
    Instant::now()
}

/// Processor time that a process takes in the next second, in clock ticks of 10 ms.
fn ticks_in_a_second(server: &Process) -> u64 {
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        // Behind the name in brackets, `utime` and `stime` are the 12th and 13th.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let times = fields.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum::<u64>()
    };
    let (begin, before) = (now(), ticks());
    until("a second has passed", || begin.elapsed() >= Duration::from_secs(1));
    ticks() - before
}

/// Idle enough: a server that tries again and again takes a hundred.
const TICKS_IDLE: u64 = 20;

/// How long a client waits for one read or write.
const PATIENCE: Duration = Duration::from_secs(20);
