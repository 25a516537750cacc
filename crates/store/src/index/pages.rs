//! The memory of the index: buckets in a row, in pages that are segments of an arena.
//!
//! A segment that is dropped is the system's again, which memory of the allocator is not. So what the index of many small items
//! took is there for a few large ones. The arena need not be the one of the items: small segments are good here, for half
//! of one is empty in the mean.

use std::sync::Arc;

use super::bucket::{BUCKET_BYTES, Bucket};
use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::arena::{Arena, Segment};
use crate::prefetch::prefetch;

/// A row of buckets that grows and shrinks at its end.
#[derive(Debug)]
pub(super) struct Pages {
    list: Vec<Segment>,
    arena: Arc<Arena>,
    /// The logarithm of the number of buckets of a page.
    shift: u32,
}

impl Pages {
    pub(super) fn new(arena: Arc<Arena>) -> Self {
        let buckets = (arena.segment_len() / BUCKET_BYTES).max(1);
        Self { list: Vec::new(), arena, shift: buckets.ilog2() }
    }

    /// How many pages there are.
    pub(super) fn count(&self) -> usize {
        self.list.len()
    }

    /// Buckets of a page.
    #[inline]
    pub(super) fn page_buckets(&self) -> usize {
        1 << self.shift
    }

    /// Memory of the pages and of their list.
    pub(super) fn bytes(&self) -> u64 {
        self.page_bytes() * self.list.len() as u64 + list_bytes(self.list.capacity())
    }

    fn page_bytes(&self) -> u64 {
        self.arena.segment_len() as u64
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Bucket> {
        let (buckets, _) = self.list.get(at >> self.shift)?.as_chunks();
        buckets.get(at & (self.page_buckets() - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Bucket> {
        let in_page = at & (self.page_buckets() - 1);
        let (buckets, _) = self.list.get_mut(at >> self.shift)?.as_chunks_mut();
        buckets.get_mut(in_page)
    }

    #[inline]
    pub(super) fn prefetch(&self, at: usize) {
        if let Some(page) = self.list.get(at >> self.shift) {
            prefetch(page, (at & (self.page_buckets() - 1)) * BUCKET_BYTES);
        }
    }

    /// Adds a page of empty buckets.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn add(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        self.reserve(grant)?;
        grant.spend(self.page_bytes())?;
        let Some(page) = self.arena.take() else {
            grant.account().credit(self.page_bytes());
            return Err(Need::Memory(self.page_bytes()));
        };
        self.list.push(page);
        Ok(())
    }

    /// Drops the last page.
    pub(super) fn pop(&mut self, account: &Account) {
        if self.list.pop().is_some() {
            account.credit(self.page_bytes());
        }
    }

    /// Room for one more page in the list.
    fn reserve(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.list.len(), self.list.capacity());
        if len < old {
            return Ok(());
        }
        let new = old + (old / 2).max(LIST_MIN);
        grant.spend(list_bytes(new))?;
        if self.list.try_reserve_exact(new - len).is_err() {
            grant.account().credit(list_bytes(new));
            return Err(Need::Memory(list_bytes(new)));
        }
        debug_assert_eq!(self.list.capacity(), new, "what was asked for");
        grant.account().credit(list_bytes(old));
        Ok(())
    }
}

fn list_bytes(pages: usize) -> u64 {
    allocation_bytes(pages * size_of::<Segment>())
}

const LIST_MIN: usize = 4;
