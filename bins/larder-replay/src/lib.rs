#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod trace;

pub use trace::{Access, KEY_LEN_MAX, KEY_LEN_MIN, Trace, Verb};
