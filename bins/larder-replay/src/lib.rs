#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod make;
mod random;
mod sizes;
mod trace;

pub use make::{CATALOGUE, Recipe, SEED, make};
pub use trace::{Access, KEY_LEN_MAX, KEY_LEN_MIN, Trace, Verb};
