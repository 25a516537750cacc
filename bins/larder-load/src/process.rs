//! What a process has cost, from `/proc`.

use std::io;
use std::time::Duration;

/// A process of this machine, to be asked for its cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    pid: u32,
    ticks_per_second: u64,
}

/// CPU time that a process has used since it began, all its threads together. The kernel counts in ticks, usually of
/// 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, ticks_per_second: rustix::param::clock_ticks_per_second() }
    }

    /// The CPU time used so far.
    pub(crate) fn cpu(self) -> io::Result<Cpu> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        parse_stat(&stat, self.ticks_per_second)
            .ok_or_else(|| malformed("stat has no utime and stime"))
    }

    /// Bytes of memory that are resident now.
    pub(crate) fn resident_bytes(self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        parse_status(&status).ok_or_else(|| malformed("status has no VmRSS"))
    }
}

impl Cpu {
    /// What was used since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// Fields 14 and 15 of proc(5)'s stat. The name, field 2, stands in parentheses and may itself hold blanks and
/// parentheses, so counting begins after the last one.
fn parse_stat(stat: &str, ticks_per_second: u64) -> Option<Cpu> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(14 - 3);
    let mut time = || {
        let ticks: u64 = fields.next()?.parse().ok()?;
        let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(ticks_per_second.max(1));
        Some(Duration::from_nanos(u64::try_from(nanoseconds).ok()?))
    };
    Some(Cpu { user: time()?, system: time()? })
}

/// The line `VmRSS:  1234 kB` of proc(5)'s status.
fn parse_status(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cpu, parse_stat, parse_status};

    #[test]
    fn the_name_does_not_shift_the_fields() {
        for name in ["memcached", "a b", "a) R 1 (b", "x 99 98 97"] {
            let stat = format!("12 ({name}) S 1 12 12 0 -1 4 5 6 7 8 250 1003 11 12 20 0 5 0 99");
            let expected =
                Cpu { user: Duration::from_millis(2500), system: Duration::from_millis(10_030) };
            assert_eq!(parse_stat(&stat, 100), Some(expected), "{name}");
        }
        assert_eq!(parse_stat("12 (x) S 1 2", 100), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(parse_status("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\nx"), Some(2 << 20));
        assert_eq!(parse_status("VmPeak:\t 9 kB\n"), None);
    }
}
