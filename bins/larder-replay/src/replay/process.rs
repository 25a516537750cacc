//! What the server's process holds and has used, from proc(5).

use std::io;
use std::time::Duration;

/// A process of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process(u32);

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Bytes now.
    pub resident: u64,
    /// The most it ever had.
    pub peak: u64,
}

impl Process {
    pub(super) fn new(pid: u32) -> Self {
        Self(pid)
    }

    pub(super) fn memory(self) -> io::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let bytes = |name| kilobytes(&status, name).ok_or_else(|| malformed("status"));
        Ok(Memory { resident: bytes("VmRSS:")? * 1024, peak: bytes("VmHWM:")? * 1024 })
    }

    /// CPU time so far of all threads, in user space and in the kernel.
    pub(super) fn cpu(self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        let ticks = ticks(&stat).ok_or_else(|| malformed("stat"))?;
        let a_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Duration::from_millis(ticks.saturating_mul(1000) / a_second))
    }
}

/// A line such as `VmRSS:  1234 kB`.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The sum of utime and stime, fields 14 and 15; the name, field 2, may itself hold blanks and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(ticks()?.saturating_add(ticks()?))
}

fn malformed(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("its {name} is not as expected"))
}

#[cfg(test)]
mod tests {
    use super::{kilobytes, ticks};

    #[test]
    fn fields_are_found() {
        assert_eq!(ticks("12 (a) R 1 (b) S 1 12 12 0 -1 4 5 6 7 8 250 1003 11 12"), Some(1253));
        assert_eq!(ticks("12 (x) S 1 2"), None);
        let status = "VmPeak:\t 9 kB\nVmHWM:\t    4096 kB\nVmRSS:\t    2048 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(2048));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(4096));
        assert_eq!(kilobytes(status, "VmSwap:"), None);
    }
}
