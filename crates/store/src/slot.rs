//! What is known of a segment of the log besides its bytes.

use crate::account::Account;
use crate::arena::Segment;
use crate::log::Queue;
use crate::seconds::{Expiry, Seconds};

/// What is known of a segment.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Items end here.
    pub(crate) filled: u32,
    pub(crate) dead: u32,
    /// Living ones.
    pub(crate) items: u32,
    pub(crate) newer: u32,
    pub(crate) older: u32,
    /// No item expires before, and none that expires at all after.
    pub(crate) earliest: Expiry,
    pub(crate) latest: Expiry,
    /// Flushes the shard had seen when it was opened; an item of an earlier flush is gone.
    pub(crate) generation: u32,
    /// Before it, everything is dead.
    pub(crate) cursor: u32,
    /// So far a search for expired items has got that is under way in it.
    pub(crate) sought: u32,
    /// When it was last searched for them.
    pub(crate) searched: Seconds,
    pub(crate) queue: Queue,
    pub(crate) stream: u8,
    pub(crate) is_open: bool,
    /// It is being emptied.
    pub(crate) is_draining: bool,
}

impl Slot {
    pub(crate) const EMPTY: Self = Self {
        filled: 0,
        dead: 0,
        items: 0,
        newer: NONE,
        older: NONE,
        earliest: Expiry::NEVER,
        latest: Expiry::from_word(0),
        generation: 0,
        cursor: 0,
        sought: 0,
        searched: Seconds(0),
        queue: Queue::Small,
        stream: 0,
        is_open: false,
        is_draining: false,
    };

    /// When a search for expired items will be worth its while: when all are, or half a minute after the first.
    pub(crate) fn due(&self) -> Expiry {
        let Some(earliest) = Option::<Seconds>::from(self.earliest) else { return Expiry::NEVER };
        let ripe = earliest.0.max(self.searched.0).saturating_add(RIPENING);
        Expiry::from_word(ripe.max(earliest.0)).min(self.latest).max(self.earliest)
    }

    pub(crate) fn is_due(&self, now: Seconds, at_once: bool) -> bool {
        if at_once { self.earliest.is_due(now) } else { self.due().is_due(now) }
    }

    /// An item of this expiry is in it.
    pub(crate) fn note(&mut self, expiry: Expiry) {
        self.earliest = self.earliest.min(expiry);
        self.latest = self.latest.max(expiry);
    }
}

/// What came free with an item.
#[derive(Debug)]
#[must_use]
pub(crate) enum Freed {
    Nothing,
    /// A segment, which the log has kept for itself.
    Reserved,
    /// A segment, to be dropped and then credited.
    Segment(Segment),
}

impl Freed {
    /// Gives the memory back.
    pub(crate) fn settle(self, account: &Account) -> bool {
        match self {
            Self::Nothing => false,
            Self::Reserved => true,
            Self::Segment(segment) => {
                let bytes = segment.len() as u64;
                drop(segment);
                account.credit(bytes);
                true
            }
        }
    }
}

/// No segment.
pub(crate) const NONE: u32 = u32::MAX;
/// Seconds for which a segment is left alone in which some items have expired and others have not.
const RIPENING: u32 = 30;
