//! What holds for every sequence of operations: see `larder_testkit::properties`.

use larder_testkit::properties;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn store_is_a_map(input in vec(any::<u8>(), 0..600)) {
        properties::store_is_a_map(&input);
    }

    #[test]
    fn slices_change_nothing(input in vec(any::<u8>(), 0..600)) {
        properties::slices_change_nothing(&input);
    }
}
