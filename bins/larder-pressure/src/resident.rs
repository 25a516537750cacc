//! What a process takes of the machine, from `/proc`: memory that is resident, CPU time of its threads.

use std::fs;

use crate::error::Error;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Resident {
    pid: u32,
}

impl Resident {
    /// The process of this id.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self { pid }
    }

    /// Bytes that are resident now.
    ///
    /// # Errors
    /// A sentence: there is no such process any more.
    pub fn bytes(self) -> Result<u64, Error> {
        self.field("VmRSS:")
    }

    /// The most bytes that were ever resident at once since [`Self::forget_peak`] or its start. The kernel keeps this
    /// number itself, so that nothing between two looks is missed.
    ///
    /// # Errors
    /// As [`Self::bytes`].
    pub fn peak_bytes(self) -> Result<u64, Error> {
        self.field("VmHWM:")
    }

    /// Lets the peak begin anew. It goes on where the system does not allow that; then it is one of all phases.
    pub fn forget_peak(self) {
        let _ = fs::write(format!("/proc/{}/clear_refs", self.pid), "5");
    }

    /// CPU time in nanoseconds that its threads of this name have used.
    ///
    /// # Errors
    /// A sentence: there is no such process or thread.
    pub fn thread_cpu_nanoseconds(self, name: &str) -> Result<u64, Error> {
        let mut found = None;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let task = task?.path();
            // The kernel cuts names off.
            let comm = fs::read_to_string(task.join("comm"))?;
            if comm.trim_end() != &name[..name.len().min(COMM_LEN)] {
                continue;
            }
            let times = fs::read_to_string(task.join("schedstat"))?;
            let time = times.split(' ').next().and_then(|time| time.parse::<u64>().ok());
            let time = time.ok_or_else(|| Error::new("schedstat has no time"))?;
            found = Some(found.unwrap_or(0) + time);
        }
        found.ok_or_else(|| Error::new(format!("there is no thread named {name}")))
    }

    fn field(self, name: &str) -> Result<u64, Error> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        parse(&status, name).ok_or_else(|| Error::new(format!("/proc/PID/status has no {name}")))
    }
}

/// A line such as `VmRSS:  1234 kB`, in bytes.
fn parse(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// What a process may take for a limit of item memory: a fiftieth more, and 16 MiB for code, stacks and buffers.
pub(crate) fn bound(limit: u64) -> u64 {
    limit + limit / 50 + (16 << 20)
}

/// Bytes of a thread's name that the kernel keeps.
const COMM_LEN: usize = 15;

#[cfg(test)]
mod tests {
    use super::{Resident, bound, parse};

    #[test]
    fn fields_are_in_bytes() {
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    3072 kB\nVmRSS:\t    2048 kB\nx";
        assert_eq!(parse(status, "VmRSS:"), Some(2 << 20));
        assert_eq!(parse(status, "VmHWM:"), Some(3 << 20));
        assert_eq!(parse(status, "VmSwap:"), None);
    }

    #[test]
    fn this_process_is_known() {
        let own = Resident::of(std::process::id());
        assert!(own.bytes().unwrap() > 0 && own.peak_bytes().unwrap() > 0);
        assert!(own.thread_cpu_nanoseconds("no-such-thread").is_err());
        assert_eq!(bound(100 << 20), 118 << 20);
    }
}
