//! The poller and its waker: what is the same on every system.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use polling::AsSource;

use crate::system::System;
use crate::{Events, Interest, Registered};

/// Waits for sockets to become ready, and to be woken.
///
/// Level-triggered: what is ready is reported by every [`wait`](Self::wait) until it is read, written, or no longer asked
/// for. On Linux a wait is one system call, whatever it reports.
#[derive(Debug)]
pub struct Poller {
    shared: Arc<Shared>,
}

impl Poller {
    /// A poller with nothing registered. It takes a few descriptors: four on Linux.
    ///
    /// # Errors
    ///
    /// What the system says, which is mostly that there are no more descriptors; `Unsupported` where it has no
    /// level-triggered events.
    pub fn new() -> io::Result<Self> {
        let polling = polling::Poller::new()?;
        if !polling.supports_level() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this system reports no level-triggered events",
            ));
        }
        let system = System::new(&polling)?;
        Ok(Self { shared: Arc::new(Shared { polling, system }) })
    }

    /// Reports the readiness of `source` under `key` from now on, until what is returned is dropped.
    ///
    /// Several sources may share a key. `u64::MAX` is reserved, and so is every key above `usize::MAX - 1` where a
    /// pointer is narrower.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a reserved key, `AlreadyExists` for a source that is registered here, and what else the system
    /// says. The source is dropped, and thus closed, then.
    pub fn register<S: AsSource + 'static>(
        &self,
        source: S,
        key: u64,
        interest: Interest,
    ) -> io::Result<Registered<S>> {
        Registered::new(Arc::clone(&self.shared), source, key, interest)
    }

    /// Replaces the content of `events` by what is ready, and waits for it if nothing is.
    ///
    /// It returns without events when the timeout has passed, when it was [woken](Waker::wake), and when a signal
    /// interrupted it; so it may return before the timeout has passed. Timeouts have the system's resolution, rounded up:
    /// milliseconds on Linux. Without one it waits for as long as it takes.
    ///
    /// # Errors
    ///
    /// What the system says; nothing that a peer does makes it fail.
    pub fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.system.wait(&self.shared.polling, events.list(), timeout)
    }

    /// What wakes this poller from other threads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker { shared: Arc::clone(&self.shared) }
    }
}

/// Wakes a [`Poller`] from any thread.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

impl Waker {
    /// Makes the current [`wait`](Poller::wait) return, or the next one if there is none. Any number of wakes before that
    /// count as one; none is lost.
    ///
    /// # Errors
    ///
    /// What the system says; there is no cause known.
    pub fn wake(&self) -> io::Result<()> {
        self.shared.system.wake(&self.shared.polling)
    }
}

/// What the poller, its wakers and everything registered hold together. The kernel's object lives as long as any of them.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) polling: polling::Poller,
    pub(crate) system: System,
}
