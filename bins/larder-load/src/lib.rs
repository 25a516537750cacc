#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod client;
mod distribution;
mod keys;
mod plan;
mod process;
mod replies;
mod report;
mod run;
mod socket;
mod tally;
mod value;
mod worker;
mod workload;

pub use distribution::{Distribution, Picker, ValueSize};
pub use keys::Keys;
pub use plan::{BadFlag, KEY_LEN_MAX, Length, Plan, Ratio, Target, VALUE_LEN_MAX};
pub use report::{Cost, Latency, Report};
pub use run::{Error, run};
