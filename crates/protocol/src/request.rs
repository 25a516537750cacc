//! What crossed the wire, as types: a request borrows its keys from the line it was parsed from.

use crate::Status;
use crate::listing::KeyDump;
use crate::meta::{Meta, MetaArithmetic, MetaDebug, MetaError, MetaSet};
use crate::order::{Order, OrderError};
use crate::watch::Watch;
use crate::words::Words;

/// One request of the text protocol, classic or meta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// `incr`, `decr`.
    Arithmetic(Arithmetic<'a>),
    /// `delete`.
    Delete(Delete<'a>),
    /// `flush_all`.
    FlushAll(FlushAll),
    /// `get`, `gets`, `gat`, `gats`.
    Get(Get<'a>),
    /// `lru_crawler metadump`, `lru_crawler mgdump`.
    KeyDump(KeyDump<'a>),
    /// `cache_memlimit`.
    MemoryLimit(MemoryLimit),
    /// `ma`.
    MetaArithmetic(MetaArithmetic<'a>),
    /// `me`.
    MetaDebug(MetaDebug<'a>),
    /// `md`.
    MetaDelete(Meta<'a>),
    /// `mg`.
    MetaGet(Meta<'a>),
    /// `mn`.
    MetaNoop,
    /// `ms`; its data block follows.
    MetaSet(MetaSet<'a>),
    /// `lru_crawler`, `lru`, `slabs`, `refresh_certs`, `debugtime`.
    Order(Order<'a>),
    /// `quit`.
    Quit,
    /// `shutdown`.
    Shutdown(ShutdownMode),
    /// `stats`.
    Stats(Stats<'a>),
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`; its data block follows.
    Storage(Storage<'a>),
    /// `touch`.
    Touch(Touch<'a>),
    /// `verbosity`.
    Verbosity(Verbosity),
    /// `version`.
    Version,
    /// `watch`; nothing that follows it is a request.
    Watch(Watch),
}

/// A request for a sum: `incr` and `decr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arithmetic<'a> {
    /// Key of the counter.
    pub key: &'a [u8],
    /// What to add or take away.
    pub delta: Delta,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// A change of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta {
    /// Takes away, down to zero.
    Decrement(u64),
    /// Adds, and wraps at 2^64.
    Increment(u64),
}

/// A request to forget one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<'a> {
    /// Key of the item.
    pub key: &'a [u8],
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// A request to forget everything, now or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlushAll {
    /// When, as an exptime: 0 is now.
    pub delay: i64,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// A request for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Get<'a> {
    /// What is asked of each key.
    pub retrieval: Retrieval,
    /// The keys, each at most [`crate::KEY_LEN_MAX`] bytes; at least one.
    pub keys: Words<'a>,
    /// Where the keys begin in the line.
    pub keys_at: usize,
}

/// What a retrieval asks of each of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retrieval {
    /// Whether the CAS number is wanted (`gets`, `gats`).
    pub cas: bool,
    /// The new exptime, if the keys are to be touched (`gat`, `gats`).
    pub touch: Option<i64>,
}

/// A request to change the memory limit at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The new limit, in mebibytes.
    pub mebibytes: u32,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// How a peer asks the server to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutdownMode {
    /// `shutdown graceful`: connections are closed in order first.
    Graceful,
    /// `shutdown`.
    Immediate,
    /// `shutdown` and a word that means nothing.
    Unknown,
}

/// A request for statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats<'a> {
    /// The words after `stats`; none asks for the general ones.
    pub topic: Words<'a>,
}

/// A request to store the data block that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage<'a> {
    /// Under which condition the value is stored, and where.
    pub mode: StoreMode,
    /// Key of the item.
    pub key: &'a [u8],
    /// The client's own 32 bits.
    pub flags: u32,
    /// 0 never, negative at once, up to 30 days relative, above that absolute Unix time, in seconds. Of what was sent in text
    /// these are the low 32 bits, with their sign; in binary they have none.
    pub exptime: i64,
    /// Length of the data block, its line end not counted.
    pub value_len: usize,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// How a value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreMode {
    /// Only if the key is absent.
    Add,
    /// After the data that is there.
    Append,
    /// Only if the item's CAS number is this one.
    Cas(u64),
    /// Before the data that is there.
    Prepend,
    /// Only if the key is present.
    Replace,
    /// Always.
    Set,
}

/// A request for a new exptime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch<'a> {
    /// Key of the item.
    pub key: &'a [u8],
    /// The new exptime, by the rules of [`Storage::exptime`].
    pub exptime: i64,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// A request for more or less logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verbosity {
    /// 0 to 2, as memcached clamps it.
    pub level: u8,
    /// Whether the peer wants no reply.
    pub quiet: bool,
}

/// A line that was refused, and how the connection stays in step after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// What was wrong.
    pub reason: ParseError,
    /// Whether the peer wants no reply, not even this one.
    pub quiet: bool,
    /// Bytes after the line that belong to the refused request and are thrown away: the data block and its line end.
    pub skip_len: usize,
}

/// What was wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// Words missing, a key too long, a number that is none.
    BadFormat,
    /// `delete` with a second argument other than 0.
    DeleteUsage,
    /// `incr` or `decr` by something that is no 64-bit number.
    InvalidDelta,
    /// `touch`, `gat` or `flush_all` with an exptime that is no 64-bit number.
    InvalidExptime,
    /// A browser's or a proxy's HTTP request: the connection is closed without a word.
    Http,
    /// A meta command with flags that are none, or not so.
    Meta(MetaError),
    /// An order with numbers that cannot be.
    Order(OrderError),
    /// No such command, or an administrator's command with the wrong words.
    UnknownCommand,
}

impl ParseError {
    /// The reply to a refused line; none closes the connection silently.
    pub fn status(self) -> Option<Status> {
        match self {
            Self::BadFormat => Some(Status::BadFormat),
            Self::DeleteUsage => Some(Status::DeleteUsage),
            Self::InvalidDelta => Some(Status::InvalidDelta),
            Self::InvalidExptime => Some(Status::InvalidExptime),
            Self::Http => None,
            Self::Meta(error) => Some(Status::Meta(error)),
            Self::Order(error) => Some(Status::Order(error)),
            Self::UnknownCommand => Some(Status::Error),
        }
    }
}
