//! What the poller promises, on real sockets. It is compiled into each test binary, over that binary's `Poller`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "so does a test fail")]

mod readiness;
mod wakes;

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::{Events, Poller, Ready};

/// Far more than anything here takes; it ends a test that would hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// A wait that finds what is there already, and nothing else.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

fn events() -> Events {
    Events::with_capacity(NonZeroUsize::new(64).unwrap())
}

/// Both ends of a connection over loopback; the first does not block.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (here, _) = listener.accept().unwrap();
    here.set_nonblocking(true).unwrap();
    (here, there)
}

/// What is ready now, by key.
fn ready_now(poller: &mut Poller) -> Vec<Ready> {
    let mut events = events();
    poller.wait(&mut events, AT_ONCE).unwrap();
    assert!(!events.was_woken());
    let mut ready: Vec<_> = events.iter().collect();
    ready.sort_by_key(|ready| ready.key);
    ready
}

/// Waits until something is ready, which it is said to be.
fn ready_soon(poller: &mut Poller) -> Vec<Ready> {
    let mut events = events();
    poller.wait(&mut events, Some(DEADLINE)).unwrap();
    let ready: Vec<_> = events.iter().collect();
    assert!(!ready.is_empty(), "nothing became ready");
    ready
}

/// Waits until what is ready satisfies `wanted`: a peer's doings arrive one after the other.
fn until(poller: &mut Poller, mut wanted: impl FnMut(&[Ready]) -> bool) -> Vec<Ready> {
    let mut events = events();
    let started = started();
    loop {
        poller.wait(&mut events, Some(Duration::from_millis(10))).unwrap();
        let ready: Vec<_> = events.iter().collect();
        if wanted(&ready) {
            return ready;
        }
        assert!(started.elapsed() < DEADLINE, "never came; ready was {ready:?}");
    }
}

fn readable(key: u64) -> Ready {
    Ready { key, readable: true, writable: false }
}

fn writable(key: u64) -> Ready {
    Ready { key, readable: false, writable: true }
}

fn both(key: u64) -> Ready {
    Ready { key, readable: true, writable: true }
}

/// Writes until the socket takes no more.
fn fill(mut socket: &TcpStream) {
    let bytes = [0; 64 * 1024];
    loop {
        match socket.write(&bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of timeouts reads the clock")]
fn started() -> std::time::Instant {
    std::time::Instant::now()
}
