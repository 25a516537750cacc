//! What holds for every line.

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
}
