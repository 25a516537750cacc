#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod answer;
mod binary;
mod classic;
mod connection;
mod limits;
mod meta;
mod output;
mod protocols;
mod reply;
mod service;
mod state;

pub use connection::Connection;
pub use limits::{Limits, Unfinished};
pub use meta::{MetaCount, MetaDetails, MetaItem, MetaReply};
pub use output::{Chunks, Output};
pub use protocols::Protocols;
pub use reply::{PIN_LEN_MIN, Reply};
pub use service::{Draft, Feed, Place, Service, Stored, Value};
pub use state::Phase;
