//! How many operations took how long, in doublings.

use crate::report::Table;

/// Counts by length in nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Histogram {
    /// Shortest length of a class, and count; in no order.
    classes: Vec<(u64, u64)>,
}

impl Histogram {
    /// Adds operations of a class that begins with this length.
    pub(crate) fn add(&mut self, shortest: u64, count: u64) {
        match self.classes.iter_mut().find(|(known, _)| *known == shortest) {
            Some((_, sum)) => *sum += count,
            None => self.classes.push((shortest, count)),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.classes.iter().map(|(_, count)| count).sum()
    }

    /// The length that this share of the operations does not reach, in nanoseconds: the end of a class, an eighth or
    /// a doubling too long at most.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a count"
    )]
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let mut classes = self.classes.clone();
        classes.sort_unstable();
        let mut left = (self.count() as f64 * share).ceil() as u64;
        for (at, &(shortest, count)) in classes.iter().enumerate() {
            if left <= count {
                return classes.get(at + 1).map_or(shortest, |&(next, _)| next);
            }
            left -= count;
        }
        0
    }

    /// Rows of doublings, in microseconds.
    pub(crate) fn table(&self, title: &str) -> Table {
        let mut table = Table::new(title, &["shorter than us", "operations", "share"]);
        let doubling = |length: u64| length.checked_ilog2().map_or(0, |octave| octave + 1);
        let Some(last) = self.classes.iter().map(|&(shortest, _)| doubling(shortest)).max() else {
            return table;
        };
        let total = self.count();
        for octave in 0..=last {
            let counts = self.classes.iter().filter(|&&(shortest, _)| doubling(shortest) == octave);
            let count: u64 = counts.map(|(_, count)| count).sum();
            if count > 0 {
                let end = microseconds(1 << octave);
                let share = crate::report::ratio(count, total);
                table.row(&[&end, &count, &format!("{:.6} %", share * 100.0)]);
            }
        }
        table
    }
}

/// Nanoseconds as microseconds, for people.
pub(crate) fn microseconds(nanoseconds: u64) -> String {
    format!("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::{Histogram, microseconds};

    #[test]
    fn quantiles_are_ends_of_classes() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), 0);
        for (shortest, count) in [(1024, 90), (64, 9), (4096, 1), (1024, 900)] {
            histogram.add(shortest, count);
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.quantile(0.009), 1024);
        assert_eq!(histogram.quantile(0.5), 4096);
        assert_eq!(histogram.quantile(1.0), 4096);
    }

    #[test]
    fn figures_are_microseconds() {
        assert_eq!(microseconds(1_234_567), "1234.567");
        assert_eq!(microseconds(7), "0.007");
    }
}
