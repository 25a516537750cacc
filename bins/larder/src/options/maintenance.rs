//! Extended options that tune memcached's maintenance threads: without effect here, but shown by `stats settings`.

use larder_server::Maintenance;

/// Keeps what an option of `-o` says, if it is one of these. Its value has been found to be in bounds.
pub(super) fn keep(maintenance: &mut Maintenance, name: &str, value: Option<&str>) {
    let number = || value.and_then(|value| value.parse::<u32>().ok());
    let decimal = || value.and_then(|value| value.parse::<f64>().ok());
    match (name, number(), decimal()) {
        ("slab_reassign", ..) => maintenance.reassign = true,
        ("no_slab_reassign", ..) => maintenance.reassign = false,
        ("slab_automove", level, _) => {
            maintenance.automove = level.and_then(|level| u8::try_from(level).ok()).unwrap_or(1);
        }
        ("no_slab_automove", ..) => maintenance.automove = 0,
        ("slab_automove_window", Some(seconds), _) => maintenance.automove_window = seconds,
        ("slab_automove_ratio", _, Some(ratio)) => maintenance.automove_ratio = ratio,
        ("slab_automove_freeratio", _, Some(ratio)) => maintenance.automove_free_ratio = ratio,
        ("tail_repair_time", Some(seconds), _) => maintenance.tail_repair_seconds = seconds,
        ("lru_crawler", ..) => maintenance.crawler = true,
        ("no_lru_crawler", ..) => maintenance.crawler = false,
        ("lru_crawler_sleep", Some(micros), _) => maintenance.crawler_sleep_micros = micros,
        ("lru_crawler_tocrawl", Some(items), _) => maintenance.crawler_items = items,
        ("lru_maintainer", ..) => maintain_lists(maintenance, true),
        ("no_lru_maintainer", ..) => maintain_lists(maintenance, false),
        ("hot_lru_pct", Some(percent), _) => maintenance.hot_percent = percent,
        ("warm_lru_pct", Some(percent), _) => maintenance.warm_percent = percent,
        ("hot_max_factor", _, Some(factor)) => maintenance.hot_factor = factor,
        ("warm_max_factor", _, Some(factor)) => maintenance.warm_factor = factor,
        ("temporary_ttl", Some(seconds), _) => {
            maintenance.temporary_list = true;
            maintenance.temporary_ttl = seconds;
        }
        // What memcached was before version 1.5.
        ("no_modern", ..) => {
            maintenance.reassign = false;
            maintenance.automove = 0;
            maintenance.crawler = false;
            maintain_lists(maintenance, false);
        }
        _ => {}
    }
}

/// One list needs no maintenance.
fn maintain_lists(maintenance: &mut Maintenance, is_on: bool) {
    maintenance.list_maintainer = is_on;
    maintenance.segmented = is_on;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &[(&str, Option<&str>)], expected: Maintenance) {
        let mut maintenance = Maintenance::default();
        for (name, value) in options {
            keep(&mut maintenance, name, *value);
        }
        assert_eq!(maintenance, expected, "{options:?}");
    }

    #[test]
    fn options_are_shown_as_memcached_shows_them() {
        let base = Maintenance::default;
        check(&[("modern", None), ("idle_timeout", Some("5")), ("slab_automove", None)], base());
        check(&[("slab_automove", Some("2"))], Maintenance { automove: 2, ..base() });
        check(&[("temporary_ttl", Some("0"))], {
            Maintenance { temporary_list: true, temporary_ttl: 0, ..base() }
        });
        let flat = Maintenance { list_maintainer: false, segmented: false, ..base() };
        check(&[("no_lru_maintainer", None)], flat);
        check(&[("no_lru_maintainer", None), ("lru_maintainer", None)], base());
        let old = Maintenance { reassign: false, automove: 0, crawler: false, ..flat };
        check(&[("no_modern", None)], old);
        check(&[("no_modern", None), ("lru_crawler", None)], Maintenance { crawler: true, ..old });
        check(&[("hot_lru_pct", Some("30")), ("warm_max_factor", Some("1.5"))], {
            Maintenance { hot_percent: 30, warm_factor: 1.5, ..base() }
        });
    }
}
