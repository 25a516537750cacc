//! What a simulation found, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use super::{Contender, Lifetime, MEMORY_MIN, Point, Run};

/// The points of a simulation. `Display` is a table for people; [`Report::json`] the same for programs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// [`super::Simulation::overhead`].
    pub overhead: u64,
    /// In the order of traces, lifetimes and sizes of memory.
    pub points: Vec<Point>,
}

impl Report {
    /// All figures; bytes, and nanoseconds of processor time.
    #[must_use]
    pub fn json(&self) -> Value {
        let points: Vec<Value> = self.points.iter().map(Point::json).collect();
        json!({ "overhead": self.overhead, "points": points, "out_of_bounds": self.verdict() })
    }

    /// Misses of one contender as a multiple of another's: the geometric mean over all points that both played.
    #[must_use]
    pub fn mean_relative(&self, contender: Contender, other: Contender) -> Option<f64> {
        let points = self.points.iter();
        let pairs = points.filter_map(|point| Some((point.run(contender)?, point.run(other)?)));
        geometric_mean(pairs.map(|(run, other)| run.misses_relative_to(other)))
    }
}

/// Of the numbers that have one.
pub(super) fn geometric_mean(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = numbers.map(f64::ln).filter(|log| log.is_finite()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    (!logs.is_empty()).then(|| mean.exp())
}

impl Point {
    /// What a contender did here, if it played.
    #[must_use]
    pub fn run(&self, contender: Contender) -> Option<&Run> {
        self.runs.iter().find(|run| run.contender == contender)
    }

    /// Memory as a share of the footprint.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.memory_bytes as f64 / self.footprint.max(1) as f64
    }

    fn json(&self) -> Value {
        let runs: Vec<Value> = self.runs.iter().map(Run::json).collect();
        json!({
            "trace": self.trace,
            "ttls": self.lifetime == Lifetime::Limited,
            "footprint_bytes": self.footprint,
            "memory_bytes": self.memory_bytes,
            "share": self.share(),
            "runs": runs,
        })
    }
}

impl Run {
    /// Misses as a share of the retrievals, cold ones included.
    #[must_use]
    pub fn miss_ratio(&self) -> f64 {
        ratio(self.counts.misses, self.counts.gets)
    }

    /// Bytes of keys and values missed as a share of those asked for.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        ratio(self.counts.miss_bytes, self.counts.get_bytes)
    }

    /// Processor time of a request in nanoseconds, the making up of its key included.
    #[must_use]
    pub fn request_ns(&self) -> f64 {
        self.counts.cpu.as_secs_f64() * 1e9 / self.counts.gets.max(1) as f64
    }

    fn json(&self) -> Value {
        let Self { contender, counts, holdings } = self;
        json!({
            "cache": contender.to_string(),
            "gets": counts.gets,
            "get_bytes": counts.get_bytes,
            "misses": counts.misses,
            "miss_bytes": counts.miss_bytes,
            "sets": counts.sets,
            "set_bytes": counts.set_bytes,
            "miss_ratio": self.miss_ratio(),
            "byte_miss_ratio": self.byte_miss_ratio(),
            "request_ns": self.request_ns(),
            "items": holdings.items,
            "held_bytes": holdings.held_bytes,
            "evicted": holdings.evicted,
            "evicted_unfetched": holdings.evicted_unfetched,
            "expired": holdings.expired,
            "refused": holdings.refused,
            "copied_bytes": holdings.copied_bytes,
            "dead_bytes": holdings.dead_bytes,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}")?;
        for point in &self.points {
            write_point(f, point)?;
        }
        let pairs = [Contender::LARDER, Contender::Lru, Contender::Memcached]
            .map(|contender| (contender, Contender::S3Fifo));
        for (contender, other) in
            pairs.into_iter().chain([(Contender::LARDER, Contender::Memcached)])
        {
            if let Some(mean) = self.mean_relative(contender, other) {
                writeln!(
                    f,
                    "{contender}: {mean:.4} times the misses of {other} in the geometric mean"
                )?;
            }
        }
        self.write_earnings(f)?;
        self.verdict().iter().try_for_each(|sentence| writeln!(f, "out of bounds: {sentence}"))
    }
}

/// One line a contender; the point itself is named on the first.
fn write_point(f: &mut fmt::Formatter<'_>, point: &Point) -> fmt::Result {
    let mut place = point.to_string();
    if point.runs.is_empty() {
        return writeln!(f, "{place:<34} less than {} MiB: left out", MEMORY_MIN >> 20);
    }
    let ideal = point.run(Contender::S3Fifo);
    for run in &point.runs {
        let Run { contender, counts: _, holdings } = run;
        let relative = ideal.map_or_else(String::new, |ideal| {
            format!("{:+.1}%", (run.misses_relative_to(ideal) - 1.0) * 100.0)
        });
        let known =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |f| format!("{f:.2}"));
        let dead = holdings.dead_bytes.map(|dead| ratio(dead, holdings.held_bytes));
        writeln!(
            f,
            "{place:<34} {contender:<19} {:7.4} {relative:>7} {:7.4} {:>9} {:>8.1} {:>9} {:>9} {:>9} {:>6} {:>6} \
             {:>6.0}",
            run.miss_ratio(),
            run.byte_miss_ratio(),
            holdings.items,
            mib(holdings.held_bytes),
            holdings.evicted,
            holdings.evicted_unfetched,
            holdings.expired,
            known(run.copies()),
            known(dead),
            run.request_ns(),
        )?;
        place.clear();
    }
    Ok(())
}

impl fmt::Display for Point {
    /// Trace, share and size, for example `zipf1.0-ttl ttl 5.0% 25.3M`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, lifetime, memory_bytes, .. } = self;
        let ttl = if *lifetime == Lifetime::Limited { "ttl" } else { "" };
        let percent = self.share() * 100.0;
        write!(f, "{trace:<12} {ttl:<3} {percent:>5.1}% {:>7.1}M", mib(*memory_bytes))
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

const HEAD: &str = "\
trace                  memory      cache                misses  s3fifo   bytes     items  MiB held   evicted unfetched   expired \
copied   dead     ns";
