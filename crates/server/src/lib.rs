#![doc = include_str!("../README.md")]

mod config;

pub use config::{Budgets, Config, Eviction, Tuning, UnixSocket};
