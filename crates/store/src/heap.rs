//! Where the bytes of large items lie: blocks of 64 cells, lent out in runs.
//!
//! ```text
//!   Heap, one a shard:   block [▒▒▒▒│  │▒▒]  block [▒▒▒▒▒▒▒▒▒]  block [          ] idle
//!   Runs, one an item:     ▒▒▒▒ ──► ▒▒▒ ──► ▒▒    of any lengths, so that every free cell is of use
//! ```
//!
//! A run goes where it fits, the lowest block first, so that the high ones run empty. If it fits nowhere, long pieces are used up,
//! then another block is drawn; without memory for that, the short pieces are used too.
//!
//! The account pays for whole blocks, when they are drawn. What of them is free is known as slack: a body that goes
//! makes cells free, and those of its blocks that are empty then go back to the account, but a few, so that a
//! value which replaces one needs no system call. [`Heap::trim`] gives up those too.

use std::fmt;

use crate::account::{Account, Grant, Need, allocation_bytes};
use crate::arena::{Arena, Segment};
use crate::atomic::Arc;
use crate::block::{Block, CELLS, Run};
use crate::lock::{Lock, Watch};

/// The blocks of a shard.
pub(crate) struct Heap {
    arena: Arc<Arena>,
    account: Arc<Account>,
    blocks: Lock<Blocks>,
}

impl Heap {
    /// Without a block. The caller pays for [`Self::BYTES`].
    pub(crate) fn new(arena: &Arc<Arena>, account: &Arc<Account>, watch: &Watch) -> Arc<Self> {
        let (arena, account) = (Arc::clone(arena), Arc::clone(account));
        Arc::new(Self { arena, account, blocks: Lock::new(Blocks::default(), watch) })
    }

    /// What one takes besides its tables.
    pub(crate) const BYTES: u64 = allocation_bytes(size_of::<Self>() + 2 * size_of::<usize>());

    /// Bytes of a block.
    pub(crate) fn block_len(&self) -> usize {
        self.arena.segment_len()
    }

    /// Bytes of a cell.
    pub(crate) fn cell_len(&self) -> usize {
        self.block_len() / CELLS
    }

    /// The account that pays.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Longest item, key and line end included, that lies in the log instead of cells.
    pub(crate) fn short_len(&self) -> usize {
        (self.block_len() / 8).min(SHORT_LEN_MAX)
    }

    /// Cells that can be had for nothing.
    pub(crate) fn free_cells(&self) -> usize {
        self.blocks.lock().free_cells
    }

    /// What is taken of the account for bodies of large items.
    pub(crate) fn usage(&self) -> Usage {
        let blocks = self.blocks.lock();
        Usage {
            blocks_bytes: (blocks.count * self.block_len()) as u64,
            free_bytes: (blocks.free_cells * self.cell_len()) as u64,
            table_bytes: blocks.table_bytes(),
        }
    }

    /// Gives up blocks of which nothing is lent, of so many bytes or a little more; says whether there were any. Their table
    /// stays: it may have grown for the one who looks for room now.
    pub(crate) fn trim(&self, bytes: u64) -> bool {
        let wanted = bytes.div_ceil(self.block_len() as u64);
        let mut wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut any = false;
        while wanted > 0 {
            let mut idle = Vacated::default();
            let mut blocks = self.blocks.lock();
            let stay = blocks.idle.saturating_sub(wanted);
            blocks.give_up(stay, &mut idle);
            drop(blocks);
            if idle.count == 0 {
                break;
            }
            any = true;
            wanted = wanted.saturating_sub(idle.count);
            self.credit(idle);
        }
        any
    }

    /// Lends a run of up to this many cells, and of one at least.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn lend(&self, cells: usize, grant: &mut Grant<'_>) -> Result<Part, Need> {
        let mut blocks = self.blocks.lock();
        let longest = blocks.longest();
        if longest < cells.min(PIECE_CELLS) {
            match self.draw(&mut blocks, cells, grant) {
                Err(need) if longest == 0 => return Err(need),
                Ok(()) | Err(_) => {}
            }
        }
        blocks.lend(cells).ok_or(Need::Cells(cells))
    }

    /// Gets another block, because of this many cells.
    fn draw(&self, blocks: &mut Blocks, cells: usize, grant: &mut Grant<'_>) -> Result<(), Need> {
        blocks.prepare(grant)?;
        let bytes = self.block_len() as u64;
        grant.spend(bytes).map_err(|_| Need::Cells(cells))?;
        let Some(segment) = self.arena.take() else {
            self.account.credit(bytes);
            return Err(Need::Memory(bytes));
        };
        blocks.insert(segment);
        Ok(())
    }

    /// Takes runs back, all there are.
    pub(crate) fn take_back(&self, parts: &mut Vec<Part>) {
        while !parts.is_empty() {
            let mut vacated = Vacated::default();
            let mut blocks = self.blocks.lock();
            for _ in 0..PARTS_A_TURN {
                let Some(part) = parts.pop() else { break };
                blocks.take_back(part);
            }
            let stay = (blocks.count / IDLE_PART).clamp(IDLE_MIN, IDLE_MAX);
            blocks.give_up(stay, &mut vacated);
            drop(blocks);
            self.credit(vacated);
        }
    }

    /// Frees the memory of blocks, then makes it the account's again.
    fn credit(&self, vacated: Vacated) {
        let bytes = (vacated.count * self.block_len()) as u64;
        drop(vacated);
        if bytes > 0 {
            self.account.credit(bytes);
        }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

/// Bytes of a heap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) blocks_bytes: u64,
    /// Part of it that no item has.
    pub(crate) free_bytes: u64,
    pub(crate) table_bytes: u64,
}

/// A run, where it belongs, and where it ends.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) run: Run,
    block: u32,
    /// Cells of this part and of all before it: whoever has it keeps it right.
    pub(crate) end: u32,
}

/// All blocks, and which of them have how much room.
#[derive(Debug, Default)]
struct Blocks {
    table: Vec<Block>,
    /// The longest run that each could lend, as a tree: 1 is the root, the children of `n` are `2 n` and `2 n + 1`, the
    /// leaves are the blocks. Each is the greater of its children.
    tree: Vec<u8>,
    /// No entry of the table before this one is vacant.
    vacant: usize,
    count: usize,
    idle: usize,
    free_cells: usize,
}

impl Blocks {
    fn table_bytes(&self) -> u64 {
        blocks_bytes(self.leaves())
    }

    fn leaves(&self) -> usize {
        self.tree.len() / 2
    }

    fn longest(&self) -> usize {
        self.tree.get(1).copied().unwrap_or(0).into()
    }

    /// Sees to it that there is room for another block.
    fn prepare(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let old = self.leaves();
        if self.count < old {
            return Ok(());
        }
        let new = (old * 2).max(BLOCKS_MIN);
        let bytes = blocks_bytes(new);
        grant.spend(bytes)?;
        let mut tree = Vec::new();
        // The table last: after it nothing can fail.
        let is_there = tree.try_reserve_exact(2 * new).is_ok()
            && self.table.try_reserve_exact(new - self.table.len()).is_ok();
        if !is_there {
            grant.account().credit(bytes);
            return Err(Need::Memory(bytes));
        }
        self.table.resize_with(new, Block::default);
        tree.resize(2 * new, 0);
        self.tree = tree;
        (0..old).for_each(|number| self.weigh(number));
        grant.account().credit(blocks_bytes(old));
        Ok(())
    }

    /// Adds a block; [`Self::prepare`] has seen to the room.
    fn insert(&mut self, segment: Segment) {
        let vacant = self.table.iter().skip(self.vacant).position(|block| !block.is_there());
        let number = self.vacant + vacant.unwrap_or(0);
        self.table[number] = Block::new(segment);
        self.vacant = number + 1;
        self.count += 1;
        self.idle += 1;
        self.free_cells += CELLS;
        self.weigh(number);
    }

    /// Lends a run of this many cells, or the longest that there is if none is so long.
    fn lend(&mut self, cells: usize) -> Option<Part> {
        let cells = cells.min(self.longest());
        let number = self.first_with(cells)?;
        let block = &mut self.table[number];
        let was_idle = block.is_idle();
        let run = block.lend(cells)?;
        self.idle -= usize::from(was_idle);
        self.free_cells -= cells;
        self.weigh(number);
        Some(Part { run, block: u32::try_from(number).unwrap_or(u32::MAX), end: 0 })
    }

    fn take_back(&mut self, part: Part) {
        let Part { run, block: number, .. } = part;
        let block = &mut self.table[number as usize];
        let cell_len = block.cell_len().max(1);
        self.free_cells += run.len() / cell_len;
        block.take_back(run);
        self.idle += usize::from(block.is_idle());
        self.weigh(number as usize);
    }

    /// Takes blocks out, of which nothing is lent, while there are more of them than this and room for them.
    fn give_up(&mut self, but: usize, vacated: &mut Vacated) {
        while self.idle > but {
            let Some(place) = vacated.segments.get_mut(vacated.count) else { return };
            let Some(number) = self.last_with(CELLS) else { return };
            *place = self.table[number].give_up();
            vacated.count += 1;
            self.vacant = self.vacant.min(number);
            self.count -= 1;
            self.idle -= 1;
            self.free_cells -= CELLS;
            self.weigh(number);
        }
    }

    /// The lowest block that can lend so many cells as one run.
    fn first_with(&self, cells: usize) -> Option<usize> {
        self.descend(cells, [0, 1])
    }

    fn last_with(&self, cells: usize) -> Option<usize> {
        self.descend(cells, [1, 0])
    }

    fn descend(&self, cells: usize, order: [usize; 2]) -> Option<usize> {
        if cells == 0 || self.longest() < cells {
            return None;
        }
        let mut node = 1;
        while node < self.leaves() {
            let fits = |side: &usize| usize::from(self.tree[2 * node + side]) >= cells;
            node = 2 * node + order.into_iter().find(fits)?;
        }
        Some(node - self.leaves())
    }

    /// Sets how much a block can lend, from its leaf to the root.
    fn weigh(&mut self, number: usize) {
        let mut node = self.leaves() + number;
        // 64 at most.
        self.tree[node] = u8::try_from(self.table[number].longest()).unwrap_or(u8::MAX);
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].max(self.tree[2 * node + 1]);
        }
    }
}

/// Segments that are to be dropped outside the lock: that is a system call each.
#[derive(Debug, Default)]
struct Vacated {
    segments: [Option<Segment>; VACATED_MAX],
    count: usize,
}

fn blocks_bytes(leaves: usize) -> u64 {
    allocation_bytes(leaves * size_of::<Block>()) + allocation_bytes(2 * leaves)
}

/// Pieces of this many cells are used before another block is drawn, and shorter ones only if none can be drawn: a value in
/// a hundred pieces is slow to send.
const PIECE_CELLS: usize = 8;
/// Blocks of which nothing is lent that stay: one in so many, within these bounds. What takes the place of an evicted value
/// should find its memory there.
const IDLE_PART: usize = 16;
const IDLE_MIN: usize = 2;
const IDLE_MAX: usize = 16;
const BLOCKS_MIN: usize = 4;
/// The log says the length of a value in two bytes.
const SHORT_LEN_MAX: usize = u16::MAX as usize;
/// Runs taken back under one hold of the lock, each of which may be the last of its block.
const PARTS_A_TURN: usize = VACATED_MAX;
const VACATED_MAX: usize = 16;

// Not for the models, which have this file for their own.
#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::account::Pool;

    const BLOCK: u64 = 16 << 10;

    fn heap(limit: u64) -> Arc<Heap> {
        let account = Arc::new(Account::new(Arc::new(Pool::new(limit, 1))));
        Heap::new(&Arena::new(16 << 10), &account, &Watch::default())
    }

    fn lend(heap: &Heap, cells: usize) -> Result<Part, Need> {
        heap.lend(cells, &mut Grant::empty(heap.account()))
    }

    /// Cells of a run.
    fn cells(heap: &Heap, part: &Part) -> usize {
        part.run.len() / heap.cell_len()
    }

    /// What is taken of the account is what the blocks and their tables have.
    #[track_caller]
    fn check_exact(heap: &Heap, lent: usize) {
        let usage = heap.usage();
        assert_eq!(heap.account().held(), usage.blocks_bytes + usage.table_bytes, "{usage:?}");
        let lent_bytes = (lent * heap.cell_len()) as u64;
        assert_eq!(usage.blocks_bytes, usage.free_bytes + lent_bytes, "{usage:?}");
    }

    #[test]
    fn a_run_goes_where_it_fits_and_pieces_are_used_when_none_does() {
        let heap = heap(4 << 20);
        let mut first = lend(&heap, 50).unwrap();
        let second = lend(&heap, 30).unwrap();
        // 14 cells are left of the first block, which is enough to be used before another is drawn.
        assert_eq!((cells(&heap, &second), heap.usage().blocks_bytes), (14, BLOCK));
        let third = lend(&heap, 30).unwrap();
        assert_eq!((cells(&heap, &third), heap.usage().blocks_bytes), (30, 2 * BLOCK));
        first.run.fill(1);
        heap.take_back(&mut vec![first]);
        // The first block that has so many, though the second has them too.
        let again = lend(&heap, 33).unwrap();
        assert_eq!((again.block, cells(&heap, &again)), (0, 33));
        check_exact(&heap, 14 + 30 + 33);
        heap.take_back(&mut vec![second, third, again]);
        check_exact(&heap, 0);
        assert!(heap.trim(u64::MAX) && !heap.trim(u64::MAX));
        check_exact(&heap, 0);
        assert_eq!(heap.usage().blocks_bytes, 0);
    }

    #[test]
    fn without_memory_every_cell_is_of_use() {
        let heap = heap(200 << 10);
        let mut parts = Vec::new();
        while let Ok(part) = lend(&heap, CELLS) {
            parts.push(part);
        }
        let blocks = parts.len();
        assert!(blocks >= 9, "{blocks}");
        heap.take_back(&mut parts);
        // Runs of 13 leave 12 cells of each block, which are found when nothing else is.
        let mut lent = 0;
        loop {
            match lend(&heap, 13) {
                Ok(part) => {
                    lent += cells(&heap, &part);
                    parts.push(part);
                }
                Err(need) => break assert_eq!(need, Need::Cells(13)),
            }
            check_exact(&heap, lent);
        }
        assert_eq!(lent, blocks * CELLS);
        heap.take_back(&mut parts);
        check_exact(&heap, 0);
        assert_eq!(heap.usage().blocks_bytes, IDLE_MIN as u64 * BLOCK);
    }

    /// Any sequence of taking and giving back, by several threads at once: no byte has two owners, and in the end all is there.
    #[test]
    fn cells_have_one_owner_and_none_is_lost() {
        let heap = heap(4 << 20);
        std::thread::scope(|scope| {
            for thread in 1..=4_u8 {
                let heap = &heap;
                scope.spawn(move || {
                    let mut random = u64::from(thread);
                    let mut held: Vec<Part> = Vec::new();
                    for _ in 0..4000 {
                        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let choice = usize::try_from(random >> 40).unwrap();
                        if choice.is_multiple_of(5) && held.len() > 20 {
                            let from = choice / 5 % held.len();
                            let mut some = held.split_off(from);
                            for part in &some {
                                assert!(part.run.iter().all(|&byte| byte == thread), "shared");
                            }
                            heap.take_back(&mut some);
                        } else if let Ok(mut part) = lend(heap, 1 + choice / 5 % CELLS) {
                            part.run.fill(thread);
                            held.push(part);
                        } else if choice.is_multiple_of(3) {
                            heap.trim(1 << 15);
                        }
                    }
                    heap.take_back(&mut held);
                });
            }
        });
        check_exact(&heap, 0);
        heap.trim(u64::MAX);
        check_exact(&heap, 0);
        assert_eq!(heap.usage().blocks_bytes, 0);
    }

    /// One thread against a model of cells: which are lent, by block and place.
    #[test]
    fn it_agrees_with_a_plain_model() {
        let heap = heap(1 << 20);
        let mut random = 1_u64;
        let mut held: Vec<Part> = Vec::new();
        let mut owned = std::collections::BTreeSet::new();
        // By address: where a block's segment lies is its own.
        let cells_of = |part: &Part| {
            let first = part.run.as_ptr().addr() / heap.cell_len();
            first..first + part.run.len() / heap.cell_len()
        };
        for step in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let choice = usize::try_from(random >> 40).unwrap();
            // It swings: grows, shrinks, grows.
            let grows = choice % 10 < if step / 2000 % 2 == 0 { 7 } else { 3 };
            if grows {
                let wanted = 1 + choice / 10 % CELLS;
                let usage = heap.usage();
                match lend(&heap, wanted) {
                    Ok(part) => {
                        assert!(cells(&heap, &part) <= wanted && !part.run.is_empty());
                        assert!(cells_of(&part).all(|cell| owned.insert(cell)), "lent twice");
                        held.push(part);
                    }
                    Err(need) => {
                        assert_eq!((need, usage.free_bytes), (Need::Cells(wanted), 0));
                    }
                }
            } else if !held.is_empty() {
                let part = held.swap_remove(choice / 10 % held.len());
                assert!(cells_of(&part).all(|cell| owned.remove(&cell)));
                heap.take_back(&mut vec![part]);
            }
            check_exact(&heap, owned.len());
        }
        heap.take_back(&mut held);
        check_exact(&heap, 0);
    }
}
