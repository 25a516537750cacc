//! Conversations against the connection machine: cuts change nothing, memory is bounded, ends are final.
#![no_main]

use larder_testkit::properties;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    properties::cuts_do_not_matter(input);
    properties::memory_is_bounded(input);
    properties::quiet_is_quiet(input);
    properties::closing_is_final(input);
    properties::every_pin_is_dropped(input);
});
