//! The command line: flags, their defaults, and what they ask for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use larder_replay::{CATALOGUE, Format, SEED, Trace, make, read};

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
