//! `larder-pressure mix`: a cache whose values change their sizes with time. A request is a get, and a set when it
//! missed; what is shown is the hit ratio from window to window.

use larder_load::{Distribution, Picker};
use rand::{SeedableRng as _, rngs::SmallRng};

use crate::error::Error;
use crate::fill::scramble;
use crate::report::{Report, Table, mebibytes, ratio};
use crate::server::{Program, Server};
use crate::svg::{Curve, Picture};
use crate::wire::{Stored, Wire};

/// What is measured.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The servers, larder first.
    pub servers: Vec<Program>,
    /// Their limit.
    pub mebibytes: u64,
    /// One for the whole length, more for a shorter run.
    pub shorten: u64,
}

/// # Errors
/// A sentence: a server did not start or answer.
pub fn run(plan: &Plan, mut report: Report) -> Result<Report, Error> {
    report.note(format!(
        "load: -m {}, get, and set on a miss; Zipf 0.9 over keys of {} times the memory; no TTL",
        plan.mebibytes, FOOTPRINT
    ));
    let mut runs = Vec::new();
    for program in &plan.servers {
        runs.push(play(program, plan)?);
    }
    tabulate(&plan.servers, &runs, &mut report);
    let curves = plan.servers.iter().zip(&runs).map(|(program, phases)| Curve {
        name: program.name,
        points: phases.iter().flat_map(|phase| phase.windows.iter().copied()).collect(),
    });
    let marks = PHASES.iter().enumerate().map(|(at, phase)| (at * WINDOWS, phase.name)).collect();
    report.draw(Picture {
        title: format!("Hit ratio while sizes change, -m {}", plan.mebibytes),
        across: "windows of requests",
        up: "hit ratio",
        marks,
        curves: curves.collect(),
    });
    judge(&plan.servers, &runs, &mut report);
    Ok(report)
}

/// What one phase of one server has shown.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// Hit ratios.
    windows: Vec<f64>,
    requests: u64,
    hits: u64,
    /// Stores answered that there is no memory.
    refused: u64,
    peak: u64,
    /// What [`Self::last`] is for a server that has seen nothing else.
    fresh: f64,
}

impl Seen {
    fn hit_ratio(&self) -> f64 {
        ratio(self.hits, self.requests)
    }

    fn mean(windows: &[f64]) -> f64 {
        let count = u32::try_from(windows.len().max(1)).unwrap_or(u32::MAX);
        windows.iter().sum::<f64>() / f64::from(count)
    }

    /// The mean of the first tenth of the windows.
    fn first(&self) -> f64 {
        Self::mean(&self.windows[..self.windows.len().div_ceil(10)])
    }

    /// The mean of the last fifth.
    fn last(&self) -> f64 {
        Self::mean(&self.windows[self.windows.len() - self.windows.len() / 5..])
    }
}

fn play(program: &Program, plan: &Plan) -> Result<Vec<Seen>, Error> {
    let server = Server::start(program, plan.mebibytes, &[])?;
    let mut all: Vec<Seen> = Vec::new();
    for phase in &PHASES {
        let mut seen = phase.play(&server, plan)?;
        // The same without anything that was before.
        let twin = PHASES.iter().position(|twin| twin.prefix == phase.prefix);
        seen.fresh = match (all.len(), twin.and_then(|twin| all.get(twin))) {
            (0, _) => seen.last(),
            (_, Some(twin)) => twin.last(),
            (_, None) => {
                let fresh = Server::start(program, plan.mebibytes, &[])?;
                phase.play(&fresh, plan)?.last()
            }
        };
        println!("{}, {}: {:.4}", program.name, phase.name, seen.hit_ratio());
        all.push(seen);
    }
    Ok(all)
}

fn tabulate(servers: &[Program], runs: &[Vec<Seen>], report: &mut Report) {
    let columns = [
        "phase",
        "server",
        "requests",
        "hit ratio",
        "first tenth",
        "last fifth",
        "the same of a fresh server",
        "out of memory",
        "resident MiB",
    ];
    let mut table = Table::new("hit ratio while sizes change", &columns);
    for (at, phase) in PHASES.iter().enumerate() {
        for (program, phases) in servers.iter().zip(runs) {
            let seen = &phases[at];
            table.row(&[
                &phase.name,
                &program.name,
                &seen.requests,
                &format!("{:.4}", seen.hit_ratio()),
                &format!("{:.4}", seen.first()),
                &format!("{:.4}", seen.last()),
                &format!("{:.4}", seen.fresh),
                &seen.refused,
                &mebibytes(seen.peak),
            ]);
        }
    }
    report.push(table);
}

fn judge(servers: &[Program], runs: &[Vec<Seen>], report: &mut Report) {
    for (program, phases) in servers.iter().zip(runs) {
        if !program.is_larder() {
            continue;
        }
        let refused: u64 = phases.iter().map(|phase| phase.refused).sum();
        report.check(refused == 0, format!("{refused} stores were refused for want of memory"));
        for (phase, seen) in PHASES.iter().zip(phases).skip(1) {
            let (last, fresh) = (seen.last(), seen.fresh);
            report.check(
                last >= fresh * RECOVERY,
                format!("{}: at last {last:.4} of requests hit, goal {RECOVERY} of a fresh server's {fresh:.4}", phase.name),
            );
        }
    }
}

/// What is asked for during a while.
#[derive(Debug)]
struct Phase {
    name: &'static str,
    /// What keys begin with: a phase has keys of its own, unless it comes back.
    prefix: &'static str,
    shortest: u64,
    /// The longest value is so many doublings longer; each doubling is as likely as any other.
    doublings: u64,
    requests: u64,
    /// What comes back asks for other keys of the same law.
    seed: u64,
}

impl Phase {
    fn play(&self, server: &Server, plan: &Plan) -> Result<Seen, Error> {
        let mut wire = server.connect()?;
        server.resident().forget_peak();
        let memory = plan.mebibytes << 20;
        let keys = (memory * FOOTPRINT / self.mean()).max(1);
        let picker = Picker::new(Distribution::Zipf(EXPONENT), keys, 0);
        let mut picker = picker.map_err(|error| Error::new(error.to_string()))?;
        let mut random = SmallRng::seed_from_u64(self.seed);
        let mut seen = Seen::default();
        let window = self.requests / plan.shorten / WINDOWS as u64;
        for _ in 0..WINDOWS {
            let before = (seen.hits, seen.requests);
            while seen.requests - before.1 < window {
                let numbers: Vec<u64> = (0..BATCH).map(|_| picker.pick(&mut random)).collect();
                self.ask(&numbers, &mut wire, &mut seen)?;
            }
            seen.windows.push(ratio(seen.hits - before.0, seen.requests - before.1));
        }
        seen.peak = server.resident().peak_bytes()?;
        Ok(seen)
    }

    fn ask(&self, numbers: &[u64], wire: &mut Wire, seen: &mut Seen) -> Result<(), Error> {
        let key = |number: &u64| format!("{}{number:012}", self.prefix).into_bytes();
        let keys: Vec<Vec<u8>> = numbers.iter().map(key).collect();
        let mut hits = Vec::with_capacity(keys.len());
        wire.get_all(&keys, |len| hits.push(len.is_some()))?;
        seen.requests += keys.len() as u64;
        seen.hits += hits.iter().filter(|&&hit| hit).count() as u64;
        let missed = keys.iter().zip(numbers).zip(&hits).filter(|&(_, &hit)| !hit);
        let items = missed.map(|((key, &number), _)| (key.as_slice(), self.len(number)));
        let refused = &mut seen.refused;
        wire.set_all(items, |stored| *refused += u64::from(stored != Stored::Yes))
    }

    /// The length of this key's value: the same whenever it is stored.
    fn len(&self, number: u64) -> usize {
        let dice = scramble(number);
        let least = self.shortest << ((dice >> 32) % self.doublings);
        usize::try_from(least + dice % least).unwrap_or(1)
    }

    /// About, of lengths.
    fn mean(&self) -> u64 {
        let sum: u64 =
            (0..self.doublings).map(|doubling| (self.shortest << doubling) / 2 * 3).sum();
        sum / self.doublings + KEY_LEN
    }
}

const PHASES: [Phase; 4] = [
    Phase {
        name: "small",
        prefix: "small:",
        shortest: 50,
        doublings: 2,
        requests: 2_000_000,
        seed: 1,
    },
    Phase {
        name: "large",
        prefix: "large:",
        shortest: 8_000,
        doublings: 3,
        requests: 250_000,
        seed: 2,
    },
    Phase {
        name: "mixed",
        prefix: "mixed:",
        shortest: 20,
        doublings: 14,
        requests: 500_000,
        seed: 3,
    },
    Phase {
        name: "small again",
        prefix: "small:",
        shortest: 50,
        doublings: 2,
        requests: 2_000_000,
        seed: 4,
    },
];
/// Bytes of all keys and values of a phase, in limits.
const FOOTPRINT: u64 = 4;
const EXPONENT: f64 = 0.9;
const KEY_LEN: u64 = 18;
/// Of a phase.
const WINDOWS: usize = 50;
/// Requests that go out together.
const BATCH: usize = 64;
/// What was before may cost so little of the hit ratio, when a phase has lasted for a while.
const RECOVERY: f64 = 0.97;
