//! Numbers for keys: 0 for the first one seen, 1 for the next.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Gives out the numbers of a trace.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<u64, u64>);

impl Numbers {
    /// How many keys have one.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The number of a key that the recording itself knows by a number.
    pub(crate) fn of(&mut self, recorded: u64) -> u64 {
        let next = self.0.len() as u64;
        match self.0.entry(recorded) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(next),
        }
    }

    /// The number of a key that is text. Of 10 million keys, two get the same number with a probability of 3 in a million.
    pub(crate) fn of_text(&mut self, key: &[u8]) -> u64 {
        self.of(fingerprint(key))
    }
}

/// 64 bits of a text, the same on every machine: FNV-1a, its upper bits stirred in.
fn fingerprint(text: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_follow_the_first_access() {
        let mut numbers = Numbers::default();
        let given: Vec<u64> = [70, 5, 70, 9, 5].map(|key| numbers.of(key)).to_vec();
        assert_eq!(given, [0, 1, 0, 2, 1]);
        let mut numbers = Numbers::default();
        let given: Vec<u64> =
            ["a", "b", "", "a"].map(|key| numbers.of_text(key.as_bytes())).to_vec();
        assert_eq!(given, [0, 1, 2, 0]);
    }
}
