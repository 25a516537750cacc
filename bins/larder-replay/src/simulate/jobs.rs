//! The jobs of a simulation, dealt to threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use parking_lot::Mutex;

use super::{Lifetime, Memory, Point, Simulation};
use crate::{Facts, Trace};

/// Plays everything, and gives the points in the order of traces, lifetimes and sizes of memory.
///
/// # Errors
/// A sentence of `load`; jobs that were begun end, and no others begin.
pub(super) fn run(
    simulation: &Simulation,
    traces: usize,
    load: &(impl Fn(usize) -> Result<Trace, String> + Sync),
    seen: &(impl Fn(usize, usize) + Sync),
) -> Result<Vec<Point>, String> {
    let jobs = jobs(simulation, traces);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let points = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let work = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Relaxed)) {
            match job.trace.share(load) {
                Ok(loaded) => {
                    let point = simulation.point(&loaded, job.lifetime, job.memory);
                    points.lock().extend(point.map(|point| (job.number, point)));
                    seen(done.fetch_add(1, Relaxed) + 1, jobs.len());
                }
                Err(sentence) => {
                    failure.lock().get_or_insert(sentence);
                    next.store(jobs.len(), Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..simulation.threads.clamp(1, jobs.len().max(1)) {
            scope.spawn(work);
        }
    });
    if let Some(sentence) = failure.into_inner() {
        return Err(sentence);
    }
    let mut points = points.into_inner();
    points.sort_by_key(|(number, _)| *number);
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// A trace and what it is like.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) trace: Trace,
    pub(super) facts: Facts,
}

struct Job {
    number: usize,
    trace: Arc<Shared>,
    lifetime: Lifetime,
    memory: Memory,
}

fn jobs(simulation: &Simulation, traces: usize) -> Vec<Job> {
    let uses = simulation.lifetimes.len() * simulation.memory.len();
    let mut jobs = Vec::with_capacity(traces * uses);
    for number in 0..traces {
        let slot = Slot { loaded: None, uses };
        let trace = Arc::new(Shared { number, slot: Mutex::new(slot) });
        for &lifetime in &simulation.lifetimes {
            for &memory in &simulation.memory {
                jobs.push(Job { number: jobs.len(), trace: Arc::clone(&trace), lifetime, memory });
            }
        }
    }
    jobs
}

/// A trace that is loaded for its first job and let go of by its last: some take a quarter of a GiB.
struct Shared {
    number: usize,
    slot: Mutex<Slot>,
}

struct Slot {
    loaded: Option<Arc<Loaded>>,
    /// Jobs that have not begun.
    uses: usize,
}

impl Shared {
    /// The trace for one job. Others wait while it is loaded.
    fn share(&self, load: &impl Fn(usize) -> Result<Trace, String>) -> Result<Arc<Loaded>, String> {
        let mut slot = self.slot.lock();
        let loaded = match slot.loaded.take() {
            Some(loaded) => loaded,
            None => {
                let trace = load(self.number)?;
                Arc::new(Loaded { facts: Facts::of(&trace), trace })
            }
        };
        slot.uses = slot.uses.saturating_sub(1);
        if slot.uses > 0 {
            slot.loaded = Some(Arc::clone(&loaded));
        }
        Ok(loaded)
    }
}
