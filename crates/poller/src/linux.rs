//! Waiting on Linux, in one system call.
//!
//! `polling` registers the sources. Its own wait would arm a timer, re-arm its notifier and read it each time: four calls
//! more. So this waits on its epoll descriptor itself, with the timeout as `epoll_wait`'s argument, and has a wake-up
//! descriptor of its own in the same epoll. `polling`'s timer and notifier are in there too, one-shot and under its
//! reserved key; as neither is ever armed or notified, neither ever becomes ready.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::{Errno, read, write};

use crate::Ready;

/// What wakes a wait.
#[derive(Debug)]
pub(crate) struct System {
    /// Registered edge-triggered: each write is one event, also if the count was not read since the last. So nobody reads
    /// it, a wake costs the waiting thread no call, and the wakes between two waits are one event.
    wakeup: OwnedFd,
}

impl System {
    pub(crate) fn new(polling: &polling::Poller) -> io::Result<Self> {
        let wakeup = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(polling, &wakeup, epoll::EventData::new_u64(WAKE_KEY), flags)?;
        Ok(Self { wakeup })
    }

    pub(crate) fn wait(
        &self,
        polling: &polling::Poller,
        list: &mut List,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        list.events.clear();
        let timeout = timeout.map(|timeout| {
            let timeout = timeout.min(TIMEOUT_MAX);
            Timespec {
                // Not more than `TIMEOUT_MAX`, which fits.
                tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: timeout.subsec_nanos().into(),
            }
        });
        match epoll::wait(polling, spare_capacity(&mut list.events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn wake(&self, _: &polling::Poller) -> io::Result<()> {
        loop {
            match write(&self.wakeup, &1_u64.to_ne_bytes()) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                // The count is at its end, after 2^64 wakes: start again from 0, so that a write is an event again.
                Err(Errno::AGAIN) => match read(&self.wakeup, &mut [0; 8]) {
                    Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What the kernel reported.
pub(crate) struct List {
    events: Vec<epoll::Event>,
}

impl List {
    pub(crate) fn with_capacity(capacity: NonZeroUsize) -> Self {
        // One more for the wake-up descriptor.
        Self { events: Vec::with_capacity(capacity.get().saturating_add(1)) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        // Bits that are not asked for still count: urgent data, which polling always asks for with reading, is gone only
        // after a read, and a broken connection only when it is closed. A wait would return at once for ever otherwise.
        const READ: epoll::EventFlags = epoll::EventFlags::OUT.complement();
        const WRITE: epoll::EventFlags =
            epoll::EventFlags::OUT.union(epoll::EventFlags::HUP).union(epoll::EventFlags::ERR);
        self.events.iter().filter(|event| event.data.u64() != WAKE_KEY).map(|event| {
            let flags = event.flags;
            Ready {
                key: event.data.u64(),
                readable: flags.intersects(READ),
                writable: flags.intersects(WRITE),
            }
        })
    }

    pub(crate) fn was_woken(&self) -> bool {
        self.events.iter().any(|event| event.data.u64() == WAKE_KEY)
    }
}

/// The key of the wake-up descriptor, which is also what polling calls its own; no source can be registered under it.
const WAKE_KEY: u64 = u64::MAX;

/// 24 days, near the most milliseconds that `epoll_wait` takes. Longer timeouts end early.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);
