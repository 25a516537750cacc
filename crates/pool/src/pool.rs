//! The slots, and the two lists that say which of them can be filled next.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::{error, fmt, mem};

use crate::Key;

/// At most `capacity` objects, each found by the [`Key`] of its insertion.
///
/// Nothing is allocated for objects that were never inserted. An object is boxed, so that growth moves pointers and
/// [`trim`](Self::trim) gives back whole objects. What stays for good is a slot of a few words for the largest number of
/// objects that were ever in the pool at once, because a slot's generation must outlive its objects.
#[derive(Debug)]
pub struct Pool<T> {
    slots: Vec<Slot<T>>,
    /// Slots that hold a retired object, the most recent last: its buffers are the likeliest to be in the cache.
    spare: Vec<u32>,
    /// Slots that hold nothing.
    vacant: Vec<u32>,
    /// No more slots than this; at most [`CAPACITY_MAX`].
    capacity: u32,
}

impl<T: Recycle> Pool<T> {
    /// An empty pool that takes `capacity` objects, and never more than `u32::MAX`, whatever `capacity` says.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(CAPACITY_MAX);
        Self { slots: Vec::new(), spare: Vec::new(), vacant: Vec::new(), capacity }
    }

    /// Adds what `make` returns. `make` is given the key, so that the object can be registered under it, and the object
    /// that was retired last, if one is kept, so that its buffers can be used again.
    ///
    /// # Errors
    ///
    /// [`Full`] when `capacity` objects are in the pool; `make` is not called then.
    pub fn insert_with(&mut self, make: impl FnOnce(Key, Option<T>) -> T) -> Result<Key, Full> {
        match self.try_insert_with(|key, old| Ok::<T, Infallible>(make(key, old))) {
            Ok(key) => Ok(key),
            Err(Refusal::Full) => Err(Full),
            Err(Refusal::Make(never)) => match never {},
        }
    }

    /// [`insert_with`](Self::insert_with) for an object whose making can fail.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`] when `capacity` objects are in the pool; `make` is not called then. [`Refusal::Make`] with the
    /// error of `make`; the pool is as before, save for the retired object that `make` was given.
    pub fn try_insert_with<E>(
        &mut self,
        make: impl FnOnce(Key, Option<T>) -> Result<T, E>,
    ) -> Result<Key, Refusal<E>> {
        let (index, old) = self.next_vacant().ok_or(Refusal::Full)?;
        let slot = &mut self.slots[index as usize];
        let key = Key::new(index, slot.generation);
        // The slot stays listed as vacant while `make` runs: if it fails, or unwinds, nothing is lost.
        let object = make(key, old.map(|object| *object)).map_err(Refusal::Make)?;
        slot.state = State::Live(Box::new(object));
        self.vacant.pop();
        Ok(key)
    }

    /// The object of this key; none if it was removed.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index() as usize) {
            Some(Slot { generation, state: State::Live(object) })
                if *generation == key.generation() =>
            {
                Some(object)
            }
            _ => None,
        }
    }

    /// The object of this key, to change; none if it was removed.
    #[must_use]
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index() as usize) {
            Some(Slot { generation, state: State::Live(object) })
                if *generation == key.generation() =>
            {
                Some(object)
            }
            _ => None,
        }
    }

    /// Retires the object of this key and keeps it for the next insertion. False if the key finds nobody.
    pub fn remove(&mut self, key: Key) -> bool {
        let Some(slot) = self.slots.get_mut(key.index() as usize) else { return false };
        let mut object = match mem::replace(&mut slot.state, State::Vacant) {
            State::Live(object) if slot.generation == key.generation() => object,
            other => {
                slot.state = other;
                return false;
            }
        };
        // Wrapping is harmless: a stale key would have to outlive four billion connections of one slot.
        slot.generation = slot.generation.wrapping_add(1);
        object.retire();
        slot.state = State::Retired(object);
        self.spare.push(key.index());
        true
    }

    /// Every object with its key, in no particular order; objects that were removed are not among them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        (0..).zip(&mut self.slots).filter_map(|(index, slot)| match &mut slot.state {
            State::Live(object) => Some((Key::new(index, slot.generation), &mut **object)),
            State::Retired(_) | State::Vacant => None,
        })
    }

    /// Drops retired objects until at most `keep` are left; those that were retired last stay.
    pub fn trim(&mut self, keep: usize) {
        let excess = self.spare.len().saturating_sub(keep);
        for index in self.spare.drain(..excess) {
            self.slots[index as usize].state = State::Vacant;
            self.vacant.push(index);
        }
    }

    /// How many objects are in the pool, the retired ones not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.spare.len() - self.vacant.len()
    }

    /// Whether no object is in the pool.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the next insertion will be refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// How many objects the pool takes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// How many retired objects are kept for reuse.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.spare.len()
    }

    /// The slot to fill next, which is the last of `vacant` then, and the retired object that was in it.
    fn next_vacant(&mut self) -> Option<(u32, Option<Box<T>>)> {
        if let Some(index) = self.spare.pop() {
            self.vacant.push(index);
            let state = &mut self.slots[index as usize].state;
            return match mem::replace(state, State::Vacant) {
                State::Retired(object) => Some((index, Some(object))),
                State::Live(_) | State::Vacant => Some((index, None)),
            };
        }
        if let Some(&index) = self.vacant.last() {
            return Some((index, None));
        }
        let index = u32::try_from(self.slots.len()).ok().filter(|&index| index < self.capacity)?;
        self.slots.push(Slot { generation: 0, state: State::Vacant });
        self.vacant.push(index);
        Some((index, None))
    }
}

/// What a pool asks of its objects.
pub trait Recycle {
    /// Lets go of what must not outlive the connection (its socket, values it has pinned), and keeps what the next one can
    /// use (its buffers). It is called once for each removal; an object is dropped without it only while it is live and
    /// the pool itself is dropped.
    fn retire(&mut self);
}

/// Why an insertion took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<E> {
    /// As many objects are in the pool as it takes.
    Full,
    /// The object could not be made.
    Make(E),
}

impl<E: fmt::Display> fmt::Display for Refusal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => Full.fmt(f),
            Self::Make(error) => error.fmt(f),
        }
    }
}

impl<E: error::Error> error::Error for Refusal<E> {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Full => None,
            // Its own text is already shown as this one's.
            Self::Make(error) => error.source(),
        }
    }
}

/// As many objects are in the pool as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool is full")
    }
}

impl error::Error for Full {}

#[derive(Debug)]
struct Slot<T> {
    /// Counts the objects that were removed from this slot, so a key of theirs no longer fits.
    generation: u32,
    state: State<T>,
}

#[derive(Debug)]
enum State<T> {
    /// In the pool, under a key of the slot's generation.
    Live(Box<T>),
    /// Removed, and kept for reuse; the slot is listed in `spare`.
    Retired(Box<T>),
    /// Nothing here; the slot is listed in `vacant`.
    Vacant,
}

/// With it the largest index is `u32::MAX - 1`, which keeps `u64::MAX` from being a key whatever the generation is.
const CAPACITY_MAX: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::{Key, Pool, Recycle};

    struct Plain;

    impl Recycle for Plain {
        fn retire(&mut self) {}
    }

    #[test]
    fn generations_wrap() {
        let mut pool = Pool::new(1);
        let first = pool.insert_with(|_, _| Plain).unwrap();
        pool.remove(first);
        pool.slots[0].generation = u32::MAX;
        let last = pool.insert_with(|_, _| Plain).unwrap();
        assert_eq!(last, Key::new(0, u32::MAX));
        assert!(pool.remove(last));
        let wrapped = pool.insert_with(|_, _| Plain).unwrap();
        assert_eq!(wrapped, first, "four billion connections later");
        assert!(pool.get(last).is_none());
    }

    #[test]
    fn capacity_leaves_the_reserved_key_out() {
        let pool = Pool::<Plain>::new(usize::MAX);
        assert_eq!(pool.capacity, u32::MAX);
        // The largest index is one less than the capacity.
        assert_ne!(u64::from(Key::new(pool.capacity - 1, u32::MAX)), u64::MAX);
    }
}
