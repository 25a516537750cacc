//! The flags of `larder-replay simulate`.

use std::thread;

use clap::Args;
use larder_replay::simulate::{Contender, Lifetime, Memory, Piece, Simulation};
use larder_replay::{Format, SEED, Trace};

use super::TraceArgs;

/// What is simulated.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Files, or names of traces; without any, those that the check is made with
    #[arg(value_name = "TRACE")]
    traces: Vec<String>,
    /// Format of files, else guessed from their names: twitter, oracle, cachelib, plain, orm
    #[arg(long, value_name = "FORMAT", requires = "traces")]
    format: Option<Format>,
    /// How many accesses: the first ones of a file, or what a made trace shall have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests: Option<u32>,
    /// What made traces follow from
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// Sizes of memory: shares of the footprint as 5%, or bytes as 64M
    #[arg(
        long,
        short,
        value_name = "SIZE,...",
        value_delimiter = ',',
        default_value = "1%,5%,10%,25%"
    )]
    memory: Vec<Memory>,
    /// Who plays: larder, s3fifo, lru, memcached (a model of it)
    #[arg(
        long,
        value_name = "CACHE,...",
        value_delimiter = ',',
        default_value = "larder,s3fifo,lru"
    )]
    caches: Vec<Contender>,
    /// Pieces of larder's policy that it plays without: ghost, self_sizing, size_aware, ttl_streams, overwrite_in_place,
    /// compaction
    #[arg(long, value_name = "PIECE,...", value_delimiter = ',')]
    without: Vec<Piece>,
    /// Larder also plays without each of these pieces alone: what each earned, as a table
    #[arg(long, conflicts_with = "without")]
    without_each: bool,
    /// Whether values expire as the trace says: on, off, both
    #[arg(long, value_name = "WHEN", default_value = "both", value_parser = lifetimes)]
    ttl: Lifetimes,
    /// Requests a second, instead of the times of the trace
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Bytes that an item of s3fifo and lru costs beside key and value
    #[arg(long, value_name = "BYTES", default_value_t = OVERHEAD)]
    overhead: u64,
    /// Threads; without, one a core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Fail when larder misses over 1.03 times what s3fifo does (1.08 below 4 MiB), or copies more than half a byte for each stored with TTLs
    #[arg(long)]
    pub(crate) check: bool,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl SimulateArgs {
    pub(crate) fn simulation(&self) -> Simulation {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        Simulation {
            contenders: self.contenders(),
            memory: self.memory.clone(),
            lifetimes: self.ttl.0.to_vec(),
            rate: self.rate,
            overhead: self.overhead,
            threads: self.threads.map_or_else(cores, usize::from),
        }
    }

    fn contenders(&self) -> Vec<Contender> {
        let mut contenders = self.caches.clone();
        if !self.without.is_empty() {
            contenders.push(Contender::Larder(self.without.iter().copied().collect()));
        }
        if self.without_each {
            let alone = |piece| Contender::Larder([piece].into_iter().collect());
            contenders.extend(Piece::ALL.map(alone));
        }
        contenders
    }

    /// How many traces there are.
    pub(crate) fn traces(&self) -> usize {
        if self.traces.is_empty() { CHECKED.len() } else { self.traces.len() }
    }

    /// Makes or reads a trace.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn load(&self, number: usize) -> Result<Trace, String> {
        let named = self.traces.get(number).map(String::as_str);
        let trace = named.or_else(|| CHECKED.get(number).copied()).unwrap_or_default().to_owned();
        let requests = self.requests.or_else(|| named.is_none().then_some(CHECKED_REQUESTS));
        let args = TraceArgs { trace, format: self.format, requests, seed: self.seed };
        args.load()
    }
}

/// A type of its own because clap takes a plain list for a flag that may be repeated.
#[derive(Debug, Clone, Copy)]
struct Lifetimes(&'static [Lifetime]);

fn lifetimes(text: &str) -> Result<Lifetimes, String> {
    match text {
        "off" => Ok(Lifetimes(&[Lifetime::Endless])),
        "on" => Ok(Lifetimes(&[Lifetime::Limited])),
        "both" => Ok(Lifetimes(&[Lifetime::Endless, Lifetime::Limited])),
        _ => Err(format!("{text:?} is none of on, off, both")),
    }
}

/// Every kind of trace there is, each once: those with TTLs are also played without.
const CHECKED: [&str; 13] = [
    "orm-busy",
    "orm-night",
    "zipf0.9-ttl",
    "zipf1.0-ttl",
    "zipf1.1-ttl",
    "tw4",
    "tw19",
    "tw22",
    "tw29",
    "tw45",
    "tw52",
    "meta-fbobj",
    "meta-kvreg",
];
/// As many as let all of it end within minutes on two cores.
const CHECKED_REQUESTS: u32 = 3_000_000;

/// What the store's items are meant to cost beside key and value, and those of the reference do.
const OVERHEAD: u64 = 24;
