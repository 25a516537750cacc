//! A socket that is written to and read from without ever waiting for one of them alone.
//!
//! A server that cannot send stops reading. Whoever only writes until all is written would then wait for ever.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Error, Plan, now};

/// A connected socket.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: TcpStream,
    timeout: Timespec,
    waited: Duration,
}

/// What became possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub(super) is_readable: bool,
}

impl Exchange {
    pub(super) fn connect(plan: &Plan) -> Result<Self, Error> {
        let stream = TcpStream::connect_timeout(&plan.server, plan.timeout);
        let stream = stream.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        stream.set_nonblocking(true).map_err(Error::Connect)?;
        let timeout =
            Timespec::try_from(plan.timeout).unwrap_or(Timespec { tv_sec: 10, tv_nsec: 0 });
        Ok(Self { stream, timeout, waited: Duration::ZERO })
    }

    /// Sends some bytes; none if the socket takes no more for now.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        match self.stream.write(bytes) {
            Ok(len) => Ok(len),
            Err(error) if is_temporary(&error) => Ok(0),
            Err(error) => Err(Error::Lost(error)),
        }
    }

    /// Receives some bytes; none if there are none for now.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        match self.stream.read(buffer) {
            Ok(0) => Err(Error::Lost(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed it",
            ))),
            Ok(len) => Ok(len),
            Err(error) if is_temporary(&error) => Ok(0),
            Err(error) => Err(Error::Lost(error)),
        }
    }

    /// Waits until there is something to read, or, if that is wanted too, room to write.
    pub(super) fn wait(&mut self, wants_write: bool) -> Result<Ready, Error> {
        let wanted = if wants_write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        let mut descriptors = [PollFd::new(&self.stream, wanted)];
        let began: Instant = now();
        let ready = poll(&mut descriptors, Some(&self.timeout));
        self.waited += began.elapsed();
        match ready {
            Ok(0) => Err(Error::Lost(io::Error::new(
                io::ErrorKind::TimedOut,
                "the server did not answer in time",
            ))),
            Ok(_) => {
                let [descriptor] = descriptors;
                // An error or an end shows when it is read.
                let is_readable = descriptor.revents() != PollFlags::OUT;
                Ok(Ready { is_readable })
            }
            Err(rustix::io::Errno::INTR) => Ok(Ready { is_readable: true }),
            Err(error) => Err(Error::Lost(error.into())),
        }
    }

    /// How long all waiting took.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
