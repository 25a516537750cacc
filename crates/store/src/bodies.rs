//! The bodies of large items, by number: the log keeps the number among the item's bytes.

use std::sync::Arc;

use crate::account::{Grant, Need, allocation_bytes};
use crate::item::Kept;

/// Bodies of a shard's large items.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    places: Vec<Place>,
    count: usize,
    /// The first vacant place.
    vacant: Option<u32>,
}

#[derive(Debug)]
enum Place {
    Vacant { next: Option<u32> },
    Taken(Arc<Kept>),
}

impl Bodies {
    /// Memory of the table.
    pub(crate) fn bytes(&self) -> u64 {
        table_bytes(self.places.capacity())
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sees to it that one more body can be inserted without taking memory.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn prepare(&mut self, grant: &mut Grant<'_>) -> Result<(), Need> {
        let (len, old) = (self.places.len(), self.places.capacity());
        if self.vacant.is_some() || len < old {
            return Ok(());
        }
        let new = (old * 2).max(4);
        let bytes = table_bytes(new);
        grant.spend(bytes)?;
        let got = self.places.try_reserve_exact(new - len);
        grant.account().credit(if got.is_ok() { table_bytes(old) } else { bytes });
        got.map_err(|_| Need::Memory(bytes))
    }

    /// Keeps a body; [`Self::prepare`] has seen to the room.
    pub(crate) fn insert(&mut self, body: Arc<Kept>) -> u32 {
        let taken = Place::Taken(body);
        self.count += 1;
        let Some(number) = self.vacant else {
            self.places.push(taken);
            return u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX);
        };
        let place = &mut self.places[number as usize];
        self.vacant = match std::mem::replace(place, taken) {
            Place::Vacant { next } => next,
            Place::Taken(_) => None,
        };
        number
    }

    pub(crate) fn body(&self, number: u32) -> Option<&Arc<Kept>> {
        match self.places.get(number as usize)? {
            Place::Taken(body) => Some(body),
            Place::Vacant { .. } => None,
        }
    }

    pub(crate) fn body_mut(&mut self, number: u32) -> Option<&mut Arc<Kept>> {
        match self.places.get_mut(number as usize)? {
            Place::Taken(body) => Some(body),
            Place::Vacant { .. } => None,
        }
    }

    /// Puts another body in the place of one.
    pub(crate) fn replace(&mut self, number: u32, body: Arc<Kept>) -> Option<Arc<Kept>> {
        self.body_mut(number).map(|place| std::mem::replace(place, body))
    }

    /// Keeps a body no longer.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Arc<Kept>> {
        let place = self.places.get_mut(number as usize)?;
        if matches!(place, Place::Vacant { .. }) {
            return None;
        }
        self.count -= 1;
        match std::mem::replace(place, Place::Vacant { next: self.vacant.replace(number) }) {
            Place::Taken(body) => Some(body),
            Place::Vacant { .. } => None,
        }
    }
}

fn table_bytes(places: usize) -> u64 {
    allocation_bytes(places * size_of::<Place>())
}
