//! The budgets of what clients leave unfinished: how much is held, and whose share is overdrawn.
//!
//! The sums are for the whole server and written only when what a client holds changed over a turn, which for a client
//! that reads its replies is never. When a sum is over its limit, each worker that holds more than an even share closes
//! clients until it does not; by the pigeonhole principle there is such a worker.

use std::sync::atomic::{AtomicU64, Ordering};

use larder_connection::Unfinished;

use crate::config;
use crate::counters::Count;

/// The resources that are budgeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    UnreadReplyBytes,
    IncompleteValueBytes,
    IncompleteCommandBytes,
    RepliesInFlight,
}

impl Resource {
    pub(crate) const ALL: [Self; RESOURCE_COUNT] = [
        Self::UnreadReplyBytes,
        Self::IncompleteValueBytes,
        Self::IncompleteCommandBytes,
        Self::RepliesInFlight,
    ];

    /// How much of it a client holds.
    pub(crate) const fn held(self, unfinished: &Unfinished) -> u64 {
        (match self {
            Self::UnreadReplyBytes => unfinished.reply_bytes,
            Self::IncompleteValueBytes => unfinished.value_bytes,
            Self::IncompleteCommandBytes => unfinished.command_bytes,
            Self::RepliesInFlight => unfinished.replies_in_flight,
        }) as u64
    }

    /// What a client that was closed for it is counted as.
    pub(crate) const fn count(self) -> Count {
        match self {
            Self::UnreadReplyBytes => Count::ClosedUnreadReplies,
            Self::IncompleteValueBytes => Count::ClosedIncompleteValues,
            Self::IncompleteCommandBytes => Count::ClosedIncompleteCommands,
            Self::RepliesInFlight => Count::ClosedRepliesInFlight,
        }
    }

    /// Whether the client that waited longest gives way, rather than the one that holds most.
    pub(crate) const fn gives_way_by_age(self) -> bool {
        matches!(self, Self::IncompleteValueBytes | Self::IncompleteCommandBytes)
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
        let limits = Resource::ALL.map(|resource| match resource {
            Resource::UnreadReplyBytes => limits.unread_reply_bytes,
            Resource::IncompleteValueBytes => limits.incomplete_value_bytes,
            Resource::IncompleteCommandBytes => limits.incomplete_command_bytes,
            Resource::RepliesInFlight => limits.replies_in_flight,
        });
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

    /// Books that a client holds `now` where it held `before`.
    pub(crate) fn book(&mut self, budgets: &Budgets, before: &Unfinished, now: &Unfinished) {
        for resource in Resource::ALL {
            let (before, now) = (resource.held(before), resource.held(now));
            if before == now {
                continue;
            }
            let held = &mut self.held[resource as usize];
            *held = held.wrapping_sub(before).wrapping_add(now);
            let used = &budgets.used[resource as usize];
            // Two's complement: one addition for either direction.
            used.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
    }

    /// Whether this worker must close clients.
    pub(crate) fn is_overdrawn(&self, budgets: &Budgets, resource: Resource) -> bool {
        let limit = budgets.limit(resource);
        budgets.used(resource) > limit && self.held[resource as usize] > limit / self.workers
    }
}

const RESOURCE_COUNT: usize = 4;

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
        let nothing = Unfinished::default();
        let holds = |bytes| Unfinished { reply_bytes: bytes, ..nothing };
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
