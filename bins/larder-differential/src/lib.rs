#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod conversation;
mod frames;
mod known;
mod pair;
mod play;
mod print;
mod replies;
mod request;
mod search;
mod wire;

pub use known::{Known, all as known_differences};
pub use play::{Said, Verdict};
pub use replies::Excuses;
pub use search::{Difference, Plan, Report, search};
