//! The listening thread: accepts in a loop and deals the connections out to the workers.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use larder_dispatch::{Full, Workers};
use larder_poller::{Events, Interest, Poller, Registered};
use larder_protocol::Status;

use crate::listener::{Accepted, Listener, is_exhaustion, refuse};
use crate::shared::Shared;

/// What the listening thread works with.
#[derive(Debug)]
pub(crate) struct Acceptor {
    shared: Arc<Shared>,
    poller: Poller,
    listeners: Vec<Registered<Listener>>,
    /// A descriptor to give up when there is no other, so that the next client can be told.
    reserve: Option<File>,
    /// A connection that no mailbox had room for.
    held: Option<Accepted>,
    /// When accepting goes on, as time since the start; none while it goes on.
    paused_until: Option<Duration>,
}

impl Acceptor {
    pub(crate) fn new(
        shared: Arc<Shared>,
        poller: Poller,
        listeners: Vec<Registered<Listener>>,
    ) -> Self {
        Self { shared, poller, listeners, reserve: open_reserve(), held: None, paused_until: None }
    }

    /// Accepts until the server is to stop.
    pub(crate) fn run(mut self, workers: &Workers<Accepted>) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.shared.stop.is_wanted() {
            let patience = match (&self.held, self.paused_until) {
                (Some(_), _) => Some(HELD_INTERVAL),
                (None, Some(until)) => Some(until.saturating_sub(self.shared.clock.elapsed())),
                (None, None) => None,
            };
            self.watch_listeners()?;
            self.poller.wait(&mut events, patience)?;
            if let Some(held) = self.held.take() {
                self.deal(held, workers);
            }
            self.resume();
            for ready in events.iter() {
                self.accept_all(ready.key, workers);
            }
        }
        Ok(())
    }

    /// Looks at the listeners, but for while accepting pauses or a connection is held: whoever waits there would end each
    /// wait at once. It is a system call only when that changed.
    fn watch_listeners(&mut self) -> io::Result<()> {
        let read = self.held.is_none() && self.paused_until.is_none();
        let interest = Interest { read, write: false };
        self.listeners.iter_mut().try_for_each(|listener| listener.set_interest(interest))
    }

    /// Accepts what waits at one listener.
    fn accept_all(&mut self, listener: u64, workers: &Workers<Accepted>) {
        let Some(index) = usize::try_from(listener).ok().filter(|&i| i < self.listeners.len())
        else {
            return;
        };
        for _ in 0..ACCEPTS_MAX {
            if self.held.is_some() || self.paused_until.is_some() || self.shared.stop.is_wanted() {
                break;
            }
            match self.listeners[index].accept() {
                Ok(accepted) => self.admit(accepted, workers),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_exhaustion(&error) => {
                    if !self.refuse_with_reserve(index) {
                        self.pause(&error);
                    }
                }
                // This one client's trouble: it hung up before it was accepted, or a signal came.
                Err(error) => log::debug!("accept: {error}"),
            }
        }
    }

    fn admit(&mut self, accepted: Accepted, workers: &Workers<Accepted>) {
        if self.shared.connections.admit(self.shared.config.connections_max) {
            self.deal(accepted, workers);
        } else {
            refuse(&accepted.socket, Status::TooManyConnections.line());
        }
    }

    /// Hands a connection to a worker, or holds it while none has room.
    fn deal(&mut self, accepted: Accepted, workers: &Workers<Accepted>) {
        if let Err(Full(accepted)) = workers.deal(accepted) {
            self.held = Some(accepted);
        }
    }

    /// There are no descriptors left: gives the reserve up for one client, who is told and closed. False if even that
    /// did not help.
    fn refuse_with_reserve(&mut self, index: usize) -> bool {
        drop(self.reserve.take());
        let accepted = self.listeners[index].accept();
        let is_told = match accepted {
            Ok(accepted) => {
                refuse(&accepted.socket, Status::TooManyConnections.line());
                self.shared.connections.reject();
                true
            }
            Err(error) => !is_exhaustion(&error),
        };
        self.reserve = open_reserve();
        is_told && self.reserve.is_some()
    }

    /// Stops accepting for a moment: trying again at once would only burn time.
    fn pause(&mut self, error: &io::Error) {
        let connections = &self.shared.connections;
        if connections.pauses.fetch_add(1, Ordering::Relaxed) == 0 {
            log::warn!("cannot accept connections for now: {error}");
        }
        connections.is_paused.store(true, Ordering::Relaxed);
        self.paused_until = Some(self.shared.clock.elapsed() + PAUSE);
    }

    /// Accepts again once the pause is over.
    fn resume(&mut self) {
        if self.paused_until.is_none_or(|until| self.shared.clock.elapsed() < until) {
            return;
        }
        self.paused_until = None;
        if self.reserve.is_none() {
            self.reserve = open_reserve();
        }
        let connections = &self.shared.connections;
        let micros = u64::try_from(PAUSE.as_micros()).unwrap_or(u64::MAX);
        connections.paused_micros.fetch_add(micros, Ordering::Relaxed);
        connections.is_paused.store(false, Ordering::Relaxed);
    }
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Listeners that one wait reports.
const EVENTS_MAX: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// Connections accepted from one listener before the others are looked at.
const ACCEPTS_MAX: usize = 1024;

/// How long accepting pauses when descriptors have run out; it is to recover within 100 ms.
const PAUSE: Duration = Duration::from_millis(50);

/// How soon a connection is dealt again that no mailbox had room for.
const HELD_INTERVAL: Duration = Duration::from_millis(1);
