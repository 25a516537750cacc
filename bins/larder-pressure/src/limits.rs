//! `larder-pressure limits`: the edges: values of every size, the least memory, limits that change under load, no
//! eviction, and everything flushed at once.

mod flushing;
mod moving;
mod sizes;

use crate::error::Error;
use crate::report::Report;
use crate::server::Program;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, larder first.
    pub servers: Vec<Program>,
    /// Limit in MiB of the server that gets values of every size.
    pub sizes_mebibytes: u64,
    /// The longest of these, in MiB; the servers get twice that for `-I`.
    pub value_mebibytes: u64,
    /// Limit in MiB of the server whose limit is moved: a quarter of it, and twice.
    pub moving_mebibytes: u64,
    /// Limit in MiB of the server that is flushed.
    pub flushed_mebibytes: u64,
}

/// # Errors
/// A sentence: a server did not start or answer.
pub fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
    sizes::every_size(plan, &mut report)?;
    sizes::least(plan, &mut report)?;
    sizes::without_eviction(plan, &mut report)?;
    moving::run(plan, &mut report)?;
    flushing::run(plan, &mut report)?;
    Ok(report)
}
