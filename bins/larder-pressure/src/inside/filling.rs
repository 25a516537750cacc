//! `larder-pressure time`, its worst case: no set may take long while a store grows from nothing.

use super::histogram::{Histogram, microseconds};
use super::items::{open, set_numbered};
use crate::clock::cpu_nanoseconds;
use crate::error::Error;
use crate::report::{Report, Table};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Items that are stored.
    pub items: u64,
    /// The same filling over and over: what only the machine has made slow is so told from what is slow each time.
    pub repeats: usize,
}

/// # Errors
/// A sentence when the store refuses an item.
pub fn run(plan: &Plan, report: &mut Report) -> Result<(), Error> {
    let mut fastest: Vec<u64> = Vec::new();
    let mut worst = Table::new("the longest set of each filling, in CPU time", &["filling", "us"]);
    let mut histogram = Histogram::default();
    for repeat in 1..=plan.repeats {
        let times = fill(plan.items)?;
        if repeat == 1 {
            for &time in &times {
                histogram.add(floor(time), 1);
            }
        }
        let longest = times.iter().copied().max().unwrap_or_default();
        worst.row(&[&repeat, &microseconds(longest)]);
        fastest = if fastest.is_empty() {
            times
        } else {
            fastest.iter().zip(&times).map(|(&one, &other)| one.min(other)).collect()
        };
    }
    let (at, longest) =
        fastest.iter().copied().enumerate().max_by_key(|&(_, time)| time).unwrap_or_default();
    worst.row(&[&"the fastest of all for each set", &microseconds(longest)]);
    let typical = microseconds(histogram.quantile(0.99));
    worst.row(&[&"99 of 100 sets of the first are below", &typical]);
    report.push(histogram.table(&format!("sets of the first filling, {} items", plan.items)));
    report.push(worst);
    report.check(
        longest <= WORST,
        format!(
            "filling 0 to {} items: no set above {} us of CPU in every filling, goal {} us (set number {at})",
            plan.items,
            microseconds(longest),
            microseconds(WORST)
        ),
    );
    Ok(())
}

/// Nanoseconds of each set.
fn fill(items: u64) -> Result<Vec<u64>, Error> {
    let store = open(items * ITEM_BYTES_MAX);
    // Touched beforehand: the vector's own growth must not be measured.
    let mut times = vec![1; usize::try_from(items).unwrap_or(0)];
    for (number, time) in (0..items).zip(&mut times) {
        let began = cpu_nanoseconds();
        set_numbered(&store, number, LEN)?;
        *time = cpu_nanoseconds() - began;
    }
    Ok(times)
}

/// The length of which a doubling begins.
fn floor(nanoseconds: u64) -> u64 {
    nanoseconds.checked_ilog2().map_or(0, |octave| 1 << octave)
}

/// Bytes of values.
const LEN: usize = 32;
const ITEM_BYTES_MAX: u64 = 200;
/// A millisecond.
const WORST: u64 = 1_000_000;
