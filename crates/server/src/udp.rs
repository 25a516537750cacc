//! Requests over UDP: each datagram is a conversation of its own, answered at once or not at all.
//!
//! ```text
//!   recv_from ──► parse_datagram ──► Connection::receive ──► Replies: one message a reply,
//!                   │ not a request    │ nothing to say,      cut into datagrams
//!                   ▼                  ▼ or half a request      │ over a limit, or no room
//!                counted            counted                     ▼
//!                                                             counted
//! ```
//!
//! Every worker has a socket of its own for each address, and the system deals the clients out to them: nobody is woken
//! for somebody else's datagram. Nothing waits here, so nothing grows: one machine and one buffer serve all datagrams of
//! a worker, and what the socket has no room for is dropped. Whoever sends may have forged where it came from, so a
//! datagram buys a bounded number of bytes, all of them together a bounded number a second, and what is no request
//! buys none.

mod account;
mod bind;
mod replies;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use larder_connection::{Connection, Limits, Phase};
use larder_poller::{Interest, Poller, Registered};
use larder_protocol::{UdpError, UdpRequest, parse_datagram};

pub(crate) use self::account::{Account, OUTCOMES};
pub(crate) use self::bind::bind_all;
use self::replies::{Replies, Way};
use crate::cache::Cache;
use crate::counters::Count;
use crate::roster::Record;
use crate::shared::Shared;
use crate::wire_log;

/// One worker's share of the datagrams.
#[derive(Debug)]
pub(crate) struct Datagrams {
    shared: Arc<Shared>,
    sockets: Vec<Socket>,
    /// Receives nothing between two datagrams.
    connection: Connection<Cache>,
    replies: Replies,
    /// The datagram that is being answered.
    datagram: Box<[u8]>,
}

#[derive(Debug)]
struct Socket {
    socket: Registered<UdpSocket>,
    record: Arc<Record>,
}

impl Datagrams {
    /// Waits for datagrams at these sockets, of the worker `index`; it holds no buffers if there are none.
    ///
    /// # Errors
    ///
    /// What the system says to waiting for them.
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: usize,
        sockets: Vec<UdpSocket>,
        poller: &Poller,
    ) -> io::Result<Self> {
        let now = shared.clock.now();
        let register = |(key, socket): (u64, UdpSocket)| {
            let addr = socket.local_addr()?;
            let socket = poller.register(socket, KEY_MAX - key, Interest::READ)?;
            // Whoever asks is told where it listens: it has no peer.
            let record = Record::new(socket.as_raw_fd(), name(&addr), String::new(), now);
            // It is always about to read.
            record.note(Phase::Command, now);
            let record = shared.rosters[index].add(record);
            Ok(Socket { socket, record })
        };
        let sockets: Vec<Socket> = (0..).zip(sockets).map(register).collect::<io::Result<_>>()?;
        let len = if sockets.is_empty() { 0 } else { DATAGRAM_LEN_MAX };
        Ok(Self {
            sockets,
            connection: Connection::speaking(shared.config.protocols.into(), LIMITS),
            replies: Replies::default(),
            datagram: vec![0; len].into(),
            shared,
        })
    }

    /// Gives the socket that is registered under this key a turn; false if it is none of these.
    pub(crate) fn turn(&mut self, key: u64, cache: &mut Cache) -> bool {
        let index = usize::try_from(KEY_MAX.wrapping_sub(key)).ok();
        let Some(index) = index.filter(|&index| index < self.sockets.len()) else { return false };
        let (mut received, mut calls) = (0, 0);
        while received < TURN_BYTES_MAX && calls < TURN_CALLS_MAX {
            calls += 1;
            match self.sockets[index].socket.recv_from(&mut self.datagram) {
                Ok((len, peer)) => {
                    received += len;
                    let (outcome, sent) = self.answer(index, len, peer, cache);
                    calls += sent;
                    self.note(outcome, len, peer, cache);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // A signal, or the network's word on an earlier reply: no trouble of this socket.
                Err(error) => log::debug!("UDP: {error}"),
            }
        }
        self.sockets[index].record.note(Phase::Command, cache.now());
        true
    }

    /// Receives nothing more.
    pub(crate) fn close(&mut self) {
        self.sockets.clear();
    }

    /// Answers one datagram and forgets it; says what became of it, and how many datagrams were sent.
    fn answer(
        &mut self,
        index: usize,
        len: usize,
        peer: SocketAddr,
        cache: &mut Cache,
    ) -> (Count, usize) {
        let UdpRequest { id, payload } = match parse_datagram(&self.datagram[..len]) {
            Ok(request) => request,
            Err(UdpError::Short) => return (Count::UdpShort, 0),
            Err(UdpError::Fragment) => return (Count::UdpFragment, 0),
            Err(UdpError::NoRequest) => return (Count::UdpNoRequest, 0),
        };
        let Socket { socket, record } = &self.sockets[index];
        let descriptor = record.descriptor;
        cache.begin_datagram(descriptor);
        wire_log::received(descriptor, Phase::Command, false, payload);
        let account = &self.shared.udp;
        let mut way =
            Way { socket, peer, id, account, descriptor, now: cache.now(), bytes: 0, datagrams: 0 };
        let answered = self.replies.send_all(&mut self.connection, payload, &mut way, cache);
        cache.counters().add(Count::BytesWritten, way.bytes as u64);
        let is_half = self.connection.is_half_way();
        self.connection.reset();
        let outcome = match answered {
            Err(reason) => reason,
            Ok(()) if way.datagrams > 0 => Count::UdpAnswered,
            Ok(()) if is_half => Count::UdpHalf,
            Ok(()) => Count::UdpQuiet,
        };
        (outcome, way.datagrams)
    }

    /// Counts what became of a datagram. What should not be is logged, the first of its kind and one a minute.
    fn note(&self, outcome: Count, len: usize, peer: SocketAddr, cache: &Cache) {
        let counters = cache.counters();
        counters.add_one(Count::UdpReceived);
        counters.add_one(outcome);
        counters.add(Count::BytesRead, len as u64);
        if self.shared.udp.is_news(outcome, cache.now()) {
            log::warn!(
                "UDP: a datagram of {len} bytes that says it is from {peer} {}; stats larder counts them, \
                 and this is said once a minute at most",
                outcome.in_words()
            );
        }
    }
}

/// Its form in `stats conns`.
fn name(addr: &SocketAddr) -> String {
    match addr {
        SocketAddr::V4(addr) => format!("udp:{addr}"),
        SocketAddr::V6(addr) => format!("udp6:{addr}"),
    }
}

/// Any line may be as long as its datagram. An output of one byte is full: the machine stops after each reply, which
/// memcached sends as a message of its own.
const LIMITS: Limits =
    Limits { line_len: DATAGRAM_LEN_MAX, unfinished_line_len: DATAGRAM_LEN_MAX, output_len: 1 };

/// Longest datagram there is, in bytes.
const DATAGRAM_LEN_MAX: usize = 65_535;

/// Bytes that one turn of a socket receives, and datagrams that it receives and sends: about the work that a read of a
/// client brings. The last datagram may begin below a limit and end above it.
const TURN_BYTES_MAX: usize = 32 * 1024;
const TURN_CALLS_MAX: usize = 128;

/// The key of the first socket; the next are below. No pool has so many clients that one of theirs is among them.
const KEY_MAX: u64 = u64::MAX - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::transcripts::small;

    /// Sends `count` datagrams of this payload; returns how many each turn of the socket receives.
    fn turns(payload: &[u8], count: u64) -> Vec<u64> {
        let (config, poller) = (small::config(), Poller::new().unwrap());
        let (clock, waker) = (Clock::start(), poller.waker());
        let shared = Arc::new(Shared::new(config, clock, Vec::new(), Vec::new(), waker.clone()));
        let mut cache = Cache::new(Arc::clone(&shared), 0, waker);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let addr = socket.local_addr().unwrap();
        let mut datagrams = Datagrams::new(shared, 0, vec![socket], &poller).unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..count {
            let datagram = [&[0, 1, 0, 0, 0, 1, 0, 0], payload].concat();
            client.send_to(&datagram, addr).unwrap();
        }
        let mut turns = Vec::new();
        let mut received = 0;
        while received < count {
            assert!(datagrams.turn(KEY_MAX, &mut cache));
            let now = cache.counters().get(Count::UdpReceived);
            assert!(now > received, "{received} of {count}");
            turns.push(now - received);
            received = now;
        }
        assert!(!datagrams.turn(KEY_MAX - 1, &mut cache), "there is one socket");
        assert!(!datagrams.turn(u64::MAX, &mut cache) && !datagrams.turn(0, &mut cache));
        turns
    }

    #[test]
    fn turns_are_bounded() {
        let long = [b"delete miss noreply\r\n", &b"x".repeat(10_000)[..]].concat();
        let many = [b"get", &b" a".repeat(62)[..], b"\r\nset a 0 0 1\r\nx\r\n"].concat();
        for (payload, count, expected) in [
            (&b"delete miss noreply\r\n"[..], 200, &[128, 72][..]),
            // Each is received and answered.
            (b"get miss\r\n", 200, &[64, 64, 64, 8]),
            (&long, 10, &[4, 4, 2]),
            // Two replies to the first, sixty-three to each that follows.
            (&many, 6, &[3, 2, 1]),
        ] {
            assert_eq!(turns(payload, count), expected, "{}", payload.escape_ascii());
        }
    }
}
