#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod connection;
mod output;
mod reply;
mod service;

pub use connection::{Connection, Limits, Phase, Unfinished};
pub use output::{Chunks, Output};
pub use reply::{PIN_LEN_MIN, Reply};
pub use service::{Draft, Service, Value};
