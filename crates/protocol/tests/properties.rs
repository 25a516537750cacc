//! What holds for every line, every frame and every datagram.

use larder_testkit::properties;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parser_is_total(input in vec(any::<u8>(), 0..500)) {
        properties::parser_is_total(&input);
    }

    #[test]
    fn parser_agrees(input in vec(any::<u8>(), 0..500)) {
        properties::parser_agrees(&input);
    }

    #[test]
    fn requests_round_trip(input in vec(any::<u8>(), 0..500)) {
        properties::requests_round_trip(&input);
    }

    #[test]
    fn meta_commands(input in vec(any::<u8>(), 0..500)) {
        properties::meta(&input);
    }

    #[test]
    fn binary_parser_is_total(input in vec(any::<u8>(), 0..200)) {
        properties::binary_parser_is_total(&input);
    }

    #[test]
    fn binary_parser_agrees(input in vec(any::<u8>(), 0..200)) {
        properties::binary_parser_agrees(&input);
    }

    #[test]
    fn binary_requests_round_trip(input in vec(any::<u8>(), 0..200)) {
        properties::binary_requests_round_trip(&input);
    }

    #[test]
    fn udp_frames(input in vec(any::<u8>(), 0..4000)) {
        properties::udp(&input);
    }
}
