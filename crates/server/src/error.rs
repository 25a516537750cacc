//! Why a server could not start, or could not go on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{error, fmt, io};

/// What was being done when the system said no.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Listening on a TCP address.
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Receiving on a UDP address.
    ListenUdp {
        /// The address.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Listening on a Unix socket.
    ListenUnix {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no address to listen on.
    NothingToListenOn,
    /// Starting threads and their event loops.
    Start(io::Error),
    /// Waiting for events.
    Wait(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { addr, source } => {
                write!(f, "failed to listen on TCP address {addr}: {source}")
            }
            Self::ListenUdp { addr, source } => {
                write!(f, "failed to listen on UDP address {addr}: {source}")
            }
            Self::ListenUnix { path, source } => {
                write!(f, "failed to listen on UNIX socket {}: {source}", path.display())
            }
            Self::NothingToListenOn => f.write_str(
                "nothing to listen on: give a TCP or UDP port other than 0, or a UNIX socket",
            ),
            Self::Start(source) => write!(f, "failed to start the threads: {source}"),
            Self::Wait(source) => write!(f, "failed to wait for events: {source}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Listen { source, .. }
            | Self::ListenUdp { source, .. }
            | Self::ListenUnix { source, .. }
            | Self::Start(source)
            | Self::Wait(source) => Some(source),
            Self::NothingToListenOn => None,
        }
    }
}
