//! The atomics of what threads count together, and what they share it by. The models (`tests/loom*.rs`) put loom's in their place.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
