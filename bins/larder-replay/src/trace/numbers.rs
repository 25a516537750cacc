//! Numbers for keys: 0 for the first one seen, 1 for the next.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Gives out the numbers of a trace.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<u64, u64>);

impl Numbers {
    /// The number of a key that the recording itself knows by a number.
    pub(crate) fn of(&mut self, recorded: u64) -> u64 {
        let next = self.0.len() as u64;
        match self.0.entry(recorded) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_follow_the_first_access() {
        let mut numbers = Numbers::default();
        let given: Vec<u64> = [70, 5, 70, 9, 5].map(|key| numbers.of(key)).to_vec();
        assert_eq!(given, [0, 1, 0, 2, 1]);
    }
}
