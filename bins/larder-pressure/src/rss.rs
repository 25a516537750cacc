//! `larder-pressure rss`: memory of the process against its limit at every moment, while values change their sizes.

use larder_load::ValueSize;

use crate::error::Error;
use crate::fill::{Counts, Fill, scramble};
use crate::report::{Report, Table, mebibytes, ratio};
use crate::resident::bound;
use crate::server::{Program, Server};
use crate::wire::Wire;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, larder first.
    pub servers: Vec<Program>,
    /// Their limits in MiB, one after the other. From [`ALONE_FROM`] on larder is alone.
    pub limits: Vec<u64>,
}

/// Watches each server with each limit.
///
/// # Errors
/// A sentence: a server did not start or answer.
pub fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
    report.note(
        "resident: the peak of the phase, as the kernel keeps it; the bound is 1.02 of the limit and 16 MiB",
    );
    for &limit in &plan.limits {
        let columns = ["phase", "server", "items", "out of memory", "resident MiB", "of the limit"];
        let mut table = Table::new(format!("-m {limit}"), &columns);
        let mut highest = None;
        for program in &plan.servers {
            if limit >= ALONE_FROM && !program.is_larder() {
                continue;
            }
            let seen = watch(program, limit, &mut table)?;
            if program.is_larder() {
                highest = Some(seen);
            }
        }
        report.push(table);
        let Some((peak, refused)) = highest else { continue };
        report.check(refused == 0, format!("-m {limit}: {refused} stores refused"));
        let bound = bound(limit << 20);
        let (peak_shown, bound_shown) = (mebibytes(peak), mebibytes(bound));
        report.check(
            peak <= bound,
            format!("-m {limit}: at most {peak_shown} MiB resident, bound {bound_shown} MiB"),
        );
    }
    Ok(report)
}

/// Goes through the phases, and returns the highest peak and how many stores were refused.
fn watch(program: &Program, mebibytes_max: u64, table: &mut Table) -> Result<(u64, u64), Error> {
    let limit = mebibytes_max << 20;
    let server = Server::start(program, mebibytes_max, &[])?;
    let mut load = Load::new(server.connect()?, limit)?;
    let resident = server.resident();
    let (mut highest, mut refused) = (0, 0);
    for phase in PHASES {
        resident.forget_peak();
        load.play(phase)?;
        load.wire.settle()?;
        let peak = resident.peak_bytes()?;
        highest = highest.max(peak);
        let Counts { items, refused: refused_now, .. } = Counts::read(&mut load.wire)?;
        println!("-m {mebibytes_max} {}, {}: {} MiB", program.name, phase.name(), mebibytes(peak));
        table.row(&[
            &phase.name(),
            &program.name,
            &items,
            &(refused_now - refused),
            &mebibytes(peak),
            &format!("{:.3}", ratio(peak, limit)),
        ]);
        refused = refused_now;
    }
    Ok((highest, refused))
}

/// What is stored for a while.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// New keys with values of 10 bytes, until something is evicted.
    Filling,
    /// Keys that were there get values of about as many bytes.
    Rewriting,
    /// Keys that were there get 900 KB.
    Large,
    /// Keys that were there get 10 bytes.
    Small,
    /// From 10 bytes to 900 KB, every power of two as likely as any other.
    Mixed,
    /// A tenth of the memory of large ones, a tenth of small ones, and so on.
    Swinging,
    /// A few keys whose values double from 10 bytes to 900 KB.
    Doubling,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Self::Filling => "filling with 10 B",
            Self::Rewriting => "10 to 20 B",
            Self::Large => "900 KB",
            Self::Small => "10 B again",
            Self::Mixed => "10 B to 900 KB",
            Self::Swinging => "swinging 10 B, 900 KB",
            Self::Doubling => "doubling 10 B to 900 KB",
        }
    }
}

/// A connection, and what has been stored through it.
#[derive(Debug)]
struct Load {
    wire: Wire,
    fill: Fill,
    limit: u64,
    /// Keys that were stored in the first phase.
    keys: u64,
    /// Where the walk over them is.
    step: u64,
}

impl Load {
    fn new(wire: Wire, limit: u64) -> Result<Self, Error> {
        let fill = Fill::new("rss:", ValueSize::Fixed(SMALL))?;
        Ok(Self { wire, fill, limit, keys: 1, step: 0 })
    }

    fn play(&mut self, phase: Phase) -> Result<(), Error> {
        match phase {
            Phase::Filling => {
                let batch = (self.limit >> 17).max(64);
                self.keys = self.fill.until_eviction(&mut self.wire, batch)?.max(1);
                // What happens when it is full belongs to it.
                self.fill.push(&mut self.wire, self.keys / 10)
            }
            Phase::Rewriting => self.small(self.keys / 4, 10),
            Phase::Large => self.large(self.limit / 2 * 3),
            Phase::Small => self.small(self.keys, 0),
            Phase::Mixed => self.mixed(self.limit / 2 * 3),
            Phase::Swinging => {
                for _ in 0..SWINGS {
                    self.large(self.limit / SWINGS)?;
                    self.small(self.keys / SWINGS, 0)?;
                }
                Ok(())
            }
            Phase::Doubling => self.doubling(),
        }
    }

    /// Stores so many small values, up to `more` bytes longer than others.
    fn small(&mut self, count: u64, more: u64) -> Result<(), Error> {
        for _ in 0..count {
            let number = self.pick();
            let longer = usize::try_from(number % (more + 1)).unwrap_or(0);
            self.store(number, SMALL + longer)?;
        }
        Ok(())
    }

    /// Stores so many bytes of large values.
    fn large(&mut self, bytes: u64) -> Result<(), Error> {
        for _ in 0..bytes / LARGE as u64 {
            let number = self.pick();
            self.store(number, LARGE)?;
        }
        Ok(())
    }

    fn mixed(&mut self, bytes: u64) -> Result<(), Error> {
        let mut stored = 0;
        while stored < bytes {
            let number = self.pick();
            let dice = scramble(!number);
            // A power of two, and then anything up to the next.
            let octave = (dice >> 32) % OCTAVES;
            let len = SMALL as u64 + (16 << octave >> 1) + dice % (8 << octave);
            let len = usize::try_from(len).unwrap_or(LARGE).min(LARGE);
            self.store(number, len)?;
            stored += len as u64;
        }
        Ok(())
    }

    fn doubling(&mut self) -> Result<(), Error> {
        let keys = (self.limit / LARGE as u64).clamp(1, 1000);
        let mut len = SMALL;
        while len < LARGE {
            for number in 0..keys {
                self.store(number, len)?;
            }
            len *= 2;
        }
        Ok(())
    }

    /// A key that was stored in the first phase.
    fn pick(&mut self) -> u64 {
        self.step += 1;
        scramble(self.step) % self.keys
    }

    fn store(&mut self, number: u64, len: usize) -> Result<(), Error> {
        self.fill.store(&mut self.wire, number, len)
    }
}

/// From this limit on, in MiB, memcached is left out: the machine need not hold both one after the other.
pub const ALONE_FROM: u64 = 4096;
const PHASES: [Phase; 7] = [
    Phase::Filling,
    Phase::Rewriting,
    Phase::Large,
    Phase::Small,
    Phase::Mixed,
    Phase::Swinging,
    Phase::Doubling,
];
const SMALL: usize = 10;
const LARGE: usize = 900_000;
const SWINGS: u64 = 10;
/// Of mixed lengths: 8 bytes to 512 KiB doubled 17 times.
const OCTAVES: u64 = 17;
