#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acceptor;
mod budgets;
mod cache;
mod classes;
mod client;
mod clock;
// The example's configuration, which tests share, names the crate as its users do.
#[cfg(test)]
extern crate self as larder_server;

mod config;
mod counters;
mod crawl;
mod error;
mod listener;
mod listing;
mod maintenance;
mod prefixes;
mod ready;
mod roster;
mod server;
mod shared;
mod stats;
#[cfg(test)]
mod transcripts;
mod udp;
mod watch;
mod wire_log;
mod worker;

pub use config::{Budgets, Config, Eviction, Protocols, Tuning, Udp, UnixSocket};
pub use error::Error;
pub use maintenance::Maintenance;
pub use server::{Server, StopHandle};
