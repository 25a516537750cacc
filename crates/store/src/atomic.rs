//! The atomics of what threads count together. Models of it (`tests/loom.rs`) put loom's in their place.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};
