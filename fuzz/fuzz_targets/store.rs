//! Operations against the store.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder_testkit::properties::store(input));
