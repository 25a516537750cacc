//! The memory limit: one pool for the store, an account for each shard that draws on it in blocks.
//!
//! ```text
//!   limit  |-------------- used by accounts --------------|---- free ----|-- held back for pins --|
//!   account i:  drawn = what its items, index, drafts and pins hold + spare
//! ```
//!
//! A byte is taken before it is allocated and credited after it is freed, so what is held never passes the limit. All
//! of it is atomic arithmetic: no lock is needed to take or credit, so drafts and pins may be dropped anywhere.
//!
//! The numbers guard no other memory, so orderings are relaxed. But who draws, who sets the limit and who lowers the ceiling must see
//! each other: each writes its number and then looks at the others', with a fence between, so that one of two makes way.
//! The models in `tests/loom.rs` go through all interleavings.

use crate::atomic::Ordering::{Relaxed, SeqCst};
use crate::atomic::{Arc, AtomicU64, fence};

/// The bytes of a whole store.
#[derive(Debug)]
pub(crate) struct Pool {
    /// What the accounts have drawn, spare included.
    used: AtomicU64,
    /// What `used` may reach now. It is above the goal while a lowered limit is being reached, and then only falls.
    ceiling: AtomicU64,
    /// The limit that was asked for.
    limit: AtomicU64,
    /// What an account draws at a time.
    block: u64,
    /// How many accounts there are.
    accounts: u64,
}

impl Pool {
    pub(crate) fn new(limit: u64, shards: usize) -> Self {
        let block = (limit / shards as u64 / 256).clamp(BLOCK_MIN, BLOCK_MAX);
        Self {
            used: AtomicU64::new(0),
            ceiling: AtomicU64::new(limit.saturating_sub(held_back(limit))),
            limit: AtomicU64::new(limit),
            block,
            accounts: shards.max(1) as u64,
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// The most that one taker could ever get.
    pub(crate) fn ceiling(&self) -> u64 {
        self.ceiling.load(Relaxed)
    }

    /// Sets the limit. A higher one holds at once; to a lower one the ceiling sinks as memory is freed.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
        self.ceiling.fetch_max(self.goal(), Relaxed);
        self.lower();
    }

    /// Lets the ceiling sink to what is used, at most down to the goal.
    pub(crate) fn lower(&self) {
        let floor = self.goal().max(self.used());
        let before = self.ceiling.fetch_min(floor, Relaxed);
        fence(SeqCst);
        // Somebody may have drawn in between, up to where the ceiling was, or raised the limit.
        let drawn = self.used().min(before);
        self.ceiling.fetch_max(self.goal().max(drawn), Relaxed);
    }

    /// Whether a lowered limit is not reached yet.
    pub(crate) fn is_shrinking(&self) -> bool {
        self.excess() > 0
    }

    /// Bytes that have to go until a lowered limit is reached.
    pub(crate) fn excess(&self) -> u64 {
        self.ceiling().saturating_sub(self.goal())
    }

    fn goal(&self) -> u64 {
        let limit = self.limit();
        limit.saturating_sub(held_back(limit))
    }

    fn take_up_to(&self, bytes: u64) -> u64 {
        let mut used = self.used();
        loop {
            let got = self.ceiling().saturating_sub(used).min(bytes);
            if got == 0 {
                return 0;
            }
            let drawn = self.used.compare_exchange_weak(used, used + got, Relaxed, Relaxed);
            if let Err(seen) = drawn {
                used = seen;
                continue;
            }
            fence(SeqCst);
            if used + got <= self.ceiling() {
                return got;
            }
            // The ceiling came down on it: less, or nothing.
            used = self.used.fetch_sub(got, Relaxed) - got;
        }
    }
}

/// The bytes of one shard. On cache lines of its own: every set of the shard writes here.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Account {
    pool: Arc<Pool>,
    /// Drawn from the pool: what is held, and `spare`.
    drawn: AtomicU64,
    /// Drawn and not in use.
    spare: AtomicU64,
    /// Part of what is held: drafts that are not committed.
    pub(crate) drafts: AtomicU64,
    /// Part of what is held: values that are pinned though the store has dropped them.
    pub(crate) pinned: AtomicU64,
}

impl Account {
    pub(crate) fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            drawn: AtomicU64::new(0),
            spare: AtomicU64::new(0),
            drafts: AtomicU64::new(0),
            pinned: AtomicU64::new(0),
        }
    }

    /// Bytes in use.
    pub(crate) fn held(&self) -> u64 {
        self.drawn.load(Relaxed).saturating_sub(self.spare())
    }

    /// Bytes drawn and not in use.
    pub(crate) fn spare(&self) -> u64 {
        self.spare.load(Relaxed)
    }

    /// Takes these bytes, or none of them.
    #[must_use]
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let got = self.take_up_to(bytes);
        if got < bytes {
            self.credit(got);
        }
        got == bytes
    }

    /// Takes what there is of these bytes.
    #[must_use]
    pub(crate) fn take_up_to(&self, bytes: u64) -> u64 {
        let got = self.take_spare(bytes);
        let missing = bytes - got;
        if missing == 0 {
            return got;
        }
        let drawn = self.pool.take_up_to(missing.max(self.pool.block));
        self.drawn.fetch_add(drawn, Relaxed);
        self.spare.fetch_add(drawn.saturating_sub(missing), Relaxed);
        got + drawn.min(missing)
    }

    /// Whether these bytes could be taken now.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        let ceiling = self.pool.ceiling() + self.spare();
        ceiling >= self.pool.used().saturating_add(bytes)
    }

    /// Whether others have much more: then they are to give room, and not its own few items.
    pub(crate) fn is_poor(&self) -> bool {
        self.held() < self.pool.used() / self.pool.accounts / 2
    }

    /// Takes these bytes even above the ceiling: for what is already there, and for pins, which cannot be refused.
    pub(crate) fn force(&self, bytes: u64) {
        let missing = bytes - self.take_spare(bytes);
        self.pool.used.fetch_add(missing, Relaxed);
        self.drawn.fetch_add(missing, Relaxed);
    }

    /// Gives bytes back.
    pub(crate) fn credit(&self, bytes: u64) {
        let spare = self.spare.fetch_add(bytes, Relaxed) + bytes;
        if spare > 2 * self.pool.block {
            self.release(spare - self.pool.block);
        }
    }

    /// Returns all that is spare to the pool.
    pub(crate) fn release_all(&self) {
        self.release(u64::MAX);
    }

    fn release(&self, at_most: u64) {
        let bytes = self.take_spare(at_most);
        self.drawn.fetch_sub(bytes, Relaxed);
        self.pool.used.fetch_sub(bytes, Relaxed);
    }

    fn take_spare(&self, at_most: u64) -> u64 {
        let mut spare = self.spare.load(Relaxed);
        loop {
            let got = spare.min(at_most);
            if got == 0 {
                return 0;
            }
            match self.spare.compare_exchange_weak(spare, spare - got, Relaxed, Relaxed) {
                Ok(_) => return got,
                Err(seen) => spare = seen,
            }
        }
    }
}

/// Bytes taken from an account for something that is about to be allocated; what is not spent goes back.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    account: &'a Account,
    bytes: u64,
}

impl<'a> Grant<'a> {
    pub(crate) fn empty(account: &'a Account) -> Self {
        Self { account, bytes: 0 }
    }

    pub(crate) fn account(&self) -> &'a Account {
        self.account
    }

    /// Grows towards this many bytes as far as there is memory; says how many are missing.
    pub(crate) fn fill(&mut self, bytes: u64) -> u64 {
        let missing = bytes.saturating_sub(self.bytes);
        let got = self.account.take_up_to(missing);
        self.bytes += got;
        missing - got
    }

    /// Spends bytes, from the grant or else from the account.
    ///
    /// # Errors
    /// What a grant would need to hold, if there is not enough.
    pub(crate) fn spend(&mut self, bytes: u64) -> Result<(), Need> {
        if self.bytes < bytes && self.fill(bytes) > 0 {
            return Err(Need::Room(bytes));
        }
        self.bytes -= bytes;
        Ok(())
    }
}

impl Drop for Grant<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.account.credit(self.bytes);
        }
    }
}

/// What is missing: let go of the lock, see to it, try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// So many bytes below the limit.
    Room(u64),
    /// A segment for the log, in reserve or below the limit.
    Segment,
    /// So many bytes that the system refused to allocate, though the limit allows them. They were given back to the account.
    Memory(u64),
    /// So many cells of the heap, at most a block's: they can be had by freeing bodies of large items, or a block's bytes below
    /// the limit.
    Cells(usize),
}

/// What an allocation of this size takes from the system, by the rules of glibc: a word of header, 16-byte steps, at
/// least 32 bytes, and whole pages from 128 KiB on.
pub(crate) const fn allocation_bytes(len: usize) -> u64 {
    let len = len as u64;
    if len == 0 {
        0
    } else if len >= 128 << 10 {
        (len + 16).next_multiple_of(4096)
    } else if len <= 24 {
        32
    } else {
        (len + 8).next_multiple_of(16)
    }
}

/// Kept free of items, for pins of small values.
fn held_back(limit: u64) -> u64 {
    (limit / 128).clamp(16 << 10, 1 << 20)
}

const BLOCK_MIN: u64 = 1 << 10;
const BLOCK_MAX: u64 = 64 << 10;

// Not for the models, which have this file for their own.
#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;

    #[test]
    fn an_account_never_draws_more_than_the_pool_has() {
        let pool = Arc::new(Pool::new(4 << 20, 2));
        let (a, b) = (Account::new(Arc::clone(&pool)), Account::new(Arc::clone(&pool)));
        let got = a.take_up_to(3 << 20);
        assert_eq!(got, 3 << 20);
        let rest = b.take_up_to(u64::MAX);
        assert!(rest > 0 && a.held() + b.held() <= 4 << 20);
        assert!(!b.take(1), "nothing is left");
        a.credit(got);
        b.credit(rest);
        assert_eq!((a.held(), b.held()), (0, 0));
        a.release_all();
        b.release_all();
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn allocations_round_as_malloc_does() {
        let check = |len, bytes| assert_eq!(allocation_bytes(len), bytes, "{len}");
        check(0, 0);
        check(1, 32);
        check(24, 32);
        check(25, 48);
        check(40, 48);
        check(65536, 65552);
        check(131_072, 135_168);
    }
}
