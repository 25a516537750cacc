//! What a wait found.

use std::fmt;
use std::num::NonZeroUsize;

use crate::system::List;

/// Where [`Poller::wait`](crate::Poller::wait) puts what it found; made once and used for every wait.
pub struct Events {
    list: List,
}

impl Events {
    /// Room for `capacity` sources a wait. When more are ready, the next waits report the others: none is starved.
    #[must_use]
    pub fn with_capacity(capacity: NonZeroUsize) -> Self {
        Self { list: List::with_capacity(capacity) }
    }

    /// The sources that are ready.
    ///
    /// A source that was dropped since the wait is still among them, so its key must not find somebody else.
    pub fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.list.iter()
    }

    /// Whether the wait was [woken](crate::Waker::wake).
    #[must_use]
    pub fn was_woken(&self) -> bool {
        self.list.was_woken()
    }

    pub(crate) fn list(&mut self) -> &mut List {
        &mut self.list
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was_woken = self.was_woken();
        f.debug_struct("Events")
            .field("ready", &self.iter().collect::<Vec<_>>())
            .field("was_woken", &was_woken)
            .finish()
    }
}

/// A source that is ready.
///
/// A connection that broke, or that both sides closed, is ready for both: the read or the write that follows tells what
/// happened. It is reported whatever the interest was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key it was registered under.
    pub key: u64,
    /// A read, or an accept, will not block; it may find the end, or an error.
    pub readable: bool,
    /// A write will not block; it may find an error.
    pub writable: bool,
}
