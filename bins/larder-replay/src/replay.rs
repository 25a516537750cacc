//! Playing a trace against a server: get, and on a miss set with the trace's size.
//!
//! Keys are dealt over the connections, so that one connection sees all accesses of a key in their order. Connections
//! take turns: each sends what the next stretch of the trace deals it, and its replies are read when its turn comes
//! again, while the server works on the others. No connection is more than a stretch ahead of another.
//!
//! A turn may ask for a key several times. If the first of them misses, its value goes out at the beginning of the next
//! turn, and what asked again before that is asked once more after it: only answers given when the value was there, or
//! could have been, are counted.

mod connection;
mod exchange;
mod process;
mod replies;
mod report;
mod statistics;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{Access, Trace};
use connection::Connection;
pub use process::Memory;
use process::Process;
pub use report::{Report, Tally};
use statistics::Statistics;

/// How a trace is played, and against whom.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where the server listens.
    pub server: SocketAddr,
    /// The server's process on this machine, if its memory is to be read.
    pub pid: Option<u32>,
    /// Connections that keys are dealt over.
    pub connections: usize,
    /// Accesses of a stretch for each connection, in the mean.
    pub pipeline: usize,
    /// Whether values are stored with the trace's TTLs.
    pub has_ttls: bool,
    /// Seconds of the trace that pass in a second: paces the accesses and shortens TTLs. As fast as the server answers if
    /// not given.
    pub speed: Option<f64>,
    /// How long to wait for a server that sends nothing.
    pub timeout: Duration,
}

/// How far a replay is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Accesses of the trace.
    pub accesses: usize,
    /// Those that were sent.
    pub sent: usize,
    /// What came of those that were answered.
    pub tally: Tally,
    /// Since the replay began.
    pub elapsed: Duration,
}

/// Why a replay ended early.
#[derive(Debug)]
pub enum Error {
    /// The server cannot be connected to.
    Connect(io::Error),
    /// A connection broke, or the server said nothing for too long.
    Lost(io::Error),
    /// The server said what no memcached says.
    Protocol(String),
    /// The server's process cannot be read.
    Process(io::Error),
}

/// Plays all of a trace. `on_progress` is called a few times a second.
///
/// # Errors
/// When the server is not there, leaves, or does not speak the protocol. Values that it refuses are counted instead.
pub fn replay(
    trace: &Trace,
    plan: &Plan,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Report, Error> {
    let process = plan.pid.map(Process::new);
    let before = Statistics::ask(plan.server, plan.timeout)?;
    let cpu_before = process.map(Process::cpu).transpose().map_err(Error::Process)?;
    let mut player = Player::connect(trace, plan)?;
    while player.turn()? {
        if let Some(progress) = player.due_progress() {
            on_progress(&progress);
        }
    }
    let elapsed = player.started.elapsed();
    on_progress(&player.progress());
    let after = Statistics::ask(plan.server, plan.timeout)?;
    let memory = process.map(Process::memory).transpose().map_err(Error::Process)?;
    let cpu = process.map(Process::cpu).transpose().map_err(Error::Process)?;
    Ok(Report {
        trace: trace.name.clone(),
        server: plan.server,
        version: after.version.clone(),
        tally: player.tally(),
        elapsed,
        waited: player.waited(),
        items_before: before.items,
        items: after.items,
        evictions: after.evictions.saturating_sub(before.evictions),
        limit_bytes: after.limit_bytes,
        slab_bytes: after.slab_bytes,
        memory,
        server_cpu: cpu.zip(cpu_before).map(|(after, before)| after.saturating_sub(before)),
    })
}

/// A replay that runs.
struct Player<'t> {
    plan: &'t Plan,
    accesses: &'t [Access],
    /// Accesses that were dealt to a connection.
    dealt: usize,
    connections: Vec<Connection>,
    started: Instant,
    progress_due: Duration,
}

impl<'t> Player<'t> {
    fn connect(trace: &'t Trace, plan: &'t Plan) -> Result<Self, Error> {
        let connect = |_| Connection::connect(plan);
        let connections = (0..plan.connections.max(1)).map(connect).collect::<Result<_, _>>()?;
        let accesses = &trace.accesses;
        let started = now();
        Ok(Self { plan, accesses, dealt: 0, connections, started, progress_due: PROGRESS_EVERY })
    }

    /// A turn of each connection; false when nothing is left.
    fn turn(&mut self) -> Result<bool, Error> {
        self.deal();
        let mut is_waiting = false;
        for connection in &mut self.connections {
            connection.finish_turn()?;
            is_waiting |= connection.begin_turn()?;
        }
        if !is_waiting && self.dealt < self.accesses.len() {
            self.pause();
        }
        Ok(is_waiting || self.dealt < self.accesses.len())
    }

    /// Deals the next stretch of the trace.
    fn deal(&mut self) {
        let stretch = self.plan.connections.max(1) * self.plan.pipeline.max(1);
        let mut next = &self.accesses[self.dealt..];
        next = &next[..stretch.min(next.len())];
        if let Some(speed) = self.plan.speed {
            let elapsed = self.started.elapsed().as_secs_f64();
            next = &next[..next.partition_point(|access| f64::from(access.at) <= elapsed * speed)];
        }
        let connections = self.connections.len() as u64;
        for access in next {
            // Numbers follow each other, and so do keys that belong together: stir them.
            let place = (access.key.wrapping_mul(STIR) >> 32) % connections;
            if let Some(connection) =
                usize::try_from(place).ok().and_then(|place| self.connections.get_mut(place))
            {
                connection.queue(*access);
            }
        }
        self.dealt += next.len();
    }

    /// Waits until the next access is due.
    fn pause(&self) {
        let (Some(speed), Some(next)) = (self.plan.speed, self.accesses.get(self.dealt)) else {
            return;
        };
        let due = Duration::try_from_secs_f64(f64::from(next.at) / speed).unwrap_or(Duration::MAX);
        let left = due.saturating_sub(self.started.elapsed());
        std::thread::sleep(left.min(PROGRESS_EVERY));
    }

    fn due_progress(&mut self) -> Option<Progress> {
        let progress = self.progress();
        if progress.elapsed < self.progress_due {
            return None;
        }
        self.progress_due = progress.elapsed + PROGRESS_EVERY;
        Some(progress)
    }

    fn progress(&self) -> Progress {
        Progress {
            accesses: self.accesses.len(),
            sent: self.dealt,
            tally: self.tally(),
            elapsed: self.started.elapsed(),
        }
    }

    fn tally(&self) -> Tally {
        self.connections.iter().map(Connection::tally).sum()
    }

    /// Time in which there was nothing to do but to wait for the server.
    fn waited(&self) -> Duration {
        self.connections.iter().map(Connection::waited).sum()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "the server cannot be connected to: {error}"),
            Self::Lost(error) => write!(f, "the connection was lost: {error}"),
            Self::Protocol(what) => write!(f, "the server answered {what}"),
            Self::Process(error) => write!(f, "the server's process cannot be read: {error}"),
        }
    }
}

impl std::error::Error for Error {}

/// Every reading of the clock of this program.
#[expect(clippy::disallowed_methods, reason = "a replay measures: it reads the clock itself")]
fn now() -> Instant {
    Instant::now()
}

const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Any odd number whose bits look random.
const STIR: u64 = 0x9e37_79b9_7f4a_7c15;
