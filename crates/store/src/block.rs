//! A segment cut into cells, which are lent out in runs.
//!
//! ```text
//!   Block  [▒▒▒▒▒▒│    │▒▒▒│▒▒▒▒▒▒▒▒▒│           │▒▒]    64 cells, a bit each
//!            run         run    run                run   each owned by whoever borrowed it
//! ```
//!
//! What the unsafe blocks rest on:
//!
//! - The bit of a cell is set as long as there is a run with that cell, so no two runs share a byte. A run that is forgotten
//!   instead of being given back leaves its bits set for ever.
//! - A block whose bits are not all clear never gives its segment back: dropping it then leaks the segment. So a run's
//!   bytes are there as long as the run is.
//! - A block reads and writes no byte of its segment itself.
#![allow(unsafe_code, reason = "several owners of disjoint parts of one piece of memory")]

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use crate::arena::Segment;

/// A segment whose cells are lent out; without a segment it has none.
#[derive(Debug, Default)]
pub(crate) struct Block {
    segment: Option<Segment>,
    // INVARIANT: a clear bit says that no run has this cell. There is a segment where a bit is set.
    lent: u64,
}

impl Block {
    pub(crate) fn new(segment: Segment) -> Self {
        debug_assert!(segment.as_non_null().len().is_multiple_of(CELLS), "cells of equal length");
        Self { segment: Some(segment), lent: 0 }
    }

    /// Whether there is a segment.
    pub(crate) fn is_there(&self) -> bool {
        self.segment.is_some()
    }

    /// Whether there is a segment of which nothing is lent.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_there() && self.lent == 0
    }

    /// Bytes of a cell; 0 without a segment.
    pub(crate) fn cell_len(&self) -> usize {
        self.segment.as_ref().map_or(0, |segment| segment.as_non_null().len() / CELLS)
    }

    /// The most cells that can be lent as one run.
    pub(crate) fn longest(&self) -> usize {
        let mut free = self.free();
        let mut longest = 0;
        while free != 0 {
            free >>= free.trailing_zeros();
            let len = free.trailing_ones();
            longest = longest.max(len as usize);
            free = free.checked_shr(len).unwrap_or(0);
        }
        longest
    }

    /// The first run of this many cells; `None` if none is so long.
    pub(crate) fn lend(&mut self, cells: usize) -> Option<Run> {
        let first = first_of(self.free(), cells)?;
        let segment = self.segment.as_ref()?.as_non_null();
        let cell_len = self.cell_len();
        let start = segment.as_ptr().cast::<u8>().wrapping_add(first * cell_len);
        let bytes = NonNull::slice_from_raw_parts(NonNull::new(start)?, cells * cell_len);
        self.lent |= mask(first, cells);
        Some(Run { bytes })
    }

    /// Makes the cells of a run free again. A run of another block is not taken, and its cells are lost to that one.
    pub(crate) fn take_back(&mut self, run: Run) {
        let place = self.place_of(&run);
        debug_assert!(place.is_some(), "a run of another block");
        let Some((first, cells)) = place else { return };
        debug_assert_eq!(self.lent & mask(first, cells), mask(first, cells), "it was lent");
        // Whoever owned the run owns it no longer: it moved here.
        self.lent &= !mask(first, cells);
    }

    /// The segment, if nothing of it is lent; the block is without one then.
    pub(crate) fn give_up(&mut self) -> Option<Segment> {
        if self.lent == 0 { self.segment.take() } else { None }
    }

    fn free(&self) -> u64 {
        if self.is_there() { !self.lent } else { 0 }
    }

    /// First cell and number of cells.
    fn place_of(&self, run: &Run) -> Option<(usize, usize)> {
        let segment = self.segment.as_ref()?.as_non_null();
        let cell_len = self.cell_len();
        let start = run.bytes.addr().get().checked_sub(segment.addr().get())?;
        let (first, cells) = (start / cell_len, run.bytes.len() / cell_len);
        (first + cells <= CELLS).then_some((first, cells))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.lent != 0 {
            // Somebody may still read what was lent.
            mem::forget(self.segment.take());
        }
    }
}

/// Neighbouring cells of a block, owned. It has to be given back; one that is dropped instead is lost to its block.
pub(crate) struct Run {
    // INVARIANT: cells of a block, of which no other run has any; their bits are set until this is taken back.
    bytes: NonNull<[u8]>,
}

// SAFETY: A run is the only owner of plain bytes, as a box is.
unsafe impl Send for Run {}

// SAFETY: A shared run only lends its bytes for reading.
unsafe impl Sync for Run {}

impl Deref for Run {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: They are bytes of a segment, all of them initialized, that stays while a bit of its block is set, and they
        // are written through a `&mut` to this run alone (the invariant of `bytes`).
        unsafe { self.bytes.as_ref() }
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: As in `deref`; and whoever borrows from this run now is the only one.
        unsafe { self.bytes.as_mut() }
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("len", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The bits of these cells.
fn mask(first: usize, cells: usize) -> u64 {
    let ones = if cells >= CELLS { u64::MAX } else { (1 << cells) - 1 };
    ones << first
}

/// Where the first run of this many set bits begins.
fn first_of(free: u64, cells: usize) -> Option<usize> {
    if cells == 0 || cells > CELLS {
        return None;
    }
    // A bit stays where `len` bits follow each other from it on.
    let (mut starts, mut len) = (free, 1);
    while len < cells {
        let more = len.min(cells - len);
        starts &= starts >> more;
        len += more;
    }
    (starts != 0).then(|| starts.trailing_zeros() as usize)
}

/// Cells of a block.
pub(crate) const CELLS: usize = 64;

// Not for the models, which have this file for their own.
#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::arena::Arena;

    const LEN: usize = 16 << 10;

    fn block() -> Block {
        Block::new(Arena::new(LEN).take().unwrap())
    }

    #[test]
    fn runs_of_free_bits_are_found() {
        let check = |free, cells, expected| assert_eq!(first_of(free, cells), expected, "{free:b}");
        check(u64::MAX, 64, Some(0));
        check(u64::MAX << 1, 63, Some(1));
        check(u64::MAX >> 1, 64, None);
        check(0b0111_0110_1000, 2, Some(5));
        check(0b0111_0110_1000, 3, Some(8));
        check(0b0111_0110_1000, 4, None);
        check(1 << 63, 1, Some(63));
        check(0, 1, None);
        check(u64::MAX, 0, None);
        check(u64::MAX, 65, None);
        // Every length at every place, with nothing around it.
        for cells in 1..=CELLS {
            for first in 0..=CELLS - cells {
                check(mask(first, cells), cells, Some(first));
                check(mask(first, cells), cells + 1, None);
            }
        }
    }

    #[test]
    fn a_block_lends_the_first_run_that_is_long_enough() {
        let mut block = block();
        let mut runs: Vec<_> = [10, 20, 5, 29].map(|cells| block.lend(cells).unwrap()).into();
        assert_eq!((block.longest(), block.is_idle()), (0, false));
        assert!(block.lend(1).is_none() && block.give_up().is_none());
        for (number, run) in (1..).zip(&mut runs) {
            run.fill(number);
        }
        block.take_back(runs.remove(1));
        block.take_back(runs.remove(0));
        assert_eq!(block.longest(), 30);
        let mut again = block.lend(30).unwrap();
        again.fill(9);
        assert_eq!((runs[0].len(), runs[1].len(), again.len()), (5 * 256, 29 * 256, 30 * 256));
        assert!(runs[0].iter().all(|&byte| byte == 3) && runs[1].iter().all(|&byte| byte == 4));
        runs.into_iter().chain([again]).for_each(|run| block.take_back(run));
        assert!(block.is_idle() && block.longest() == CELLS);
        assert!(block.give_up().is_some() && !block.is_there() && block.lend(1).is_none());
    }

    #[test]
    fn a_run_outlives_a_block_that_was_dropped_too_early() {
        let arena = Arena::new(LEN);
        let mut block = Block::new(arena.take().unwrap());
        let mut run = block.lend(CELLS).unwrap();
        drop(block);
        run.fill(5);
        assert!(run.iter().all(|&byte| byte == 5));
        assert_eq!(arena.taken_bytes(), LEN as u64, "its segment is lost");
    }
}
