//! The budgets of what clients leave unfinished: how much is held, and whose share is overdrawn.
//!
//! The sums are for the whole server and written only when what a client holds changed over a turn, which for a client
//! that reads its replies is never. When a sum is over its limit, each worker that holds more than an even share closes
//! clients until it does not; by the pigeonhole principle there is such a worker.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_connection::Unfinished;

use crate::client::Client;
use crate::config;
use crate::counters::Count;

/// The resources that are budgeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    UnreadReplyBytes,
    IncompleteValueBytes,
    IncompleteCommandBytes,
    RepliesInFlight,
    /// Capacity of buffers that hold nothing. Its limit is that of unread replies, and nobody is closed for it: it is
    /// given back.
    SpareBytes,
}

impl Resource {
    /// Those for which clients are closed.
    pub(crate) const CLOSING: [Self; 4] = [
        Self::UnreadReplyBytes,
        Self::IncompleteValueBytes,
        Self::IncompleteCommandBytes,
        Self::RepliesInFlight,
    ];

    /// What a client that was closed for it is counted as.
    pub(crate) const fn count(self) -> Option<Count> {
        match self {
            Self::UnreadReplyBytes => Some(Count::ClosedUnreadReplies),
            Self::IncompleteValueBytes => Some(Count::ClosedIncompleteValues),
            Self::IncompleteCommandBytes => Some(Count::ClosedIncompleteCommands),
            Self::RepliesInFlight => Some(Count::ClosedRepliesInFlight),
            Self::SpareBytes => None,
        }
    }

    /// Whether the client that waited longest gives way, rather than the one that holds most.
    pub(crate) const fn gives_way_by_age(self) -> bool {
        matches!(self, Self::IncompleteValueBytes | Self::IncompleteCommandBytes)
    }
}

/// How much of each resource a client holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held([u64; RESOURCE_COUNT]);

impl Held {
    pub(crate) fn new(unfinished: &Unfinished, spare_bytes: usize) -> Self {
        let mut held = [0; RESOURCE_COUNT];
        for (resource, amount) in [
            (Resource::UnreadReplyBytes, unfinished.reply_bytes),
            (Resource::IncompleteValueBytes, unfinished.value_bytes),
            (Resource::IncompleteCommandBytes, unfinished.command_bytes),
            (Resource::RepliesInFlight, unfinished.replies_in_flight),
            (Resource::SpareBytes, spare_bytes),
        ] {
            held[resource as usize] = amount as u64;
        }
        Self(held)
    }

    pub(crate) fn of(&self, resource: Resource) -> u64 {
        self.0[resource as usize]
    }
}

/// Limits and sums for the whole server.
#[derive(Debug)]
pub(crate) struct Budgets {
    limits: [u64; RESOURCE_COUNT],
    used: [AtomicU64; RESOURCE_COUNT],
}

impl Budgets {
    pub(crate) fn new(limits: &config::Budgets) -> Self {
        let limits = [
            limits.unread_reply_bytes,
            limits.incomplete_value_bytes,
            limits.incomplete_command_bytes,
            limits.replies_in_flight,
            limits.unread_reply_bytes,
        ];
        Self { limits, used: [const { AtomicU64::new(0) }; RESOURCE_COUNT] }
    }

    pub(crate) fn limit(&self, resource: Resource) -> u64 {
        self.limits[resource as usize]
    }

    pub(crate) fn used(&self, resource: Resource) -> u64 {
        self.used[resource as usize].load(Ordering::Relaxed)
    }
}

/// What one worker's clients hold.
#[derive(Debug)]
pub(crate) struct Ledger {
    held: [u64; RESOURCE_COUNT],
    workers: u64,
}

impl Ledger {
    pub(crate) fn new(workers: usize) -> Self {
        Self { held: [0; RESOURCE_COUNT], workers: (workers as u64).max(1) }
    }

    /// Books what a client holds, if that has changed; says whether it has.
    pub(crate) fn update(&mut self, budgets: &Budgets, client: &mut Client) -> bool {
        let held = client.held();
        let booked = std::mem::replace(&mut client.booked, held);
        let has_changed = booked != held;
        if has_changed {
            self.book(budgets, &booked, &held);
        }
        has_changed
    }

    /// Books that a client holds `now` where it held `before`.
    pub(crate) fn book(&mut self, budgets: &Budgets, before: &Held, now: &Held) {
        let sums = self.held.iter_mut().zip(&budgets.used);
        for ((held, used), (&before, &now)) in sums.zip(before.0.iter().zip(&now.0)) {
            if before != now {
                // Two's complement: one addition for either direction.
                *held = held.wrapping_add(now.wrapping_sub(before));
                used.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
            }
        }
    }

    /// Whether this worker must close clients.
    pub(crate) fn is_overdrawn(&self, budgets: &Budgets, resource: Resource) -> bool {
        let limit = budgets.limit(resource);
        budgets.used(resource) > limit && self.held[resource as usize] > limit / self.workers
    }
}

const RESOURCE_COUNT: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_over_its_share_gives_way() {
        let limits = config::Budgets {
            unread_reply_bytes: 100,
            incomplete_value_bytes: 100,
            incomplete_command_bytes: 100,
            replies_in_flight: 100,
            half_command_age: None,
        };
        let budgets = Budgets::new(&limits);
        let (mut modest, mut greedy) = (Ledger::new(2), Ledger::new(2));
        let nothing = Held::default();
        let holds =
            |bytes| Held::new(&Unfinished { reply_bytes: bytes, ..Unfinished::default() }, 0);
        let resource = Resource::UnreadReplyBytes;

        greedy.book(&budgets, &nothing, &holds(99));
        assert!(!greedy.is_overdrawn(&budgets, resource), "one may use what others do not");
        modest.book(&budgets, &nothing, &holds(10));
        assert!(!modest.is_overdrawn(&budgets, resource), "below an even share");
        assert!(greedy.is_overdrawn(&budgets, resource));
        greedy.book(&budgets, &holds(99), &nothing);
        modest.book(&budgets, &holds(10), &nothing);
        assert!(!greedy.is_overdrawn(&budgets, resource));
        assert_eq!(budgets.used(resource), 0);
    }
}
