//! One connection: it sends a turn of requests, waits for all their replies, and sends the next turn.

use std::io;
use std::time::{Duration, Instant};

use larder_poller::{Interest, Ready, Registered};

use crate::replies::{Promise, Replies};
use crate::socket::Socket;
use crate::tally::Tally;
use crate::workload::Workload;

/// A connection's socket, and both directions of its bytes.
#[derive(Debug)]
pub(crate) struct Client {
    /// None once it is lost.
    socket: Option<Registered<Socket>>,
    /// The turn's requests; the first `sent` bytes are gone.
    output: Vec<u8>,
    sent: usize,
    /// Bytes of a reply line whose end has not come.
    rest: Vec<u8>,
    replies: Replies,
    /// When the turn's first byte was sent.
    began: Instant,
}

/// What clients of one thread share.
#[derive(Debug)]
pub(crate) struct Desk<'p> {
    pub(crate) workload: Workload<'p>,
    pub(crate) pipeline: u32,
    pub(crate) timeout: Duration,
    /// Present when values are to be checked.
    pub(crate) promise: Option<Promise<'p>>,
    /// Where reads land.
    pub(crate) scratch: Vec<u8>,
    pub(crate) tally: Tally,
}

impl Client {
    pub(crate) fn new(socket: Registered<Socket>) -> Self {
        Self {
            socket: Some(socket),
            output: Vec::new(),
            sent: 0,
            rest: Vec::new(),
            replies: Replies::default(),
            began: now(),
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.replies.awaited.replies.is_empty()
    }

    /// Sends the next turn of requests, if the workload has any left.
    pub(crate) fn begin(&mut self, desk: &mut Desk<'_>) {
        if self.socket.is_none() {
            return;
        }
        self.output.clear();
        self.sent = 0;
        desk.workload.push(desk.pipeline, &mut self.output, &mut self.replies.awaited);
        self.began = now();
        if let Err(error) = self.send(&mut desk.tally) {
            self.lose(&error, &mut desk.tally);
        }
    }

    /// Does what the socket is ready for. Afterwards [`Self::is_waiting`] says whether the turn is over.
    pub(crate) fn go_on(&mut self, ready: &Ready, desk: &mut Desk<'_>) {
        let written = if ready.writable { self.send(&mut desk.tally) } else { Ok(()) };
        if let Err(error) = written.and_then(|()| self.receive(desk)) {
            self.lose(&error, &mut desk.tally);
        }
    }

    /// Gives the connection up. Its requests count as unanswered.
    pub(crate) fn lose(&mut self, error: &io::Error, tally: &mut Tally) {
        self.socket = None;
        tally.lost_connections += 1;
        tally.unanswered += self.replies.awaited.replies.len() as u64;
        tally.complain(|| format!("a connection was lost: {error}"));
        self.replies = Replies::default();
    }

    fn send(&mut self, tally: &mut Tally) -> io::Result<()> {
        let Some(socket) = &mut self.socket else { return Ok(()) };
        while self.sent < self.output.len() {
            match socket.send(&self.output[self.sent..]) {
                Ok(sent) => {
                    self.sent += sent;
                    tally.bytes_sent += sent as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        socket.set_interest(Interest { read: true, write: self.sent < self.output.len() })
    }

    fn receive(&mut self, desk: &mut Desk<'_>) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        loop {
            let kept = self.rest.len();
            desk.scratch[..kept].copy_from_slice(&self.rest);
            let room = desk.scratch.len() - kept;
            let received = match socket.receive(&mut desk.scratch[kept..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            desk.tally.bytes_received += received as u64;
            let input = &desk.scratch[..kept + received];
            let before = self.replies.awaited.replies.len();
            let used = self
                .replies
                .receive(input, desk.promise, &mut desk.tally)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            let completed = before - self.replies.awaited.replies.len();
            if completed > 0 {
                desk.tally.record(now().duration_since(self.began), completed as u64);
            }
            self.rest.clear();
            self.rest.extend_from_slice(&input[used..]);
            // A read that did not fill its buffer took all there was: no second call to be told so.
            if received < room {
                return Ok(());
            }
        }
    }
}

/// Bytes of the buffer that reads land in.
pub(crate) const SCRATCH_LEN: usize = 256 * 1024;

#[expect(clippy::disallowed_methods, reason = "latency is what this program measures")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
