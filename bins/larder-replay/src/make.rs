//! Made traces: the same name, number of requests and seed give the same trace on every machine.

mod cachelib;
mod orm;
mod twitter;
mod zipf;

use self::cachelib::{CachelibShape, FBOBJ, KVREG};
use self::twitter::TwitterShape;
use self::zipf::ZipfShape;
use crate::random::Random;
use crate::trace::{Numbers, clamp_key_len};
use crate::{Access, Trace, Verb};

/// A trace that has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// What [`make`] knows it by.
    pub name: &'static str,
    /// How many requests it has unless another number is asked for.
    pub requests: usize,
    /// What it is, in a line.
    pub about: &'static str,
}

/// Makes, or reads out of this program, the trace of a name: one of [`CATALOGUE`], `zipfEXPONENT`, `zipfEXPONENT-ttl` or
/// `twNUMBER` (a cluster of Twitter's). `requests` is how many it shall have; recorded ones and those of CacheLib's
/// histograms may have fewer.
///
/// # Errors
/// A sentence: there is no such name, or its statistics are not complete.
pub fn make(name: &str, requests: Option<usize>, seed: u64) -> Result<Trace, String> {
    let recipe = CATALOGUE.iter().find(|recipe| recipe.name == name);
    let requests = requests.unwrap_or_else(|| recipe.map_or(REQUESTS, |recipe| recipe.requests));
    let accesses = match name {
        "orm-busy" => orm::recorded(orm::BUSY, requests)?,
        "orm-night" => orm::recorded(orm::NIGHT, requests)?,
        "meta-fbobj" => cachelib_accesses(FBOBJ, requests, seed)?,
        "meta-kvreg" => cachelib_accesses(KVREG, requests, seed)?,
        _ => {
            if let Some(cluster) = name.strip_prefix("tw") {
                let number = cluster.parse().map_err(|_| unknown(name))?;
                accesses(&mut TwitterShape::new(number, requests)?, requests, seed)
            } else if let Some(law) = name.strip_prefix("zipf") {
                let (exponent, has_ttls) = match law.strip_suffix("-ttl") {
                    Some(exponent) => (exponent, true),
                    None => (law, false),
                };
                let exponent = exponent.parse().map_err(|_| unknown(name))?;
                accesses(&mut ZipfShape::new(exponent, has_ttls)?, requests, seed)
            } else {
                return Err(unknown(name));
            }
        }
    };
    Ok(Trace { name: name.to_owned(), accesses })
}

/// The traces that comparisons are made with.
pub const CATALOGUE: [Recipe; 16] = [
    Recipe { name: "orm-busy", requests: 5_000_000, about: "database objects of a shop by day" },
    Recipe { name: "orm-night", requests: 5_000_000, about: "database objects of a shop by night" },
    Recipe { name: "zipf0.9", requests: 5_000_000, about: "Zipf's law, exponent 0.9" },
    Recipe { name: "zipf1.0", requests: 5_000_000, about: "Zipf's law, exponent 1.0" },
    Recipe { name: "zipf1.1", requests: 5_000_000, about: "Zipf's law, exponent 1.1" },
    Recipe { name: "zipf0.9-ttl", requests: 5_000_000, about: "zipf0.9 with TTLs of all lengths" },
    Recipe { name: "zipf1.0-ttl", requests: 5_000_000, about: "zipf1.0 with TTLs of all lengths" },
    Recipe { name: "zipf1.1-ttl", requests: 5_000_000, about: "zipf1.1 with TTLs of all lengths" },
    Recipe {
        name: "tw4",
        requests: 5_000_000,
        about: "Twitter's cluster 4: large values, a minute",
    },
    Recipe { name: "tw19", requests: 8_000_000, about: "Twitter's cluster 19: seldom asked twice" },
    Recipe { name: "tw22", requests: 10_000_000, about: "Twitter's cluster 22: tiny counters" },
    Recipe { name: "tw29", requests: 10_000_000, about: "Twitter's cluster 29: an hour or two" },
    Recipe { name: "tw45", requests: 5_000_000, about: "Twitter's cluster 45: half asked once" },
    Recipe { name: "tw52", requests: 10_000_000, about: "Twitter's cluster 52: small and hot" },
    Recipe {
        name: "meta-fbobj",
        requests: 4_000_000,
        about: "CacheLib's graph_cache_leader_fbobj",
    },
    Recipe { name: "meta-kvreg", requests: 10_000_000, about: "CacheLib's kvcache_reg" },
];

/// The seed of the published tables.
pub const SEED: u64 = 1;

/// What a made trace follows.
trait Shape {
    /// Seconds from the first request to the last.
    fn span_s(&self) -> f64;

    /// How many requests there are, if that is not as many as wanted.
    fn requests(&self) -> Option<usize> {
        None
    }

    /// The object that is asked for next.
    fn draw(&mut self, random: &mut Random) -> u64;

    /// What is asked for.
    fn verb(&mut self, _: &mut Random) -> Verb {
        Verb::Get
    }

    /// What an object is like, given its own sequence.
    fn object(&self, object: &mut Random) -> Object;
}

/// What stays the same about an object.
#[derive(Debug, Clone, Copy)]
struct Object {
    key_len: u16,
    value_len: u32,
    ttl: u32,
}

fn cachelib_accesses(
    histograms: cachelib::Histograms,
    requests: usize,
    seed: u64,
) -> Result<Vec<Access>, String> {
    let mut shape = CachelibShape::new(histograms, requests, &mut Random::new(seed, ORDER))?;
    Ok(accesses(&mut shape, requests, seed))
}

/// Draws requests evenly over the time that the trace lasts.
fn accesses(shape: &mut impl Shape, requests: usize, seed: u64) -> Vec<Access> {
    let requests = shape.requests().unwrap_or(requests);
    let mut random = Random::new(seed, ORDER);
    let mut numbers = Numbers::default();
    #[expect(clippy::cast_precision_loss, reason = "far fewer requests than 2^53")]
    let second = shape.span_s() / requests.max(1) as f64;
    let mut objects: Vec<Object> = Vec::new();
    let draw = |index: usize| {
        let recorded = shape.draw(&mut random);
        let verb = shape.verb(&mut random);
        let key = numbers.of(recorded);
        let known = usize::try_from(key).ok().and_then(|key| objects.get(key)).copied();
        let Object { key_len, value_len, ttl } = known.unwrap_or_else(|| {
            let object = shape.object(&mut Random::new(seed, recorded));
            objects.push(object);
            object
        });
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most the week that a trace lasts"
        )]
        let at = (index as f64 * second) as u32;
        Access { key, at, value_len, ttl, key_len: clamp_key_len(key_len.into()), verb }
    };
    (0..requests).map(draw).collect()
}

fn unknown(name: &str) -> String {
    format!("there is no trace `{name}`: `larder-replay list` names those that there are")
}

/// The sequence that requests are drawn from; objects have those of their numbers, which are far below.
const ORDER: u64 = u64::MAX;

/// Of a trace whose name is not in the catalogue.
const REQUESTS: usize = 5_000_000;

#[cfg(test)]
mod tests;
