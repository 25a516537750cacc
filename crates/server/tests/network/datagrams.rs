//! A client that speaks UDP.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// One datagram of an answer.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) id: u16,
    pub(crate) sequence: u16,
    pub(crate) total: u16,
    pub(crate) reserved: u16,
    pub(crate) payload: Vec<u8>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, sequence, total, reserved, payload } = self;
        let head = &payload[..payload.len().min(60)];
        write!(f, "{id} {sequence}/{total} {reserved} {}: {}", payload.len(), head.escape_ascii())
    }
}

/// A datagram of these header fields.
pub(crate) fn frame(id: u16, sequence: u16, total: u16, reserved: u16, payload: &[u8]) -> Vec<u8> {
    let header = [id, sequence, total, reserved].map(u16::to_be_bytes).concat();
    [&header, payload].concat()
}

/// A client of one server; whatever it waits for, it waits for a bounded time.
pub(crate) struct Datagrams {
    socket: UdpSocket,
}

impl Datagrams {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(SocketAddr::new(server.ip(), 0)).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// Sends a datagram with these requests and returns all of the answer.
    pub(crate) fn ask(&self, payload: &[u8]) -> Vec<Frame> {
        self.exchange(&frame(ID, 0, 1, 0, payload))
    }

    /// The one datagram of the answer to these requests.
    pub(crate) fn text(&self, payload: &[u8]) -> String {
        let [only] = <[Frame; 1]>::try_from(self.ask(payload)).unwrap();
        String::from_utf8(only.payload).unwrap()
    }

    /// Sends these requests without waiting.
    pub(crate) fn send(&self, payload: &[u8]) {
        self.socket.send(&frame(ID, 0, 1, 0, payload)).unwrap();
    }

    /// Sends a datagram as it is, and returns what answers it: everything up to the answer to a second datagram, which
    /// is behind it in the same queue of the same worker.
    pub(crate) fn exchange(&self, datagram: &[u8]) -> Vec<Frame> {
        self.socket.send(datagram).unwrap();
        self.socket.send(&frame(MARK, 0, 1, 0, b"mn\r\n")).unwrap();
        let mut frames = Vec::new();
        loop {
            match self.take() {
                Some(frame) if frame.id == MARK => return frames,
                Some(frame) => frames.push(frame),
                None => panic!("no answer to a datagram after {}", datagram.escape_ascii()),
            }
        }
    }

    /// What has arrived.
    pub(crate) fn take_all(&self) -> Vec<Frame> {
        self.socket.set_nonblocking(true).unwrap();
        let frames = std::iter::from_fn(|| self.take()).collect();
        self.socket.set_nonblocking(false).unwrap();
        frames
    }

    /// The next datagram.
    pub(crate) fn take(&self) -> Option<Frame> {
        let mut datagram = [0; 65_536];
        let len = self.socket.recv(&mut datagram).ok()?;
        let (header, payload) = datagram[..len].split_first_chunk::<8>().unwrap();
        let number = |index| u16::from_be_bytes([header[index], header[index + 1]]);
        let [id, sequence, total, reserved] = [number(0), number(2), number(4), number(6)];
        assert!(len <= 1400, "{len} bytes");
        Some(Frame { id, sequence, total, reserved, payload: payload.to_vec() })
    }
}

/// The id of requests, if the test does not say another.
const ID: u16 = 0x1234;

/// The id of the datagram that ends an exchange.
const MARK: u16 = 0xabcd;

/// How long a client waits for one datagram.
const PATIENCE: Duration = Duration::from_secs(20);
