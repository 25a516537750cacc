//! Lines against the parser: it is total, agrees with the slow one, and what it reads can be printed again.
#![no_main]

use larder_testkit::properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    properties::parser_is_total(input);
    properties::parser_agrees(input);
    properties::requests_round_trip(input);
});
