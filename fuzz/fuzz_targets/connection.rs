//! Conversations against the connection machine.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder_testkit::properties::connection(input));
