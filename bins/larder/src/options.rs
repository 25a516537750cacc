//! The command line: memcached's switches, and five of our own, into a [`Config`].
//!
//! ```text
//!   arguments ──► switches (one table) ──► Given ──┬──► listen    -l        ──► addresses
//!                                                  ├──► extended  -o        ──► a few values
//!                                                  └──► sizes     -m -I ... ──► numbers, bytes
//!                                                               all together ──► Options
//! ```
//!
//! The defaults stand in the table of switches, where they are the help text too. Exit codes follow memcached
//! wherever it refuses as well: 1 for a bad value, 64 for usage, 71 for what the system refuses.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use larder_server::{Budgets, Config, Eviction, Protocols, Tuning, Udp, UnixSocket};
use log::Level;

use self::extended::Extended;
use self::switches::{Given, Stop, label};
use crate::refusal::Refusal;

mod extended;
mod listen;
mod maintenance;
mod sizes;
mod switches;
#[cfg(test)]
mod tests;

/// What the arguments ask for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Print this and end.
    Print(String),
    Serve(Box<Options>),
}

/// A server to run, and the process around it.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) config: Config,
    /// `-d`.
    pub(crate) daemon: bool,
    /// `-r`.
    pub(crate) core_dumps: bool,
    /// `-k`.
    pub(crate) lock_memory: bool,
    /// `-P`, made absolute: a daemon changes its directory.
    pub(crate) pid_file: Option<PathBuf>,
    /// `-u`: a name or a number.
    pub(crate) user: Option<String>,
    /// What the operator should hear once there is a log.
    pub(crate) notices: Vec<Notice>,
}

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl Notice {
    fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into() }
    }
}

impl Options {
    /// Reads `args`, the name of the program first; `port_file` is the value of `MEMCACHED_PORT_FILENAME`.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] for the first thing that cannot be used.
    pub(crate) fn parse(
        args: impl IntoIterator<Item = OsString>,
        port_file: Option<OsString>,
    ) -> Result<Order, Refusal> {
        let given = match Given::parse(args) {
            Ok(given) => given,
            Err(Stop::Print(text)) => return Ok(Order::Print(text)),
            Err(Stop::Refuse(refusal)) => return Err(refusal),
        };
        refuse_what_is_missing(&given)?;
        let mut notices = Vec::new();
        for argument in given.extra() {
            notices.push(Notice::new(Level::Warn, format!("{argument:?} is no option: ignored")));
        }
        let extended = Extended::parse(&given.texts("extended")?, &mut notices)?;
        let config = config(&given, extended, port_file, &mut notices)?;
        let user = given.text("user")?;
        Ok(Order::Serve(Box::new(Self {
            config,
            daemon: given.is_on("daemon"),
            core_dumps: given.is_on("enable-coredumps"),
            lock_memory: given.is_on("lock-memory"),
            pid_file: path(&given, "pidfile")?,
            user: given.is_given("user").then(|| user.to_owned()),
            notices,
        })))
    }
}

fn config(
    given: &Given,
    extended: Extended,
    port_file: Option<OsString>,
    notices: &mut Vec<Notice>,
) -> Result<Config, Refusal> {
    let (memory_bytes, item_bytes_max) = memory(given)?;
    let unix = unix_socket(given)?;
    let threads = number(given, "threads", "the number of threads", 1, THREADS_MAX)?;
    if threads > THREADS_USEFUL {
        let text = format!("-t {threads}: so many threads get in each other's way; use one a core");
        notices.push(Notice::new(Level::Warn, text));
    }
    for (switch, what) in WITHOUT_EFFECT {
        if given.is_on(switch) {
            let text = format!("{} has no effect: {what}", label(switch));
            notices.push(Notice::new(Level::Info, text));
        }
    }
    let (listen, udp_listen) = listen(given, unix.is_some(), notices)?;
    Ok(Config {
        listen,
        udp: udp(given, udp_listen)?,
        unix,
        port_file: port_file.map(PathBuf::from),
        backlog: backlog(given)?,
        threads,
        connections_max: number(given, "conn-limit", "the number of clients", 1, u32::MAX.into())?,
        protocols: protocols(given)?,
        idle_timeout: extended.idle_timeout,
        memory_bytes,
        eviction: if given.is_on("disable-evictions") {
            Eviction::Disabled
        } else {
            Eviction::Enabled
        },
        item_bytes_max: narrow("max-item-size", item_bytes_max)?,
        cas: !given.is_on("disable-cas"),
        flush: !given.is_on("disable-flush-all"),
        dumps: !given.is_on("disable-dumping"),
        watch: !given.is_on("disable-watch"),
        watcher_log_bytes: narrow(
            "extended",
            extended.watcher_log_bytes.unwrap_or(WATCHER_LOG_BYTES),
        )?,
        shutdown: given.is_on("enable-shutdown"),
        debug_commands: given.is_on("debug-commands"),
        budgets: budgets(given, &extended, memory_bytes, item_bytes_max)?,
        tuning: tuning(given, extended, item_bytes_max)?,
        detail: given.is_given("prefix-delimiter"),
        verbosity: given.times("verbose"),
        on_verbosity: crate::logging::set_verbosity,
    })
}

/// What memcached serves and this server does not, and what would be missed if it were silently left out.
fn refuse_what_is_missing(given: &Given) -> Result<(), Refusal> {
    let missing = [
        ("enable-sasl", given.is_on("enable-sasl"), "SASL"),
        ("auth-file", given.is_given("auth-file"), "authentication"),
        ("enable-ssl", given.is_on("enable-ssl"), "TLS"),
        ("memory-file", given.is_given("memory-file"), "a memory file"),
    ];
    for (switch, is_wanted, what) in missing {
        if is_wanted {
            let label = label(switch);
            return Err(Refusal::usage(format!(
                "{label}: larder does not serve {what} yet: leave {label} out"
            )));
        }
    }
    Ok(())
}

/// What clients may speak.
fn protocols(given: &Given) -> Result<Protocols, Refusal> {
    let protocols = match given.text("protocol")? {
        "ascii" => Protocols::Ascii,
        "auto" => Protocols::Auto,
        "binary" => Protocols::Binary,
        other => {
            return Err(Refusal::usage(format!(
                "-B {other:?}: the protocol must be ascii, binary or auto"
            )));
        }
    };
    listen::protocols(&given.texts("listen")?, protocols)
}

/// Where to listen: on TCP, and for datagrams.
fn listen(
    given: &Given,
    is_unix: bool,
    notices: &mut Vec<Notice>,
) -> Result<(Vec<SocketAddr>, Vec<SocketAddr>), Refusal> {
    let udp = port(given, "udp-port")?;
    let tcp = match (port(given, "port")?, udp) {
        // As memcached: one port for both, if only that of UDP is named.
        (_, Some(udp)) if !given.is_given("port") => Some(udp),
        (tcp, _) => tcp,
    };
    let entries = given.texts("listen")?;
    if is_unix {
        if given.is_given("port") || udp.is_some() || !entries.is_empty() {
            let text = "-s: a server on a Unix socket listens on neither TCP nor UDP: -p, -U and -l are ignored";
            notices.push(Notice::new(Level::Info, text));
        }
        return Ok((Vec::new(), Vec::new()));
    }
    if tcp.is_none() && udp.is_none() {
        return Err(Refusal::usage(
            "-p 0 turns TCP off and there is neither a UDP port nor a Unix socket: nothing to listen on: \
             give a port or -s FILE",
        ));
    }
    let addresses = |port: Option<u16>, notices: &mut Vec<Notice>| {
        port.map_or(Ok(Vec::new()), |port| listen::addresses(&entries, port, notices))
    };
    let found = (addresses(tcp, notices)?, addresses(udp, &mut Vec::new())?);
    notices.extend(listen::exposure(&found.0, &found.1).map(|text| Notice::new(Level::Warn, text)));
    Ok(found)
}

/// The port that `-p` or `-U` names; none for 0, and 0 for any free one.
fn port(given: &Given, switch: &str) -> Result<Option<u16>, Refusal> {
    let (label, text) = (label(switch), given.text(switch)?);
    match text.parse::<i64>() {
        Ok(-1) => Ok(Some(0)),
        Ok(0) => Ok(None),
        Ok(number) => u16::try_from(number).map(Some).map_err(|_| {
            Refusal::usage(format!("{label} {number}: the port must be from 1 to 65535, 0 or -1"))
        }),
        Err(_) => Err(Refusal::value(format!("{label} {text:?}: the port must be a number"))),
    }
}

/// What datagrams are answered with, from where.
fn udp(given: &Given, listen: Vec<SocketAddr>) -> Result<Udp, Refusal> {
    let bytes = |switch| {
        let text = given.text(switch)?;
        sizes::bytes(text).ok_or_else(|| {
            let label = label(switch);
            Refusal::value(format!("{label} {text:?}: must be a size, such as 64k"))
        })
    };
    Ok(Udp {
        listen,
        reply_bytes_max: narrow("udp-reply-limit", bytes("udp-reply-limit")?)?,
        reply_bytes_per_second: NonZeroU64::new(bytes("udp-reply-rate")?),
    })
}

fn unix_socket(given: &Given) -> Result<Option<UnixSocket>, Refusal> {
    let text = given.text("unix-mask")?;
    let mode = match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => mode,
        _ => {
            return Err(Refusal::value(format!(
                "-a {text:?}: the permissions must be an octal number such as 700 or 0777"
            )));
        }
    };
    Ok(path(given, "unix-socket")?.map(|path| UnixSocket { path, mode }))
}

/// `-m` and `-I`, in bytes. memcached's exit code is 64 for all of it, because a memory that it cannot read is 0, and
/// the largest item may not be larger than half of that.
fn memory(given: &Given) -> Result<(u64, u64), Refusal> {
    let text = given.text("memory-limit")?;
    let Some(memory_bytes) = sizes::megabytes(text) else {
        return Err(Refusal::usage(format!(
            "-m {text:?}: the memory must be a whole number of megabytes, up to 1000000000"
        )));
    };
    let text = given.text("max-item-size")?;
    let item_bytes_max = match sizes::bytes(text) {
        Some(bytes) if (ITEM_BYTES_MIN..=ITEM_BYTES_MAX).contains(&bytes) => bytes,
        _ => {
            return Err(Refusal::usage(format!(
                "-I {text:?}: the largest item must be a size from 1k to 1g, such as 512k or 4m"
            )));
        }
    };
    if item_bytes_max > memory_bytes / 2 {
        return Err(Refusal::usage(format!(
            "-I: the largest item ({item_bytes_max} bytes) must not be over half of the memory \
             ({memory_bytes} bytes): raise -m or lower -I"
        )));
    }
    Ok((memory_bytes, item_bytes_max))
}

fn budgets(
    given: &Given,
    extended: &Extended,
    memory_bytes: u64,
    item_bytes_max: u64,
) -> Result<Budgets, Refusal> {
    let bytes = |switch| {
        let text = given.text(switch)?;
        match sizes::bytes(text) {
            Some(bytes) if bytes > 0 => Ok(bytes),
            _ => Err(Refusal::value(format!(
                "{} {text:?}: must be a size over 0, such as 64m",
                label(switch)
            ))),
        }
    };
    let incomplete_command_bytes = match extended.incomplete_command_bytes {
        // Our own switch is the more exact one: it wins where both are given.
        Some(limit) if !given.is_given("incomplete-command-limit") => limit,
        _ => bytes("incomplete-command-limit")?,
    };
    let incomplete_value_bytes = if given.is_given("incomplete-value-limit") {
        bytes("incomplete-value-limit")?
    } else {
        // Room for two of the largest, but never all: values that are kept must not give way to halves.
        (memory_bytes / 2).max((2 * item_bytes_max).min(memory_bytes / 4 * 3))
    };
    let seconds: u64 = number(given, "half-command-timeout", "the seconds", 0, u32::MAX.into())?;
    Ok(Budgets {
        unread_reply_bytes: bytes("unread-reply-limit")?,
        incomplete_value_bytes,
        incomplete_command_bytes,
        replies_in_flight: number(given, "replies-in-flight-limit", "the replies", 1, u64::MAX)?,
        half_command_age: (seconds > 0).then(|| Duration::from_secs(seconds)),
    })
}

fn tuning(given: &Given, extended: Extended, item_bytes_max: u64) -> Result<Tuning, Refusal> {
    let text = given.text("slab-growth-factor")?;
    let growth_factor = match text.parse::<f64>() {
        Ok(factor) if factor > 1.0 && factor.is_finite() => factor,
        _ => return Err(Refusal::value(format!("-f {text:?}: the factor must be over 1"))),
    };
    if given.is_given("napi-ids") {
        number::<u32>(given, "napi-ids", "the number of NAPI ids", 1, u32::MAX.into())?;
    }
    let chunk_bytes = extended.slab_chunk_bytes.unwrap_or(SLAB_CHUNK_BYTES).min(item_bytes_max);
    Ok(Tuning {
        growth_factor,
        chunk_size: number(given, "slab-min-size", "the smallest room", 1, ITEM_BYTES_MAX)?,
        requests_per_event: number(
            given,
            "max-reqs-per-event",
            "the requests",
            1,
            i32::MAX.unsigned_abs().into(),
        )?,
        prefix_delimiter: prefix_delimiter(given)?,
        hash_power: narrow("extended", extended.hash_power.unwrap_or(0))?,
        hash_algorithm: extended.hash_algorithm.unwrap_or_else(|| HASH_ALGORITHM.to_owned()),
        slab_chunk_max: narrow("extended", chunk_bytes)?,
        maintenance: extended.maintenance,
        worker_log_bytes: narrow(
            "extended",
            extended.worker_log_bytes.unwrap_or(WORKER_LOG_BYTES),
        )?,
        track_sizes: extended.track_sizes,
    })
}

/// The first byte counts, as in memcached; a blank is a delimiter if it is all there is.
fn prefix_delimiter(given: &Given) -> Result<u8, Refusal> {
    match given.text("prefix-delimiter")?.as_bytes() {
        [first, ..] => Ok(*first),
        [] => Err(Refusal::value("-D: needs the character that ends a prefix, such as -D :")),
    }
}

/// memcached takes any number and the kernel caps it; what is not a number is refused here.
fn backlog(given: &Given) -> Result<i32, Refusal> {
    let text = given.text("listen-backlog")?;
    text.parse().map_err(|_| {
        Refusal::value(format!("-b {text:?}: the length of the queue must be a whole number"))
    })
}

/// A file, made absolute at once: a daemon changes its directory before it is done with the name.
fn path(given: &Given, switch: &str) -> Result<Option<PathBuf>, Refusal> {
    match given.raw(switch) {
        None => Ok(None),
        Some(name) if name == OsStr::new("") => {
            Err(Refusal::value(format!("{}: the file name is empty", label(switch))))
        }
        Some(name) => std::path::absolute(name).map(Some).map_err(|error| {
            Refusal::system(format!("cannot find the current directory for {name:?}"), error)
        }),
    }
}

fn number<N: TryFrom<u64>>(
    given: &Given,
    switch: &str,
    what: &str,
    min: u64,
    max: u64,
) -> Result<N, Refusal> {
    let number = sizes::count(&label(switch), what, given.text(switch)?, min..=max)?;
    narrow(switch, number)
}

/// Only a machine with narrower numbers than the bounds above can fail here.
fn narrow<N: TryFrom<u64>>(switch: &str, number: u64) -> Result<N, Refusal> {
    N::try_from(number).map_err(|_| {
        Refusal::value(format!("{} {number}: too large for this machine", label(switch)))
    })
}

/// The first line of `-V` and `-h`. Scripts read the second word and compare it with versions of memcached, to learn
/// what they may ask for; `version` answers the same number for the same reason.
const VERSION: &str = concat!("1.6.45 (larder ", env!("CARGO_PKG_VERSION"), ")");

const LICENSE: &str = concat!(
    "larder ",
    env!("CARGO_PKG_VERSION"),
    "\n\n\
     You may use it under the Apache License, Version 2.0, or under the MIT licence, as you like.\n\
     Both texts come with the source as LICENSE-APACHE and LICENSE-MIT; the libraries that are built into the\n\
     program have licences of their own, named in their packages. There is no warranty, to the extent permitted\n\
     by law.\n"
);

/// Where memcached begins to warn.
const THREADS_USEFUL: usize = 64;

/// More threads than any machine has cores are a typing error.
const THREADS_MAX: u64 = 1024;

/// memcached's bounds on `-I`.
const ITEM_BYTES_MIN: u64 = 1 << 10;
const ITEM_BYTES_MAX: u64 = 1 << 30;

/// memcached's defaults for two extended options.
const SLAB_CHUNK_BYTES: u64 = 512 << 10;
const HASH_ALGORITHM: &str = "murmur3";

const WITHOUT_EFFECT: [(&str, &str); 1] =
    [("enable-largepages", "the system decides on large pages")];

/// memcached's buffers for the lines of `watch`.
const WATCHER_LOG_BYTES: u64 = 256 << 10;
const WORKER_LOG_BYTES: u64 = 64 << 10;
