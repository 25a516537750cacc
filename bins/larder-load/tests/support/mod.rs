//! A plan to start from.

use std::time::Duration;

use larder_load::{Distribution, Keys, Length, Plan, Ratio, Target, ValueSize};

/// A small plan against `target`: 8 connections, 1000 keys, 4000 requests.
pub(crate) fn plan(target: Target) -> Plan {
    Plan {
        target,
        connections: 8,
        threads: 2,
        pipeline: 4,
        keys: Keys::new("key:", 14, 1000).expect("these keys fit"),
        distribution: Distribution::Uniform,
        value_size: ValueSize::Fixed(32),
        ratio: Ratio { gets: 9, sets: 1 },
        multiget: 1,
        length: Length::Requests(4000),
        warm_up: Duration::ZERO,
        populate: true,
        verify: true,
        timeout: Duration::from_secs(10),
        pid: None,
        seed: 7,
    }
}
