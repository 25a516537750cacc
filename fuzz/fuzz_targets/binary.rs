//! Frames against the parser of the binary protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder_testkit::properties::binary(input));
