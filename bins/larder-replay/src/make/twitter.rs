//! Traces made from Twitter's statistics of a cluster.
//!
//! A scaled trace keeps what the table says about one object: how often it is asked for in the mean, whether only once,
//! how long it lives; and it lasts as long as the measurement did. What it scales is how many objects there are.

mod table;

use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution as _, Zipf};

use self::table::Cluster;
use super::zipf::rank;
use super::{Object, Shape};
use crate::Verb;
use crate::random::Random;
use crate::sizes::Sizes;

/// A trace of `twNUMBER`.
#[derive(Debug)]
pub(super) struct TwitterShape {
    cluster: Cluster,
    law: Zipf<f64>,
    sizes: Sizes,
    ttls: WeightedAliasIndex<f64>,
    /// Requests for objects outside the law, never asked for again.
    once: f64,
    once_drawn: u64,
}

impl TwitterShape {
    /// The shape of `requests` requests to cluster `number`.
    ///
    /// # Errors
    /// A sentence: there is no such cluster, or its row is not complete.
    pub(super) fn new(number: u32, requests: usize) -> Result<Self, String> {
        let cluster = table::cluster(number)?;
        let population = Population::fitting(&cluster, requests);
        let law =
            Zipf::new(population.objects, cluster.alpha).map_err(|error| error.to_string())?;
        let sizes = Sizes::lognormal(cluster.value_mean)?;
        let weights = cluster.ttls.iter().map(|(_, share)| *share).collect();
        let ttls = WeightedAliasIndex::new(weights).map_err(|error| error.to_string())?;
        Ok(Self { cluster, law, sizes, ttls, once: population.once, once_drawn: 0 })
    }
}

impl Shape for TwitterShape {
    fn span_s(&self) -> f64 {
        self.cluster.span_s
    }

    fn draw(&mut self, random: &mut Random) -> u64 {
        if random.fraction() < self.once {
            self.once_drawn += 1;
            return u64::MAX - self.once_drawn;
        }
        rank(self.law.sample(random))
    }

    fn verb(&mut self, random: &mut Random) -> Verb {
        let fraction = random.fraction();
        if fraction < self.cluster.writes {
            Verb::Set
        } else if fraction < self.cluster.writes + self.cluster.deletes {
            Verb::Delete
        } else {
            Verb::Get
        }
    }

    fn object(&self, object: &mut Random) -> Object {
        let ttl = self.cluster.ttls.get(self.ttls.sample(object)).map_or(0, |(ttl, _)| *ttl);
        Object { key_len: self.cluster.key_len, value_len: self.sizes.value_len(object), ttl }
    }
}

/// Who is asked for: objects under Zipf's law, and a share of requests for objects asked for once.
#[derive(Debug, Clone, Copy)]
struct Population {
    objects: f64,
    once: f64,
}

impl Population {
    /// The population in which a trace of that length has the cluster's share of first requests and, where the law alone
    /// has not more of them already, its share of objects that are asked for once.
    #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^53")]
    fn fitting(cluster: &Cluster, requests: usize) -> Self {
        let requests = requests as f64;
        let with_once = |once: f64| {
            let first = (cluster.compulsory - once) * requests;
            let drawn = requests * (1.0 - once);
            let objects = bisect(1.0, requests * 100.0, |objects| {
                asked(objects, cluster.alpha, drawn).0 < first
            });
            Self { objects: objects.round().max(1.0), once }
        };
        let one_hit = |population: Self| {
            let drawn = requests * (1.0 - population.once);
            let (different, once) = asked(population.objects, cluster.alpha, drawn);
            let outside = population.once * requests;
            (once + outside) / (different + outside)
        };
        if one_hit(with_once(0.0)) >= cluster.one_hit {
            return with_once(0.0);
        }
        with_once(bisect(1e-6, cluster.compulsory, |once| {
            one_hit(with_once(once)) < cluster.one_hit
        }))
    }
}

/// How many different objects, and how many exactly once, `requests` draws of Zipf's law ask for.
fn asked(objects: f64, alpha: f64, requests: f64) -> (f64, f64) {
    // Ranks one by one at first, then in blocks that grow by a hundredth, whose ranks are nearly alike.
    let mut blocks = Vec::new();
    let mut total = 0.0;
    let mut start = 1.0;
    while start <= objects {
        let count = (start / 100.0_f64).floor().clamp(1.0, objects - start + 1.0);
        let weight = (start + (count - 1.0) / 2.0).powf(-alpha);
        total += count * weight;
        blocks.push((count, weight));
        start += count;
    }
    let sums = blocks.into_iter().map(|(count, weight)| {
        let expected = requests * weight / total;
        (-count * (-expected).exp_m1(), count * expected * (-expected).exp())
    });
    sums.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1))
}

/// Where, between two numbers over 0, `is_below` turns false.
fn bisect(mut low: f64, mut high: f64, is_below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..BISECTIONS {
        let middle = (low * high).sqrt();
        if is_below(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Enough to tell one object in 10^9.
const BISECTIONS: u32 = 40;
