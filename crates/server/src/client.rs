//! A connection with its socket, in its worker's pool.

use std::net::SocketAddr;
use std::sync::Arc;

use larder_connection::{Connection, Limits, Protocols};
use larder_poller::Registered;
use larder_pool::Recycle;
use larder_store::Seconds;
use socket2::Socket;

use crate::budgets::Held;
use crate::cache::Cache;
use crate::roster::Record;

/// One client. Without a socket it is a retired object that waits for the next.
#[derive(Debug)]
pub(crate) struct Client {
    /// None only once it is retired.
    pub(crate) socket: Option<Registered<Socket>>,
    pub(crate) connection: Connection<Cache>,
    pub(crate) record: Option<Arc<Record>>,
    /// Where it came from; none for a Unix socket.
    pub(crate) peer_addr: Option<SocketAddr>,
    /// What the budgets were last told that it holds.
    pub(crate) booked: Held,
    /// When something last arrived from it.
    pub(crate) active_at: Seconds,
    /// When it last took bytes of its replies, or was not owed any.
    pub(crate) taken_at: Seconds,
    /// When it last came further in what it was sending, or began to send a command.
    pub(crate) progress_at: Seconds,
    /// The same as a turn of its worker: which of two clients has waited longer, seconds do not tell.
    pub(crate) progress_turn: u64,
    /// [`Connection::progress`] at that time.
    progress: u64,
    /// Whether it owed the rest of something after its last turn.
    pub(crate) was_half_way: bool,
    /// Whether spare buffers were given back since it was last active.
    pub(crate) is_trimmed: bool,
    /// Whether it has ended its side of the connection.
    pub(crate) has_ended: bool,
    /// Whether it was gone when it was sent something.
    pub(crate) has_left: bool,
    /// What has come of waiting for that, where this side ended first.
    pub(crate) lingering: Option<Lingering>,
    /// Whether it is among the clients that the worker goes on with by itself.
    pub(crate) is_queued: bool,
    /// Whether it is among those of its worker that watch.
    pub(crate) is_watching: bool,
}

impl Client {
    /// A client on a new socket, in the object of a former one where there is one.
    pub(crate) fn new(
        old: Option<Self>,
        socket: Registered<Socket>,
        record: Arc<Record>,
        protocols: Protocols,
        peer_addr: Option<SocketAddr>,
        now: Seconds,
    ) -> Self {
        let connection = match old {
            Some(old) => old.connection,
            None => Connection::speaking(protocols, Limits::default()),
        };
        Self {
            socket: Some(socket),
            connection,
            record: Some(record),
            peer_addr,
            booked: Held::default(),
            active_at: now,
            taken_at: now,
            progress_at: now,
            progress_turn: 0,
            progress: 0,
            was_half_way: false,
            is_trimmed: false,
            has_ended: false,
            has_left: false,
            lingering: None,
            is_queued: false,
            is_watching: false,
        }
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Held {
        Held::new(&self.connection.unfinished(), self.connection.spare_bytes())
    }

    /// Remembers when it did what, after a turn in which it took `taken` bytes; `turn` is that turn's number.
    pub(crate) fn note_turn(&mut self, is_readable: bool, taken: usize, now: Seconds, turn: u64) {
        if taken > 0 || !self.connection.wants_write() {
            self.taken_at = now;
        }
        if is_readable {
            self.active_at = now;
            self.is_trimmed = false;
        }
        let (is_half_way, progress) = (self.connection.is_half_way(), self.connection.progress());
        if progress != self.progress || (is_half_way && !self.was_half_way) {
            self.progress_at = now;
            self.progress_turn = turn;
        }
        self.progress = progress;
        self.was_half_way = is_half_way;
        if let Some(record) = &self.record {
            record.note(self.connection.phase(), now);
        }
    }

    /// Its descriptor, for logs and statistics.
    pub(crate) fn descriptor(&self) -> i32 {
        self.record.as_ref().map_or(-1, |record| record.descriptor)
    }
}

/// The end of a connection that its client has not ended yet.
#[derive(Debug)]
pub(crate) struct Lingering {
    pub(crate) since: Seconds,
    /// Bytes that came since, and were thrown away.
    pub(crate) discarded: usize,
}

impl Recycle for Client {
    fn retire(&mut self) {
        self.socket = None;
        self.record = None;
        self.connection.reset();
    }
}
