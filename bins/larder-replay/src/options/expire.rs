//! The flags of `larder-replay expire`.

use clap::Args;
use larder_replay::simulate::{ExpiryTrial, Memory};

/// What expires.
#[derive(Debug, Args)]
pub(crate) struct ExpireArgs {
    /// The store's limit, as 64M
    #[arg(long, short, value_name = "SIZE", default_value = "1024M", value_parser = bytes)]
    memory: u64,
    /// Items that expire at one moment
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    items: u64,
    /// Seconds of the clock for which a store is swept whose items expire all the time
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    watched: u32,
    /// Fail when they are not gone after 60 s, something else was evicted, or sweeps take 1 % of a core a GiB
    #[arg(long)]
    pub(crate) check: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl ExpireArgs {
    pub(crate) fn trial(&self) -> ExpiryTrial {
        let Self { memory, items, watched, .. } = *self;
        ExpiryTrial { memory_bytes: memory, expiring: items, watched_s: watched }
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    match text.parse()? {
        Memory::Bytes(bytes) => Ok(bytes),
        Memory::Share(_) => Err("there is no footprint to have a share of".to_owned()),
    }
}
