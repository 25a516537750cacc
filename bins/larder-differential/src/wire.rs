//! One client's two connections, one to each server, written and read at the same time.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A connection that sends and receives at once, so that neither side waits for the other with full buffers.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Writes that are still to be made, the last one first.
    unsent: Vec<Vec<u8>>,
    /// How much of the first of them was sent.
    sent: usize,
    /// What came since the last [`exchange`] began.
    pub received: Vec<u8>,
    /// Nothing will come any more.
    pub is_closed: bool,
    /// What ends the replies that are waited for.
    fence: Vec<u8>,
}

impl Wire {
    /// Connects to a server.
    ///
    /// # Errors
    ///
    /// It cannot be reached.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (unsent, received, fence) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { stream, unsent, sent: 0, received, is_closed: false, fence })
    }

    /// Prepares for these writes, and for replies that end with `fence` or with the connection.
    pub(crate) fn say(&mut self, mut writes: Vec<Vec<u8>>, fence: &[u8]) {
        writes.retain(|write| !write.is_empty());
        writes.reverse();
        self.unsent = writes;
        self.sent = 0;
        self.received.clear();
        self.fence = fence.to_vec();
    }

    /// Prepares for the end of the connection: nothing more is sent.
    pub(crate) fn say_nothing_more(&mut self) {
        self.say(Vec::new(), b"");
        // Where it is closed already, that is seen when it is read.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn is_done(&self) -> bool {
        let has_fence = !self.fence.is_empty() && self.received.ends_with(&self.fence);
        self.is_closed || (self.unsent.is_empty() && has_fence)
    }

    /// Sends and receives what can be sent and received now.
    fn advance(&mut self) -> io::Result<()> {
        while let Some(write) = self.unsent.last() {
            match self.stream.write(&write[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // It was closed; what it said before is still to be read.
                Err(_) => self.unsent.clear(),
            }
            if self.unsent.last().is_some_and(|write| self.sent == write.len()) {
                self.unsent.pop();
                self.sent = 0;
            }
        }
        let mut chunk = [0; CHUNK_LEN];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break self.is_closed = true,
                Ok(len) => self.received.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A server that closes with input unread resets the connection.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    break self.is_closed = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Lets both sides say what they were prepared for and waits until both have their replies; false when nothing happened
/// for as long as `patience`.
///
/// # Errors
///
/// The system cannot wait, or a connection is broken in a way that no server brings about.
pub(crate) fn exchange(wires: &mut [Wire; 2], patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).map_err(io::Error::other)?;
    loop {
        for wire in wires.iter_mut() {
            if !wire.is_done() {
                wire.advance()?;
            }
        }
        let waiting = wires.iter().filter(|wire| !wire.is_done());
        let mut descriptors: Vec<_> = waiting
            .map(|wire| {
                let wants_write = !wire.unsent.is_empty();
                let write = if wants_write { PollFlags::OUT } else { PollFlags::empty() };
                PollFd::new(&wire.stream, PollFlags::IN | write)
            })
            .collect();
        if descriptors.is_empty() {
            return Ok(true);
        }
        match poll(&mut descriptors, Some(&patience)) {
            Ok(0) => return Ok(false),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// How much is read at once, in bytes.
const CHUNK_LEN: usize = 16 << 10;
