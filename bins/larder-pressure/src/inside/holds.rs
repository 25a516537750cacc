//! `larder-pressure holds`: how long locks of the store are held, by place in the code, under a mix of everything.

use crate::error::Error;
use crate::report::Report;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Operations of a run.
    pub operations: u64,
    /// Limit in MiB.
    pub mebibytes: u64,
    /// The same run over and over: what only the machine has made slow is so told from what is slow each time.
    pub repeats: usize,
}

/// # Errors
/// A sentence: this program was built without the recording, or the store does what it should not.
#[cfg(not(feature = "hold-times"))]
pub fn run(_: &Plan, _: Report) -> Result<Report, Error> {
    Err(Error::new("the store records nothing: build with `--features hold-times`"))
}

/// # Errors
/// A sentence: this program was built without the recording, or the store does what it should not.
#[cfg(feature = "hold-times")]
pub fn run(plan: &Plan, report: Report) -> Result<Report, Error> {
    recorded::run(plan, report)
}

#[cfg(feature = "hold-times")]
mod recorded {
    use std::panic::Location;

    use larder_store::HoldTimes;

    use super::Plan;
    use crate::error::Error;
    use crate::inside::histogram::{Histogram, microseconds};
    use crate::inside::items::open;
    use crate::inside::traffic::{Counts, Traffic};
    use crate::report::{Report, Table};

    pub(super) fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
        let mut longest = Longest::default();
        let mut first = None;
        for repeat in 1..=plan.repeats {
            let store = open(plan.mebibytes << 20);
            let mut traffic = Traffic::new(&store, plan.mebibytes << 20);
            longest.begin();
            for _ in 0..plan.operations {
                traffic.step()?;
                longest.see(store.take_longest_hold());
            }
            let worst = store.hold_times().first().map_or(0, |place| place.longest);
            println!("run {repeat}: the longest hold {} us", microseconds(worst));
            first.get_or_insert_with(|| (store.hold_times(), traffic.counts, store.stats()));
        }
        let Some((places, counts, stats)) = first else {
            return Err(Error::new("nothing was run"));
        };
        report.note(format!(
            "traffic: {} operations, fixed seed, -m {}: {counts:?}, {} evictions",
            plan.operations, plan.mebibytes, stats.evictions
        ));
        let all = tabulate(&places, &mut report);
        judge(plan, &all, &longest, &mut report);
        check_variety(&counts, stats.evictions)?;
        Ok(report)
    }

    /// The histogram of all places, after both tables were shown.
    fn tabulate(places: &[HoldTimes], report: &mut Report) -> Histogram {
        let columns = ["place", "holds", "median us", "p99 us", "p99.9 us", "longest us"];
        let mut table = Table::new("holds by place, first run, CPU time", &columns);
        let mut all = Histogram::default();
        for place in places {
            let mut own = Histogram::default();
            for (shortest, count) in place.counts() {
                own.add(shortest, count);
                all.add(shortest, count);
            }
            table.row(&[
                &shown(place.place),
                &own.count(),
                &microseconds(own.quantile(0.5)),
                &microseconds(own.quantile(0.99)),
                &microseconds(own.quantile(0.999)),
                &microseconds(place.longest),
            ]);
        }
        report.push(all.table("holds of all places, first run"));
        report.push(table);
        all
    }

    fn judge(plan: &Plan, all: &Histogram, longest: &Longest, report: &mut Report) {
        let columns = ["operation", "us in its fastest run", "place"];
        let mut table = Table::new("operations that held a lock longest in every run", &columns);
        let mut worst: Vec<_> = longest.fastest.iter().enumerate().collect();
        worst.sort_by_key(|&(_, &(time, _))| std::cmp::Reverse(time));
        for &(at, &(time, place)) in worst.iter().take(10) {
            table.row(&[&at, &microseconds(time), &place.map_or(String::new(), shown)]);
        }
        report.push(table);
        let worst = worst.first().map_or(0, |(_, (time, _))| *time);
        let typical = all.quantile(0.99);
        report.check(
            worst <= WORST,
            format!(
                "{} operations in {} runs: no lock held above {} us of CPU in every run, goal {} us",
                plan.operations,
                plan.repeats,
                microseconds(worst),
                microseconds(WORST)
            ),
        );
        report.check(
            typical <= TYPICAL,
            format!(
                "99 of 100 holds below {} us, goal {} us",
                microseconds(typical),
                microseconds(TYPICAL)
            ),
        );
    }

    /// A run that met nothing rare would prove nothing.
    fn check_variety(counts: &Counts, evictions: u64) -> Result<(), Error> {
        if counts.is_varied() && evictions > 0 {
            return Ok(());
        }
        Err(Error::new(format!("the run is too short: {counts:?}, {evictions} evictions")))
    }

    /// The longest hold of each operation, in the run where it was shortest.
    #[derive(Debug, Default)]
    struct Longest {
        fastest: Vec<(u64, Option<&'static Location<'static>>)>,
        at: usize,
    }

    impl Longest {
        fn begin(&mut self) {
            self.at = 0;
        }

        fn see(&mut self, hold: Option<(&'static Location<'static>, u64)>) {
            let time = hold.map_or(0, |(_, time)| time);
            let place = hold.map(|(place, _)| place);
            match self.fastest.get_mut(self.at) {
                Some(fastest) if time < fastest.0 => *fastest = (time, place),
                Some(_) => {}
                None => self.fastest.push((time, place)),
            }
            self.at += 1;
        }
    }

    fn shown(place: &Location<'_>) -> String {
        let file = place.file().rsplit('/').next().unwrap_or_default();
        format!("{file}:{}", place.line())
    }

    const WORST: u64 = 150_000;
    const TYPICAL: u64 = 20_000;
}
