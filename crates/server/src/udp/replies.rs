//! Replies on their way back: which bytes are one message, and what it may cost.

use std::io;
use std::mem;
use std::net::{SocketAddr, UdpSocket};

use larder_connection::{Connection, Output, Service};
use larder_protocol::{Status, UDP_HEADER_LEN, UDP_REPLY_LEN_MAX, reply_frames};
use larder_store::Seconds;

use super::Account;
use crate::cache::Cache;
use crate::counters::Count;
use crate::wire_log;

type Waiting = Output<<Cache as Service>::Value>;

/// The replies of one machine, and the buffers between it and the socket.
#[derive(Debug)]
pub(super) struct Replies {
    /// The last reply of a retrieval; the `END` behind it may belong to the same message.
    held: Waiting,
    /// The reply after it.
    next: Waiting,
    datagram: [u8; UDP_REPLY_LEN_MAX],
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            held: Waiting::default(),
            next: Waiting::default(),
            datagram: [0; UDP_REPLY_LEN_MAX],
        }
    }
}

impl Replies {
    /// Feeds a machine whose output is full after each reply, and sends these: each as a message of its own, but for the
    /// `END` of a retrieval whose last key was a hit.
    ///
    /// It ends with the requests, or after one that walked the store: one of these a datagram is enough work.
    ///
    /// # Errors
    ///
    /// Why a reply was not sent; the requests behind it are not answered either.
    pub(super) fn send_all(
        &mut self,
        connection: &mut Connection<Cache>,
        payload: &[u8],
        way: &mut Way<'_>,
        cache: &mut Cache,
    ) -> Result<(), Count> {
        let sent = self.send_each(connection, payload, way, cache);
        self.forget();
        sent
    }

    fn send_each(
        &mut self,
        connection: &mut Connection<Cache>,
        payload: &[u8],
        way: &mut Way<'_>,
        cache: &mut Cache,
    ) -> Result<(), Count> {
        let mut input = payload;
        loop {
            let before = connection.progress();
            connection.receive(input, cache);
            input = &[];
            let is_one_step = connection.progress() == before.wrapping_add(1);
            if connection.wants_write() {
                mem::swap(connection.output(), &mut self.next);
                self.sort(is_one_step, way)?;
            }
            if !connection.has_work() || cache.has_walked() {
                return self.send_held(way);
            }
        }
    }

    /// Sends what came, or holds it if more may belong to it. `is_one_step`: no key was looked up in vain before it.
    fn sort(&mut self, is_one_step: bool, way: &mut Way<'_>) -> Result<(), Count> {
        let is_end = first(&self.next) == Status::End.line();
        if is_end && is_one_step && !self.held.is_empty() {
            way.send(&[&self.held, &self.next], &mut self.datagram)?;
            self.forget();
            return Ok(());
        }
        self.send_held(way)?;
        mem::swap(&mut self.held, &mut self.next);
        if first(&self.held).starts_with(b"VALUE ") { Ok(()) } else { self.send_held(way) }
    }

    fn send_held(&mut self, way: &mut Way<'_>) -> Result<(), Count> {
        if !self.held.is_empty() {
            way.send(&[&self.held], &mut self.datagram)?;
            self.held.advance(usize::MAX);
        }
        Ok(())
    }

    /// Lets go of what was sent, or will never be.
    fn forget(&mut self) {
        self.held.advance(usize::MAX);
        self.next.advance(usize::MAX);
    }
}

fn first(waiting: &Waiting) -> &[u8] {
    waiting.chunks().next().unwrap_or_default()
}

/// The way back to whoever sent a datagram.
#[derive(Debug)]
pub(super) struct Way<'a> {
    pub(super) socket: &'a UdpSocket,
    pub(super) peer: SocketAddr,
    /// The id of the request.
    pub(super) id: u16,
    pub(super) account: &'a Account,
    /// That of the socket, for the log.
    pub(super) descriptor: i32,
    pub(super) now: Seconds,
    /// Bytes that were sent, headers included, in so many datagrams.
    pub(super) bytes: usize,
    pub(super) datagrams: usize,
}

impl Way<'_> {
    /// Sends one message, in as many datagrams as it takes.
    ///
    /// Each is put together in `datagram`. To have the system gather it from where it lies would save this copy and cost
    /// about as much: what is copied fits the first-level cache, and the system copies it once more in any case.
    fn send(
        &mut self,
        parts: &[&Waiting],
        datagram: &mut [u8; UDP_REPLY_LEN_MAX],
    ) -> Result<(), Count> {
        let len = parts.iter().map(|part| part.unsent()).sum();
        let frames = reply_frames(self.id, len).ok_or(Count::UdpOverLimit)?;
        let bytes = len + frames.len() * UDP_HEADER_LEN;
        self.account.spend(self.bytes, bytes, self.now)?;
        wire_log::sent(self.descriptor, parts.first().map_or(&[], |part| first(part)));
        let mut chunks = parts.iter().flat_map(|part| part.chunks());
        let mut chunk: &[u8] = &[];
        for (header, range) in frames {
            let (head, mut rest) = datagram.split_at_mut(header.len());
            head.copy_from_slice(&header);
            while !rest.is_empty() {
                if chunk.is_empty() {
                    let Some(next) = chunks.next() else { break };
                    chunk = next;
                }
                let step = chunk.len().min(rest.len());
                let (bytes, after) = chunk.split_at(step);
                rest[..step].copy_from_slice(bytes);
                rest = &mut rest[step..];
                chunk = after;
            }
            self.send_datagram(&datagram[..header.len() + range.len()])?;
        }
        Ok(())
    }

    /// Hands one datagram to the system, which takes it whole or, when its buffer is full, not at all.
    fn send_datagram(&mut self, datagram: &[u8]) -> Result<(), Count> {
        loop {
            match self.socket.send_to(datagram, self.peer) {
                Ok(len) => {
                    self.bytes += len;
                    self.datagrams += 1;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::debug!("UDP: a reply to {}: {error}", self.peer);
                    return Err(Count::UdpUnsent);
                }
            }
        }
    }
}
