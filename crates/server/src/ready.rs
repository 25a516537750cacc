//! The readiness driver: one turn of one client.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;

use larder_connection::{Connection, Phase};
use socket2::Socket;

use crate::cache::Cache;
use crate::counters::Count;
use crate::wire_log;

/// Reads once, answers every complete request, writes once: three system calls with the wait before it, however many
/// requests the read held.
///
/// # Errors
///
/// What the socket said; the client is to be closed.
pub(crate) fn turn(
    socket: &Socket,
    connection: &mut Connection<Cache>,
    is_readable: bool,
    scratch: &mut [u8],
    cache: &mut Cache,
) -> io::Result<Turned> {
    let was_idle = !connection.wants_write();
    let mut has_ended = false;
    // What waits comes before what arrives, so that the backlog stays below one read and a line.
    if connection.has_work() {
        connection.receive(&[], cache);
    } else if is_readable && connection.wants_read() {
        has_ended = read(socket, connection, scratch, cache)?;
    }
    if was_idle && let Some(first) = connection.output().chunks().next() {
        wire_log::sent(cache.descriptor(), first);
    }
    let (taken, has_left) = match write(socket, connection, cache) {
        Ok(taken) => (taken, false),
        Err(error) if has_left(&error) && forgo_replies(connection) => (0, true),
        Err(error) => return Err(error),
    };
    Ok(Turned { taken, has_ended, has_left })
}

/// What a turn found out.
#[derive(Debug)]
pub(crate) struct Turned {
    /// Bytes that the client took.
    pub(crate) taken: usize,
    /// The client has ended its side.
    pub(crate) has_ended: bool,
    /// The client is gone, and nobody reads its replies. What it sent before is still there to be read, and done.
    pub(crate) has_left: bool,
}

fn has_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Forgets replies that nobody reads. False if more of them would be made without being asked for: by a dump, or for
/// somebody who watches.
fn forgo_replies(connection: &mut Connection<Cache>) -> bool {
    connection.output().advance(usize::MAX);
    matches!(connection.phase(), Phase::Command | Phase::Value | Phase::Skip | Phase::Closing)
}

/// Reads once, what came for an arriving value into its own memory. Returns whether the client has ended its side.
fn read(
    mut socket: &Socket,
    connection: &mut Connection<Cache>,
    scratch: &mut [u8],
    cache: &mut Cache,
) -> io::Result<bool> {
    let len = loop {
        let [value, rest] = connection.read_into(scratch);
        let result = if value.is_empty() {
            socket.read(rest)
        } else {
            socket.read_vectored(&mut [IoSliceMut::new(value), IoSliceMut::new(rest)])
        };
        match result {
            Ok(len) => break len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    };
    if len == 0 {
        connection.receive_end(cache);
        return Ok(true);
    }
    cache.counters().add(Count::BytesRead, len as u64);
    let is_half_way = connection.is_half_way();
    let arrived = &scratch[..len.min(scratch.len())];
    wire_log::received(cache.descriptor(), connection.phase(), is_half_way, arrived);
    connection.read_done(len, scratch, cache);
    Ok(false)
}

/// Writes once, every reply that waits; more often only when they are in more pieces than one call takes.
fn write(
    mut socket: &Socket,
    connection: &mut Connection<Cache>,
    cache: &Cache,
) -> io::Result<usize> {
    let mut taken = 0;
    while connection.wants_write() {
        let output = connection.output();
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let (mut count, mut offered) = (0, 0);
        for (slice, chunk) in slices.iter_mut().zip(output.chunks()) {
            *slice = IoSlice::new(chunk);
            count += 1;
            offered += chunk.len();
        }
        let result = match &slices[..count] {
            [only] => socket.write(only),
            several => socket.write_vectored(several),
        };
        let len = match result {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        };
        cache.counters().add(Count::BytesWritten, len as u64);
        output.advance(len);
        taken += len;
        if len < offered {
            break;
        }
    }
    Ok(taken)
}

/// Ends what is sent to a client: it reads the replies that are on their way, and then the end. False if it is gone.
pub(crate) fn end_replies(socket: &Socket) -> bool {
    socket.shutdown(Shutdown::Write).is_ok()
}

/// Throws away what came from a client, and says how many bytes; none if the client has ended its side, or is gone.
pub(crate) fn discard(mut socket: &Socket, scratch: &mut [u8]) -> Option<usize> {
    let mut discarded = 0;
    for _ in 0..DISCARDS_MAX {
        match socket.read(scratch) {
            Ok(0) => return None,
            Ok(len) => discarded += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(_) => return None,
        }
    }
    Some(discarded)
}

/// Reads that one turn throws away.
const DISCARDS_MAX: usize = 16;

/// Pieces that one write takes: 64 pinned values with their heads. Linux takes up to 1,024.
const SLICES_MAX: usize = 128;
