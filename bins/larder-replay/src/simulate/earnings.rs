//! What each piece of the store's policy earned: the store with it beside the store without.

use std::fmt;

use super::report::geometric_mean;
use super::{Contender, Lifetime, Memory, Pieces, Point, Report, Run};

/// What the store loses without some pieces, each figure beside that of the whole store on the same points.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Earnings {
    /// What was switched off.
    pub without: Pieces,
    /// Misses without as a multiple of those with, by size of memory: geometric means over all traces.
    pub by_memory: Vec<(Memory, Option<f64>)>,
    /// The same over everything without TTLs.
    pub endless: Option<f64>,
    /// The same over everything with TTLs.
    pub limited: Option<f64>,
    /// Bytes of missed keys and values, as a multiple, over everything.
    pub bytes: Option<f64>,
    /// Bytes copied for each stored, in the mean over points with TTLs.
    pub copies: Option<f64>,
}

impl Report {
    /// What each contender that is a store without something lost.
    #[must_use]
    pub fn earnings(&self) -> Vec<Earnings> {
        let mut all: Vec<Pieces> = Vec::new();
        for run in self.points.iter().flat_map(|point| &point.runs) {
            if let Contender::Larder(without) = run.contender
                && without != Pieces::NONE
                && !all.contains(&without)
            {
                all.push(without);
            }
        }
        all.into_iter().map(|without| self.earnings_of(without)).collect()
    }

    fn earnings_of(&self, without: Pieces) -> Earnings {
        let mean = |is_meant: &dyn Fn(&Point) -> bool, figure: &dyn Fn(&Run, &Run) -> f64| {
            let points = self.points.iter().filter(|point| is_meant(point));
            let pairs = points.filter_map(|point| {
                Some(figure(point.run(Contender::Larder(without))?, point.run(Contender::LARDER)?))
            });
            geometric_mean(pairs)
        };
        let mut sizes: Vec<Memory> = Vec::new();
        for point in &self.points {
            if !sizes.contains(&point.memory) {
                sizes.push(point.memory);
            }
        }
        let misses = |is_meant: &dyn Fn(&Point) -> bool| mean(is_meant, &Run::misses_relative_to);
        let bytes = |run: &Run, whole: &Run| {
            run.counts.miss_bytes as f64 / whole.counts.miss_bytes.max(1) as f64
        };
        Earnings {
            without,
            by_memory: sizes
                .into_iter()
                .map(|memory| (memory, misses(&|point| point.memory == memory)))
                .collect(),
            endless: misses(&|point| point.lifetime == Lifetime::Endless),
            limited: misses(&|point| point.lifetime == Lifetime::Limited),
            bytes: mean(&|_| true, &bytes),
            copies: self.mean_copies(Contender::Larder(without)),
        }
    }

    /// Bytes copied for each stored, in the mean over points with TTLs.
    fn mean_copies(&self, contender: Contender) -> Option<f64> {
        let points = self.points.iter().filter(|point| point.lifetime == Lifetime::Limited);
        let copies: Vec<f64> = points.filter_map(|point| point.run(contender)?.copies()).collect();
        (!copies.is_empty()).then(|| copies.iter().sum::<f64>() / copies.len() as f64)
    }

    /// The table of earnings; nothing if the store always had all its pieces.
    pub(super) fn write_earnings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.earnings();
        let Some(first) = all.first() else { return Ok(()) };
        write!(f, "\n{:<20}", "misses without")?;
        for (memory, _) in &first.by_memory {
            write!(f, " {memory:>8}")?;
        }
        writeln!(f, " {:>8} {:>8} {:>8} {:>8}", "no TTL", "TTL", "bytes", "copied")?;
        let shown =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |x| format!("{x:.4}"));
        for earnings in all {
            write!(f, "{:<20}", earnings.without)?;
            let means = earnings.by_memory.iter().map(|(_, mean)| *mean);
            let rest = [earnings.endless, earnings.limited, earnings.bytes, earnings.copies];
            for figure in means.chain(rest) {
                write!(f, " {:>8}", shown(figure))?;
            }
            writeln!(f)?;
        }
        let copies = shown(self.mean_copies(Contender::LARDER));
        writeln!(
            f,
            "multiples of what the whole store missed; it copied {copies} bytes for each stored with TTLs"
        )
    }
}
