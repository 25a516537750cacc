//! What holds for every conversation.

use larder_testkit::properties;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn machine_agrees(input in vec(any::<u8>(), 0..400)) {
        properties::machine_agrees(&input);
    }

    #[test]
    fn cuts_do_not_matter(input in vec(any::<u8>(), 0..400)) {
        properties::cuts_do_not_matter(&input);
    }

    #[test]
    fn memory_is_bounded(input in vec(any::<u8>(), 0..400)) {
        properties::memory_is_bounded(&input);
    }

    #[test]
    fn quiet_is_quiet(input in vec(any::<u8>(), 0..400)) {
        properties::quiet_is_quiet(&input);
    }

    #[test]
    fn quiet_meta_hides_the_ordinary(input in vec(any::<u8>(), 0..400)) {
        properties::quiet_meta_hides_the_ordinary(&input);
    }

    #[test]
    fn quiet_frames_hide_the_ordinary(input in vec(any::<u8>(), 0..400)) {
        properties::quiet_frames_hide_the_ordinary(&input);
    }

    #[test]
    fn watching_is_bounded(input in vec(any::<u8>(), 0..400)) {
        properties::watching_is_bounded(&input);
    }

    #[test]
    fn reset_is_new(input in vec(any::<u8>(), 0..400)) {
        properties::reset_is_new(&input);
    }

    #[test]
    fn closing_is_final(input in vec(any::<u8>(), 0..400)) {
        properties::closing_is_final(&input);
    }

    #[test]
    fn every_pin_is_dropped(input in vec(any::<u8>(), 0..400)) {
        properties::every_pin_is_dropped(&input);
    }
}
