#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod account;
mod commit;
mod config;
mod draft;
mod filling;
mod ghost;
mod item;
mod number;
mod queues;
mod reap;
mod room;
mod seconds;
mod shard;
mod slots;
mod spread;
mod stats;
mod store;
mod tables;
mod visit;

pub use commit::{Condition, Outcome};
pub use config::{Config, Eviction};
pub use draft::{Draft, Refusal};
pub use item::{Item, Slices};
pub use number::{AdjustError, Adjusted, Delta};
pub use room::Swept;
pub use seconds::Seconds;
pub use stats::{ClassStats, Stats};
pub use store::Store;
pub use visit::{Cursor, Miss, Visit};
