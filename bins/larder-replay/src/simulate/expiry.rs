//! What becomes of items that expire while nobody asks for anything: the store alone, on a clock of its own.
//!
//! A store is filled to nearly its limit, with items that never expire and among them some that all do at one moment. Then only
//! its sweep is called, as a server does it, until these are gone; as many new ones must fit without an eviction. A second
//! store is filled with items whose ends are spread over an hour, and swept for a while. The time that sweeps take is that of the
//! thread on the processor.

use std::fmt;
use std::time::Duration;

use larder_store::Policy;
use serde_json::{Value, json};

use super::cache::Cache as _;
use super::larder::Larder;
use super::play::cpu_time;
use crate::random::Random;
use crate::sizes::Sizes;
use crate::{Access, Verb};

/// What is tried: plain fields.
#[derive(Debug, Clone, Copy)]
pub struct ExpiryTrial {
    /// The store's limit.
    pub memory_bytes: u64,
    /// How many items expire at one moment.
    pub expiring: u64,
    /// For how many seconds of its clock the second store is swept.
    pub watched_s: u32,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ExpiryReport {
    /// The store's limit.
    pub memory_bytes: u64,
    /// Items that expired at one moment.
    pub expiring: u64,
    /// Items beside them that never did.
    pub staying: u64,
    /// Seconds after which the expired ones were gone; none if they were not within [`GONE_MAX_S`].
    pub gone_s: Option<u32>,
    /// Processor time of all sweeps of the [`GONE_MAX_S`] seconds after the expiry.
    pub sweeping: Duration,
    /// New items stored afterwards.
    pub stored: u64,
    /// Items evicted for them.
    pub evicted: u64,
    /// Items that should have stayed and were not there.
    pub lost: u64,
    /// Items of the second store when it was full.
    pub spread: u64,
    /// Items that it was rid of while it was watched.
    pub spread_gone: u64,
    /// Processor time of its sweeps for each second of its clock.
    pub sweeping_a_second: Duration,
}

impl ExpiryTrial {
    /// # Errors
    /// A sentence: the limit does not hold so many items.
    pub fn run(&self) -> Result<ExpiryReport, String> {
        let sizes = Sizes::lognormal(VALUE_MEAN)?;
        let capacity = self.fill(&sizes, u64::MAX, |_| None).1;
        let staying = (capacity * FULL_PERCENT / 100).checked_sub(self.expiring);
        let staying = staying
            .filter(|&staying| staying > 0)
            .ok_or_else(|| format!("{} bytes hold {capacity} items: too few", self.memory_bytes))?;
        let mut report = self.expire(&sizes, staying);
        self.watch(&sizes, capacity, &mut report);
        Ok(report)
    }

    /// A store with so many items or as many as come in before the first eviction; `ttl` gives that of each.
    fn fill(&self, sizes: &Sizes, items: u64, ttl: impl Fn(u64) -> Option<u32>) -> (Larder, u64) {
        let mut larder = Larder::new(self.memory_bytes, Policy::default());
        let mut stored = 0;
        while stored < items {
            store(&mut larder, sizes, stored, BEGIN, ttl(stored));
            stored += 1;
            if stored % LOOK_EVERY == 0 && larder.holdings().evicted > 0 {
                break;
            }
        }
        let held = stored - larder.holdings().evicted.min(stored);
        (larder, held)
    }

    fn expire(&self, sizes: &Sizes, staying: u64) -> ExpiryReport {
        let all = staying + self.expiring;
        // Spread evenly among the others.
        let expires =
            |number: u64| (number + 1) * self.expiring / all > number * self.expiring / all;
        let (mut larder, _) = self.fill(sizes, all, |number| expires(number).then_some(LIFE_S));
        let moment = BEGIN + LIFE_S;
        (BEGIN + 1..moment).for_each(|now| larder.sweep(now));
        let mut gone_s = None;
        let began = cpu_time();
        for second in 0..GONE_MAX_S {
            larder.sweep(moment + second);
            if gone_s.is_none() && larder.holdings().items <= staying {
                gone_s = Some(second);
            }
        }
        let sweeping = cpu_time().saturating_sub(began);
        let now = moment + GONE_MAX_S;
        let before = larder.holdings().evicted;
        let stored = self.expiring * FULL_PERCENT / 100;
        (all..all + stored).for_each(|number| store(&mut larder, sizes, number, now, None));
        let evicted = larder.holdings().evicted - before;
        let is_lost = |number: &u64| !larder.get(&access(sizes, *number), now);
        let lost = (0..all).filter(|number| !expires(*number)).filter(is_lost).count() as u64;
        ExpiryReport {
            memory_bytes: self.memory_bytes,
            expiring: self.expiring,
            staying,
            gone_s,
            sweeping,
            stored,
            evicted,
            lost,
            spread: 0,
            spread_gone: 0,
            sweeping_a_second: Duration::ZERO,
        }
    }

    fn watch(&self, sizes: &Sizes, capacity: u64, report: &mut ExpiryReport) {
        let ttl = |number: u64| Some(1 + u32::try_from(number * 7919 % SPREAD_S).unwrap_or(0));
        let (mut larder, stored) = self.fill(sizes, capacity * FULL_PERCENT / 100, ttl);
        let began = cpu_time();
        (1..=self.watched_s).for_each(|second| larder.sweep(BEGIN + second));
        report.sweeping_a_second = cpu_time().saturating_sub(began) / self.watched_s.max(1);
        report.spread = stored;
        report.spread_gone = stored - larder.holdings().items;
    }
}

impl ExpiryReport {
    /// The sweeper's share of a core for each GiB of the limit while items expire all the time.
    #[must_use]
    pub fn share_of_core(&self) -> f64 {
        self.sweeping_a_second.as_secs_f64() / self.gibibytes()
    }

    /// The sweeper's share of a core for each GiB of the limit in the minute in which many expired at once.
    #[must_use]
    pub fn share_of_core_at_once(&self) -> f64 {
        self.sweeping.as_secs_f64() / f64::from(GONE_MAX_S) / self.gibibytes()
    }

    fn gibibytes(&self) -> f64 {
        self.memory_bytes as f64 / (1 << 30) as f64
    }

    /// What is out of bounds, a sentence each.
    #[must_use]
    pub fn verdict(&self) -> Vec<String> {
        let bounds = [
            (self.gone_s.is_none(), format!("expired items are there after {GONE_MAX_S} s")),
            (self.evicted > 0, "new items in their place evict others".to_owned()),
            (self.lost > 0, "items were lost that never expire".to_owned()),
            (
                self.share_of_core().max(self.share_of_core_at_once()) > SHARE_MAX,
                format!("sweeping takes more than {} % of a core a GiB", SHARE_MAX * 100.0),
            ),
        ];
        let broken = bounds.into_iter().filter(|(is_broken, _)| *is_broken);
        broken.map(|(_, sentence)| sentence).collect()
    }

    /// All figures; times in seconds.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "memory_bytes": self.memory_bytes,
            "expiring": self.expiring,
            "staying": self.staying,
            "gone_s": self.gone_s,
            "sweeping_s": self.sweeping.as_secs_f64(),
            "share_of_core_at_once": self.share_of_core_at_once(),
            "stored": self.stored,
            "evicted": self.evicted,
            "lost": self.lost,
            "spread": self.spread,
            "spread_gone": self.spread_gone,
            "share_of_core": self.share_of_core(),
            "out_of_bounds": self.verdict(),
        })
    }
}

impl fmt::Display for ExpiryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expiring, staying, stored, evicted, lost, spread, spread_gone, .. } = self;
        let gone =
            self.gone_s.map_or_else(|| format!("not within {GONE_MAX_S}"), |s| s.to_string());
        let percent = |share: f64| format!("{:.3} % of a core a GiB", share * 100.0);
        writeln!(
            f,
            "{expiring} items expire at once beside {staying} that stay, and nobody asks:"
        )?;
        writeln!(f, "  gone after s      {gone}")?;
        writeln!(f, "  sweeps            {}", percent(self.share_of_core_at_once()))?;
        writeln!(f, "  stored then       {stored}, evicting {evicted}, losing {lost}")?;
        writeln!(f, "{spread} items whose ends are spread over an hour:")?;
        writeln!(f, "  gone meanwhile    {spread_gone}")?;
        writeln!(f, "  sweeps            {}", percent(self.share_of_core()))?;
        self.verdict().iter().try_for_each(|sentence| writeln!(f, "out of bounds: {sentence}"))
    }
}

fn store(larder: &mut Larder, sizes: &Sizes, number: u64, now: u32, ttl: Option<u32>) {
    larder.set(&access(sizes, number), now, ttl.map(|ttl| now + ttl));
}

fn access(sizes: &Sizes, key: u64) -> Access {
    let value_len = sizes.value_len(&mut Random::new(SEED, key));
    Access { key, at: 0, value_len, ttl: 0, key_len: KEY_LEN, verb: Verb::Set }
}

/// The first second of the clock, and how long items live that expire at once.
const BEGIN: u32 = 1;
const LIFE_S: u32 = 100;
/// The hour over which the ends of the others are spread.
const SPREAD_S: u64 = 3600;

/// Seconds after which expired items must be gone.
pub const GONE_MAX_S: u32 = 60;
/// The most that sweeps may take, of a core, for each GiB.
pub const SHARE_MAX: f64 = 0.01;

/// How full a store is made, of what it holds before the first eviction.
const FULL_PERCENT: u64 = 97;
/// Stores between two looks whether something was evicted.
const LOOK_EVERY: u64 = 4096;

const KEY_LEN: u16 = 20;
const VALUE_MEAN: f64 = 230.0;
const SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::{Duration, ExpiryTrial};

    #[test]
    fn expired_items_leave_their_room_though_nobody_asks() {
        let trial = ExpiryTrial { memory_bytes: 16 << 20, expiring: 10_000, watched_s: 60 };
        let mut report = trial.run().unwrap();
        assert!(report.gone_s.is_some(), "{report}");
        assert_eq!((report.evicted, report.lost), (0, 0), "{report}");
        assert!(report.staying > 20_000 && report.stored == 9_700, "{report}");
        // 60 of 3600 seconds' worth are due; the last of them may wait for their sweep.
        let due = report.spread * 60 / 3600;
        assert!(report.spread_gone <= due + due / 5 + 10, "{report}");
        report.gone_s = None;
        report.evicted = 1;
        report.lost = 1;
        report.sweeping_a_second = Duration::from_secs(1);
        assert_eq!(report.verdict().len(), 4);
        assert!(ExpiryTrial { expiring: 1 << 40, ..trial }.run().is_err());
    }
}
