//! Listening sockets: making them, and taking connections from them.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use crate::config::{Config, UnixSocket};
use crate::error::Error;
use crate::shared::ListenerRecord;

/// A socket that listens, and what it is called.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: Socket,
    pub(crate) addr: BoundTo,
}

/// Where a listener is.
#[derive(Debug, Clone)]
pub(crate) enum BoundTo {
    Tcp(SocketAddr),
    Unix(UnixSocket),
}

impl Listener {
    pub(crate) fn record(&self) -> ListenerRecord {
        let (addr, tcp) = match &self.addr {
            BoundTo::Tcp(addr) => (tcp_name(addr), Some(*addr)),
            BoundTo::Unix(unix) => (unix_name(unix), None),
        };
        ListenerRecord { descriptor: self.socket.as_raw_fd(), addr, tcp }
    }

    /// Takes the next connection, ready for a worker, with the names of its two ends.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        let (socket, peer) = self.socket.accept()?;
        socket.set_nonblocking(true)?;
        let peer_addr = peer.as_socket();
        let (peer, local) = match &self.addr {
            BoundTo::Unix(unix) => (unix_name(unix), unix_name(unix)),
            BoundTo::Tcp(addr) => {
                let local = socket.local_addr().ok().and_then(|local| local.as_socket());
                let peer = peer_addr.as_ref().map_or_else(String::new, tcp_name);
                (peer, tcp_name(&local.unwrap_or(*addr)))
            }
        };
        Ok(Accepted { socket, peer_addr, peer, local })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) socket: Socket,
    /// Where it came from; none for a Unix socket.
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) peer: String,
    pub(crate) local: String,
}

/// Listens everywhere the configuration says.
pub(crate) fn bind_all(config: &Config) -> Result<Vec<Listener>, Error> {
    let mut listeners: Vec<Listener> = Vec::new();
    let mut missing = None;
    for addr in &config.listen {
        match bind_tcp(&listeners, *addr, config.backlog) {
            Ok(listener) => listeners.push(listener),
            // Without -l memcached listens on every interface of every family that the system has.
            Err(source) if addr.ip().is_unspecified() && is_family_missing(&source) => {
                missing = Some(Error::Listen { addr: *addr, source });
            }
            Err(source) => return Err(Error::Listen { addr: *addr, source }),
        }
    }
    if let Some(unix) = &config.unix {
        let socket = bind_unix(unix, config.backlog)
            .map_err(|source| Error::ListenUnix { path: unix.path.clone(), source })?;
        listeners.push(Listener { socket, addr: BoundTo::Unix(unix.clone()) });
    }
    match missing {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

/// Binds to an address. Where any free port will do, all addresses get the same one if it is free for all of them.
fn bind_tcp(others: &[Listener], addr: SocketAddr, backlog: i32) -> io::Result<Listener> {
    let chosen = others.iter().find_map(|other| match &other.addr {
        BoundTo::Tcp(bound) => Some(bound.port()),
        BoundTo::Unix(_) => None,
    });
    if addr.port() == 0
        && let Some(port) = chosen
        && let Ok(listener) = bind_tcp_port(SocketAddr::new(addr.ip(), port), backlog)
    {
        return Ok(listener);
    }
    bind_tcp_port(addr, backlog)
}

/// The socket options are memcached's; Linux hands them on to the connections.
fn bind_tcp_port(addr: SocketAddr, backlog: i32) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(backlog)?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(addr);
    Ok(Listener { socket, addr: BoundTo::Tcp(bound) })
}

/// Nobody can connect before `listen`, so the permissions are never wider than asked for.
fn bind_unix(unix: &UnixSocket, backlog: i32) -> io::Result<Socket> {
    if fs::symlink_metadata(&unix.path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&unix.path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(&unix.path)?)?;
    fs::set_permissions(&unix.path, fs::Permissions::from_mode(unix.mode))?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// Whether the system has no addresses of this family.
pub(crate) fn is_family_missing(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let missing = [Errno::EAFNOSUPPORT, Errno::EADDRNOTAVAIL, Errno::EPROTONOSUPPORT];
    missing.iter().any(|&errno| error.raw_os_error() == Some(errno as i32))
}

/// Whether accepting failed because descriptors or memory ran out, which time may mend, and not because of one client.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let exhaustion = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    exhaustion.iter().any(|&errno| error.raw_os_error() == Some(errno as i32))
}

/// Says a last word to a client that cannot be served; whether it arrives is not waited for.
pub(crate) fn refuse(socket: &Socket, word: &[u8]) {
    if socket.set_nonblocking(true).is_ok() {
        // A new connection has room for one line; if not, closing says enough.
        let _ = SockRef::from(socket).send(word);
    }
}

fn tcp_name(addr: &SocketAddr) -> String {
    match addr {
        SocketAddr::V4(addr) => format!("tcp:{addr}"),
        SocketAddr::V6(addr) => format!("tcp6:{addr}"),
    }
}

fn unix_name(unix: &UnixSocket) -> String {
    format!("unix:{}", unix.path.display())
}
