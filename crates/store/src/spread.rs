//! Places that grow one at a time: linear hashing.
//!
//! ```text
//!   5 places:  0 1 2 3 4         bits & 7 is the place; 5, 6 and 7 are not there yet: & 3
//!   grow:      0 1 2 3 4 5       what is in 1 and has the third bit moves to 5; nothing else does
//! ```

/// Which of a growing number of places some bits of a hash belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    places: usize,
    /// One less than a power of two that is not below the number of places.
    mask: usize,
}

impl Default for Spread {
    fn default() -> Self {
        Self { places: 1, mask: 0 }
    }
}

impl Spread {
    pub(crate) fn place(self, bits: usize) -> usize {
        let place = bits & self.mask;
        if place < self.places { place } else { place & (self.mask >> 1) }
    }

    /// The place that shares what it has with the one that comes next.
    pub(crate) fn source(self) -> usize {
        self.places & (self.grown().mask >> 1)
    }

    pub(crate) fn grow(&mut self) {
        *self = self.grown();
    }

    /// As it will be when there is one place more.
    pub(crate) fn grown(self) -> Self {
        let mask = if self.places > self.mask { self.mask * 2 + 1 } else { self.mask };
        Self { places: self.places + 1, mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_moves_only_from_the_source_to_the_new_place() {
        let mut spread = Spread::default();
        for new in 1..200 {
            let (before, source) = (spread, spread.source());
            spread.grow();
            for bits in 0..1000 {
                let (old, now) = (before.place(bits), spread.place(bits));
                assert!(old < new && (old == now || (old == source && now == new)), "{bits}");
            }
            assert!((0..1000).any(|bits| spread.place(bits) == new), "{new} gets its share");
        }
    }
}
