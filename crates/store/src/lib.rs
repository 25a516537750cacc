#![doc = include_str!("../README.md")]
// Not `forbid`: the files that own memory by hand allow it, with their reasons; `cargo xtask tidy` lists them.
#![deny(unsafe_code)]

mod account;
mod amend;
mod arena;
mod atomic;
mod block;
mod bodies;
mod commit;
mod config;
mod counting;
mod draft;
mod entry;
mod fetch;
mod filling;
mod ghost;
mod heap;
#[cfg(feature = "hold-times")]
mod hold_times;
mod index;
mod item;
mod join;
mod lock;
mod log;
mod number;
mod observer;
mod place;
mod policy;
mod prefetch;
mod reap;
mod record;
mod room;
mod runs;
mod seconds;
mod shard;
mod slot;
mod spread;
mod stats;
mod store;
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
pub use policy::Policy;
pub use room::Swept;
pub use seconds::Seconds;
pub use stats::{ClassStats, HIT_AGES, Stats};
pub use store::{PREFETCHED_MAX, Store};
pub use visit::{Cursor, Miss, Visit};
