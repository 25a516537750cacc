//! One thread: its connections, its poller, its loop.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use larder_poller::{Events, Interest, Poller};

use crate::client::{Client, Desk, now};
use crate::plan::Target;
use crate::socket::Socket;

/// A thread's share of the connections. It outlives the stages of a run.
#[derive(Debug)]
pub(crate) struct Worker {
    poller: Poller,
    clients: Vec<Client>,
}

impl Worker {
    /// Opens `connections` connections, one after the other.
    pub(crate) fn connect(target: &Target, connections: usize) -> io::Result<Self> {
        let poller = Poller::new()?;
        let clients = (0..connections)
            .map(|index| {
                let socket = Socket::connect(target)?;
                let interest = Interest { read: true, write: false };
                poller.register(socket, index as u64, interest).map(Client::new)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { poller, clients })
    }

    /// Sends requests until the workload is used up, `stop` is set or the server falls silent, and waits for the
    /// replies of all that was sent. Returns when the last reply came.
    pub(crate) fn drive(&mut self, desk: &mut Desk<'_>, stop: &AtomicBool) -> io::Result<Instant> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        for client in &mut self.clients {
            client.begin(desk);
        }
        let mut waiting = self.clients.iter().filter(|client| client.is_waiting()).count();
        let mut silence = Duration::ZERO;
        while waiting > 0 {
            self.poller.wait(&mut events, Some(PATIENCE))?;
            // A wait without events lasted as long as it may: no clock is needed to add that up.
            silence += PATIENCE;
            for ready in events.iter() {
                silence = Duration::ZERO;
                let client =
                    usize::try_from(ready.key).ok().and_then(|at| self.clients.get_mut(at));
                let Some(client) = client else { continue };
                let was_waiting = client.is_waiting();
                client.go_on(&ready, desk);
                if was_waiting && !client.is_waiting() {
                    waiting -= 1;
                    if !stop.load(Ordering::Relaxed) {
                        client.begin(desk);
                        waiting += usize::from(client.is_waiting());
                    }
                }
            }
            if silence >= desk.timeout {
                self.give_up(desk);
                break;
            }
        }
        Ok(now())
    }

    fn give_up(&mut self, desk: &mut Desk<'_>) {
        let error = io::Error::new(io::ErrorKind::TimedOut, "the server has fallen silent");
        for client in self.clients.iter_mut().filter(|client| client.is_waiting()) {
            client.lose(&error, &mut desk.tally);
        }
    }
}

/// Events taken from one wait.
const EVENTS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// How long a wait lasts before the thread looks around.
const PATIENCE: Duration = Duration::from_millis(100);
