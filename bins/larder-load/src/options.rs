//! The command line: flags, their defaults, and the plan that they make.

use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use larder_load::{BadFlag, Distribution, Keys, Length, Plan, Ratio, Target, ValueSize};

/// Loads a memcached (or anything that speaks its text protocol) and says what it did and what it cost.
///
/// Each connection sends a turn of requests, waits for all the replies, and sends the next (a closed loop).
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub(crate) struct Options {
    /// Where the server listens
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:11211",
        conflicts_with = "unix"
    )]
    server: String,
    /// The server's Unix socket, instead of --server
    #[arg(long, value_name = "PATH")]
    unix: Option<PathBuf>,
    /// Connections, dealt evenly to the threads
    #[arg(long, short, value_name = "N", default_value_t = 50)]
    connections: usize,
    /// Threads, each with a poller of its own
    #[arg(long, short, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Requests that a connection sends together before it waits for their replies
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pipeline: u32,
    /// How many different keys there are
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    keys: u64,
    /// What every key begins with; a number follows
    #[arg(long, value_name = "TEXT", default_value = "key:")]
    key_prefix: String,
    /// Bytes of every key
    #[arg(long, value_name = "BYTES", default_value_t = 14)]
    key_len: usize,
    /// How keys are chosen: uniform, zipf, zipf:EXPONENT or sequential
    #[arg(long, value_name = "LAW", default_value_t = Distribution::Uniform)]
    distribution: Distribution,
    /// Bytes of stored values: N, MIN-MAX, or lognormal:MEAN
    #[arg(long, value_name = "SIZE", default_value_t = ValueSize::Fixed(32))]
    value_size: ValueSize,
    /// Retrievals to stores, for example 10:1; 1:0 and 0:1 are only one of them
    #[arg(long, value_name = "GETS:SETS", default_value_t = Ratio { gets: 10, sets: 1 })]
    ratio: Ratio,
    /// Keys that one retrieval asks for
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    multiget: u32,
    /// How long to measure: seconds, or a number with ms, s or m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time, conflicts_with = "requests")]
    duration: Duration,
    /// Measure exactly this many requests, instead of --duration
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// How long the same load runs before measuring
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = time)]
    warm_up: Duration,
    /// Store every key once before anything else
    #[arg(long)]
    populate: bool,
    /// Check that each value is the one that its key must hold
    #[arg(long)]
    verify: bool,
    /// Give up waiting when the server has given no reply for this long
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    timeout: Duration,
    /// Process id of the server on this machine: prints what a request costs it
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// What all random choices follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl Options {
    /// The plan that the flags make together.
    pub(crate) fn into_plan(self) -> Result<Plan, BadFlag> {
        let target = match self.unix {
            Some(path) => Target::Unix(path),
            None => resolve(&self.server)?,
        };
        if self.threads == 0 || self.threads > THREADS_MAX {
            return Err(BadFlag::new(format!("--threads is between 1 and {THREADS_MAX}")));
        }
        if self.connections < self.threads || self.connections > CONNECTIONS_MAX {
            return Err(BadFlag::new(format!(
                "--connections is between the number of threads and {CONNECTIONS_MAX}"
            )));
        }
        let turn = self.value_size.max().saturating_mul(self.pipeline as usize);
        if self.ratio.sets > 0 && turn.saturating_mul(self.connections) > TURN_BYTES_MAX {
            return Err(BadFlag::new(format!(
                "--connections times --pipeline times the longest value is over {TURN_BYTES_MAX} bytes, which would all be in memory at once"
            )));
        }
        Ok(Plan {
            target,
            connections: self.connections,
            threads: self.threads,
            pipeline: self.pipeline,
            keys: Keys::new(&self.key_prefix, self.key_len, self.keys)?,
            distribution: self.distribution,
            value_size: self.value_size,
            ratio: self.ratio,
            multiget: self.multiget,
            length: self.requests.map_or(Length::Time(self.duration), Length::Requests),
            warm_up: self.warm_up,
            populate: self.populate,
            verify: self.verify,
            timeout: self.timeout,
            pid: self.pid,
            seed: self.seed,
        })
    }
}

fn resolve(server: &str) -> Result<Target, BadFlag> {
    let refused = |why: &str| {
        BadFlag::new(format!(
            "--server is HOST:PORT, and {server:?} is none that can be found: {why}"
        ))
    };
    let addresses = server.to_socket_addrs().map_err(|error| refused(&error.to_string()))?;
    // Servers listen on IPv4 more often than on IPv6, and a name such as localhost has both.
    let preferred = addresses.min_by_key(|address| !address.is_ipv4());
    preferred.map(Target::Tcp).ok_or_else(|| refused("it has no address"))
}

/// A time such as `10`, `1.5s`, `200ms` or `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        unit => return Err(format!("the unit {unit:?} is none of ms, s, m")),
    };
    match digits.parse::<f64>() {
        Ok(number) if (0.0..=TIME_MAX_S).contains(&(number * unit)) => {
            Ok(Duration::from_secs_f64(number * unit))
        }
        _ => Err(format!("a time is a number of seconds up to {TIME_MAX_S}")),
    }
}

/// More threads than any machine that this was tried on has cores.
const THREADS_MAX: usize = 1024;

/// Connections from one address to one port end at the number of ephemeral ports.
const CONNECTIONS_MAX: usize = 65_000;

/// Bytes of requests that may be in memory at once.
const TURN_BYTES_MAX: usize = 4 << 30;

/// A week.
const TIME_MAX_S: f64 = 604_800.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::{CommandFactory, Parser};

    use super::{Options, time};

    #[test]
    fn the_flags_are_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        for (text, expected) in [
            ("10", Some(Duration::from_secs(10))),
            ("1.5s", Some(Duration::from_millis(1500))),
            ("200ms", Some(Duration::from_millis(200))),
            ("2m", Some(Duration::from_secs(120))),
            ("0", Some(Duration::ZERO)),
            ("-1", None),
            ("", None),
            ("5h", None),
            ("inf", None),
            ("1e300", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn plans_that_cannot_be_are_refused() {
        for (flags, expected) in [
            ("", true),
            ("--connections 4 --threads 4", true),
            ("--connections 3 --threads 4", false),
            ("--threads 0", false),
            ("--connections 100000", false),
            ("--keys 0", false),
            ("--keys 1000 --key-len 6", false),
            ("--key-len 251", false),
            ("--server nowhere", false),
            ("--server 127.0.0.1:99999", false),
            ("--value-size 1000000 --pipeline 1000", false),
            ("--value-size 1000000 --pipeline 1000 --ratio 1:0", true),
        ] {
            let options = Options::try_parse_from(flags.split_whitespace().fold(
                vec!["larder-load"],
                |mut all, flag| {
                    all.push(flag);
                    all
                },
            ));
            assert_eq!(options.unwrap().into_plan().is_ok(), expected, "{flags:?}");
        }
    }
}
