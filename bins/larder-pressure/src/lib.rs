#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "measurements take minutes: what is known is told at once")]

pub mod bytes;
mod clock;
mod error;
mod fill;
pub mod inside;
mod machine;
mod report;
mod resident;
pub mod rss;
mod server;
mod wire;

pub use error::Error;
pub use report::Report;
pub use resident::Resident;
pub use server::{Program, Server};
pub use wire::{Stored, Wire};
