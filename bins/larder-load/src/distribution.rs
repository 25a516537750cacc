//! Which key is asked for next, and how long a value is.

use std::fmt;
use std::str::FromStr;

use rand::{RngExt, rngs::SmallRng};
use rand_distr::Distribution as _;

use crate::{BadFlag, VALUE_LEN_MAX};

/// How keys are chosen from the key space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Every key is as likely as any other.
    Uniform,
    /// Key number `k` (from 0) is chosen in proportion to `1 / (k + 1)^exponent`. The exponent is over 0.
    Zipf(f64),
    /// Each thread walks the keys in order, from a place of its own, round and round.
    Sequential,
}

impl FromStr for Distribution {
    type Err = BadFlag;

    fn from_str(text: &str) -> Result<Self, BadFlag> {
        match text.split_once(':').unwrap_or((text, "")) {
            ("uniform", "") => Ok(Self::Uniform),
            ("sequential", "") => Ok(Self::Sequential),
            ("zipf", "") => Ok(Self::Zipf(1.0)),
            ("zipf", exponent) => match exponent.parse::<f64>() {
                Ok(exponent) if exponent > 0.0 && exponent <= 10.0 => Ok(Self::Zipf(exponent)),
                _ => Err(BadFlag::new(format!(
                    "the exponent of zipf is a number over 0 and up to 10, not {exponent:?}"
                ))),
            },
            _ => Err(BadFlag::new(format!(
                "{text:?} is none of uniform, zipf, zipf:EXPONENT, sequential"
            ))),
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf(exponent) => write!(f, "zipf:{exponent}"),
            Self::Sequential => f.write_str("sequential"),
        }
    }
}

/// A distribution over `count` keys, ready to be drawn from.
#[derive(Debug)]
pub struct Picker {
    count: u64,
    law: Law,
}

#[derive(Debug)]
enum Law {
    Uniform,
    /// Rejection-inversion after Hörmann and Derflinger (1996): constant time and memory for any count.
    Zipf(rand_distr::Zipf<f64>),
    Sequential {
        next: u64,
    },
}

impl Picker {
    /// A picker over keys `0..count`; a sequential one begins at `start`.
    ///
    /// # Errors
    ///
    /// When `count` is 0 or the exponent of a Zipf law is not a number over 0.
    pub fn new(distribution: Distribution, count: u64, start: u64) -> Result<Self, BadFlag> {
        if count == 0 {
            return Err(BadFlag::new("there must be at least one key"));
        }
        let law = match distribution {
            Distribution::Uniform => Law::Uniform,
            #[expect(clippy::cast_precision_loss, reason = "2^53 keys are enough")]
            Distribution::Zipf(exponent) => rand_distr::Zipf::new(count as f64, exponent)
                .map(Law::Zipf)
                .map_err(|error| BadFlag::new(error.to_string()))?,
            Distribution::Sequential => Law::Sequential { next: start % count },
        };
        Ok(Self { count, law })
    }

    /// The number of the next key, under the count.
    pub fn pick(&mut self, random: &mut SmallRng) -> u64 {
        match &mut self.law {
            Law::Uniform => random.random_range(0..self.count),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a sample is a whole number from 1 to the count"
            )]
            Law::Zipf(zipf) => (zipf.sample(random) as u64).clamp(1, self.count) - 1,
            Law::Sequential { next } => {
                let index = *next;
                *next = if index + 1 == self.count { 0 } else { index + 1 };
                index
            }
        }
    }
}

/// How long values are, in bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueSize {
    /// All the same.
    Fixed(usize),
    /// Every length from `min` to `max`, both included, as likely as any other.
    Range {
        /// The shortest.
        min: usize,
        /// The longest.
        max: usize,
    },
    /// Many short ones and a long tail: a log-normal law with this mean and a shape of 1, cut off at 100 means.
    LogNormal {
        /// The mean length, before the tail is cut.
        mean: usize,
    },
}

impl ValueSize {
    /// The longest value that may come.
    #[must_use]
    pub fn max(&self) -> usize {
        match self {
            Self::Fixed(len) => *len,
            Self::Range { max, .. } => *max,
            Self::LogNormal { mean } => mean.saturating_mul(100).min(VALUE_LEN_MAX),
        }
    }

    /// The shortest value that may come.
    #[must_use]
    pub fn min(&self) -> usize {
        match self {
            Self::Fixed(len) => *len,
            Self::Range { min, .. } => *min,
            Self::LogNormal { .. } => 1,
        }
    }

    /// The length of the next value, between [`Self::min`] and [`Self::max`].
    pub fn pick(&self, random: &mut SmallRng) -> usize {
        match self {
            Self::Fixed(len) => *len,
            Self::Range { min, max } => random.random_range(*min..=*max),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a sample is positive, and the range is applied at once"
            )]
            Self::LogNormal { mean } => {
                // The mean of exp(N(mu, 1)) is exp(mu + 1/2).
                let normal: f64 = rand_distr::StandardNormal.sample(random);
                let len = (*mean as f64 * (normal - 0.5).exp()) as usize;
                len.clamp(self.min(), self.max())
            }
        }
    }
}

impl FromStr for ValueSize {
    type Err = BadFlag;

    fn from_str(text: &str) -> Result<Self, BadFlag> {
        let bytes = |part: &str| match part.parse::<usize>() {
            Ok(len) if len <= VALUE_LEN_MAX => Ok(len),
            _ => Err(BadFlag::new(format!(
                "a value has between 0 and {VALUE_LEN_MAX} bytes, not {part:?} (sizes are N, MIN-MAX or lognormal:MEAN)"
            ))),
        };
        if let Some(mean) = text.strip_prefix("lognormal:") {
            return match bytes(mean)? {
                0 => Err(BadFlag::new("the mean of lognormal must be over 0")),
                mean => Ok(Self::LogNormal { mean }),
            };
        }
        let Some((min, max)) = text.split_once('-') else { return bytes(text).map(Self::Fixed) };
        match (bytes(min)?, bytes(max)?) {
            (min, max) if min <= max => Ok(Self::Range { min, max }),
            _ => Err(BadFlag::new(format!("the range {text:?} ends before it begins"))),
        }
    }
}

impl fmt::Display for ValueSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(len) => write!(f, "{len}"),
            Self::Range { min, max } => write!(f, "{min}-{max}"),
            Self::LogNormal { mean } => write!(f, "lognormal:{mean}"),
        }
    }
}
