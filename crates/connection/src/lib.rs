#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod classic;
mod connection;
mod limits;
mod meta;
mod output;
mod reply;
mod service;
mod state;

pub use connection::Connection;
pub use limits::{Limits, Unfinished};
pub use meta::{MetaCount, MetaDetails, MetaItem, MetaReply, MetaStored};
pub use output::{Chunks, Output};
pub use reply::{PIN_LEN_MIN, Reply};
pub use service::{Draft, Place, Service, Value};
pub use state::Phase;
