#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod acceptor;
mod budgets;
mod cache;
mod classes;
mod client;
mod clock;
mod config;
mod counters;
mod error;
mod listener;
mod prefixes;
mod ready;
mod roster;
mod server;
mod shared;
mod stats;
mod wire_log;
mod worker;

pub use config::{Budgets, Config, Eviction, Tuning, UnixSocket};
pub use error::Error;
pub use server::{Server, StopHandle};
