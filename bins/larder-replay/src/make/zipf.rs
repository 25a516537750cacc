//! Traces whose keys follow Zipf's law: the key of rank k is asked for in proportion to 1 / k^exponent.

use rand_distr::{Distribution as _, Zipf};

use super::{Object, Shape};
use crate::random::Random;
use crate::sizes::Sizes;

/// A trace of `zipfEXPONENT`, with TTLs when its name ends in `-ttl`.
#[derive(Debug)]
pub(super) struct ZipfShape {
    law: Zipf<f64>,
    sizes: Sizes,
    has_ttls: bool,
}

impl ZipfShape {
    /// # Errors
    /// A sentence: the exponent is none.
    pub(super) fn new(exponent: f64, has_ttls: bool) -> Result<Self, String> {
        if !(exponent > 0.0 && exponent <= 10.0) {
            return Err(format!(
                "an exponent of Zipf's law is over 0 and up to 10, not {exponent}"
            ));
        }
        let law = Zipf::new(OBJECTS, exponent).map_err(|error| error.to_string())?;
        Ok(Self { law, sizes: Sizes::lognormal(VALUE_MEAN)?, has_ttls })
    }
}

impl Shape for ZipfShape {
    fn span_s(&self) -> f64 {
        SPAN_S
    }

    fn draw(&mut self, random: &mut Random) -> u64 {
        rank(self.law.sample(random))
    }

    fn object(&self, object: &mut Random) -> Object {
        let value_len = self.sizes.value_len(object);
        let ttl = if self.has_ttls { TTLS[object.below(TTLS.len())] } else { 0 };
        Object { key_len: KEY_LEN, value_len, ttl }
    }
}

/// A sample of Zipf's law as a number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples are whole numbers from 1 to the number of objects"
)]
pub(super) fn rank(sample: f64) -> u64 {
    sample as u64
}

/// How many keys can be asked for; about half of them are.
const OBJECTS: f64 = 1e6;
const KEY_LEN: u16 = 20;
/// Large enough that a hundredth of all bytes is some MiB, small enough that what an item costs beside it counts.
const VALUE_MEAN: f64 = 1000.0;
/// The trace lasts a day.
const SPAN_S: f64 = 86_400.0;
/// A fifth of the keys each: minutes, quarters of an hour, hours, half a day, for ever.
const TTLS: [u32; 5] = [120, 900, 7_200, 43_200, 0];
