#![doc = include_str!("../README.md")]

// `tests/portable.rs` mounts these files once more, with the other `system`.
mod events;
mod poller;
mod registered;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "portable.rs")]
mod system;

pub use events::{Events, Ready};
pub use poller::{Poller, Waker};
pub use registered::{Interest, Registered};
