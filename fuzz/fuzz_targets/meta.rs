//! Meta commands against the parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder_testkit::properties::meta(input));
