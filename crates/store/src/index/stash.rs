//! The few handles that no bucket has room for, though the index as a whole has.
//!
//! With hashes that spread there is hardly ever one. With hashes that agree nearly all are here, and are found.

use crate::account::{Account, Grant, Need, allocation_bytes};

/// Handles with their hashes, in no order.
#[derive(Debug, Default)]
pub(super) struct Stash {
    list: Vec<Stashed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stashed {
    pub(super) hash: u64,
    pub(super) handle: u32,
}

impl Stash {
    pub(super) fn bytes(&self) -> u64 {
        list_bytes(self.list.capacity())
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let is_it = |stashed: &&Stashed| stashed.hash == hash && is_it(stashed.handle);
        self.list.iter().find(is_it).map(|stashed| stashed.handle)
    }

    pub(super) fn position(&self, is_it: impl FnMut(&Stashed) -> bool) -> Option<usize> {
        self.list.iter().position(is_it)
    }

    pub(super) fn get(&self, position: usize) -> Option<&Stashed> {
        self.list.get(position)
    }

    pub(super) fn get_mut(&mut self, position: usize) -> Option<&mut Stashed> {
        self.list.get_mut(position)
    }

    /// Adds one, for which room was reserved.
    pub(super) fn push(&mut self, stashed: Stashed) {
        debug_assert!(self.list.len() < self.list.capacity(), "not reserved");
        self.list.push(stashed);
    }

    /// Takes one out that is there; the last one moves to its position.
    pub(super) fn take(&mut self, position: usize) -> Stashed {
        self.list.swap_remove(position)
    }

    /// Room for so many more.
    ///
    /// # Errors
    /// What is missing.
    #[inline]
    pub(super) fn reserve(&mut self, more: usize, grant: &mut Grant<'_>) -> Result<(), Need> {
        if self.list.capacity() - self.list.len() >= more {
            return Ok(());
        }
        self.grow(more, grant)
    }

    #[cold]
    fn grow(&mut self, more: usize, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.list.len(), self.list.capacity());
        let new = (len + more).max(old + old / 2);
        grant.spend(list_bytes(new))?;
        if self.list.try_reserve_exact(new - len).is_err() {
            grant.account().credit(list_bytes(new));
            return Err(Need::Memory(list_bytes(new)));
        }
        debug_assert_eq!(self.list.capacity(), new, "what was asked for");
        grant.account().credit(list_bytes(old));
        Ok(())
    }

    /// Gives the memory back if nothing is in it.
    pub(super) fn trim(&mut self, account: &Account) {
        if self.list.is_empty() {
            let bytes = self.bytes();
            self.list = Vec::new();
            account.credit(bytes);
        }
    }
}

fn list_bytes(capacity: usize) -> u64 {
    allocation_bytes(capacity * size_of::<Stashed>())
}
