#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod key;
mod pool;

pub use key::Key;
pub use pool::{Full, Pool, Recycle, Refusal};
