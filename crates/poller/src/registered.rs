//! A registered source: what is asked about it, and the end of its registration.

use std::io;
use std::ops::Deref;
use std::sync::Arc;

use polling::{AsSource, Event, PollMode};

use crate::poller::Shared;

/// A source whose readiness a [`Poller`](crate::Poller) reports, owned together with its registration.
///
/// Dropping it ends the registration first and closes the source then. It gives out the source by shared reference only:
/// std's sockets read and write through one (`(&*stream).read(…)`), and a source that could be swapped for another would
/// be closed while it is registered.
#[derive(Debug)]
pub struct Registered<S: AsSource + 'static> {
    // INVARIANT: `source` was added to `shared.polling` and is not changed or moved out until `drop` has deleted it.
    source: S,
    shared: Arc<Shared>,
    key: u64,
    interest: Interest,
}

impl<S: AsSource + 'static> Registered<S> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        source: S,
        key: u64,
        interest: Interest,
    ) -> io::Result<Self> {
        let event = interest.event(key)?;
        let raw = raw(&source);
        // SAFETY: The source must be deleted from the poller before it is dropped. It moves into the value returned
        // here, which hands out no `&mut S`, keeps the poller alive, and deletes the source in `drop`, before the field
        // is dropped. Whoever forgets that value forgets the source with it, and as `S` is 'static it borrows from
        // nobody who could close the descriptor.
        #[allow(unsafe_code, reason = "polling leaves the order of delete and close to its caller")]
        unsafe {
            shared.polling.add_with_mode(raw, event, PollMode::Level)?;
        }
        Ok(Self { source, shared, key, interest })
    }

    /// What is being waited for.
    #[must_use]
    pub fn interest(&self) -> Interest {
        self.interest
    }

    /// Waits for `interest` from now on. It is a system call only if this differs from what it was.
    ///
    /// # Errors
    ///
    /// What the system says to the change; the interest is as before then.
    pub fn set_interest(&mut self, interest: Interest) -> io::Result<()> {
        if interest == self.interest {
            return Ok(());
        }
        let event = interest.event(self.key)?;
        self.shared.polling.modify_with_mode(&self.source, event, PollMode::Level)?;
        self.interest = interest;
        Ok(())
    }
}

impl<S: AsSource + 'static> Deref for Registered<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.source
    }
}

impl<S: AsSource + 'static> Drop for Registered<S> {
    fn drop(&mut self) {
        // It fails only for a source that is not registered, and then there is nothing to end.
        let _ = self.shared.polling.delete(&self.source);
    }
}

/// What to wait for. With neither, only a connection that broke, or that both sides closed, is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// There is something to read or accept, or the peer will send nothing more.
    pub read: bool,
    /// There is room to write.
    pub write: bool,
}

impl Interest {
    /// Only reading.
    pub const READ: Self = Self { read: true, write: false };
    /// Only writing.
    pub const WRITE: Self = Self { read: false, write: true };

    fn event(self, key: u64) -> io::Result<Event> {
        // As wide as a pointer in polling, which also refuses the largest: that is its own.
        let key = usize::try_from(key)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the key is too large"))?;
        Ok(Event::new(key, self.read, self.write))
    }
}

#[cfg(unix)]
fn raw(source: &impl AsSource) -> std::os::fd::RawFd {
    use std::os::fd::AsRawFd;
    source.source().as_raw_fd()
}

#[cfg(windows)]
fn raw(source: &impl AsSource) -> std::os::windows::io::RawSocket {
    use std::os::windows::io::AsRawSocket;
    source.source().as_raw_socket()
}
