//! The command line: flags, their defaults, and what they ask for.

mod expire;
mod simulate;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use larder_replay::{CATALOGUE, Format, Plan, SEED, Trace, make, read};

pub(crate) use expire::ExpireArgs;
pub(crate) use simulate::SimulateArgs;

/// Plays recorded and made cache traces and counts what was missed.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Name the traces that there are, and say what each is
    List,
    /// Count what a trace is like: accesses, keys, bytes
    Show {
        #[command(flatten)]
        trace: TraceArgs,
        /// Print one JSON object instead of text
        #[arg(long)]
        json: bool,
    },
    /// Write a trace to a file, in Twitter's format
    Make {
        #[command(flatten)]
        trace: TraceArgs,
        /// Where to; standard output otherwise
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Draw miss-ratio curves as a picture
    Curve {
        /// A JSON array of points: objects with `line`, `memory_mib` and `miss_ratio`
        #[arg(value_name = "POINTS")]
        points: PathBuf,
        /// What stands above the picture
        #[arg(long, value_name = "TEXT", default_value = "")]
        title: String,
        /// Where to, as SVG; standard output otherwise
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Play a trace against servers: get, and on a miss set
    Run {
        #[command(flatten)]
        trace: TraceArgs,
        #[command(flatten)]
        servers: ServerArgs,
        /// Print one JSON array, an object a server, instead of text
        #[arg(long)]
        json: bool,
    },
    /// Play traces against the store itself and against reference policies, on a clock of the trace's own
    Simulate(SimulateArgs),
    /// Let items of the store expire that nobody asks for: when their room is free, and what the sweeps take
    Expire(ExpireArgs),
}

/// Which trace.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// A file, or the name of a trace: see `larder-replay list`
    #[arg(value_name = "TRACE")]
    trace: String,
    /// Format of the file, else guessed from its name: twitter, oracle, cachelib, plain, orm
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// How many accesses: the first ones of a file, or what a made trace shall have
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    requests: Option<u32>,
    /// What a made trace follows from
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
}

impl TraceArgs {
    /// Makes the trace or reads it.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn load(&self) -> Result<Trace, String> {
        let path = PathBuf::from(&self.trace);
        let requests = self.requests.and_then(|requests| usize::try_from(requests).ok());
        if self.format.is_some() || path.exists() {
            let limit = requests.unwrap_or(usize::MAX);
            return read(&path, self.format, limit).map_err(|error| error.to_string());
        }
        make(&self.trace, requests, self.seed)
            .map_err(|error| format!("{error}, and there is no such file"))
    }
}

/// Against whom, and how.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Where the server listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:11211")]
    server: String,
    /// Another server to play the same trace against; may be given several times
    #[arg(long, value_name = "HOST:PORT")]
    also: Vec<String>,
    /// Play against all servers at the same time, instead of one after the other
    #[arg(long)]
    pub(crate) at_once: bool,
    /// Process id of a server on this machine, for its memory and CPU time; once for each server, in their order
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
    /// Connections that keys are dealt over
    #[arg(long, short, value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Requests that a connection sends before it reads their replies, in the mean
    #[arg(long, value_name = "N", default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pipeline: u16,
    /// Store with the trace's TTLs: on or off
    #[arg(long, value_name = "WHETHER", default_value = "off", value_parser = on_or_off)]
    ttl: bool,
    /// Seconds of the trace that pass in a second; as fast as the server answers if not given
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    speed: Option<f64>,
    /// How many seconds to wait for a server that says nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
}

impl ServerArgs {
    /// A plan for each server.
    ///
    /// # Errors
    /// A sentence: an address is none, or there are process ids for some of the servers.
    pub(crate) fn plans(&self) -> Result<Vec<Plan>, String> {
        let servers: Vec<&String> = [&self.server].into_iter().chain(&self.also).collect();
        if !self.pid.is_empty() && self.pid.len() != servers.len() {
            let (pids, servers) = (self.pid.len(), servers.len());
            return Err(format!("{pids} process ids for {servers} servers"));
        }
        let plan = |(place, server): (usize, &&String)| {
            Ok(Plan {
                server: resolved(server)?,
                pid: self.pid.get(place).copied(),
                connections: self.connections.into(),
                pipeline: self.pipeline.into(),
                has_ttls: self.ttl,
                speed: self.speed,
                timeout: Duration::from_secs(self.timeout.into()),
            })
        };
        servers.iter().enumerate().map(plan).collect()
    }
}

fn resolved(server: &str) -> Result<SocketAddr, String> {
    let refused = |why: &str| format!("a server is HOST:PORT, and {server:?} is none: {why}");
    let addresses = server.to_socket_addrs().map_err(|error| refused(&error.to_string()))?;
    // Servers listen on IPv4 more often than on IPv6, and a name such as localhost has both.
    let preferred = addresses.min_by_key(|address| !address.is_ipv4());
    preferred.ok_or_else(|| refused("it has no address"))
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is on or off".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (1e-3..=1e9).contains(speed));
    speed.ok_or_else(|| "it is a number between 0.001 and 1000000000".to_owned())
}

/// The catalogue as text.
pub(crate) fn catalogue() -> String {
    let line = |recipe: &larder_replay::Recipe| {
        format!("{:<12} {:>9} accesses  {}\n", recipe.name, recipe.requests, recipe.about)
    };
    let others = "zipfEXPONENT, zipfEXPONENT-ttl and twCLUSTER for others of these kinds";
    CATALOGUE.iter().map(line).chain([others.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Options;

    #[test]
    fn the_flags_are_consistent() {
        Options::command().debug_assert();
    }
}
