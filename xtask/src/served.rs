//! A server process under load: pinned to a core, filled, measured, ended by its id.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::process::output_of;
use crate::tally::Stopwatch;

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Larder,
    Memcached,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Larder => "larder",
            Self::Memcached => "memcached",
        }
    }

    /// # Errors
    /// A sentence with the names that there are.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        match name {
            "larder" => Ok(Self::Larder),
            "memcached" => Ok(Self::Memcached),
            _ => Err(format!("`{name}` is no server to measure: larder, memcached are")),
        }
    }
}

/// Where the programs are, and which core each may run on.
#[derive(Debug)]
pub(crate) struct Bench {
    /// Where cargo puts release builds.
    pub(crate) programs: PathBuf,
    /// The server's core and the clients', when there are two to give.
    pub(crate) cores: Option<(String, String)>,
}

impl Bench {
    /// Gives the server the first core that this process may use, and the generator the others.
    pub(crate) fn new(programs: PathBuf) -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let is_there = Command::new("taskset").arg("--version").output().is_ok();
        Self { programs, cores: if is_there { split_cores(&status) } else { None } }
    }

    /// What the server was built as, in its own words.
    pub(crate) fn version(&self, contender: Contender) -> String {
        let text = output_of(Command::new(self.program(contender)).arg("-V")).unwrap_or_default();
        text.lines().next().unwrap_or("of an unknown version").trim().to_owned()
    }

    /// A program of ours that is a client, on the cores that servers leave free.
    pub(crate) fn client(&self, name: &str) -> Command {
        let cores = self.cores.as_ref().map(|(_, clients)| clients.as_str());
        pinned(&self.programs.join(name), cores)
    }

    fn program(&self, contender: Contender) -> PathBuf {
        match contender {
            Contender::Larder => self.programs.join("larder"),
            Contender::Memcached => "memcached".into(),
        }
    }
}

/// A running server. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) contender: Contender,
    child: Child,
    port: u16,
}

impl Served {
    /// Starts a server with one worker and this memory limit, and waits until it listens.
    ///
    /// # Errors
    /// A sentence: it did not start, ended at once, or did not listen in time.
    pub(crate) fn start(
        bench: &Bench,
        contender: Contender,
        memory_mib: u64,
    ) -> Result<Self, String> {
        let name = contender.name();
        let cores = bench.cores.as_ref().map(|(server, _)| server.as_str());
        let mut command = pinned(&bench.program(contender), cores);
        command.args(flags(memory_mib).split(' '));
        if output_of(Command::new("id").arg("-u"))?.trim() == "0" {
            command.args(["-u", "nobody"]);
        }
        // The server may write here after it has dropped root's rights.
        let file = format!("larder-bench-{}-{name}", std::process::id());
        let port_file = std::env::temp_dir().join(file);
        command.env("MEMCACHED_PORT_FILENAME", &port_file).stdin(Stdio::null());
        let child = command.spawn().map_err(|error| match contender {
            Contender::Memcached => {
                format!("memcached does not start ({error}); Debian's package memcached has it")
            }
            Contender::Larder => format!("larder does not start: {error}"),
        })?;
        let mut served = Self { contender, child, port: 0 };
        let port = served.wait_for_port(&port_file);
        let _ = fs::remove_file(&port_file);
        served.port = port?;
        Ok(served)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn wait_for_port(&mut self, port_file: &Path) -> Result<u16, String> {
        let name = self.contender.name();
        let clock = Stopwatch::start();
        while clock.elapsed() < START_TIME_MAX {
            let text = fs::read_to_string(port_file).unwrap_or_default();
            let port = text.lines().find_map(|line| line.strip_prefix("TCP INET: "));
            if let Some(port) = port.and_then(|port| port.trim().parse().ok()) {
                return Ok(port);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{name} ended at its start with {status}"));
            }
            sleep(PAUSE);
        }
        Err(format!("{name} does not listen after {} s", START_TIME_MAX.as_secs()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Errors mean that it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, on these cores if they are given. `taskset` becomes the program, so the id is the program's.
fn pinned(program: &Path, cores: Option<&str>) -> Command {
    let Some(cores) = cores else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// The first core of `Cpus_allowed_list` in proc(5)'s status, and the others, when there are others.
fn split_cores(status: &str) -> Option<(String, String)> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim();
    let mut cores: Vec<u32> = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    let (server, generator) = cores.split_first()?;
    let generator: Vec<String> = generator.iter().map(u32::to_string).collect();
    (!generator.is_empty()).then(|| (server.to_string(), generator.join(",")))
}

/// Processor, number of cores and kernel of this machine.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| cpus.lines().find(|line| line.starts_with(name))?.split_once(": ");
    let model = field("model name").map_or("an unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = output_of(Command::new("uname").arg("-sr")).unwrap_or_default();
    format!("{cores} cores of {model}, {}", kernel.trim())
}

/// How busy the machine is with everything that runs on it.
pub(crate) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// Flags that both servers understand: one worker, a memory limit, all their clients, a free port.
pub(crate) fn flags(memory_mib: u64) -> String {
    format!("-t 1 -m {memory_mib} -c 2048 -p -1 -U 0 -l 127.0.0.1")
}

const START_TIME_MAX: Duration = Duration::from_secs(20);
/// Between two looks at the port file.
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::split_cores;

    #[test]
    fn the_server_gets_the_first_core() {
        let check = |list: &str, expected: Option<(&str, &str)>| {
            let status = format!("Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\n");
            let expected = expected.map(|(one, others)| (one.to_owned(), others.to_owned()));
            assert_eq!(split_cores(&status), expected, "{list}");
        };
        check("0-1", Some(("0", "1")));
        check("0-3", Some(("0", "1,2,3")));
        check("2,5-6,9", Some(("2", "5,6,9")));
        check("3", None);
        check("x", None);
        assert_eq!(split_cores(""), None);
    }
}
