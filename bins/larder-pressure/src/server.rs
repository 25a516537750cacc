//! A server process on a free port, ended by its id.

use std::path::PathBuf;
use std::process::Command;

use larder_testkit::process::Process;

use crate::error::Error;
use crate::resident::Resident;
use crate::wire::Wire;

/// A server that can be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is called in tables.
    pub name: &'static str,
    /// Its file.
    pub path: PathBuf,
}

impl Program {
    /// Larder, of this file.
    #[must_use]
    pub fn larder(path: PathBuf) -> Self {
        Self { name: "larder", path }
    }

    /// memcached, of this file.
    #[must_use]
    pub fn memcached(path: PathBuf) -> Self {
        Self { name: "memcached", path }
    }

    /// Whether it is the server that the goals are about.
    pub(crate) fn is_larder(&self) -> bool {
        self.name == "larder"
    }

    /// What it was built as, in its own words.
    pub(crate) fn version(&self) -> String {
        let output = Command::new(&self.path).arg("-V").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default();
        text.lines().next().unwrap_or("of an unknown version").trim().to_owned()
    }
}

/// A running server. Dropping it ends the process.
#[derive(Debug)]
pub struct Server {
    process: Process,
}

impl Server {
    /// Starts a server with one worker, this limit in MiB and these further flags, and waits until it listens.
    ///
    /// # Errors
    /// A sentence: it did not start, ended at once, or did not listen in time.
    pub fn start(program: &Program, mebibytes: u64, flags: &[&str]) -> Result<Self, Error> {
        let limit = mebibytes.to_string();
        let mut all = Vec::from(FLAGS);
        all.extend(["-m", &limit]);
        all.extend(flags);
        Ok(Self { process: Process::with_environment(&program.path, &all, &[])? })
    }

    /// A connection to it.
    ///
    /// # Errors
    /// A sentence when it is refused.
    pub fn connect(&self) -> Result<Wire, Error> {
        Wire::connect(self.process.address())
    }

    /// What its process takes of the machine.
    #[must_use]
    pub fn resident(&self) -> Resident {
        Resident::of(self.process.pid())
    }
}

/// Flags that both servers understand: one worker, no datagrams.
pub(crate) const FLAGS: [&str; 6] = ["-t", "1", "-c", "64", "-U", "0"];
