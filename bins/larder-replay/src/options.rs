//! The command line.

use clap::Parser;

/// Plays cache traces and counts misses.
#[derive(Debug, Parser)]
#[command(version, args_override_self = true)]
pub(crate) struct Options {}
