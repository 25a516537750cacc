#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod converse;
pub mod machines;
pub mod model;
pub mod process;
pub mod properties;
pub mod reference;
pub mod script;
pub mod seeds;
pub mod transcript;
