//! Registration, interest and events.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use socket2::SockRef;

use super::{both, fill, pair, readable, ready_now, ready_soon, until, writable};
use crate::{Events, Interest, Poller, Ready};

const BOTH: Interest = Interest { read: true, write: true };
const NEITHER: Interest = Interest { read: false, write: false };

#[test]
fn bytes_make_a_socket_readable_until_they_are_read() {
    let mut poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    let here = poller.register(here, 7, Interest::READ).unwrap();
    assert_eq!(ready_now(&mut poller), []);
    there.write_all(b"hello").unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(7)]);
    assert_eq!(ready_now(&mut poller), [readable(7)], "level-triggered");
    assert_eq!((&*here).read(&mut [0; 2]).unwrap(), 2);
    assert_eq!(ready_now(&mut poller), [readable(7)], "three bytes are left");
    assert_eq!((&*here).read(&mut [0; 16]).unwrap(), 3);
    assert_eq!(ready_now(&mut poller), []);
}

#[test]
fn a_socket_is_writable_until_it_is_full() {
    let mut poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    let here = poller.register(here, 1, Interest::WRITE).unwrap();
    assert_eq!(ready_now(&mut poller), [writable(1)]);
    assert_eq!(ready_now(&mut poller), [writable(1)], "level-triggered");
    fill(&here);
    // What was in flight may still make room.
    until(&mut poller, |ready| {
        fill(&here);
        ready.is_empty()
    });
    let mut bytes = vec![0; 1 << 20];
    there.set_nonblocking(true).unwrap();
    until(&mut poller, |ready| {
        let _ = (&there).read(&mut bytes);
        ready == [writable(1)]
    });
    there.flush().unwrap();
}

#[test]
fn an_accept_is_a_read() {
    let mut poller = Poller::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = poller.register(listener, 3, Interest::READ).unwrap();
    assert_eq!(ready_now(&mut poller), []);
    let _there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(3)]);
    listener.accept().unwrap();
    assert_eq!(ready_now(&mut poller), []);
}

#[test]
fn interest_decides_what_is_reported() {
    let cases: &[(Interest, &[Ready])] = &[
        (Interest::READ, &[readable(5)]),
        (Interest::WRITE, &[writable(5)]),
        (BOTH, &[both(5)]),
        (NEITHER, &[]),
        (NEITHER, &[]),
        (Interest::READ, &[readable(5)]),
    ];
    let mut poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    let mut here = poller.register(here, 5, Interest::READ).unwrap();
    there.write_all(b"x").unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(5)]);
    for &(interest, expected) in cases {
        here.set_interest(interest).unwrap();
        assert_eq!(here.interest(), interest);
        for _ in 0..2 {
            assert_eq!(ready_now(&mut poller), expected, "{interest:?}, level-triggered");
        }
    }
}

#[test]
fn the_end_of_the_stream_is_readable() {
    let mut poller = Poller::new().unwrap();
    let (here, there) = pair();
    let here = poller.register(here, 2, Interest::READ).unwrap();
    there.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(2)]);
    assert_eq!((&*here).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_hang_up_is_ready_for_both() {
    let mut poller = Poller::new().unwrap();
    let (here, there) = UnixStream::pair().unwrap();
    let here = poller.register(here, 2, Interest::READ).unwrap();
    drop(there);
    assert_eq!(ready_soon(&mut poller), [both(2)]);
    assert_eq!((&*here).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn a_reset_is_ready_for_both_whatever_the_interest() {
    for interest in [Interest::READ, Interest::WRITE, BOTH, NEITHER] {
        let mut poller = Poller::new().unwrap();
        let (here, there) = pair();
        let here = poller.register(here, 9, interest).unwrap();
        SockRef::from(&there).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(there);
        until(&mut poller, |ready| ready == [both(9)]);
        let error = (&*here).read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{interest:?}");
    }
}

#[test]
fn urgent_data_is_readable_and_reading_ends_it() {
    let mut poller = Poller::new().unwrap();
    let (here, there) = pair();
    let here = poller.register(here, 4, Interest::READ).unwrap();
    SockRef::from(&there).send_out_of_band(b"!").unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(4)], "or a wait would spin");
    // A server reads what it is told to read; the urgent byte itself is not part of the stream.
    let error = (&*here).read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(ready_now(&mut poller), []);
}

#[test]
fn dropping_ends_the_registration() {
    let mut poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    // The descriptor stays open through the other handle: closing alone would not end the registration.
    let here = Arc::new(here);
    let registered = poller.register(Arc::clone(&here), 8, Interest::READ).unwrap();
    there.write_all(b"x").unwrap();
    assert_eq!(ready_soon(&mut poller), [readable(8)]);
    drop(registered);
    assert_eq!(ready_now(&mut poller), []);
    let _again = poller.register(here, 88, Interest::READ).unwrap();
    assert_eq!(ready_now(&mut poller), [readable(88)]);
}

#[test]
fn a_registration_outlives_its_poller() {
    let poller = Poller::new().unwrap();
    let (here, mut there) = pair();
    let mut here = poller.register(here, 1, Interest::READ).unwrap();
    let waker = poller.waker();
    drop(poller);
    there.write_all(b"still open").unwrap();
    here.set_interest(BOTH).unwrap();
    waker.wake().unwrap();
}

#[test]
fn an_event_of_a_dropped_source_keeps_its_old_key() {
    let mut poller = Poller::new().unwrap();
    let ((a, mut to_a), (b, mut to_b)) = (pair(), pair());
    let a = poller.register(a, 1 << 32, Interest::READ).unwrap();
    let b = poller.register(b, 1, Interest::READ).unwrap();
    to_a.write_all(b"x").unwrap();
    to_b.write_all(b"x").unwrap();
    let expected = [readable(1), readable(1 << 32)];
    until(&mut poller, |ready| ready.len() == 2);
    let mut events = super::events();
    poller.wait(&mut events, super::AT_ONCE).unwrap();
    drop(a);
    // A connection that comes now may get the same descriptor; its key is another.
    let (c, _to_c) = pair();
    let c = poller.register(c, 2 << 32, Interest::READ).unwrap();
    let mut seen: Vec<_> = events.iter().collect();
    seen.sort_by_key(|ready| ready.key);
    assert_eq!(seen, expected, "the wait was before");
    assert_eq!(ready_now(&mut poller), [readable(1)]);
    drop((b, c));
}

#[test]
fn keys_come_back_as_they_went() {
    let mut poller = Poller::new().unwrap();
    for key in [0, 1, u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX - 1] {
        let (here, _there) = pair();
        let here = poller.register(here, key, Interest::WRITE).unwrap();
        assert_eq!(ready_now(&mut poller), [writable(key)]);
        drop(here);
    }
}

#[test]
fn what_cannot_be_registered_is_refused() {
    let poller = Poller::new().unwrap();
    let kind = |key, source: &Arc<TcpStream>| {
        poller.register(Arc::clone(source), key, Interest::READ).unwrap_err().kind()
    };
    let here = Arc::new(pair().0);
    assert_eq!(kind(u64::MAX, &here), io::ErrorKind::InvalidInput);
    let _registered = poller.register(Arc::clone(&here), 1, Interest::READ).unwrap();
    assert_eq!(kind(2, &here), io::ErrorKind::AlreadyExists);
}

#[test]
fn a_thousand_sockets_are_all_reported_through_a_small_list() {
    const COUNT: u64 = 1000;
    let mut poller = Poller::new().unwrap();
    let mut sockets = Vec::new();
    for key in 0..COUNT / 2 {
        let (a, b) = UnixStream::pair().unwrap();
        sockets.push(poller.register(a, key, Interest::READ).unwrap());
        sockets.push(poller.register(b, COUNT / 2 + key, Interest::READ).unwrap());
    }
    assert_eq!(ready_now(&mut poller), []);
    for socket in &sockets {
        (&**socket).write_all(b"x").unwrap();
    }
    // All stay ready, and yet a list of 16 gets round to each of them.
    let mut events = Events::with_capacity(NonZeroUsize::new(16).unwrap());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..COUNT {
        poller.wait(&mut events, super::AT_ONCE).unwrap();
        let count = events.iter().count();
        assert!((1..=17).contains(&count), "{count} in one wait");
        seen.extend(events.iter().map(|ready| ready.key));
    }
    assert!(seen.into_iter().eq(0..COUNT));
}
