//! The memory of the index: buckets in a row.
//!
//! ```text
//!   first page: of the allocator, 16 buckets and then 16 more at a time     │ page │ page │ …     segments of an arena
//! ```
//!
//! A segment that is dropped is the system's again, which memory of the allocator is not. So what the index of many small items
//! took is there for a few large ones. The arena need not be the one of the items: small segments are good here, for half
//! of one is empty in the mean. Where there are few items, as in a small store of many shards, the first page is all.

use std::mem;
use std::sync::Arc;

use super::bucket::{BUCKET_BYTES, Bucket};
use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::arena::{Arena, Segment};
use crate::prefetch::prefetch;

/// A row of buckets that grows and shrinks at its end, by a piece: a part of the first page, or a page.
#[derive(Debug)]
pub(super) struct Pages {
    first: Vec<Line>,
    others: Vec<Segment>,
    arena: Arc<Arena>,
    /// The logarithm of the number of buckets of a page.
    shift: u32,
}

/// A bucket where a cache line begins.
#[derive(Debug, Clone)]
#[repr(align(64))]
struct Line(Bucket);

impl Pages {
    pub(super) fn new(arena: Arc<Arena>) -> Self {
        let buckets = (arena.segment_len() / BUCKET_BYTES).max(1);
        Self { first: Vec::new(), others: Vec::new(), arena, shift: buckets.ilog2() }
    }

    /// How many pieces there are.
    pub(super) fn pieces(&self) -> usize {
        self.first.len() / self.part_buckets() + self.others.len()
    }

    /// Buckets that so many pieces have.
    pub(super) fn buckets_of(&self, pieces: usize) -> usize {
        let parts = self.parts();
        if pieces <= parts {
            pieces * self.part_buckets()
        } else {
            (1 + pieces - parts) << self.shift
        }
    }

    /// Pieces that have so many buckets.
    pub(super) fn pieces_for(&self, buckets: usize) -> usize {
        if buckets <= self.page_buckets() {
            buckets.div_ceil(self.part_buckets())
        } else {
            self.parts() + buckets.div_ceil(self.page_buckets()) - 1
        }
    }

    /// The pieces of the first page.
    pub(super) fn parts(&self) -> usize {
        self.page_buckets() / self.part_buckets()
    }

    fn part_buckets(&self) -> usize {
        self.page_buckets().min(PART_BUCKETS)
    }

    #[inline]
    fn page_buckets(&self) -> usize {
        1 << self.shift
    }

    /// Memory of the pages and of their list.
    pub(super) fn bytes(&self) -> u64 {
        let first = first_bytes(self.first.capacity());
        first + self.page_bytes() * self.others.len() as u64 + list_bytes(self.others.capacity())
    }

    fn page_bytes(&self) -> u64 {
        self.arena.segment_len() as u64
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Bucket> {
        let Some(page) = (at >> self.shift).checked_sub(1) else {
            return self.first.get(at).map(|line| &line.0);
        };
        let (buckets, _) = self.others.get(page)?.as_chunks();
        buckets.get(at & (self.page_buckets() - 1))
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut Bucket> {
        let in_page = at & (self.page_buckets() - 1);
        let Some(page) = (at >> self.shift).checked_sub(1) else {
            return self.first.get_mut(at).map(|line| &mut line.0);
        };
        let (buckets, _) = self.others.get_mut(page)?.as_chunks_mut();
        buckets.get_mut(in_page)
    }

    #[inline]
    pub(super) fn prefetch(&self, at: usize) {
        if let Some(bucket) = self.get(at) {
            prefetch(bucket, 0);
        }
    }

    /// Adds a piece of empty buckets.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn add(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        if self.first.len() < self.page_buckets() {
            let len = self.first.len() + self.part_buckets();
            return self.resize_first(len, grant);
        }
        self.reserve(grant)?;
        grant.spend(self.page_bytes())?;
        let Some(page) = self.arena.take() else {
            grant.account().credit(self.page_bytes());
            return Err(Need::Memory(self.page_bytes()));
        };
        self.others.push(page);
        Ok(())
    }

    /// Drops the last piece, which is empty.
    pub(super) fn pop(&mut self, account: &Account) {
        if self.others.pop().is_some() {
            account.credit(self.page_bytes());
        } else if let Some(len) = self.first.len().checked_sub(self.part_buckets()) {
            // Without memory for the smaller one the larger one stays.
            let _ = self.resize_first(len, &mut Grant::empty(account));
        }
    }

    /// Puts the first page into other memory.
    fn resize_first(&mut self, len: usize, grant: &mut Grant<'_>) -> Result<(), Need> {
        grant.spend(first_bytes(len))?;
        let mut first = Vec::new();
        if first.try_reserve_exact(len).is_err() {
            grant.account().credit(first_bytes(len));
            return Err(Need::Memory(first_bytes(len)));
        }
        debug_assert_eq!(first.capacity(), len, "what was asked for");
        first.extend(self.first.iter().take(len).cloned());
        first.resize(len, Line([0; BUCKET_BYTES]));
        let before = mem::replace(&mut self.first, first);
        let bytes = first_bytes(before.capacity());
        drop(before);
        grant.account().credit(bytes);
        Ok(())
    }

    /// Room for one more page in the list.
    fn reserve(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.others.len(), self.others.capacity());
        if len < old {
            return Ok(());
        }
        let new = old + (old / 2).max(LIST_MIN);
        grant.spend(list_bytes(new))?;
        if self.others.try_reserve_exact(new - len).is_err() {
            grant.account().credit(list_bytes(new));
            return Err(Need::Memory(list_bytes(new)));
        }
        debug_assert_eq!(self.others.capacity(), new, "what was asked for");
        grant.account().credit(list_bytes(old));
        Ok(())
    }
}

/// What the allocator takes for so many buckets, and leaves before them so that they begin where a line does.
fn first_bytes(buckets: usize) -> u64 {
    if buckets == 0 { 0 } else { allocation_bytes((buckets + 1) * BUCKET_BYTES) }
}

fn list_bytes(pages: usize) -> u64 {
    allocation_bytes(pages * size_of::<Segment>())
}

/// Buckets of a part of the first page: one home, and the others that its guests may lie in.
const PART_BUCKETS: usize = 16;
const LIST_MIN: usize = 4;
