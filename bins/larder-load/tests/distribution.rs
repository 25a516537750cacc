//! The distributions are the ones they are called.

use larder_load::{Distribution, Keys, Picker, Ratio, ValueSize};
use rand::{SeedableRng, rngs::SmallRng};

const DRAWS: usize = 200_000;

/// How often each of `count` keys was drawn.
fn draw(distribution: Distribution, count: usize) -> Vec<f64> {
    let mut random = SmallRng::seed_from_u64(42);
    let mut picker = Picker::new(distribution, count as u64, 0).expect("a law");
    let mut drawn = vec![0.0; count];
    for _ in 0..DRAWS {
        let key = usize::try_from(picker.pick(&mut random)).expect("few keys");
        drawn[key] += 1.0;
    }
    drawn
}

/// Pearson's chi-squared of what was drawn against `weight`, over its degrees of freedom: near 1 if they agree.
fn check(distribution: Distribution, weight: impl Fn(f64) -> f64) {
    let drawn = draw(distribution, 500);
    let total: f64 = (0..500).map(|key| weight(f64::from(key))).sum();
    let squared = drawn.iter().zip(0..500).map(|(drawn, key)| {
        let expected = weight(f64::from(key)) / total * DRAWS as f64;
        (drawn - expected).powi(2) / expected
    });
    let chi = squared.sum::<f64>() / 499.0;
    assert!((0.75..1.25).contains(&chi), "{distribution}: {chi}");
}

#[test]
fn keys_follow_their_law() {
    check(Distribution::Uniform, |_| 1.0);
    check(Distribution::Zipf(1.0), |key| (key + 1.0).recip());
    check(Distribution::Zipf(0.7), |key| (key + 1.0).powf(-0.7));
    check(Distribution::Zipf(1.3), |key| (key + 1.0).powf(-1.3));
    assert!(draw(Distribution::Sequential, 400).iter().all(|drawn| *drawn == 500.0));
    assert_eq!(draw(Distribution::Zipf(1.0), 1), [DRAWS as f64]);
}

#[test]
fn a_sequence_begins_where_it_is_told_and_goes_round() {
    let mut random = SmallRng::seed_from_u64(42);
    let mut picker = Picker::new(Distribution::Sequential, 5, 3).unwrap();
    let picked: Vec<_> = (0..7).map(|_| picker.pick(&mut random)).collect();
    assert_eq!(picked, [3, 4, 0, 1, 2, 3, 4]);
}

#[test]
fn lengths_follow_their_law() {
    let mut random = SmallRng::seed_from_u64(42);
    for (text, mean, shortest, longest) in [
        ("100", 100.0, 100..=100, 100..=100),
        ("10-20", 15.0, 10..=10, 20..=20),
        ("lognormal:1000", 1000.0, 1..=40, 10_000..=100_000),
    ] {
        let size: ValueSize = text.parse().unwrap();
        let lens: Vec<_> = (0..DRAWS).map(|_| size.pick(&mut random)).collect();
        let found = lens.iter().sum::<usize>() as f64 / DRAWS as f64;
        assert!((found / mean - 1.0).abs() < 0.02, "{text}: mean {found}");
        assert!(shortest.contains(lens.iter().min().unwrap()), "{text}");
        assert!(longest.contains(lens.iter().max().unwrap()), "{text}");
        assert_eq!(size.to_string(), text);
    }
}

#[test]
fn keys_are_stamped_and_recognised() {
    let keys = Keys::new("user:", 12, 5000).unwrap();
    for (index, text) in [(0, "user:0000000"), (7, "user:0000007"), (4999, "user:0004999")] {
        let mut key = b"before ".to_vec();
        keys.push(index, &mut key);
        assert_eq!(key, format!("before {text}").into_bytes());
        assert_eq!(keys.index_of(text.as_bytes()), Some(index));
    }
    for other in ["user:0005000", "user:00000007", "user:000000x", "USER:0000001", "", "user:"] {
        assert_eq!(keys.index_of(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn nonsense_is_refused() {
    for text in ["", "zipf:0", "zipf:x", "zipf:-1", "zipf:NaN", "uniform:1", "normal"] {
        assert!(text.parse::<Distribution>().is_err(), "{text:?}");
    }
    for text in ["", "x", "-1", "5-", "9-3", "1073741825", "lognormal:0", "lognormal:"] {
        assert!(text.parse::<ValueSize>().is_err(), "{text:?}");
    }
    for text in ["", "1", "0:0", "1:", ":1", "1:x", "1:2:3", "1000001:1", "-1:1"] {
        assert!(text.parse::<Ratio>().is_err(), "{text:?}");
    }
    for (prefix, len, count) in [("k", 14, 0), ("a b", 14, 1), ("k", 251, 1), ("key", 4, 11)] {
        assert!(Keys::new(prefix, len, count).is_err(), "{prefix} {len} {count}");
    }
    assert!(Keys::new("key", 4, 10).is_ok());
}
