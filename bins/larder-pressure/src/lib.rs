#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "measurements take minutes: what is known is told at once")]

pub mod bytes;
mod clock;
mod error;
pub mod expiry;
mod fill;
pub mod inside;
pub mod limits;
mod machine;
pub mod mix;
mod report;
mod resident;
pub mod rss;
mod server;
mod svg;
mod wire;

pub use error::Error;
pub use report::Report;
pub use resident::Resident;
pub use server::{Program, Server};
pub use wire::{Stored, Wire};
