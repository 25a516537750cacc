//! `cargo xtask bench load`: server processes under load.

use std::process::ExitCode;

/// Runs the load bench.
pub(crate) fn run(_args: &[String]) -> ExitCode {
    eprintln!("xtask: the load bench is not there yet");
    ExitCode::FAILURE
}
