//! Waiting where `polling` does it all.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::Ready;

/// What wakes a wait: polling's notifier, and a note that it was used, which polling does not tell.
#[derive(Debug)]
pub(crate) struct System {
    is_woken: AtomicBool,
}

impl System {
    #[expect(clippy::unnecessary_wraps, reason = "making its Linux sibling can fail")]
    pub(crate) fn new(_: &polling::Poller) -> io::Result<Self> {
        Ok(Self { is_woken: AtomicBool::new(false) })
    }

    pub(crate) fn wait(
        &self,
        polling: &polling::Poller,
        list: &mut List,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        list.was_woken = false;
        list.events.clear();
        polling.wait(&mut list.events, timeout)?;
        // After the wait, which has taken the notification in: a wake that is noted here too late to be seen has
        // notified, or will notify, the next wait.
        list.was_woken = self.is_woken.swap(false, Ordering::AcqRel);
        Ok(())
    }

    pub(crate) fn wake(&self, polling: &polling::Poller) -> io::Result<()> {
        // Noted before notifying, so that the wait which the notification ends finds the note.
        self.is_woken.store(true, Ordering::Release);
        polling.notify()
    }
}

/// What polling reported.
pub(crate) struct List {
    events: polling::Events,
    was_woken: bool,
}

impl List {
    pub(crate) fn with_capacity(capacity: NonZeroUsize) -> Self {
        // One more for the notifier.
        Self {
            events: polling::Events::with_capacity(capacity.saturating_add(1)),
            was_woken: false,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Ready> + '_ {
        self.events.iter().map(|event| Ready {
            key: event.key as u64,
            readable: event.readable,
            writable: event.writable,
        })
    }

    pub(crate) fn was_woken(&self) -> bool {
        self.was_woken
    }
}
