//! Datagrams against the parser of their frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| larder_testkit::properties::udp(input));
