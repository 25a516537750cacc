//! How long the values of a made trace are. An object keeps its length: it is drawn from the object's own sequence.

use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution as _, LogNormal};

use crate::random::Random;

/// A law of lengths.
#[derive(Debug)]
pub(crate) enum Sizes {
    /// Lognormal, cut at [`VALUE_LEN_MAX`].
    LogNormal(LogNormal<f64>),
    /// Ranges of equal width with the upper end given, each with a weight; even within a range.
    Histogram { ends: Vec<u32>, width: u32, weights: WeightedAliasIndex<f64> },
}

impl Sizes {
    /// Lognormal lengths with this mean.
    ///
    /// # Errors
    /// A sentence: the mean is no number above 0.
    pub(crate) fn lognormal(mean: f64) -> Result<Self, String> {
        let mu = mean.ln() - SIGMA * SIGMA / 2.0;
        let law = LogNormal::new(mu, SIGMA).map_err(|error| error.to_string())?;
        if mu.is_finite() { Ok(Self::LogNormal(law)) } else { Err(format!("a mean of {mean}")) }
    }

    /// Lengths as counted: `ends[i]` stands for the `width` lengths that end there.
    ///
    /// # Errors
    /// A sentence: there are no weights, or they do not fit the ends.
    pub(crate) fn histogram(ends: Vec<u32>, width: u32, weights: Vec<f64>) -> Result<Self, String> {
        if ends.len() != weights.len() {
            return Err(format!("{} ranges with {} weights", ends.len(), weights.len()));
        }
        let weights = WeightedAliasIndex::new(weights).map_err(|error| error.to_string())?;
        Ok(Self::Histogram { ends, width, weights })
    }

    /// The length of an object's value, at least 1.
    pub(crate) fn value_len(&self, object: &mut Random) -> u32 {
        let len = match self {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a conversion of floats ends at the limits of the integer"
            )]
            Self::LogNormal(law) => law.sample(object).round() as u32,
            Self::Histogram { ends, width, weights } => {
                let end = ends.get(weights.sample(object)).copied().unwrap_or(0);
                let back = object.below(usize::try_from(*width).unwrap_or(1));
                end.saturating_sub(u32::try_from(back).unwrap_or(0))
            }
        };
        len.clamp(1, VALUE_LEN_MAX)
    }
}

/// The shape of lognormal lengths: half of them between a half and twice the median, one in a hundred over ten times.
const SIGMA: f64 = 1.0;

/// The longest value of a made trace: with key and header it is under the 1 MiB that memcached takes by default.
pub(crate) const VALUE_LEN_MAX: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{Random, Sizes, VALUE_LEN_MAX};

    fn mean(sizes: &Sizes) -> f64 {
        let lens = (0..200_000).map(|number| sizes.value_len(&mut Random::new(3, number)));
        lens.map(f64::from).sum::<f64>() / 200_000.0
    }

    #[test]
    fn lognormal_lengths_have_their_mean() {
        for wanted in [4.0, 120.0, 2439.0] {
            let mean = mean(&Sizes::lognormal(wanted).unwrap());
            assert!((mean / wanted - 1.0).abs() < 0.03, "{mean} for {wanted}");
        }
        assert!(Sizes::lognormal(0.0).is_err());
        assert!(Sizes::lognormal(f64::NAN).is_err());
        assert!(mean(&Sizes::lognormal(1e12).unwrap()) <= f64::from(VALUE_LEN_MAX));
    }

    #[test]
    fn histograms_are_drawn_as_counted() {
        let sizes = Sizes::histogram(vec![31, 63], 32, vec![1.0, 3.0]).unwrap();
        let mean = mean(&sizes);
        assert!((mean - (15.5 + 3.0 * 47.5) / 4.0).abs() < 0.3, "{mean}");
        assert!(Sizes::histogram(vec![31], 32, vec![]).is_err());
        assert!(Sizes::histogram(vec![], 32, vec![]).is_err());
    }
}
