//! What came of a replay: counts, the server's own figures, and both as text and as JSON.

use std::fmt;
use std::iter::Sum;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::Memory;

/// Counts of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Retrievals of the trace.
    pub gets: u64,
    /// Those that found nothing.
    pub misses: u64,
    /// Bytes of key and value of all retrievals.
    pub asked_bytes: u64,
    /// The same of those that found nothing.
    pub missed_bytes: u64,
    /// Values stored because they were missed.
    pub fills: u64,
    /// Values stored because the trace says so.
    pub sets: u64,
    /// Keys removed, or already gone, because the trace says so.
    pub deletes: u64,
    /// Values that the server refused.
    pub refused: u64,
    /// Retrievals sent a second time, because a turn asked for a key again before it was stored. Not counted as retrievals.
    pub asked_again: u64,
}

/// All about one replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The trace's name.
    pub trace: String,
    /// Where the server listens.
    pub server: SocketAddr,
    /// What it calls its version.
    pub version: String,
    /// What was answered.
    pub tally: Tally,
    /// From the first request to the last reply.
    pub elapsed: Duration,
    /// How much of that there was nothing to do but to wait for the server.
    pub waited: Duration,
    /// Items that the server held before.
    pub items_before: u64,
    /// Items that it holds afterwards.
    pub items: u64,
    /// Items that it evicted meanwhile.
    pub evictions: u64,
    /// Its memory limit.
    pub limit_bytes: u64,
    /// What it says it has allocated for items, in memcached's way of counting: `total_malloced` of `stats slabs`.
    pub slab_bytes: u64,
    /// Its process's memory afterwards.
    pub memory: Option<Memory>,
    /// Its process's CPU time meanwhile.
    pub server_cpu: Option<Duration>,
}

impl Tally {
    /// Retrievals that found nothing, of all retrievals.
    #[must_use]
    pub fn miss_ratio(&self) -> f64 {
        ratio(self.misses, self.gets)
    }

    /// The same by bytes of key and value.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        ratio(self.missed_bytes, self.asked_bytes)
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |a, b| Self {
            gets: a.gets + b.gets,
            misses: a.misses + b.misses,
            asked_bytes: a.asked_bytes + b.asked_bytes,
            missed_bytes: a.missed_bytes + b.missed_bytes,
            fills: a.fills + b.fills,
            sets: a.sets + b.sets,
            deletes: a.deletes + b.deletes,
            refused: a.refused + b.refused,
            asked_again: a.asked_again + b.asked_again,
        })
    }
}

impl Report {
    /// One flat object.
    #[must_use]
    pub fn json(&self) -> Value {
        let Tally { gets, misses, fills, sets, deletes, refused, asked_again, .. } = self.tally;
        json!({
            "trace": self.trace,
            "server": self.server.to_string(),
            "version": self.version,
            "limit_bytes": self.limit_bytes,
            "slab_bytes": self.slab_bytes,
            "gets": gets,
            "misses": misses,
            "miss_ratio": self.tally.miss_ratio(),
            "byte_miss_ratio": self.tally.byte_miss_ratio(),
            "fills": fills,
            "sets": sets,
            "deletes": deletes,
            "refused": refused,
            "asked_again": asked_again,
            "evictions": self.evictions,
            "items_before": self.items_before,
            "items": self.items,
            "seconds": self.elapsed.as_secs_f64(),
            "waited_seconds": self.waited.as_secs_f64(),
            "resident_bytes": self.memory.map(|memory| memory.resident),
            "peak_resident_bytes": self.memory.map(|memory| memory.peak),
            "server_cpu_seconds": self.server_cpu.map(|cpu| cpu.as_secs_f64()),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { gets, misses, fills, sets, deletes, refused, asked_again, .. } = self.tally;
        let (ratio, bytes) = (self.tally.miss_ratio(), self.tally.byte_miss_ratio());
        writeln!(f, "{} against {} ({})", self.trace, self.server, self.version)?;
        writeln!(f, "gets        {gets}, asked again {asked_again}")?;
        writeln!(f, "misses      {misses}: {ratio:.4} of the gets, {bytes:.4} by bytes")?;
        writeln!(f, "stored      {fills} missed, {sets} others; {refused} refused")?;
        writeln!(f, "removed     {deletes}")?;
        write!(f, "server      {} items, {} evictions", self.items, self.evictions)?;
        let (slabs, limit) = (mib(self.slab_bytes), mib(self.limit_bytes));
        writeln!(f, ", {slabs:.1} MiB of slabs, limit {limit:.1} MiB")?;
        if let Some(Memory { resident, peak }) = self.memory {
            writeln!(f, "resident    {:.1} MiB, at most {:.1}", mib(resident), mib(peak))?;
        }
        let (elapsed, waited) = (self.elapsed.as_secs_f64(), self.waited.as_secs_f64());
        write!(f, "time        {elapsed:.1} s, of which {waited:.1} waiting for the server")?;
        if let Some(cpu) = self.server_cpu {
            write!(f, ", which used {:.1} s of CPU", cpu.as_secs_f64())?;
        }
        if self.items_before > 0 {
            let items = self.items_before;
            write!(f, "\nThe server was not empty before: it held {items} items.")?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio of counts far under 2^53")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn mib(bytes: u64) -> f64 {
    ratio(bytes, 1 << 20)
}
