//! Everything that can be asked of a store, mixed: the same operations in every run.

use larder_store::{Condition, Cursor, Delta, Refusal, Seconds, Store};

use super::items::{NOW, get, key, set};
use crate::error::Error;
use crate::fill::scramble;

/// A stream of operations on a store.
#[derive(Debug)]
pub(crate) struct Traffic<'s> {
    store: &'s Store,
    limit: u64,
    step: u64,
    now: Seconds,
    cursor: Option<Cursor>,
    reply: Vec<u8>,
    pub(crate) counts: Counts,
}

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    gets: u64,
    hits: u64,
    sets: u64,
    /// Of these, values of more than 8 KiB.
    large: u64,
    deletes: u64,
    touches: u64,
    adjustments: u64,
    appends: u64,
    sweeps: u64,
    /// Items that these have removed.
    swept: usize,
    walks: u64,
    statistics: u64,
    flushes: u64,
    limits: u64,
}

impl Counts {
    /// Whether everything has happened.
    pub(crate) fn is_varied(&self) -> bool {
        let Self { hits, large, deletes, touches, adjustments, .. } = *self;
        let Self { appends, swept, walks, statistics, flushes, limits, .. } = *self;
        let rare = [hits, large, deletes, touches, adjustments, appends, swept as u64];
        rare.iter().chain(&[walks, statistics, flushes, limits]).all(|&count| count > 0)
    }
}

impl<'s> Traffic<'s> {
    pub(crate) fn new(store: &'s Store, limit: u64) -> Self {
        let counts = Counts::default();
        Self { store, limit, step: 0, now: NOW, cursor: None, reply: Vec::new(), counts }
    }

    /// Does the next operation.
    ///
    /// # Errors
    /// A sentence when the store refuses what it should take.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.step += 1;
        let dice = scramble(self.step);
        self.now = Seconds(NOW.0 + u32::try_from(self.step / OPERATIONS_A_SECOND).unwrap_or(0));
        if self.step.is_multiple_of(SWEEP_EVERY) {
            let swept = self.store.sweep(self.now, SWEEP_ITEMS);
            self.counts.sweeps += 1;
            self.counts.swept += swept.removed;
        }
        if self.step.is_multiple_of(RARE_EVERY) {
            self.rare(self.step / RARE_EVERY);
        }
        let key = self.pick(dice);
        match (dice >> 8) % 100 {
            0..50 => {
                self.counts.gets += 1;
                self.counts.hits += u64::from(get(self.store, &key, self.now, &mut self.reply));
                Ok(())
            }
            50..90 => self.set(&key, scramble(dice)),
            90..93 => {
                self.counts.deletes += u64::from(self.store.delete(&key, self.now));
                Ok(())
            }
            93..96 => {
                let exptime = Seconds(self.now.0 + 60);
                let touched = self.store.touch(&key, Some(exptime), self.now);
                self.counts.touches += u64::from(touched);
                Ok(())
            }
            96..98 => self.count_up(dice),
            _ => self.append(&key),
        }
    }

    fn set(&mut self, key: &[u8], dice: u64) -> Result<(), Error> {
        let len = length(dice);
        let exptime = match (dice >> 40) % 3 {
            0 => None,
            1 => Some(Seconds(self.now.0 + 5 + u32::try_from(dice >> 48 & 0x3f).unwrap_or(0))),
            _ => Some(Seconds(self.now.0 + 3600)),
        };
        self.counts.sets += 1;
        self.counts.large += u64::from(len > 8 << 10);
        accept(set(self.store, key, len, exptime, self.now))
    }

    fn append(&mut self, key: &[u8]) -> Result<(), Error> {
        let append = || {
            let mut draft = self.store.draft(key, 0, None, 3, self.now)?;
            draft.push(b"end\r\n")?;
            self.store.commit(draft, Condition::Append, self.now)
        };
        self.counts.appends += 1;
        match append() {
            // A value that has reached the largest size stays as it is.
            Err(Refusal::TooLarge) => Ok(()),
            other => accept(other.map(drop)),
        }
    }

    /// Counts one of a few numbers; all other values are none.
    fn count_up(&mut self, dice: u64) -> Result<(), Error> {
        let key = key(KEYS + (dice >> 20) % 1000);
        self.counts.adjustments += 1;
        if self.store.adjust(&key, Delta::Increment(dice >> 32), self.now).is_ok() {
            return Ok(());
        }
        let mut draft = accept_value(self.store.draft(&key, 0, None, 1, self.now))?;
        accept_value(draft.push(b"0\r\n"))?;
        accept(self.store.commit(draft, Condition::Set, self.now).map(drop))
    }

    /// What operators do now and then.
    fn rare(&mut self, turn: u64) {
        match turn % 256 {
            // Long enough apart that the store is full in between, and evicts.
            60 => {
                self.counts.flushes += 1;
                self.store.flush(self.now);
            }
            160 => self.change_limit(self.limit / 2),
            180 => self.change_limit(self.limit),
            turn if turn % 8 == 4 => {
                self.counts.statistics += 1;
                let _ = (self.store.stats(), self.store.class_stats());
            }
            _ => {
                self.counts.walks += 1;
                let cursor = self.cursor.unwrap_or_default();
                self.cursor = self.store.walk(cursor, self.now, |item| {
                    std::hint::black_box(item.key());
                });
            }
        }
    }

    fn change_limit(&mut self, limit: u64) {
        self.counts.limits += 1;
        self.store.set_memory_limit(limit, self.now);
    }

    /// Some keys are asked for much more often than others.
    fn pick(&self, dice: u64) -> [u8; 20] {
        let place = (dice >> 20) % KEYS;
        key(place * place / KEYS * place / KEYS)
    }
}

/// Most values are short, one in a thousand is up to 500 KB.
fn length(dice: u64) -> usize {
    let (class, more) = (dice % 1000, dice >> 20);
    let len = match class {
        0 => 8_000 + more % 492_000,
        1..100 => 500 + more % 7_500,
        100..400 => 100 + more % 400,
        _ => 10 + more % 90,
    };
    usize::try_from(len).unwrap_or(10)
}

fn accept(done: Result<(), Refusal>) -> Result<(), Error> {
    accept_value(done)
}

fn accept_value<T>(done: Result<T, Refusal>) -> Result<T, Error> {
    done.map_err(|refusal| Error::new(format!("the store refused: {refusal:?}")))
}

const KEYS: u64 = 2_000_000;
/// Of the logical clock.
const OPERATIONS_A_SECOND: u64 = 20_000;
const SWEEP_EVERY: u64 = 1000;
const SWEEP_ITEMS: usize = 1024;
const RARE_EVERY: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::Traffic;
    use crate::inside::items::open;

    #[test]
    fn a_short_run_does_everything_and_repeats() {
        let run = || {
            let store = open(8 << 20);
            let mut traffic = Traffic::new(&store, 8 << 20);
            for _ in 0..400_000 {
                traffic.step().unwrap();
            }
            assert!(traffic.counts.is_varied(), "{:?}", traffic.counts);
            let stats = store.stats();
            assert!(stats.evictions > 0, "{stats:?}");
            (format!("{:?}", traffic.counts), stats)
        };
        assert_eq!(run(), run());
    }
}
