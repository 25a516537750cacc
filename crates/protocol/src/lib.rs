#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod binary;
mod listing;
mod meta;
mod number;
mod order;
mod parse;
mod reply;
mod request;
mod status;
mod udp;
mod watch;
mod words;

pub use listing::{CLASS_MAX, ClassList, ClassSet, DumpForm, KeyDump, push_uri_encoded};
pub use meta::{
    Decoded, FLAG_COUNT_MAX, Meta, MetaArithmetic, MetaDebug, MetaError, MetaFlags, MetaKey,
    MetaSet, OPAQUE_LEN_MAX, Placed, encode_key, is_key_plain,
};
pub use number::{Decimal, parse_number};
pub use order::{
    Automove, Change, ClockChange, ListMode, ListShares, Order, OrderError, PERCENT_SUM_MAX,
    SLEEP_MICROS_MAX,
};
pub use parse::{KEY_LEN_MAX, VALUE_LEN_MAX, parse_line, parse_retrieval_head};
pub use reply::{push_number, push_stat, push_value_head};
pub use request::{
    Arithmetic, Delete, Delta, FlushAll, Get, MemoryLimit, ParseError, Rejection, Request,
    Retrieval, ShutdownMode, Stats, Storage, StoreMode, Touch, Verbosity,
};
pub use status::Status;
pub use udp::{
    UDP_HEADER_LEN, UDP_REPLY_LEN_MAX, UdpError, UdpRequest, parse_datagram, reply_frames,
};
pub use watch::{Streams, Watch};
pub use words::{Token, Words, next_token};
