//! The simulator: traces against the real store and against reference policies, in this process, on a clock of their own.
//!
//! ```text
//!   traces ──► jobs: a trace, with TTLs or without, at one size of memory ──► threads
//!                └─ play: get, on a miss set, a tick a second ──► Cache ◄─┬─ Larder: larder_store::Store, swept as a server does
//!                                                                         └─ S3Fifo, Lru, Memcached: whole items, exact
//!   Report: points of counts and holdings ──► a table, JSON, what is out of bounds
//! ```
//!
//! Everything but the time on the processor is the same in each run: the store's hash has a fixed seed.

mod cache;
mod chains;
mod earnings;
mod expiry;
mod jobs;
mod larder;
mod lru;
mod memcached;
mod pieces;
mod play;
mod report;
mod s3fifo;
#[cfg(test)]
mod tests;
mod verdict;

use std::fmt;
use std::str::FromStr;

use jobs::Loaded;
use larder::Larder;
use lru::Lru;
use memcached::Memcached;
use play::play;
use s3fifo::S3Fifo;

pub use cache::Holdings;
pub use earnings::Earnings;
pub use expiry::{ExpiryReport, ExpiryTrial, GONE_MAX_S, SHARE_MAX};
pub use pieces::{Piece, Pieces};
pub use play::{Clock, Counts};
pub use report::Report;
pub use verdict::{COPIES_MAX, MISSES_MAX, MISSES_MAX_IF_SMALL};

use crate::Trace;

/// What is simulated of each trace: plain fields.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Who plays.
    pub contenders: Vec<Contender>,
    /// With how much memory.
    pub memory: Vec<Memory>,
    /// With TTLs, without, or both; a trace that has none is played once.
    pub lifetimes: Vec<Lifetime>,
    /// Requests a second, instead of the times of the traces.
    pub rate: Option<u32>,
    /// Bytes that an item of a reference policy costs beside key and value.
    pub overhead: u64,
    /// How many threads play at once.
    pub threads: usize,
}

/// A cache that can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    /// The store of this repository, without these pieces of its policy.
    Larder(Pieces),
    /// S3-FIFO of whole items.
    S3Fifo,
    /// The least recently used item goes.
    Lru,
    /// A model of memcached: segmented LRU over slab chunks.
    Memcached,
}

/// How much memory a cache has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Memory {
    /// Bytes.
    Bytes(u64),
    /// A share of the trace's footprint: [`crate::Facts::footprint`].
    Share(f64),
}

/// Whether values expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// They stay until they are evicted.
    Endless,
    /// They have the trace's TTLs.
    Limited,
}

/// One trace at one size of memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Point {
    /// The trace's name.
    pub trace: String,
    /// Whether values expired.
    pub lifetime: Lifetime,
    /// [`crate::Facts::footprint`].
    pub footprint: u64,
    /// What was asked for.
    pub memory: Memory,
    /// The limit of each cache that it comes to.
    pub memory_bytes: u64,
    /// What each contender did, in the order of [`Simulation::contenders`]; nothing if the memory is below [`MEMORY_MIN`].
    pub runs: Vec<Run>,
}

/// What a contender did.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Run {
    /// Who it was.
    pub contender: Contender,
    /// What was asked of it and missed.
    pub counts: Counts,
    /// What it held at the end.
    pub holdings: Holdings,
}

impl Simulation {
    /// Plays `traces` of them. `load` gives each by its number, once, and `seen` is told when one more of so many points is
    /// done.
    ///
    /// # Errors
    /// A sentence of `load`.
    pub fn run(
        &self,
        traces: usize,
        load: impl Fn(usize) -> Result<Trace, String> + Sync,
        seen: impl Fn(usize, usize) + Sync,
    ) -> Result<Report, String> {
        let points = jobs::run(self, traces, &load, &seen)?;
        Ok(Report { overhead: self.overhead, points })
    }

    /// One job; `None` if it would be the same as that of [`Lifetime::Endless`].
    fn point(&self, loaded: &Loaded, lifetime: Lifetime, memory: Memory) -> Option<Point> {
        let Loaded { trace, facts } = loaded;
        if lifetime == Lifetime::Limited
            && self.lifetimes.contains(&Lifetime::Endless)
            && facts.keys_with_ttl == 0
        {
            return None;
        }
        let footprint = facts.footprint();
        let memory_bytes = memory.of(footprint);
        let contenders = if memory_bytes < MEMORY_MIN { &[][..] } else { &self.contenders };
        let runs = contenders
            .iter()
            .map(|&contender| self.play_one(trace, contender, lifetime, memory_bytes));
        let name = trace.name.clone();
        Some(Point { trace: name, lifetime, footprint, memory, memory_bytes, runs: runs.collect() })
    }

    fn play_one(&self, trace: &Trace, contender: Contender, lifetime: Lifetime, limit: u64) -> Run {
        let clock = Clock { rate: self.rate, has_ttls: lifetime == Lifetime::Limited };
        let keys = usize::try_from(trace.keys()).unwrap_or(usize::MAX);
        let (counts, holdings) = match contender {
            Contender::Larder(without) => {
                play(trace, &mut Larder::new(limit, without.switched_off()), clock)
            }
            Contender::S3Fifo => play(trace, &mut S3Fifo::new(limit, self.overhead, keys), clock),
            Contender::Lru => play(trace, &mut Lru::new(limit, self.overhead, keys), clock),
            Contender::Memcached => play(trace, &mut Memcached::new(limit, keys), clock),
        };
        Run { contender, counts, holdings }
    }
}

impl Contender {
    /// The store with all of its policy.
    pub const LARDER: Self = Self::Larder(Pieces::NONE);
}

impl Memory {
    fn of(self, footprint: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share is not negative, and a conversion of floats ends at the limits of the integer"
            )]
            Self::Share(share) => (footprint as f64 * share) as u64,
        }
    }
}

impl FromStr for Memory {
    type Err = String;

    /// A number with `%` of the footprint, or bytes with `K`, `M` or `G`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a share as 5% nor a size as 64M");
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            let is_share = percent > 0.0 && percent <= 1000.0;
            return if is_share { Ok(Self::Share(percent / 100.0)) } else { Err(wrong()) };
        }
        let units = [("K", 10), ("M", 20), ("G", 30)];
        let unit = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
        let (number, shift) = unit.unwrap_or((text, 0));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let bytes = number.checked_mul(1 << shift).filter(|&bytes| bytes > 0);
        bytes.map(Self::Bytes).ok_or_else(wrong)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.pad(&format!("{}M", bytes >> 20)),
            Self::Share(share) => f.pad(&format!("{}%", (share * 1e6).round() / 1e4)),
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = CONTENDERS.iter().find(|(name, _)| *name == text);
        let names = CONTENDERS.map(|(name, _)| name).join(", ");
        named.map(|(_, contender)| *contender).ok_or_else(|| format!("{text:?} is none of {names}"))
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Larder(without) = self
            && *without != Pieces::NONE
        {
            return f.pad(&format!("-{without}"));
        }
        let named = CONTENDERS.iter().find(|(_, contender)| contender == self);
        f.pad(named.map_or("", |(name, _)| name))
    }
}

/// What they are called on the command line and in reports.
const CONTENDERS: [(&str, Contender); 4] = [
    ("larder", Contender::LARDER),
    ("s3fifo", Contender::S3Fifo),
    ("lru", Contender::Lru),
    ("memcached", Contender::Memcached),
];

/// The least memory that is simulated: the least that a store is of use with.
pub const MEMORY_MIN: u64 = 2 << 20;
