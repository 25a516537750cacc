//! The store itself, without a socket between: what is too short to be seen over one.

pub mod filling;
mod histogram;
pub mod holds;
mod items;
pub mod lookups;
#[cfg(any(test, feature = "hold-times"))]
mod traffic;
