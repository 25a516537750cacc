//! What a simulation must show of the store.

use super::{Contender, Lifetime, Point, Report, Run};

impl Report {
    /// What is out of bounds, a sentence each: misses over [`MISSES_MAX`] times those of S3-FIFO, or, with TTLs, more than
    /// [`COPIES_MAX`] bytes copied for each that was stored. Nothing is said of points that one of the two did not play.
    #[must_use]
    pub fn verdict(&self) -> Vec<String> {
        self.points.iter().flat_map(violations).collect()
    }

    /// Whether there is a point at which the store can be compared with S3-FIFO, so that a verdict means something.
    #[must_use]
    pub fn is_decisive(&self) -> bool {
        let both = [Contender::LARDER, Contender::S3Fifo];
        self.points.iter().any(|point| both.iter().all(|contender| point.run(*contender).is_some()))
    }
}

fn violations(point: &Point) -> Vec<String> {
    let mut found = Vec::new();
    let Some(larder) = point.run(Contender::LARDER) else { return found };
    if let Some(ideal) = point.run(Contender::S3Fifo) {
        let ratio = larder.misses_relative_to(ideal);
        if ratio > misses_max(point.memory_bytes) {
            found.push(format!("{point}: {ratio:.3} times the misses of S3-FIFO"));
        }
    }
    if let Some(copies) = larder.copies().filter(|_| point.lifetime == Lifetime::Limited)
        && copies > COPIES_MAX
    {
        found.push(format!("{point}: {copies:.2} bytes copied for each that was stored"));
    }
    found
}

impl Run {
    /// Misses as a multiple of another's on the same point; 1 if neither missed anything.
    #[must_use]
    pub fn misses_relative_to(&self, other: &Self) -> f64 {
        match (self.counts.misses, other.counts.misses) {
            (0, 0) => 1.0,
            (misses, others) => misses as f64 / others as f64,
        }
    }

    /// Bytes moved inside the cache for each byte of keys and values stored, where it is known.
    #[must_use]
    pub fn copies(&self) -> Option<f64> {
        let copied = self.holdings.copied_bytes?;
        Some(copied as f64 / self.counts.set_bytes.max(1) as f64)
    }
}

/// The most misses of the store with this memory, as a multiple of those of S3-FIFO of whole items.
fn misses_max(memory_bytes: u64) -> f64 {
    if memory_bytes < SMALL_BYTES { MISSES_MAX_IF_SMALL } else { MISSES_MAX }
}

/// The most misses of the store, as a multiple of those of S3-FIFO of whole items, with 4 MiB and more.
pub const MISSES_MAX: f64 = 1.03;

/// The same with less memory. There a tenth of it is what segments and blocks have not filled yet, and what a shard keeps to go
/// on with: S3-FIFO of whole items has no such thing.
pub const MISSES_MAX_IF_SMALL: f64 = 1.08;

const SMALL_BYTES: u64 = 4 << 20;

/// The most bytes that the store copies on traces with TTLs, for each that is stored.
pub const COPIES_MAX: f64 = 0.5;
