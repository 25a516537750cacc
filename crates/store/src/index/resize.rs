//! How the index grows and shrinks: some homes at a time.
//!
//! ```text
//!   growing    │ not moved yet         ◄ │ room │ moved, each up by its share │
//!   shrinking  │ moved, each down │ room │ ► not moved yet                     │
//! ```
//!
//! Growing, the last home moves first, so that there is room above; shrinking, the first. What lies at home or is a guest tells by
//! its tag where it goes ([`Scale::next_home`]). Of one in a hundred the key is hashed again; of all, only when the number of
//! homes has doubled or halved, and then their items are fetched ahead.
//!
//! A bucket that is the home of some before and of others after its change cannot be mistaken: a home that has not moved lies
//! below all that have, growing, and above them, shrinking. Only the first few buckets can be both, of the same entries.

use super::Index;
use super::bucket::{self, DISTANCE_MAX, ENTRIES, Entry, Sent, Stay};
use super::scale::{Home, Scale};
use super::stash::Stashed;
use crate::account::{Account, Grant, Need};

/// What is known of the items whose handles are in the index. A function that hashes is enough.
pub(crate) trait Rehash {
    /// The hash of an item's key.
    fn hash(&self, handle: u32) -> u64;

    /// Says that [`Self::hash`] may be asked soon.
    #[inline]
    fn prefetch(&self, handle: u32) {
        let _ = handle;
    }
}

impl<F: Fn(u32) -> u64> Rehash for F {
    #[inline]
    fn hash(&self, handle: u32) -> u64 {
        self(handle)
    }
}

/// A function that hashes, and one that starts to fetch what it looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead<H, P> {
    pub(crate) hash_of: H,
    pub(crate) prefetch: P,
}

impl<H: Fn(u32) -> u64, P: Fn(u32)> Rehash for Ahead<H, P> {
    #[inline]
    fn hash(&self, handle: u32) -> u64 {
        (self.hash_of)(handle)
    }

    #[inline]
    fn prefetch(&self, handle: u32) {
        (self.prefetch)(handle);
    }
}

/// A change of scale that is under way, or none; and when the next one begins.
#[derive(Debug)]
pub(super) struct Resize {
    direction: Direction,
    /// The scale of what has moved.
    next: Scale,
    /// The first of the homes that have moved, and their number: homes of the scale before.
    first: usize,
    moved: usize,
    /// Pieces of memory that homes lie in.
    pieces: usize,
    /// With so many items it begins to grow, with so few to shrink.
    grow_at: usize,
    shrink_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    None,
    Up,
    Down,
}

impl Default for Resize {
    fn default() -> Self {
        let (direction, next) = (Direction::None, Scale::EMPTY);
        Self { direction, next, first: 0, moved: 0, pieces: 0, grow_at: 0, shrink_at: 0 }
    }
}

impl Resize {
    #[inline]
    pub(super) fn has_moved(&self, home: usize) -> bool {
        home.wrapping_sub(self.first) < self.moved
    }

    #[inline]
    pub(super) fn next(&self) -> Scale {
        self.next
    }

    fn is_under_way(&self) -> bool {
        self.direction != Direction::None
    }

    /// The home that moves next, unless all have; and the one so many after it.
    fn coming(&self, after: usize) -> usize {
        match self.direction {
            Direction::Up => self.first.wrapping_sub(1 + after),
            Direction::None | Direction::Down => self.moved + after,
        }
    }

    fn count_moved(&mut self) {
        self.moved += 1;
        if self.direction == Direction::Up {
            self.first -= 1;
        }
    }
}

impl Index {
    /// Before an item comes.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn make_room(
        &mut self,
        items: &impl Rehash,
        grant: &mut Grant<'_>,
    ) -> Result<(), Need> {
        if self.resize.is_under_way() {
            self.advance(items, grant);
        } else if self.items >= self.resize.grow_at
            && let Err(need) = self.grow(grant)
        {
            // What is crowded is slow: room in it is worth an eviction.
            if self.items >= entries(self.scale.homes(), FILL_MAX) {
                return Err(need);
            }
            // Until then, what failed is not tried again with each item.
            self.resize.grow_at = self.items + self.scale.homes() / 8;
        }
        Ok(())
    }

    /// After an item has gone.
    pub(super) fn make_small(&mut self, items: &impl Rehash, account: &Account) {
        // Left over from shrinking, or taken to grow and not needed after all.
        if self.pages.pieces() > self.resize.pieces
            && self.items < self.resize.grow_at - self.resize.grow_at / 16
        {
            self.pages.pop(account);
        }
        if self.resize.is_under_way() {
            self.advance(items, &mut Grant::empty(account));
        } else if self.items <= self.resize.shrink_at {
            self.shrink();
        }
    }

    /// The same though no item goes: a step of what those that went have left to do. Says whether there was any.
    pub(crate) fn trim(&mut self, items: &impl Rehash, account: &Account) -> bool {
        let state = |index: &Self| (index.pages.pieces(), index.resize.pieces, index.resize.moved);
        let before = state(self);
        self.make_small(items, account);
        state(self) != before
    }

    /// Takes a piece of memory; when there are enough, begins to use them.
    fn grow(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let wanted = self.resize.pieces + self.step(self.resize.pieces);
        if self.pages.pieces() < wanted {
            self.pages.add(grant)?;
        }
        if self.pages.pieces() >= wanted {
            self.begin(Direction::Up, wanted);
        }
        Ok(())
    }

    /// Begins to do with as many homes as there need to be, or with half.
    fn shrink(&mut self) {
        let before = self.scale.homes();
        let homes = (self.items * 100).div_ceil(ENTRIES * FILL_AFTER_SHRINKING);
        let half = (before / 2).saturating_sub(DISTANCE_MAX);
        let wanted = self.pieces_for(homes.max(half).max(1));
        if wanted < self.resize.pieces {
            self.begin(Direction::Down, wanted);
        }
    }

    /// Begins to do with so many pieces of memory.
    fn begin(&mut self, direction: Direction, pieces: usize) {
        let homes = self.scale.homes();
        self.resize.next = self.scale.followed_by(self.homes_of(pieces));
        self.resize.direction = direction;
        self.resize.first = if direction == Direction::Up { homes } else { 0 };
        self.resize.moved = 0;
        self.resize.pieces = self.resize.pieces.max(pieces);
        if self.items == 0 {
            self.end();
        }
    }

    /// Everything is where the next scale wants it.
    fn end(&mut self) {
        self.scale = self.resize.next;
        self.resize.direction = Direction::None;
        self.resize.moved = 0;
        let homes = self.scale.homes();
        let pieces = self.pieces_for(homes);
        self.resize.pieces = pieces;
        let fewer = pieces - self.step(pieces);
        let after = if fewer == 0 { 0 } else { self.homes_of(fewer) };
        self.resize.grow_at = entries(homes, FILL);
        self.resize.shrink_at = entries(after, FILL_AFTER_SHRINKING);
    }

    /// Moves some homes.
    fn advance(&mut self, items: &impl Rehash, grant: &mut Grant<'_>) {
        for _ in 0..HOMES_A_TIME {
            if self.resize.moved == self.scale.homes() {
                self.end();
                self.stash.trim(grant.account());
                return;
            }
            let home = self.resize.coming(0);
            // None can be left over between two homes: without memory for the worst, nothing moves.
            if self.stash.reserve(self.lodgers(home), grant).is_err() {
                return;
            }
            self.resize.count_moved();
            self.move_home(home, items);
        }
        self.look_ahead(items);
    }

    /// Moves all that has this home to where it belongs now.
    fn move_home(&mut self, home: usize, items: &impl Rehash) {
        let (scale, next) = (self.scale, self.resize.next);
        let steps = scale.steps(home);
        let next_home = |entry: Entry| {
            let known = scale.next_home(steps, entry.tag, next);
            known.unwrap_or_else(|| next.home(items.hash(entry.handle)))
        };
        let Some(bucket) = self.pages.get_mut(home) else { return };
        let before = *bucket;
        bucket::clear_residents(bucket);
        for place in bucket::residents(&before) {
            let entry = bucket::entry(&before, place);
            self.put(next_home(entry), entry.handle, || items.hash(entry.handle));
        }
        for way in bucket::ways(&before) {
            let at = home + way + 1;
            // From the last to the first: what comes here meanwhile lies behind, and what is behind moves to a place that is free.
            let mut place = self.pages.get(at).map_or(0, bucket::len);
            while place > 0 {
                place -= 1;
                let Some(bucket) = self.pages.get(at) else { break };
                let entry = bucket::entry(bucket, place);
                if entry.stay == Stay::Guest && bucket::way(entry.tag) == way {
                    let to = next_home(entry);
                    if to != (Home { bucket: home, tag: entry.tag }) {
                        self.take(at, place);
                        self.put(to, entry.handle, || items.hash(entry.handle));
                    }
                }
            }
        }
        if bucket::has_stashed(&before) {
            self.move_stashed(home);
        }
    }

    /// Entries that have this home, but for those in the stash.
    fn lodgers(&self, home: usize) -> usize {
        let Some(bucket) = self.pages.get(home) else { return 0 };
        let guests = bucket::ways(bucket).map(|way| {
            let other = self.pages.get(home + way + 1);
            other.map_or(0, |other| bucket::guests(other, way).count())
        });
        bucket::residents(bucket).count() + guests.sum::<usize>()
    }

    fn move_stashed(&mut self, home: usize) {
        self.change(home, |bucket| bucket::set_stashed(bucket, Sent::None));
        for position in (0..self.stash.len()).rev() {
            let is_of_it = |stashed: &Stashed| self.scale.bucket(stashed.hash) == home;
            if self.stash.get(position).is_some_and(is_of_it) {
                let Stashed { hash, handle } = self.stash.take(position);
                self.put(self.resize.next.home(hash), handle, || hash);
            }
        }
    }

    /// Has fetched what the next call looks at.
    fn look_ahead(&self, items: &impl Rehash) {
        let hashes_all = self.scale.retags(self.resize.next);
        for after in 0..HOMES_A_TIME {
            self.pages.prefetch(self.resize.coming(after + HOMES_A_TIME));
            if hashes_all && let Some(bucket) = self.pages.get(self.resize.coming(after)) {
                let handles = (0..bucket::len(bucket)).map(|place| bucket::handle(bucket, place));
                handles.for_each(|handle| items.prefetch(handle));
            }
        }
    }

    /// By how many pieces of memory it grows or shrinks: each home moves then, so finer steps are more work.
    fn step(&self, pieces: usize) -> usize {
        (pieces.saturating_sub(self.pages.parts()) / STEPS).max(1)
    }

    /// Pieces of memory for so many homes, and for the guests of the last of them.
    fn pieces_for(&self, homes: usize) -> usize {
        if homes == 0 { 0 } else { self.pages.pieces_for(homes + DISTANCE_MAX) }
    }

    /// Homes that so many pieces of memory have.
    fn homes_of(&self, pieces: usize) -> usize {
        self.pages.buckets_of(pieces).saturating_sub(DISTANCE_MAX).max(1)
    }
}

/// So many percent of the entries that these homes have.
fn entries(homes: usize, percent: usize) -> usize {
    homes * ENTRIES * percent / 100
}

/// Percent of the entries that are taken when it begins to grow; while it grows they are some more.
const FILL: usize = 85;
const FILL_AFTER_SHRINKING: usize = 80;
/// When it does not get the memory to grow, items are refused from here on.
const FILL_MAX: usize = 92;
const STEPS: usize = 12;
/// Homes that move when an item comes or goes: all have before a thirtieth of the items has come. Some thirty items.
const HOMES_A_TIME: usize = 3;
