//! The end of a connection that ends on this side first: after `quit`, or a line that is too long.
//!
//! Whoever pipelines may be sending still. A socket that is closed with bytes unread, or that bytes reach afterwards, is
//! reset by the system, and replies that are on their way are lost with it. So what is sent ends, what comes is thrown
//! away, and the socket is closed when the peer has ended its side too: within bounds, for which there are counters.
//!
//! ```text
//!   last reply sent ──► end_replies ──► discard … discard ──► close
//!                                          the peer ended; too many bytes; too long
//! ```

use larder_poller::Interest;
use larder_pool::Key;
use larder_store::Seconds;

use super::Worker;
use crate::client::Lingering;
use crate::counters::Count;
use crate::ready;

impl Worker {
    /// Lets a client go that is owed nothing any more.
    pub(super) fn part(&mut self, key: Key) {
        let now = self.cache.now();
        let Some(client) = self.clients.get_mut(key) else { return };
        let Some(socket) = &mut client.socket else { return };
        if client.has_left {
            return self.close(key, Some(Count::ClosedOnError));
        }
        // Before it can know that this is the end.
        if let Some(record) = &client.record {
            record.note(client.connection.phase(), now);
        }
        // A server that stops has no time for clients that are silent.
        let discarded = if client.has_ended {
            None
        } else if self.is_finishing {
            ready::discard(socket, &mut self.scratch).filter(|&discarded| discarded > 0)
        } else {
            Some(0)
        };
        let lingers = discarded.is_some()
            && ready::end_replies(socket)
            && socket.set_interest(Interest::READ).is_ok();
        let Some(discarded) = discarded.filter(|_| lingers) else { return self.close(key, None) };
        client.lingering = Some(Lingering { since: now, discarded });
        client.was_half_way = false;
        if self.ledger.update(&self.shared.budgets, client) {
            self.settle();
        }
    }

    /// Throws away what a client sends behind its end. False if it has not come to that.
    pub(super) fn discard(&mut self, key: Key) -> bool {
        let Some(client) = self.clients.get_mut(key) else { return false };
        let (Some(lingering), Some(socket)) = (&mut client.lingering, &client.socket) else {
            return false;
        };
        match ready::discard(socket, &mut self.scratch) {
            None => self.close(key, None),
            Some(len) => {
                lingering.discarded += len;
                if lingering.discarded > BYTES_MAX {
                    self.close(key, Some(Count::ClosedLingeringBytes));
                }
            }
        }
        true
    }
}

impl Lingering {
    /// Whether the peer has had its time.
    pub(super) fn is_over(&self, now: Seconds) -> bool {
        now.since(self.since) > SECONDS_MAX
    }
}

/// Bytes that are thrown away for one client: more than a socket's buffers on both sides hold.
const BYTES_MAX: usize = 16 << 20;

/// Seconds that one client is given to end its side.
const SECONDS_MAX: u32 = 5;
