//! Random numbers that are the same on every machine and with every release of a library: SplitMix64.

use std::convert::Infallible;

use rand::{RngExt as _, TryRng};

/// A sequence that its seed determines. One of an object's number gives the object its own choices, in whatever order
/// objects are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The sequence `number` of all that belong to `seed`.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(mix(seed.wrapping_mul(STEP) ^ mix(number.wrapping_add(STEP))))
    }

    /// A number from 0 up to 1, which it never reaches.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.random()
    }

    /// A number below `end`; the bias of `end / 2^64` shows nowhere.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let product = u128::from(self.draw()) * end as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.draw() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// The finishing steps of SplitMix64: different numbers stay different, and all their bits count.
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// 2^64 over the golden ratio, the step of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn sequences_differ_and_are_even() {
        let draws = |seed, number| {
            let mut random = Random::new(seed, number);
            (0..4).map(|_| random.below(1 << 20)).collect::<Vec<_>>()
        };
        assert_eq!(draws(1, 1), draws(1, 1));
        assert_ne!(draws(1, 1), draws(1, 2));
        assert_ne!(draws(1, 1), draws(2, 1));

        let mut random = Random::new(7, 0);
        let mean = (0..100_000).map(|_| random.fraction()).sum::<f64>() / 100_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }
}
