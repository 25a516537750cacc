//! The bytes of one large item: a list of runs, which grows as they arrive.

use std::fmt;
use std::slice;

use crate::account::{Grant, Need, allocation_bytes};
use crate::atomic::Arc;
use crate::block::CELLS;
use crate::heap::{Heap, Part};

/// The bytes of one item, in runs. Dropping it makes their cells free.
pub(crate) struct Runs {
    heap: Arc<Heap>,
    parts: Vec<Part>,
}

impl Runs {
    pub(crate) fn new(heap: &Arc<Heap>) -> Self {
        Self { heap: Arc::clone(heap), parts: Vec::new() }
    }

    /// Memory that it has: its cells, and the list of them.
    pub(crate) fn charged(&self) -> u64 {
        self.reach() as u64 + table_bytes(self.parts.capacity())
    }

    /// Bytes that there is room for.
    pub(crate) fn reach(&self) -> usize {
        self.end() as usize * self.heap.cell_len()
    }

    /// Room for bytes behind what it reaches: for one run, of up to a block's length.
    ///
    /// # Errors
    /// What is missing. What there is stays.
    pub(crate) fn grow(&mut self, len: usize, grant: &mut Grant<'_>) -> Result<(), Need> {
        self.prepare(grant)?;
        let cells = len.div_ceil(self.heap.cell_len()).clamp(1, CELLS);
        let mut part = self.heap.lend(cells, grant)?;
        let lent = part.run.len() / self.heap.cell_len();
        part.end = self.end() + u32::try_from(lent).unwrap_or(u32::MAX);
        self.parts.push(part);
        Ok(())
    }

    /// The bytes from `at` to the end of the run they lie in; empty where it does not reach.
    pub(crate) fn slice_from(&self, at: usize) -> &[u8] {
        let Some((index, at)) = self.place(at) else { return &[] };
        self.parts.get(index).and_then(|part| part.run.get(at..)).unwrap_or_default()
    }

    /// The same for writing.
    pub(crate) fn slice_from_mut(&mut self, at: usize) -> &mut [u8] {
        let Some((index, at)) = self.place(at) else { return &mut [] };
        self.parts.get_mut(index).and_then(|part| part.run.get_mut(at..)).unwrap_or_default()
    }

    /// The bytes from `start`, which lies in the first run, to `end`.
    pub(crate) fn slices(&self, start: usize, end: usize) -> RunSlices<'_> {
        RunSlices { parts: self.parts.iter(), start, left: end.saturating_sub(start) }
    }

    /// In which part a byte lies, and where in it.
    fn place(&self, at: usize) -> Option<(usize, usize)> {
        let cell_len = self.heap.cell_len();
        let cell = u32::try_from(at / cell_len).ok()?;
        let index = self.parts.partition_point(|part| part.end <= cell);
        let before = index.checked_sub(1).and_then(|index| self.parts.get(index));
        Some((index, at - before.map_or(0, |part| part.end as usize) * cell_len))
    }

    fn end(&self) -> u32 {
        self.parts.last().map_or(0, |part| part.end)
    }

    /// Sees to it that there is room in the list.
    fn prepare(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.parts.len(), self.parts.capacity());
        if len < old {
            return Ok(());
        }
        let new = (2 * old).max(1);
        grant.spend(table_bytes(new))?;
        let got = self.parts.try_reserve_exact(new - len);
        grant.account().credit(table_bytes(if got.is_ok() { old } else { new }));
        got.map_err(|_| Need::Memory(table_bytes(new)))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.heap.take_back(&mut self.parts);
        let bytes = table_bytes(self.parts.capacity());
        self.parts = Vec::new();
        self.heap.account().credit(bytes);
    }
}

impl fmt::Debug for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runs").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// The bytes of an item, run by run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunSlices<'a> {
    parts: slice::Iter<'a, Part>,
    /// Where to begin in the next run.
    start: usize,
    left: usize,
}

impl<'a> Iterator for RunSlices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        let run = self.parts.next()?.run.get(std::mem::take(&mut self.start)..)?;
        let slice = run.get(..self.left).unwrap_or(run);
        self.left -= slice.len();
        Some(slice)
    }
}

fn table_bytes(parts: usize) -> u64 {
    allocation_bytes(parts * size_of::<Part>())
}
