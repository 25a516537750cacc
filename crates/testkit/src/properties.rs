//! What is always true, whatever the bytes: each property is a function of bytes that panics when it does not hold.
//!
//! The same functions are called by proptest (`tests/properties.rs` of the crates), by libFuzzer (`fuzz/fuzz_targets`)
//! and by the replay of what was found once (`tests/regressions.rs` here).

mod binary;
mod machine;
mod meta;
mod parser;
mod store;
mod udp;

pub use binary::{
    binary, binary_parser_agrees, binary_parser_is_total, binary_requests_round_trip,
};
pub use machine::{
    closing_is_final, connection, conversations_agree, cuts_do_not_matter, every_pin_is_dropped,
    machine_agrees, memory_is_bounded, quiet_frames_hide_the_ordinary, quiet_is_quiet,
    quiet_meta_hides_the_ordinary, reset_is_new, watching_is_bounded,
};
pub(crate) use meta::META_NAMES;
pub use meta::meta;
pub use parser::{parser, parser_agrees, parser_is_total, requests_round_trip};
pub(crate) use store::store_seeds;
pub use store::{slices_change_nothing, store, store_is_a_map};
pub use udp::udp;
