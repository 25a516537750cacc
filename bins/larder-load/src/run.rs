//! A run: connect, fill, warm up, measure. Each stage starts the threads anew and ends when every reply has come.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::errors::CreationError;

use crate::client::{Desk, SCRATCH_LEN, now};
use crate::plan::{BadFlag, Length, Plan, Target};
use crate::process::{Cpu, Process};
use crate::replies::Promise;
use crate::report::{Cost, Report};
use crate::tally::Tally;
use crate::value::Values;
use crate::worker::Worker;
use crate::workload::{Workload, part};

/// Does what the plan says, and returns when the last reply has come.
///
/// Requests that fail and connections that are lost do not end a run: the report counts them.
///
/// # Errors
///
/// When the plan contradicts itself, the server cannot be connected to, its process cannot be read, or the system
/// refuses a thread or a poller.
pub fn run(plan: &Plan) -> Result<Report, Error> {
    if plan.threads == 0 || plan.connections < plan.threads {
        return Err(BadFlag::new("each thread needs at least one connection").into());
    }
    if plan.pipeline == 0 || plan.multiget == 0 {
        return Err(BadFlag::new("a pipeline and a multi-get are at least 1 long").into());
    }
    let server = plan.pid.map(Process::new);
    if let Some(pid) = plan.pid {
        Process::new(pid).cpu().map_err(|source| Error::Process { pid, source })?;
    }
    let values = Values::new();
    let mut workers = (0..plan.threads)
        .map(|thread| Worker::connect(&plan.target, share(plan.connections as u64, plan, thread)))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|source| Error::Connect { target: plan.target.clone(), source })?;
    let mut stage = |kind| Stage { plan, values: &values, server, kind }.run(&mut workers);

    let filled = if plan.populate { Some(stage(Kind::Fill)?) } else { None };
    if !plan.warm_up.is_zero() {
        stage(Kind::Mix { stream: 1, length: Length::Time(plan.warm_up) })?;
    }
    let measured = stage(Kind::Mix { stream: 2, length: plan.length })?;
    let resident_bytes = match plan.pid {
        Some(pid) => Process::new(pid).resident_bytes().ok(),
        None => None,
    };
    Ok(Report::new(plan, filled.map(|filled| filled.tally), measured, resident_bytes))
}

/// Part of a run: what is sent, and until when.
#[derive(Debug)]
struct Stage<'p> {
    plan: &'p Plan,
    values: &'p Values,
    server: Option<Process>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Fill,
    Mix { stream: u64, length: Length },
}

/// What came of a stage.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
    pub(crate) server: Option<Cost>,
    pub(crate) generator: Option<Cost>,
}

impl Stage<'_> {
    fn run(&self, workers: &mut [Worker]) -> Result<Outcome, Error> {
        let desks = (0..self.plan.threads)
            .map(|thread| self.desk(thread))
            .collect::<Result<Vec<_>, _>>()?;
        let generator = Process::new(std::process::id());
        let before = (self.server.and_then(|server| server.cpu().ok()), generator.cpu().ok());
        let began = now();
        let finished = self.drive(workers, desks)?;
        let after = (self.server.and_then(|server| server.cpu().ok()), generator.cpu().ok());

        let mut tally = Tally::new()?;
        let mut ended = began;
        for (one, end) in finished {
            tally.absorb(one);
            ended = ended.max(end);
        }
        let cost = |before: Option<Cpu>, after: Option<Cpu>| {
            before
                .zip(after)
                .map(|(before, after)| Cost::new(after.since(before), tally.requests()))
        };
        let (server, generator) = (cost(before.0, after.0), cost(before.1, after.1));
        Ok(Outcome { elapsed: ended.duration_since(began), server, generator, tally })
    }

    /// Runs every worker on a thread of its own until all are done.
    fn drive(
        &self,
        workers: &mut [Worker],
        desks: Vec<Desk<'_>>,
    ) -> Result<Vec<(Tally, Instant)>, Error> {
        let stop = &AtomicBool::new(false);
        thread::scope(|scope| {
            // Nothing is ever sent: the channel closes when the last thread drops its end of it.
            let (running, all_done) = mpsc::channel::<()>();
            let mut threads = Vec::new();
            for (index, (worker, mut desk)) in workers.iter_mut().zip(desks).enumerate() {
                let running = running.clone();
                let body = move || {
                    let end = worker.drive(&mut desk, stop);
                    drop(running);
                    end.map(|end| (desk.tally, end))
                };
                let name = format!("larder-load-{index}");
                let thread = thread::Builder::new().name(name).spawn_scoped(scope, body);
                if thread.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                threads.push(thread.map_err(Error::Thread)?);
            }
            drop(running);
            if let Kind::Mix { length: Length::Time(time), .. } = self.kind
                && all_done.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
            {
                stop.store(true, Ordering::Relaxed);
            }
            let join = |thread: thread::ScopedJoinHandle<'_, io::Result<(Tally, Instant)>>| {
                let gone = |_| Err(io::Error::other("a thread of the load generator panicked"));
                thread.join().unwrap_or_else(gone).map_err(Error::Thread)
            };
            threads.into_iter().map(join).collect()
        })
    }

    fn desk(&self, thread: usize) -> Result<Desk<'_>, Error> {
        let (plan, values) = (self.plan, self.values);
        let workload = match self.kind {
            Kind::Fill => Workload::fill(plan, values, thread)?,
            Kind::Mix { stream, length: Length::Time(_) } => {
                Workload::mix(plan, values, thread, stream, u64::MAX)?
            }
            Kind::Mix { stream, length: Length::Requests(requests) } => {
                let requests = part(requests, plan.threads, thread);
                Workload::mix(plan, values, thread, stream, requests.end - requests.start)?
            }
        };
        let promise = Promise { keys: &plan.keys, values, sizes: plan.value_size };
        // Filling goes deep, because nobody measures it, but not so deep that long values pile up.
        let fill = FILL_TURN_BYTES / (plan.value_size.max() + plan.keys.key_len() + 1);
        let pipeline = match self.kind {
            Kind::Fill => u32::try_from(fill).unwrap_or(u32::MAX).clamp(1, FILL_PIPELINE_MAX),
            Kind::Mix { .. } => plan.pipeline,
        };
        Ok(Desk {
            workload,
            pipeline,
            timeout: plan.timeout,
            promise: plan.verify.then_some(promise),
            scratch: vec![0; SCRATCH_LEN],
            tally: Tally::new()?,
        })
    }
}

/// The connections of thread `thread`.
fn share(connections: u64, plan: &Plan, thread: usize) -> usize {
    let part = part(connections, plan.threads, thread);
    usize::try_from(part.end - part.start).unwrap_or(usize::MAX)
}

/// Why a run could not be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The plan contradicts itself.
    Plan(BadFlag),
    /// A connection was refused.
    Connect {
        /// The server.
        target: Target,
        /// Why.
        source: io::Error,
    },
    /// The server's process could not be read.
    Process {
        /// Its id.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started, or could not wait for its sockets.
    Thread(io::Error),
    /// A histogram could not be made.
    Histogram(CreationError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => error.fmt(f),
            Self::Connect { target, source } => write!(f, "cannot connect to {target}: {source}"),
            Self::Process { pid, source } => write!(f, "cannot read process {pid}: {source}"),
            Self::Thread(source) => write!(f, "a thread failed: {source}"),
            Self::Histogram(source) => write!(f, "cannot make a histogram: {source}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Plan(error) => Some(error),
            Self::Connect { source, .. } | Self::Process { source, .. } | Self::Thread(source) => {
                Some(source)
            }
            Self::Histogram(source) => Some(source),
        }
    }
}

impl From<BadFlag> for Error {
    fn from(error: BadFlag) -> Self {
        Self::Plan(error)
    }
}

impl From<CreationError> for Error {
    fn from(error: CreationError) -> Self {
        Self::Histogram(error)
    }
}

/// Requests of a turn while filling, at most.
const FILL_PIPELINE_MAX: u32 = 64;

/// Bytes of a turn while filling, about.
const FILL_TURN_BYTES: usize = 256 * 1024;
