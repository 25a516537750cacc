//! Queues of keys that can leave from anywhere: what the reference policies are made of.

/// Some queues over the same keys, each key in one of them at most. A key is its number in the trace.
#[derive(Debug)]
pub(super) struct Chains<const N: usize> {
    links: Vec<Link>,
    ends: [Ends; N],
}

impl<const N: usize> Chains<N> {
    /// Empty queues for this many keys.
    pub(super) fn new(keys: usize) -> Self {
        Self { links: vec![Link { older: NONE, newer: NONE }; keys], ends: [Ends::EMPTY; N] }
    }

    /// Puts a key that is in no queue at the new end of one.
    pub(super) fn push(&mut self, queue: usize, key: u32) {
        let Ends { newest, len, .. } = self.ends[queue];
        self.links[key as usize] = Link { older: newest, newer: NONE };
        match self.links.get_mut(newest as usize) {
            Some(link) => link.newer = key,
            None => self.ends[queue].oldest = key,
        }
        self.ends[queue].newest = key;
        self.ends[queue].len = len + 1;
    }

    /// Takes a key out of the queue that it is in.
    pub(super) fn remove(&mut self, queue: usize, key: u32) {
        let Link { older, newer } = self.links[key as usize];
        match self.links.get_mut(older as usize) {
            Some(link) => link.newer = newer,
            None => self.ends[queue].oldest = newer,
        }
        match self.links.get_mut(newer as usize) {
            Some(link) => link.older = older,
            None => self.ends[queue].newest = older,
        }
        self.ends[queue].len -= 1;
    }

    /// The key that has been in a queue for longest.
    pub(super) fn oldest(&self, queue: usize) -> Option<u32> {
        let oldest = self.ends[queue].oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// How many keys are in a queue.
    pub(super) fn len(&self, queue: usize) -> usize {
        self.ends[queue].len
    }
}

#[derive(Debug, Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Ends {
    const EMPTY: Self = Self { oldest: NONE, newest: NONE, len: 0 };
}

/// No key's number: a trace has fewer.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::Chains;

    /// What a queue yields, oldest first.
    fn drained(chains: &mut Chains<2>, queue: usize) -> Vec<u32> {
        let mut keys = Vec::new();
        while let Some(key) = chains.oldest(queue) {
            chains.remove(queue, key);
            keys.push(key);
        }
        assert_eq!(chains.len(queue), 0);
        keys
    }

    #[test]
    fn keys_leave_in_order_from_the_ends_and_from_between() {
        let check = |leaving: &[u32], expected: &[u32]| {
            let mut chains = Chains::<2>::new(6);
            for key in [3, 1, 4, 0, 5] {
                chains.push(usize::from(key == 4), key);
            }
            for &key in leaving {
                chains.remove(0, key);
                chains.push(1, key);
            }
            assert_eq!(chains.len(0) + chains.len(1), 5);
            assert_eq!(drained(&mut chains, 0), expected, "{leaving:?}");
            assert_eq!(drained(&mut chains, 1), [&[4], leaving].concat(), "{leaving:?}");
        };
        check(&[], &[3, 1, 0, 5]);
        check(&[3], &[1, 0, 5]);
        check(&[5], &[3, 1, 0]);
        check(&[1, 0], &[3, 5]);
        check(&[0, 3, 5, 1], &[]);
    }
}
