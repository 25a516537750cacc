//! Binding the sockets for datagrams: one a worker for every address.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Socket, Type};

use crate::config::Config;
use crate::error::Error;
use crate::listener::is_family_missing;

/// Sockets that receive datagrams.
#[derive(Debug, Default)]
pub(crate) struct Bound {
    /// With the ports that were bound.
    pub(crate) addrs: Vec<SocketAddr>,
    /// For each worker one of each address.
    pub(crate) sockets: Vec<Vec<UdpSocket>>,
}

/// Binds to every address that the configuration names for UDP.
///
/// # Errors
///
/// An address that cannot be bound. Of the unspecified ones, those of a family that the system lacks are left out.
pub(crate) fn bind_all(config: &Config) -> Result<Bound, Error> {
    let mut bound = Bound { addrs: Vec::new(), sockets: Vec::new() };
    bound.sockets.resize_with(config.threads, Vec::new);
    let mut missing = None;
    for &addr in &config.udp.listen {
        match bind_address(&mut bound, addr) {
            Ok(()) => {}
            Err(source) if addr.ip().is_unspecified() && is_family_missing(&source) => {
                missing = Some(Error::ListenUdp { addr, source });
            }
            Err(source) => return Err(Error::ListenUdp { addr, source }),
        }
    }
    match missing {
        Some(error) if bound.addrs.is_empty() => Err(error),
        _ => Ok(bound),
    }
}

/// Binds to one address. Where any free port will do, all addresses get the same one if it is free for all of them.
fn bind_address(bound: &mut Bound, addr: SocketAddr) -> io::Result<()> {
    let chosen = bound.addrs.first().map(|first| SocketAddr::new(addr.ip(), first.port()));
    let free = match chosen.filter(|_| addr.port() == 0).map(find) {
        Some(Ok(found)) => found,
        _ => find(addr)?,
    };
    for sockets in &mut bound.sockets {
        let socket = open(free)?;
        // The system deals clients out to all the sockets of an address that say so.
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        // For requests and replies that are many datagrams at once; the system gives what it allows.
        let _ = socket.set_recv_buffer_size(BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(BUFFER_BYTES);
        socket.bind(&free.into())?;
        sockets.push(socket.into());
    }
    bound.addrs.push(free);
    Ok(())
}

/// The address with a port that nobody has. A socket that shares its port could not tell: it would join those of another
/// server of the same user, which would then lose a part of its datagrams.
fn find(addr: SocketAddr) -> io::Result<SocketAddr> {
    let alone = open(addr)?;
    alone.bind(&addr.into())?;
    Ok(alone.local_addr()?.as_socket().unwrap_or(addr))
}

fn open(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// What the system may hold for one socket: requests that were not read yet, and replies that the network has not taken.
const BUFFER_BYTES: usize = 1 << 20;
