//! The requests of one thread: chosen at random, written as bytes, and remembered as the replies they will get.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::BadFlag;
use crate::distribution::{Distribution, Picker, ValueSize};
use crate::keys::Keys;
use crate::plan::{Plan, Ratio};
use crate::value::Values;

/// An endless or counted stream of requests.
#[derive(Debug)]
pub(crate) struct Workload<'p> {
    keys: &'p Keys,
    values: &'p Values,
    picker: Picker,
    sizes: ValueSize,
    ratio: Ratio,
    multiget: u32,
    random: SmallRng,
    remaining: u64,
    verify: bool,
}

/// The reply that a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Values of at most this many keys, then `END`.
    Values { keys: u32 },
    /// `STORED`.
    Stored,
}

/// What a connection waits for, in order.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    pub(crate) replies: VecDeque<Expected>,
    /// With verification, the numbers of the keys that the retrievals in `replies` asked for; else empty.
    pub(crate) keys: VecDeque<u64>,
}

impl<'p> Workload<'p> {
    /// The plan's mix for thread `thread`; `stream` tells apart the stages of a run, so that warming up does not
    /// rehearse the very requests that are measured.
    pub(crate) fn mix(
        plan: &'p Plan,
        values: &'p Values,
        thread: usize,
        stream: u64,
        requests: u64,
    ) -> Result<Self, BadFlag> {
        let start = part(plan.keys.count(), plan.threads, thread).start;
        let seed = plan.seed.wrapping_add(stream << 32).wrapping_add(thread as u64);
        Ok(Self {
            keys: &plan.keys,
            values,
            picker: Picker::new(plan.distribution, plan.keys.count(), start)?,
            sizes: plan.value_size,
            ratio: plan.ratio,
            multiget: plan.multiget,
            random: SmallRng::seed_from_u64(seed),
            remaining: requests,
            verify: plan.verify,
        })
    }

    /// Stores each key of thread `thread`'s part of the key space once.
    pub(crate) fn fill(plan: &'p Plan, values: &'p Values, thread: usize) -> Result<Self, BadFlag> {
        let keys = part(plan.keys.count(), plan.threads, thread);
        let mut fill = Self::mix(plan, values, thread, 0, keys.end - keys.start)?;
        fill.picker = Picker::new(Distribution::Sequential, plan.keys.count(), keys.start)?;
        fill.ratio = Ratio { gets: 0, sets: 1 };
        Ok(fill)
    }

    /// Appends up to `count` requests to `output`, and their replies to `awaited`. It ends early, perhaps at once,
    /// when the workload is used up.
    pub(crate) fn push(&mut self, count: u32, output: &mut Vec<u8>, awaited: &mut Awaited) {
        let count = u64::from(count).min(self.remaining);
        self.remaining -= count;
        for _ in 0..count {
            if self.is_get() {
                self.push_get(output, awaited);
            } else {
                self.push_set(output, awaited);
            }
        }
    }

    fn is_get(&mut self) -> bool {
        let Ratio { gets, sets } = self.ratio;
        sets == 0 || (gets != 0 && self.random.random_range(0..gets + sets) < gets)
    }

    fn push_get(&mut self, output: &mut Vec<u8>, awaited: &mut Awaited) {
        output.extend_from_slice(b"get");
        for _ in 0..self.multiget {
            let index = self.picker.pick(&mut self.random);
            output.push(b' ');
            self.keys.push(index, output);
            if self.verify {
                awaited.keys.push_back(index);
            }
        }
        output.extend_from_slice(b"\r\n");
        awaited.replies.push_back(Expected::Values { keys: self.multiget });
    }

    fn push_set(&mut self, output: &mut Vec<u8>, awaited: &mut Awaited) {
        let index = self.picker.pick(&mut self.random);
        let len = self.sizes.pick(&mut self.random);
        output.extend_from_slice(b"set ");
        self.keys.push(index, output);
        output.extend_from_slice(b" 0 0 ");
        push_number(len, output);
        output.extend_from_slice(b"\r\n");
        self.values.push(self.keys, index, len, output);
        output.extend_from_slice(b"\r\n");
        awaited.replies.push_back(Expected::Stored);
    }
}

/// Part `index` of `0..total` cut into `parts` that differ by at most one.
pub(crate) fn part(total: u64, parts: usize, index: usize) -> std::ops::Range<u64> {
    let (parts, index) = (parts as u64, index as u64);
    let edge = |index: u64| total / parts * index + (total % parts).min(index);
    edge(index)..edge(index + 1)
}

fn push_number(number: usize, output: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b"0123456789"[rest % 10];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    output.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::{part, push_number};

    #[test]
    fn parts_cover_the_whole_once() {
        for (total, parts) in [(0, 3), (1, 3), (10, 3), (100, 7), (9, 9)] {
            let ranges: Vec<_> = (0..parts).map(|index| part(total, parts, index)).collect();
            assert_eq!(ranges[0].start, 0);
            assert_eq!(ranges[parts - 1].end, total);
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
            let lens = ranges.iter().map(|range| range.end - range.start);
            assert!(lens.clone().max().unwrap() - lens.min().unwrap() <= 1, "{ranges:?}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 65_536, usize::MAX] {
            let mut output = Vec::new();
            push_number(number, &mut output);
            assert_eq!(output, number.to_string().into_bytes());
        }
    }
}
