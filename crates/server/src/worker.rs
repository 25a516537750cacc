//! A worker: its event loop, and the clients it was dealt.

mod parting;

use std::cmp::Reverse;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_connection::Phase;
use larder_dispatch::Receiver;
use larder_poller::{Events, Interest, Poller};
use larder_pool::{Key, Pool};
use larder_protocol::Streams;
use larder_store::Seconds;

use crate::budgets::{Held, Ledger, Resource};
use crate::cache::Cache;
use crate::client::Client;
use crate::counters::Count;
use crate::listener::Accepted;
use crate::ready::{self, Turned};
use crate::roster::Record;
use crate::shared::Shared;
use crate::udp::Datagrams;
use crate::watch;

/// One thread's share of the clients.
#[derive(Debug)]
pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    poller: Poller,
    clients: Pool<Client>,
    datagrams: Datagrams,
    cache: Cache,
    /// Where every read lands first.
    scratch: Box<[u8]>,
    /// Clients to go on with though their sockets are not ready: a full output had stopped them and is sent.
    queue: Vec<Key>,
    /// Clients that watch.
    watching: Vec<Key>,
    ledger: Ledger,
    /// Whether the server stops gracefully.
    is_finishing: bool,
    /// Turns given to clients.
    turns: u64,
    swept_at: Seconds,
    /// How many stores had been refused for want of memory at the last sweep.
    refusals: u64,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        index: usize,
        poller: Poller,
        datagrams: Datagrams,
    ) -> Self {
        let clients = Pool::new(shared.config.connections_max);
        let ledger = Ledger::new(shared.config.threads);
        let cache = Cache::new(Arc::clone(&shared), index, poller.waker());
        Self {
            swept_at: cache.now(),
            shared,
            index,
            poller,
            clients,
            datagrams,
            cache,
            scratch: vec![0; READ_LEN].into(),
            queue: Vec::new(),
            watching: Vec::new(),
            ledger,
            is_finishing: false,
            turns: 0,
            refusals: 0,
        }
    }

    /// Serves what the mailbox brings, until it brings nothing more.
    pub(crate) fn run(mut self, mailbox: &Receiver<Accepted>) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !mailbox.is_finished() {
            if let Err(error) = self.round(&mut events, Some(mailbox)) {
                // Nothing that a peer does leads here, and a worker that cannot wait serves nobody.
                log::error!("worker {} cannot wait for events: {error}", self.index);
                self.shared.stop.want();
                break;
            }
        }
        if self.shared.stop.is_graceful() {
            self.finish(&mut events);
        }
    }

    /// One round of the loop: waits, and gives every client that is ready a turn.
    fn round(
        &mut self,
        events: &mut Events,
        mailbox: Option<&Receiver<Accepted>>,
    ) -> io::Result<()> {
        self.poller.wait(events, self.patience())?;
        self.cache.begin_round(self.shared.clock.now());
        if let Some(mailbox) = mailbox.filter(|_| events.was_woken()) {
            mailbox.drain().for_each(|accepted| self.serve(accepted));
        }
        for ready in events.iter() {
            if !self.datagrams.turn(ready.key, &mut self.cache) {
                self.turn(Key::from(ready.key), ready.readable);
            }
        }
        for key in std::mem::take(&mut self.queue) {
            if let Some(client) = self.clients.get_mut(key) {
                client.is_queued = false;
            }
            self.turn(key, false);
        }
        self.feed_watchers();
        if self.swept_at != self.cache.now() {
            self.swept_at = self.cache.now();
            self.sweep();
        }
        Ok(())
    }

    /// How long nobody needs this worker. The sweeper wakes it once a second while it has clients; a timeout of its own
    /// would be a timer to set and to cancel for every wait.
    fn patience(&self) -> Option<Duration> {
        if !self.queue.is_empty() {
            Some(Duration::ZERO)
        } else if self.is_finishing {
            Some(FINISH_INTERVAL)
        } else {
            None
        }
    }

    /// Reads nothing more and answers what has arrived, until clients have read that, for a while.
    fn finish(&mut self, events: &mut Events) {
        self.is_finishing = true;
        self.datagrams.close();
        let deadline = self.shared.clock.elapsed() + FINISH_TIME_MAX;
        let keys: Vec<Key> = self.clients.iter_mut().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(client) = self.clients.get_mut(key).filter(|client| !client.is_watching) {
                self.cache.begin_turn(client.descriptor());
                client.connection.receive_end(&mut self.cache);
            }
            // Sends what it can, and closes whoever is owed nothing.
            self.turn(key, false);
        }
        // Those who watch are told of the others' end, and go last.
        for key in std::mem::take(&mut self.watching) {
            if let Some(client) = self.clients.get_mut(key) {
                client.connection.receive_end(&mut self.cache);
            }
            self.turn(key, false);
        }
        while !self.clients.is_empty()
            && self.shared.stop.is_graceful()
            && self.shared.clock.elapsed() < deadline
        {
            if self.round(events, None).is_err() {
                break;
            }
        }
    }

    /// Takes a connection over from the listener.
    fn serve(&mut self, accepted: Accepted) {
        let Accepted { socket, peer_addr, peer, local } = accepted;
        let now = self.cache.now();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&socket);
        log::debug!("<{descriptor} new client connection from {peer}");
        let protocols = self.shared.config.protocols.into();
        let made = self.clients.try_insert_with(|key, old| {
            let socket = self.poller.register(socket, key.into(), Interest::READ)?;
            let record = Record::new(descriptor, peer, local, now);
            let record = self.shared.rosters[self.index].add(record);
            Ok::<_, io::Error>(Client::new(old, socket, record, protocols, peer_addr, now))
        });
        if let Err(refusal) = made {
            log::warn!("cannot serve a new client: {refusal}");
            self.cache.counters().add_one(Count::ClosedOnError);
            self.shared.connections.leave();
        } else if self.shared.watchers.wanted().has_any(Streams::CONNECTIONS) {
            let line = watch::conn_new(peer_addr, descriptor);
            self.shared.watchers.record(Streams::CONNECTIONS, &line);
        }
        self.tell_objects();
    }

    /// Gives one client a turn; a key whose client is gone finds nobody.
    fn turn(&mut self, key: Key, is_readable: bool) {
        if self.discard(key) {
            return;
        }
        let Some(client) = self.clients.get_mut(key) else { return };
        let descriptor = client.descriptor();
        let Some(socket) = &mut client.socket else { return };
        let connection = &mut client.connection;
        self.cache.begin_turn(descriptor);
        let now = self.cache.now();
        let turned =
            ready::turn(socket, connection, is_readable, &mut self.scratch, &mut self.cache)
                .and_then(|turned| {
                    if !connection.is_finished() {
                        socket.set_interest(Interest {
                            read: connection.wants_read(),
                            write: connection.wants_write(),
                        })?;
                    }
                    Ok(turned)
                });
        let Turned { taken, has_ended, has_left } = match turned {
            Ok(turned) => turned,
            Err(error) => {
                log::debug!("<{descriptor} {error}");
                return self.close(key, Some(Count::ClosedOnError));
            }
        };
        client.has_ended |= has_ended;
        client.has_left |= has_left;
        if client.connection.is_finished() {
            return self.part(key);
        }
        if client.connection.has_work() && !client.is_queued {
            client.is_queued = true;
            self.queue.push(key);
            self.cache.counters().add_one(Count::ConnYields);
        }
        if client.connection.phase() == Phase::Watch && !client.is_watching {
            client.is_watching = true;
            self.watching.push(key);
        }
        self.turns += 1;
        client.note_turn(is_readable, taken, now, self.turns);
        if self.ledger.update(&self.shared.budgets, client) {
            self.settle();
        }
    }

    /// Gives those who watch a turn, if something waits that they can be told.
    fn feed_watchers(&mut self) {
        if self.watching.is_empty() {
            return;
        }
        let mut watching = std::mem::take(&mut self.watching);
        watching.retain(|&key| self.clients.get_mut(key).is_some());
        for &key in &watching {
            let client = self.clients.get_mut(key);
            if client.is_some_and(|client| client.connection.has_work() && !client.is_queued) {
                self.turn(key, false);
            }
        }
        self.watching = watching;
    }

    /// While this worker holds more than its share of a budget that is overdrawn: gives back what holds nothing, closes
    /// clients for the rest.
    fn settle(&mut self) {
        if self.ledger.is_overdrawn(&self.shared.budgets, Resource::SpareBytes) {
            for (_, client) in self.clients.iter_mut() {
                client.connection.trim();
                self.ledger.update(&self.shared.budgets, client);
            }
        }
        for resource in Resource::CLOSING {
            while self.ledger.is_overdrawn(&self.shared.budgets, resource) {
                let Some(key) = self.choose_victim(resource) else { break };
                self.close(key, resource.count());
            }
        }
    }

    /// Who gives way: the one that waited longest where peers owe us bytes, the one that holds most where they owe us reading.
    fn choose_victim(&mut self, resource: Resource) -> Option<Key> {
        let holders = self.clients.iter_mut().filter_map(|(key, client)| {
            let held = client.booked.of(resource);
            let last_turn = if resource.gives_way_by_age() { client.progress_turn } else { 0 };
            (held > 0).then_some((Reverse(last_turn), held, key))
        });
        holders.max_by_key(|&(last_turn, held, _)| (last_turn, held)).map(|(.., key)| key)
    }

    fn close(&mut self, key: Key, reason: Option<Count>) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let descriptor = client.descriptor();
        match reason {
            None => log::debug!("<{descriptor} connection closed"),
            Some(Count::ClosedOnError) => {}
            Some(reason) => {
                let peer = client.record.as_ref().map_or("", |record| &record.peer);
                // The first of its kind is news, whatever the verbosity; the others are counted.
                let is_usual = matches!(reason, Count::ClosedIdle | Count::ClosedLingeringSeconds);
                let is_first = self.cache.counters().get(reason) == 0 && !is_usual;
                let level = if is_first { log::Level::Warn } else { log::Level::Info };
                log::log!(level, "<{descriptor} client {peer} closed: {}", reason.in_words());
            }
        }
        if let Some(reason) = reason {
            self.cache.counters().add_one(reason);
        }
        if self.shared.watchers.wanted().has_any(Streams::CONNECTIONS) {
            let word = match reason {
                _ if self.is_finishing => "shutdown",
                // The end of a watcher is an error to memcached, too.
                None if client.connection.has_given_up() || client.is_watching => "error",
                // It had ended well before.
                None | Some(Count::ClosedLingeringBytes | Count::ClosedLingeringSeconds) => {
                    "normal"
                }
                Some(Count::ClosedIdle) => "idle_timeout",
                Some(_) => "error",
            };
            // A watcher is not told of its own end.
            client.connection.close();
            let line = watch::conn_close(client.peer_addr, word, descriptor);
            self.shared.watchers.record(Streams::CONNECTIONS, &line);
        }
        self.ledger.book(&self.shared.budgets, &client.booked, &Held::default());
        if let Some(record) = &client.record {
            // Before the descriptor is free for somebody else.
            self.shared.rosters[self.index].remove(record);
        }
        self.clients.remove(key);
        self.shared.connections.leave();
    }

    /// Once a second: closes clients that are late, takes back memory that idle ones do not need. Values that clients do not
    /// take any more cannot be evicted; while stores are refused for want of memory, such clients give way.
    fn sweep(&mut self) {
        let now = self.cache.now();
        let config = &self.shared.config;
        let half_age = config.budgets.half_command_age.map(|age| age.as_secs());
        let idle_age = config.idle_timeout.map(|age| age.as_secs());
        let is_over =
            |age: u32, limit: Option<u64>| limit.is_some_and(|limit| u64::from(age) > limit);
        let refusals = self.shared.stores_without_memory();
        let is_short_of_memory = std::mem::replace(&mut self.refusals, refusals) != refusals;
        let mut late = Vec::new();
        for (key, client) in self.clients.iter_mut() {
            if let Some(lingering) = &client.lingering {
                if lingering.is_over(now) {
                    late.push((key, Count::ClosedLingeringSeconds));
                }
            } else if client.was_half_way && is_over(now.since(client.progress_at), half_age) {
                late.push((key, Count::ClosedHalfCommand));
            } else if client.connection.phase() == Phase::Command
                && is_over(now.since(client.active_at), idle_age)
            {
                late.push((key, Count::ClosedIdle));
            } else if is_short_of_memory
                && client.booked.of(Resource::RepliesInFlight) > 0
                && now.since(client.taken_at) >= STALL_AGE
            {
                late.push((key, Count::ClosedRepliesInFlight));
            } else if !client.is_trimmed && now.since(client.active_at) >= TRIM_AGE {
                client.connection.trim();
                client.is_trimmed = true;
                self.ledger.update(&self.shared.budgets, client);
            }
        }
        for (key, reason) in late {
            self.close(key, Some(reason));
        }
        self.settle();
        self.clients.trim(self.clients.spare() / 2);
        self.tell_objects();
    }

    /// Keeps the number of connection objects that `stats` shows.
    fn tell_objects(&self) {
        let objects = self.clients.len() + self.clients.spare();
        self.shared.objects[self.index].store(objects, Ordering::Relaxed);
    }
}

/// Bytes that one read takes, beside those of an arriving value.
pub(crate) const READ_LEN: usize = 32 * 1024;

/// Clients that one wait reports.
const EVENTS_MAX: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Seconds without a byte after which a client's spare buffers are given back.
const TRIM_AGE: u32 = 3;

/// Seconds without taking a byte after which a client that pins values gives way to stores.
const STALL_AGE: u32 = 2;

/// How often a graceful stop looks whether it is to end at once.
const FINISH_INTERVAL: Duration = Duration::from_millis(50);

/// How long a graceful stop waits for clients to read what they are owed.
const FINISH_TIME_MAX: Duration = Duration::from_secs(5);
