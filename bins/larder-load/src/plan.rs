//! What a run does: plain public fields. The command line's defaults live with the command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::distribution::{Distribution, ValueSize};
use crate::keys::Keys;

/// Everything [`crate::run`] needs to know.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub target: Target,
    /// Connections, dealt evenly to the threads; at least as many as threads.
    pub connections: usize,
    /// Threads, each with a poller of its own; at least one.
    pub threads: usize,
    /// Requests that a connection sends together; it waits for all their replies before it sends again.
    pub pipeline: u32,
    /// The key space.
    pub keys: Keys,
    /// Which of the keys are asked for.
    pub distribution: Distribution,
    /// How long stored values are.
    pub value_size: ValueSize,
    /// Retrievals and stores.
    pub ratio: Ratio,
    /// Keys that one retrieval asks for; at least one.
    pub multiget: u32,
    /// When the measured stage ends.
    pub length: Length,
    /// How long the same load runs before anything is measured.
    pub warm_up: Duration,
    /// Whether every key is stored once before anything else.
    pub populate: bool,
    /// Whether each value that comes back is compared with what its key must hold.
    pub verify: bool,
    /// How long the server may give no reply at all while some are due; then the connections that wait count as lost.
    pub timeout: Duration,
    /// The server's process, when it runs on this machine and its cost is wanted.
    pub pid: Option<u32>,
    /// What all random choices follow from.
    pub seed: u64,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// When a run has done enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// After this time; requests on their way are still awaited and counted.
    Time(Duration),
    /// After exactly this many requests.
    Requests(u64),
}

/// Retrievals to stores, each request drawn at random in this proportion. Not both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// The share of retrievals, at most 1,000,000.
    pub gets: u32,
    /// The share of stores, at most 1,000,000.
    pub sets: u32,
}

impl FromStr for Ratio {
    type Err = BadFlag;

    fn from_str(text: &str) -> Result<Self, BadFlag> {
        let share = |part: &str| part.parse().ok().filter(|share| *share <= RATIO_MAX);
        let shares = text.split_once(':').and_then(|(gets, sets)| share(gets).zip(share(sets)));
        match shares {
            Some((0, 0)) => Err(BadFlag::new("the ratio 0:0 leaves no request to send")),
            Some((gets, sets)) => Ok(Self { gets, sets }),
            None => Err(BadFlag::new(format!(
                "a ratio is GETS:SETS, two numbers up to {RATIO_MAX}, not {text:?}"
            ))),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.gets, self.sets)
    }
}

/// Why a flag or a plan was refused: one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFlag(String);

impl BadFlag {
    /// A refusal in these words.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for BadFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFlag {}

/// Longest key that memcached takes, in bytes.
pub const KEY_LEN_MAX: usize = 250;

/// Longest value that is made, in bytes: memcached's own upper limit for `-I`.
pub const VALUE_LEN_MAX: usize = 1 << 30;

/// Keeps the sum of both shares within 32 bits.
const RATIO_MAX: u32 = 1_000_000;
