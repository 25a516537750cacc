//! What a server is started with: plain public fields. The defaults live with the command line, which explains them.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::maintenance::Maintenance;

/// Everything [`crate::Server::bind`] needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses to listen on over TCP; a port of 0 asks the system for a free one. May be empty when `unix` or `udp` names a place.
    pub listen: Vec<SocketAddr>,
    /// Where datagrams are answered, and with how much.
    pub udp: Udp,
    /// A Unix socket to listen on.
    pub unix: Option<UnixSocket>,
    /// Where to write the ports that were bound, as memcached's `MEMCACHED_PORT_FILENAME` does.
    pub port_file: Option<PathBuf>,
    /// Length of the kernel's queue of connections not accepted yet (`-b`).
    pub backlog: i32,
    /// Worker threads (`-t`); at least one.
    pub threads: usize,
    /// Clients served at once (`-c`); the next one is told `ERROR Too many open connections`.
    pub connections_max: usize,
    /// Which protocols clients may speak (`-B`).
    pub protocols: Protocols,
    /// Close a connection that sent nothing for this long (`-o idle_timeout`).
    pub idle_timeout: Option<Duration>,
    /// Memory for items, index included (`-m`), in bytes.
    pub memory_bytes: u64,
    /// What happens when the memory is full (`-M`).
    pub eviction: Eviction,
    /// Largest item by memcached's arithmetic, header included (`-I`), in bytes.
    pub item_bytes_max: usize,
    /// Whether items carry a CAS number (`-C` turns it off; `gets` then returns 0).
    pub cas: bool,
    /// Whether `flush_all` is obeyed (`-F` turns it off).
    pub flush: bool,
    /// Whether `stats cachedump` and `stats detail` are answered (`-X` turns them off).
    pub dumps: bool,
    /// Whether `watch` is answered (`-W` turns it off).
    pub watch: bool,
    /// Bytes of log lines that wait for one watcher at most (`-o watcher_logbuf_size`).
    pub watcher_log_bytes: usize,
    /// Whether `shutdown` is obeyed (`-A`).
    pub shutdown: bool,
    /// Whether clients may change the server's clock by `debugtime`: for tests (`--debug-commands`).
    pub debug_commands: bool,
    /// The five budgets of work that peers have not finished.
    pub budgets: Budgets,
    /// Switches of memcached that tune what does not exist here; `stats settings` shows them.
    pub tuning: Tuning,
    /// Whether `stats detail` counts by prefix from the start (`-D` turns it on).
    pub detail: bool,
    /// 0 quiet, 1 `-v`, 2 `-vv`, 3 `-vvv`: only for `stats settings`; the log level belongs to the program.
    pub verbosity: u8,
    /// Called when a client asks for another verbosity (0 to 2).
    pub on_verbosity: fn(u8),
}

/// Which protocols clients may speak. The first byte of a connection, or of a datagram, tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocols {
    /// Text only; a binary request is a strange line.
    Ascii,
    /// Both.
    Auto,
    /// Binary only; anything else closes the connection.
    Binary,
}

impl From<Protocols> for larder_connection::Protocols {
    fn from(protocols: Protocols) -> Self {
        match protocols {
            Protocols::Ascii => Self::Text,
            Protocols::Auto => Self::Auto,
            Protocols::Binary => Self::Binary,
        }
    }
}

/// A Unix socket's place in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// Path of the socket (`-s`); a stale socket there is removed first.
    pub path: PathBuf,
    /// Permission bits (`-a`), for example `0o700`.
    pub mode: u32,
}

/// Requests over UDP. Where a datagram comes from can be forged, so the limits are on what a forger can have sent to
/// somebody else; what they cut is counted in `stats larder`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp {
    /// Addresses to receive datagrams on (`-U`); a port of 0 asks the system for a free one. None is off.
    pub listen: Vec<SocketAddr>,
    /// Most that one datagram is answered with, headers included, in bytes; a reply that would go over it is not sent.
    pub reply_bytes_max: usize,
    /// Most that all datagrams of a second are answered with; above 4 GiB it is 4 GiB. None is no limit.
    pub reply_bytes_per_second: Option<NonZeroU64>,
}

/// What a full store does with the next item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Drops the least valuable items to make room.
    Enabled,
    /// Refuses: `SERVER_ERROR out of memory storing object`.
    Disabled,
}

/// Limits on what clients may leave unfinished, for the whole server. Each has a counter in `stats larder`. Who is closed is
/// chosen among the clients of a worker that holds more than an even share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes of replies that clients have not read yet; over it, the client that holds most is closed.
    pub unread_reply_bytes: u64,
    /// Bytes of values that have arrived in part; over it, the client that waited longest is closed.
    pub incomplete_value_bytes: u64,
    /// Bytes of command lines that have arrived in part; over it, the client that waited longest is closed.
    pub incomplete_command_bytes: u64,
    /// Values sent from item memory that clients have not read yet; over it, the client that holds most is closed.
    pub replies_in_flight: u64,
    /// How long half a command may wait for its other half; none waits for ever.
    pub half_command_age: Option<Duration>,
}

/// Switches that memcached knows and that mean nothing here: kept so that `stats settings` answers what was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Tuning {
    /// Slab growth factor (`-f`); also shapes the size classes that `stats slabs` reports.
    pub growth_factor: f64,
    /// Least room for key, value and flags (`-n`), in bytes.
    pub chunk_size: u32,
    /// Requests served in a row before other connections get a turn (`-R`).
    pub requests_per_event: u32,
    /// Prefix delimiter of `stats detail` (`-D`).
    pub prefix_delimiter: u8,
    /// Initial hash power (`-o hashpower`).
    pub hash_power: u32,
    /// Hash algorithm name (`-o hash_algorithm`).
    pub hash_algorithm: String,
    /// Largest chunk of a large item (`-o slab_chunk_max`), in bytes.
    pub slab_chunk_max: u32,
    /// What memcached's maintenance threads would be told.
    pub maintenance: Maintenance,
    /// Bytes of log lines that wait in one worker (`-o worker_logbuf_size`); here none do.
    pub worker_log_bytes: usize,
    /// Whether `stats sizes` counts items by size (`-o track_sizes`).
    pub track_sizes: bool,
}
