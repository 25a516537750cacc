//! The fixed replies, byte for byte as memcached 1.6.45 sends them.

use crate::meta::MetaError;
use crate::order::OrderError;

/// A reply that says how a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// A size class that does not exist.
    BadClass,
    /// A data block did not end where its length said.
    BadDataChunk,
    /// A line that does not have the shape its command needs.
    BadFormat,
    /// The items are being walked over for somebody else.
    Busy,
    /// The crawler, which dumps need, is switched off.
    CrawlerDisabled,
    /// The item is gone.
    Deleted,
    /// `delete` was given a time.
    DeleteUsage,
    /// Dumps of keys are switched off.
    DumpNotAllowed,
    /// A dump of keys after other requests that were not answered before.
    DumpNotFirst,
    /// Closes a list.
    End,
    /// No such command.
    Error,
    /// The item changed since its CAS number was read.
    Exists,
    /// `flush_all` is switched off.
    FlushNotAllowed,
    /// A delta that is no number.
    InvalidDelta,
    /// An exptime that is no number.
    InvalidExptime,
    /// A mode of shutdown that does not exist.
    InvalidShutdownMode,
    /// The new memory limit cannot be meant: it looks like a number of bytes.
    MemoryLimitTooLarge,
    /// The new memory limit is too small to work with.
    MemoryLimitTooSmall,
    /// A meta command with flags that are none, or not so.
    Meta(MetaError),
    /// The value of a counter is no number.
    NonNumeric,
    /// No item under this key.
    NotFound,
    /// A walk over no class at all.
    NotStarted,
    /// The condition did not hold.
    NotStored,
    /// Done.
    Ok,
    /// An order that is not obeyed.
    Order(OrderError),
    /// Nothing could be evicted to make room.
    OutOfMemory,
    /// Memory ran out while the value was arriving.
    OutOfMemoryReading,
    /// Counters are back at zero.
    Reset,
    /// `shutdown` is switched off.
    ShutdownNotEnabled,
    /// The value is kept.
    Stored,
    /// The item is larger than the server allows.
    TooLarge,
    /// One connection too many.
    TooManyConnections,
    /// One watcher too many.
    TooManyWatchers,
    /// The item has its new exptime.
    Touched,
    /// `stats detail` without `on`, `off` or `dump`.
    DetailUsage,
    /// `watch` is switched off.
    WatchNotAllowed,
    /// `watch` came behind requests whose replies wait.
    WatchPipelined,
}

impl Status {
    /// The whole reply, its line end included.
    pub const fn line(self) -> &'static [u8] {
        match self {
            Self::BadClass => b"BADCLASS invalid class id\r\n",
            Self::BadDataChunk => b"CLIENT_ERROR bad data chunk\r\n",
            Self::BadFormat => b"CLIENT_ERROR bad command line format\r\n",
            Self::Busy => b"BUSY currently processing crawler request\r\n",
            Self::Deleted => b"DELETED\r\n",
            Self::DeleteUsage => {
                b"CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
            }
            Self::DetailUsage => b"CLIENT_ERROR usage: stats detail on|off|dump\r\n",
            Self::DumpNotAllowed => b"ERROR metadump not allowed\r\n",
            Self::DumpNotFirst => b"ERROR cannot pipeline other commands before metadump\r\n",
            Self::End => b"END\r\n",
            Self::CrawlerDisabled => b"CLIENT_ERROR lru crawler disabled\r\n",
            Self::Error => b"ERROR\r\n",
            Self::Exists => b"EXISTS\r\n",
            Self::FlushNotAllowed => b"CLIENT_ERROR flush_all not allowed\r\n",
            Self::InvalidDelta => b"CLIENT_ERROR invalid numeric delta argument\r\n",
            Self::InvalidExptime => b"CLIENT_ERROR invalid exptime argument\r\n",
            Self::InvalidShutdownMode => b"CLIENT_ERROR invalid shutdown mode\r\n",
            Self::MemoryLimitTooLarge => {
                b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n"
            }
            Self::MemoryLimitTooSmall => {
                b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n"
            }
            Self::Meta(error) => error.line(),
            Self::NonNumeric => b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n",
            Self::NotFound => b"NOT_FOUND\r\n",
            Self::NotStarted => b"NOTSTARTED no items to crawl\r\n",
            Self::NotStored => b"NOT_STORED\r\n",
            Self::Ok => b"OK\r\n",
            Self::Order(error) => error.line(),
            Self::OutOfMemory => b"SERVER_ERROR out of memory storing object\r\n",
            Self::OutOfMemoryReading => b"SERVER_ERROR Out of memory during read\r\n",
            Self::Reset => b"RESET\r\n",
            Self::ShutdownNotEnabled => b"SERVER_ERROR: shutdown not enabled\r\n",
            Self::Stored => b"STORED\r\n",
            Self::TooLarge => b"SERVER_ERROR object too large for cache\r\n",
            Self::TooManyConnections => b"ERROR Too many open connections\r\n",
            Self::TooManyWatchers => b"WATCHER_TOO_MANY log watcher limit reached\r\n",
            Self::Touched => b"TOUCHED\r\n",
            Self::WatchNotAllowed => b"CLIENT_ERROR watch commands not allowed\r\n",
            Self::WatchPipelined => b"ERROR cannot pipeline other commands before watch\r\n",
        }
    }
}
