//! Larder and memcached, started with the same switches, on a clock that stands still until it is moved.
//!
//! Both run under libfaketime and read their time from one file, so that they agree on it to the second however slow the
//! machine is, and hours pass at once. memcached looks at the clock when its timer fires, and that is looked at when its
//! main thread wakes: each new connection wakes it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_protocol::encode_key;
use larder_testkit::process::{Process, until};

use crate::frames;
use crate::request::Request;
use crate::wire::{Wire, exchange};

/// The two servers, Larder first wherever there are two of something.
#[derive(Debug)]
pub(crate) struct Pair {
    servers: [Process; 2],
    /// A connection to each that conversations do not use.
    control: [Wire; 2],
    /// Another one, for the binary protocol, in which every key can be said.
    control_of_frames: [Wire; 2],
    clock: Clock,
    fences: u64,
    /// Keys that may have items.
    touched: BTreeSet<Vec<u8>>,
    /// The switches that this pair has and others have not.
    args: Vec<String>,
}

/// Counters of a server, by name.
pub(crate) type Counters = BTreeMap<String, u64>;

impl Pair {
    /// Starts both.
    ///
    /// # Errors
    ///
    /// One of them does not start, or libfaketime is not installed.
    pub(crate) fn start(larder: &Path, own: &[&str]) -> io::Result<Self> {
        let clock = Clock::new()?;
        let library = faketime()?;
        let environment: [(&str, &OsStr); 4] = [
            ("LD_PRELOAD", library.as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", clock.file.as_os_str()),
            // It would look at the file every ten seconds only.
            ("FAKETIME_NO_CACHE", OsStr::new("1")),
            ("TZ", OsStr::new("UTC")),
        ];

        let start = |program: &OsStr, threads| {
            let args: Vec<&str> = [ALWAYS, &["-t", threads], own].concat();
            Process::with_environment(program, &args, &environment)
        };
        let servers =
            [start(larder.as_os_str(), THREADS[0])?, start(OsStr::new("memcached"), THREADS[1])?];
        let mut pair = Self {
            control: connect(&servers)?,
            control_of_frames: connect(&servers)?,
            servers,
            clock,
            fences: 0,
            touched: BTreeSet::new(),
            args: own.iter().map(|&arg| arg.to_owned()).collect(),
        };
        // The numbers that requests make up are to be of the past on both, in each of Larder's shards.
        let mut burn = Vec::new();
        for key in 0..BURNT_KEYS {
            burn.extend(
                format!("set burn{key} 0 0 1 noreply\r\nx\r\n").repeat(BURNT_NUMBERS).bytes(),
            );
            burn.extend(format!("delete burn{key} noreply\r\n").bytes());
        }
        pair.ask(&burn)?;
        Ok(pair)
    }

    /// New connections to both.
    ///
    /// # Errors
    ///
    /// One of them cannot be reached.
    pub(crate) fn connect(&self) -> io::Result<[Wire; 2]> {
        connect(&self.servers)
    }

    /// Makes both as they were at their start, but for what they count, for a conversation about these keys; says what
    /// they have counted.
    ///
    /// What was flushed is not gone at once in either, so that every item is deleted too.
    ///
    /// # Errors
    ///
    /// As for [`Pair::ask`], and if an item is left: memcached would take it away at a moment of its own.
    pub(crate) fn reset(&mut self, keys: &BTreeSet<Vec<u8>>) -> io::Result<[Counters; 2]> {
        let deletes: Vec<u8> =
            self.touched.iter().flat_map(|key| frames::of_key(DELETE, key)).collect();
        self.touched.clone_from(keys);
        self.ask_frames(&deletes)?;
        self.ask(b"flush_all\r\nverbosity 0\r\n")?;
        // Whatever is stored in the second of the flush may be lost with it.
        if !self.is_plain() {
            self.advance(1)?;
        }
        let counters = self.counters()?;
        let are_empty = counters.iter().all(|counters| counters.get("curr_items") == Some(&0));
        if are_empty { Ok(counters) } else { Err(io::Error::other("an item cannot be deleted")) }
    }

    /// Whether the servers have no switches but those of every pair.
    pub(crate) fn is_plain(&self) -> bool {
        self.args.is_empty()
    }

    /// Whether these servers should do the same with a request. Without CAS numbers memcached forgets also what is stored
    /// after a flush in the same second, and joins whatever the number is.
    pub(crate) fn takes(&self, request: &Request) -> bool {
        let has_cas = !self.args.iter().any(|arg| arg == "-C");
        has_cas || (request.flushes.is_empty() && !request.joins_by_cas)
    }

    /// Sends `requests` to both on a connection of no conversation and returns the replies.
    ///
    /// # Errors
    ///
    /// One of them closes the connection or does not answer.
    pub(crate) fn ask(&mut self, requests: &[u8]) -> io::Result<[Vec<u8>; 2]> {
        let fence = self.fence();
        asked(&mut self.control, requests, fence)
    }

    /// The same in the binary protocol.
    ///
    /// # Errors
    ///
    /// As for [`Pair::ask`].
    pub(crate) fn ask_frames(&mut self, requests: &[u8]) -> io::Result<[Vec<u8>; 2]> {
        let fence = self.fence_frame();
        asked(&mut self.control_of_frames, requests, fence)
    }

    /// A request that no client of a conversation makes, and the reply to it, which ends whatever came before.
    pub(crate) fn fence(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.fences += 1;
        let number = self.fences;
        let opaque = format!("Ofence{number:09}");
        (format!("md larder-fence {opaque}\r\n").into(), format!("NF {opaque}\r\n").into())
    }

    /// The same in the binary protocol.
    pub(crate) fn fence_frame(&mut self) -> (Vec<u8>, Vec<u8>) {
        self.fences += 1;
        frames::fence(self.fences)
    }

    /// Moves the clock of both on and waits until they have seen it.
    ///
    /// # Errors
    ///
    /// One of them does not see it, or the clock cannot be written.
    pub(crate) fn advance(&mut self, seconds: u32) -> io::Result<()> {
        let now = self.clock.advance(seconds)?;
        let seen = until(|| {
            // Wakes the thread that looks at the clock.
            let _visitors = connect(&self.servers)?;
            let times = self.counters()?.map(|counters| counters.get("time").copied());
            Ok((times == [Some(now); 2]).then_some(()))
        })?;
        seen.ok_or_else(|| io::Error::other("a server does not see its clock move"))
    }

    /// What both count.
    ///
    /// # Errors
    ///
    /// As for [`Pair::ask`].
    pub(crate) fn counters(&mut self) -> io::Result<[Counters; 2]> {
        let replies = self.ask(b"stats\r\n")?;
        Ok(replies.map(|reply| {
            let text = String::from_utf8_lossy(&reply).into_owned();
            let lines = text.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
            lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
        }))
    }
}

/// A key as a word of a meta command, with the flag that says so where it is base64 because it could not be said.
pub(crate) fn word(key: &[u8]) -> Vec<u8> {
    let is_sayable = !key.iter().any(|byte| matches!(byte, b'\0' | b'\n' | b' '));
    if is_sayable {
        return key.to_vec();
    }
    let mut word = Vec::new();
    encode_key(&mut word, key);
    word.extend(b" b");
    word
}

/// The replies of both to `requests`, up to that to the fence.
fn asked(
    wires: &mut [Wire; 2],
    requests: &[u8],
    (fence, reply): (Vec<u8>, Vec<u8>),
) -> io::Result<[Vec<u8>; 2]> {
    for wire in wires.iter_mut() {
        wire.say(vec![[requests, &fence].concat()], &reply);
    }
    let answered = exchange(wires, PATIENCE)?;
    if !answered || wires.iter().any(|wire| wire.is_closed) {
        return Err(io::Error::other("a server does not answer on a connection of ours"));
    }
    let [larder, memcached] = wires;
    Ok([larder, memcached].map(|wire| {
        wire.received.truncate(wire.received.len() - reply.len());
        std::mem::take(&mut wire.received)
    }))
}

fn connect(servers: &[Process; 2]) -> io::Result<[Wire; 2]> {
    let [larder, memcached] = servers;
    Ok([Wire::connect(larder.address())?, Wire::connect(memcached.address())?])
}

/// A time that stands in a file.
#[derive(Debug)]
struct Clock {
    directory: PathBuf,
    file: PathBuf,
    now: u64,
}

impl Clock {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-clock-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)?;
        // The servers change to a user that has nothing.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        let file = directory.join("now");
        let mut clock = Self { directory, file, now: BEGINNING };
        clock.advance(0)?;
        Ok(clock)
    }

    fn advance(&mut self, seconds: u32) -> io::Result<u64> {
        self.now += u64::from(seconds);
        let new = self.directory.join("next");
        fs::write(&new, date(self.now))?;
        // At no moment is the file half written.
        fs::rename(&new, &self.file)?;
        Ok(self.now)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A Unix time as libfaketime reads it: `2027-01-15 08:00:00`.
fn date(time: u64) -> String {
    let (days, seconds) = (time / 86_400, time % 86_400);
    // Years of the Gregorian calendar begin in March here: the day that is not in every year is then their last.
    let day_of_era = (days + 719_468) % 146_097;
    let era = (days + 719_468) / 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}\n")
}

/// The library that takes the place of the system's clock, as Debian's package `libfaketime` installs it.
fn faketime() -> io::Result<PathBuf> {
    for entry in fs::read_dir("/usr/lib")? {
        let path = entry?.path().join("faketime/libfaketimeMT.so.1");
        if path.exists() {
            return Ok(path);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "Debian's package libfaketime is needed"))
}

/// Switches of every run: room enough that nothing is evicted, which the servers do each in its own way, and none of
/// memcached's threads that take expired items away at moments of their own.
const ALWAYS: &[&str] = &["-m", "1024", "-o", "no_lru_crawler,no_lru_maintainer"];

/// Worker threads of each, the one switch that differs: a worker of memcached holds the items of a reply until it was sent,
/// and a moment longer, in which the worker of another connection finds them in use and counts in another way.
const THREADS: [&str; 2] = ["3", "1"];

/// The opcode of a delete.
const DELETE: u8 = 0x04;

/// How long a reply may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Enough that each of Larder's 64 shards has some: with 200 two were without.
const BURNT_KEYS: usize = 1500;

/// More than the numbers that the grammar makes up.
const BURNT_NUMBERS: usize = 20;

/// The Unix time at which servers start.
const BEGINNING: u64 = 1_800_000_000;

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let check = |time: u64, expected: &str| assert_eq!(date(time), format!("{expected}\n"));
        check(0, "1970-01-01 00:00:00");
        check(951_782_399, "2000-02-28 23:59:59");
        check(951_782_400, "2000-02-29 00:00:00");
        check(1_800_000_000, "2027-01-15 08:00:00");
        check(4_107_542_400, "2100-03-01 00:00:00");
    }
}
