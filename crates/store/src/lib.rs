#![doc = include_str!("../README.md")]
// Not `forbid`: the files that own memory by hand allow it, with their reasons; `cargo xtask tidy` lists them.
#![deny(unsafe_code)]

mod account;
mod amend;
mod arena;
mod atomic;
mod block;
mod commit;
mod config;
mod draft;
mod fetch;
mod filling;
mod ghost;
mod heap;
#[cfg(feature = "hold-times")]
mod hold_times;
#[allow(dead_code, unused_imports, reason = "the segment log is about to use it")]
mod index;
mod item;
mod join;
mod lock;
mod number;
mod observer;
#[allow(dead_code, reason = "the index is about to use it")]
mod prefetch;
mod queues;
mod reap;
mod room;
mod runs;
mod seconds;
mod shard;
mod slots;
mod spread;
mod stats;
mod store;
mod tables;
mod visit;

pub use amend::{Amended, Amendment};
pub use commit::{Committed, Condition, Outcome, Terms};
pub use config::{Config, Eviction};
pub use draft::{Draft, Refusal};
pub use fetch::{Creation, Fetch, Fetched, Recache};
#[cfg(feature = "hold-times")]
pub use hold_times::HoldTimes;
pub use item::{Item, Slices};
pub use number::{AdjustError, Adjusted, Counting, Delta};
pub use observer::Observer;
pub use room::Swept;
pub use seconds::Seconds;
pub use stats::{ClassStats, Stats};
pub use store::Store;
pub use visit::{Cursor, Miss, Visit};
