//! Traces made from CacheLib's histograms of popularity and size.
//!
//! A scaled trace has an object for every n of the histogram, with as many requests as these had in the mean: the shares of
//! objects asked for once, twice, … stay what they were. The order is shuffled: the histograms tell nothing of it.

use std::iter::repeat_n;

use serde_json::Value;

use super::{Object, Shape};
use crate::random::Random;
use crate::sizes::Sizes;

/// A trace of `meta-fbobj` or `meta-kvreg`.
#[derive(Debug)]
pub(super) struct CachelibShape {
    /// An object for each request, shuffled; taken from the end.
    requests: Vec<u64>,
    sizes: Sizes,
}

/// The two histograms of a cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Histograms {
    popularity: &'static str,
    sizes: &'static str,
}

impl CachelibShape {
    /// # Errors
    /// A sentence: the histograms are not what is expected.
    pub(super) fn new(
        histograms: Histograms,
        requests: usize,
        random: &mut Random,
    ) -> Result<Self, String> {
        let popularity = parse(histograms.popularity)?;
        let buckets = numbers(&popularity, "popularityBuckets")?;
        let weights = numbers(&popularity, "popularityWeights")?;
        let once = popularity.get("oneHits").and_then(Value::as_f64).ok_or("no `oneHits`")?;
        let requests = sample(&buckets, &weights, once, requests, random)?;

        let sizes = parse(histograms.sizes)?;
        let ends = numbers(&sizes, "valSizeRange")?;
        let ends = ends.into_iter().map(|end| u32::try_from(end).unwrap_or(u32::MAX)).collect();
        let weights = numbers(&sizes, "valSizeRangeProbability")?;
        let weights = weights.into_iter().map(as_float).collect();
        Ok(Self { requests, sizes: Sizes::histogram(ends, SIZE_RANGE, weights)? })
    }
}

impl Shape for CachelibShape {
    fn span_s(&self) -> f64 {
        SPAN_S
    }

    fn requests(&self) -> Option<usize> {
        Some(self.requests.len())
    }

    fn draw(&mut self, _: &mut Random) -> u64 {
        self.requests.pop().unwrap_or(0)
    }

    fn object(&self, object: &mut Random) -> Object {
        Object { key_len: KEY_LEN, value_len: self.sizes.value_len(object), ttl: 0 }
    }
}

/// As many requests as wanted, give or take some, in a random order: `n` neighbours of the histogram become one object with
/// as many requests as they had in the mean, and the share of objects asked for once stays.
fn sample(
    buckets: &[u64],
    weights: &[u64],
    once: f64,
    wanted: usize,
    random: &mut Random,
) -> Result<Vec<u64>, String> {
    let repeated: u64 = weights.iter().sum();
    if buckets.len() != weights.len() || repeated == 0 || !(0.0..1.0).contains(&once) {
        return Err("the buckets and weights of popularity do not fit".to_owned());
    }
    let neighbours = (as_float(repeated) / (1.0 - once) / as_float(wanted as u64)).max(1.0);
    let mut requests = Vec::with_capacity(wanted);
    let mut objects = 0..u64::MAX;
    // Neighbours that have no object yet, and the requests to them.
    let (mut waiting, mut asked) = (0.0, 0.0);
    for (count, weight) in buckets.iter().zip(weights).filter(|(count, _)| **count > 0) {
        let each = as_float(*weight) / as_float(*count);
        let mut left = as_float(*count);
        while waiting + left >= neighbours {
            let taken = neighbours - waiting;
            let times = rounded((asked + taken * each) / neighbours).min(wanted);
            requests
                .extend(objects.next().map(|object| repeat_n(object, times)).into_iter().flatten());
            left -= taken;
            (waiting, asked) = (0.0, 0.0);
        }
        waiting += left;
        asked += left * each;
    }
    let singles = rounded(once * as_float(repeated) / (1.0 - once) / neighbours);
    requests.extend(objects.take(singles));
    for end in (2..=requests.len()).rev() {
        requests.swap(end - 1, random.below(end));
    }
    Ok(requests)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats ends at the limits of the integer"
)]
fn rounded(number: f64) -> usize {
    number.round() as usize
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the histogram is no JSON: {error}"))
}

fn numbers(value: &Value, name: &str) -> Result<Vec<u64>, String> {
    let list = value.get(name).and_then(Value::as_array);
    let numbers = list.and_then(|list| list.iter().map(Value::as_u64).collect());
    numbers.ok_or_else(|| format!("the histogram has no list `{name}` of numbers"))
}

#[expect(clippy::cast_precision_loss, reason = "requests and bytes far under 2^53")]
fn as_float(number: u64) -> f64 {
    number as f64
}

/// Facebook's cache of objects of the social graph.
pub(super) const FBOBJ: Histograms = Histograms {
    popularity: include_str!(
        "../../../../benches/traces/cachelib-graph_cache_leader_fbobj-pop.json"
    ),
    sizes: include_str!("../../../../benches/traces/cachelib-graph_cache_leader_fbobj-sizes.json"),
};

/// A region's key-value cache.
pub(super) const KVREG: Histograms = Histograms {
    popularity: include_str!("../../../../benches/traces/cachelib-kvcache_reg-pop.json"),
    sizes: include_str!("../../../../benches/traces/cachelib-kvcache_reg-sizes.json"),
};

/// Lengths that a range of the size histograms stands for.
const SIZE_RANGE: u32 = 32;
/// The histograms tell nothing of keys.
const KEY_LEN: u16 = 32;
/// Nor of time: a day.
const SPAN_S: f64 = 86_400.0;

#[cfg(test)]
mod tests {
    use super::{FBOBJ, Random, sample};

    #[test]
    fn a_sample_keeps_what_objects_are_asked_for() {
        // 1000 objects asked for three times, 1000 asked for twice, and a sixth of the requests for one of their own.
        let mut requests =
            sample(&[1000, 1000], &[3000, 2000], 1.0 / 6.0, 600, &mut Random::new(1, 1)).unwrap();
        assert_eq!(requests.len(), 600);
        assert!(!requests.is_sorted(), "shuffled");
        requests.sort_unstable();
        let counts: Vec<usize> = requests.chunk_by(|a, b| a == b).map(<[u64]>::len).collect();
        let of = |times: usize| counts.iter().filter(|count| **count == times).count();
        assert_eq!((of(3), of(2), of(1)), (100, 100, 100));
    }

    #[test]
    fn histograms_that_do_not_fit_are_refused() {
        let mut random = Random::new(1, 1);
        assert!(sample(&[1, 2], &[1], 0.1, 10, &mut random).is_err());
        assert!(sample(&[], &[], 0.1, 10, &mut random).is_err());
        assert!(sample(&[1], &[1], 1.0, 10, &mut random).is_err());
        assert!(super::parse("{").is_err());
        assert!(super::numbers(&super::parse(FBOBJ.sizes).unwrap(), "none").is_err());
    }
}
