//! What a line says after its number: memcached's names and order.

use std::net::SocketAddr;

use larder_protocol::{push_number, push_uri_encoded};
use larder_store::{Seconds, Visit};

/// What a line says of an item, besides its key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// Index of its size class. Lines count them from 1, and say 0 where there is no item.
    pub(crate) class: usize,
    /// Length of the value.
    pub(crate) value_len: usize,
    /// When it expires, unless never.
    pub(crate) exptime: Option<Seconds>,
}

impl Item {
    pub(crate) fn of(item: &Visit<'_>) -> Self {
        let (value_len, exptime) = (item.value_len(), item.exptime());
        Self { class: item.class(), value_len, exptime }
    }
}

/// A key was looked up.
pub(crate) fn item_get(key: &[u8], status: &str, item: Option<Item>, descriptor: i32) -> Vec<u8> {
    let mut line = Line::new("item_get");
    line.key(key);
    line.text(" status=", status);
    line.class(item);
    line.descriptor(descriptor);
    line.size(item);
    line.0
}

/// A value was to be stored. The seconds that it has left wrap where it has expired before, as with memcached.
pub(crate) fn item_store(
    key: &[u8],
    status: &str,
    command: &str,
    item: Option<Item>,
    now: Seconds,
    descriptor: i32,
) -> Vec<u8> {
    let mut line = Line::new("item_store");
    line.key(key);
    line.text(" status=", status);
    line.text(" cmd=", command);
    let exptime = item.and_then(|item| item.exptime);
    line.number(" ttl=", exptime.map_or(0, |at| at.0.wrapping_sub(now.0)).into());
    line.class(item);
    line.descriptor(descriptor);
    line.size(item);
    line.0
}

/// An item was deleted.
pub(crate) fn deleted(key: &[u8], command: &str, item: Item) -> Vec<u8> {
    let mut line = Line::new("deleted");
    line.key(key);
    line.text(" cmd=", command);
    line.class(Some(item));
    line.size(Some(item));
    line.0
}

/// An item made room for others.
pub(super) fn eviction(item: Visit<'_>, now: Seconds) -> Vec<u8> {
    let mut line = Line::new("eviction");
    line.key(item.key());
    line.text(" fetch=", if item.was_fetched() { "yes" } else { "no" });
    match item.exptime() {
        Some(at) => line.number(" ttl=", at.since(now).into()),
        None => line.text(" ttl=", "-1"),
    }
    line.number(" la=", now.since(item.last_access()).into());
    let item = Some(Item::of(&item));
    line.class(item);
    line.size(item);
    line.0
}

/// A client came, from this address or over a Unix socket.
pub(crate) fn conn_new(peer: Option<SocketAddr>, descriptor: i32) -> Vec<u8> {
    let mut line = Line::new("conn_new");
    line.peer(peer);
    line.descriptor(descriptor);
    line.0
}

/// A client went.
pub(crate) fn conn_close(peer: Option<SocketAddr>, reason: &str, descriptor: i32) -> Vec<u8> {
    let mut line = Line::new("conn_close");
    line.peer(peer);
    line.text(" reason=", reason);
    line.descriptor(descriptor);
    line.0
}

/// A line on its way.
struct Line(Vec<u8>);

impl Line {
    fn new(kind: &str) -> Self {
        let mut line = Self(Vec::with_capacity(LINE_LEN_USUAL));
        line.text("type=", kind);
        line
    }

    fn text(&mut self, name: &str, value: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }

    fn number(&mut self, name: &str, value: u64) {
        self.0.extend_from_slice(name.as_bytes());
        push_number(&mut self.0, value);
    }

    fn key(&mut self, key: &[u8]) {
        self.0.extend_from_slice(b" key=");
        push_uri_encoded(&mut self.0, key);
    }

    fn class(&mut self, item: Option<Item>) {
        self.number(" clsid=", item.map_or(0, |item| item.class as u64 + 1));
    }

    fn size(&mut self, item: Option<Item>) {
        self.number(" size=", item.map_or(0, |item| item.value_len as u64));
    }

    fn descriptor(&mut self, descriptor: i32) {
        self.number(" cfd=", u64::try_from(descriptor).unwrap_or(0));
    }

    fn peer(&mut self, peer: Option<SocketAddr>) {
        match peer {
            Some(peer) => {
                self.text(" rip=", &peer.ip().to_string());
                self.number(" rport=", peer.port().into());
                self.text(" transport=", "tcp");
            }
            None => self.text(" rip=", "unix rport=0 transport=local"),
        }
    }
}

/// Bytes that most lines fit in.
const LINE_LEN_USUAL: usize = 160;
