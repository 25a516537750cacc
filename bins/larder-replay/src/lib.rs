#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod curve;
mod make;
mod random;
mod read;
mod replay;
pub mod simulate;
mod sizes;
mod trace;
mod write;

pub use curve::{Curve, Line};
pub use make::{CATALOGUE, Recipe, SEED, make};
pub use read::{Format, ReadError, read};
pub use replay::{Error, Memory, Plan, Progress, Report, Tally, replay};
pub use trace::{Access, Facts, KEY_LEN_MAX, KEY_LEN_MIN, Trace, Verb};
pub use write::write;
