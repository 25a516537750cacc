//! The rows of Twitter's table.

/// What the table says about a cluster, and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cluster {
    /// Bytes, the mean.
    pub(super) key_len: u16,
    /// Bytes.
    pub(super) value_mean: f64,
    /// Share of objects that are asked for once.
    pub(super) one_hit: f64,
    /// Share of requests that are the first for their object.
    pub(super) compulsory: f64,
    /// TTLs in seconds with their shares.
    pub(super) ttls: Vec<(u32, f64)>,
    /// How long the measurement lasted, as its own numbers have it.
    pub(super) span_s: f64,
    /// Share of requests that store what no miss explains.
    pub(super) writes: f64,
    /// Share of requests that remove.
    pub(super) deletes: f64,
    /// Exponent of Zipf's law.
    pub(super) alpha: f64,
}

/// The row of a cluster.
///
/// # Errors
/// A sentence: there is no such row, or it lacks a number.
pub(super) fn cluster(number: u32) -> Result<Cluster, String> {
    let name = format!("cluster{number}");
    let cells = |line: &'static str| line.split('|').map(str::trim).skip(1).collect::<Vec<_>>();
    let row = TABLE.lines().map(cells).find(|cells| cells.first() == Some(&name.as_str()));
    let row = row.ok_or_else(|| format!("Twitter's table has no {name}"))?;
    parse(&row)
        .map_err(|column| format!("Twitter's table says nothing about the {column} of {name}"))
}

/// The cells of a row.
///
/// # Errors
/// The column that has no number.
fn parse(row: &[&str]) -> Result<Cluster, &'static str> {
    let number = |at: usize, column: &'static str| -> Result<f64, &'static str> {
        let number = row.get(at).and_then(|cell| cell.parse().ok()).filter(|n: &f64| *n >= 0.0);
        number.ok_or(column)
    };
    let key_len = row.get(3).and_then(|cell| cell.parse().ok()).ok_or("key size")?;
    let value_mean = number(4, "value size")?;
    let alpha = number(13, "Zipf alpha")?;
    let requests_a_second = number(5, "request rate")? * 1000.0;
    let frequency = number(6, "mean frequency")?;
    let working_set_bytes = number(10, "working set")? * 1e6;
    let objects = working_set_bytes / (f64::from(key_len) + value_mean);
    let measured_s = objects * frequency / requests_a_second;
    let span_s = if measured_s > 0.0 { measured_s.min(WEEK_S) } else { DAY_S };

    let ttls: Vec<(u32, f64)> = shares(row.get(9).copied().ok_or("common TTL")?)
        .map(|(ttl, share)| Some((seconds(ttl)?, share)))
        .collect::<Option<_>>()
        .ok_or("common TTL")?;
    if ttls.is_empty() {
        return Err("common TTL");
    }
    let (writes, deletes) =
        operations(row.get(12).copied().unwrap_or_default(), number(1, "miss ratio")?);
    let one_hit = number(7, "one-hit wonders")? / 100.0;
    let compulsory = number(8, "compulsory misses")? / 100.0;
    Ok(Cluster { key_len, value_mean, one_hit, compulsory, ttls, span_s, writes, deletes, alpha })
}

/// The shares of writes and of removals among all requests but those with which a reader stores what it missed: the
/// replay makes these itself. Every `add` is one, and as many of the `set`s as there are misses left.
fn operations(cell: &str, miss_ratio: f64) -> (f64, f64) {
    let (mut reads, mut adds, mut sets, mut updates, mut deletes) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (operation, share) in cell.split_whitespace().filter_map(share) {
        match operation {
            "get" | "gets" => reads += share,
            "add" => adds += share,
            "set" => sets += share,
            "delete" => deletes += share,
            _ => updates += share,
        }
    }
    let fills: f64 = (reads * miss_ratio - adds).max(0.0);
    let writes = updates + (sets - fills).max(0.0);
    let all = reads + writes + deletes;
    if all > 0.0 { (writes / all, deletes / all) } else { (0.0, 0.0) }
}

/// `60s:0.39, 300s:0.24, …`
fn shares(cell: &str) -> impl Iterator<Item = (&str, f64)> {
    cell.split(',').map(str::trim).filter(|item| !item.is_empty()).filter_map(share)
}

fn share(item: &str) -> Option<(&str, f64)> {
    let (name, share) = item.split_once(':')?;
    Some((name, share.parse().ok()?))
}

/// A time such as `60s`, `1.8h` or `14d`.
fn seconds(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => DAY_S,
        _ => return None,
    };
    let seconds: f64 = digits.parse::<f64>().ok()? * unit;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion of floats ends at the limits of the integer"
    )]
    (seconds >= 1.0).then_some(seconds.round() as u32)
}

const TABLE: &str = include_str!("../../../../../benches/traces/twitter-2020Mar-stats.md");
const DAY_S: f64 = 86_400.0;
/// No measurement was longer; rows whose numbers were rounded to little would have it so.
const WEEK_S: f64 = 604_800.0;

#[cfg(test)]
mod tests {
    use super::{cluster, operations, seconds};

    #[test]
    fn rows_are_read() {
        let row = cluster(52).unwrap();
        assert_eq!((row.key_len, row.value_mean.to_string()), (20, "273".to_owned()));
        assert_eq!(row.ttls, [(86_400, 0.65), (1_209_600, 0.27), (43_200, 0.07)]);
        // 48 million objects, 32.6 requests each, 24,250 requests a second.
        assert!((row.span_s / 64_500.0 - 1.0).abs() < 0.01, "{}", row.span_s);
        assert!(cluster(4).unwrap().span_s >= 86_400.0, "its working set is rounded to nothing");
    }

    #[test]
    fn rows_that_lack_something_are_refused() {
        let check = |number: u32, expected: &str| {
            let error = cluster(number).expect_err("not complete");
            assert!(error.contains(expected), "{error}");
        };
        check(5, "key size of cluster5");
        check(43, "Zipf alpha of cluster43");
        check(55, "no cluster55");
        check(0, "no cluster0");
    }

    #[test]
    fn writes_are_what_misses_do_not_explain() {
        let check = |cell: &str, miss_ratio: f64, expected: (f64, f64)| {
            let (writes, deletes) = operations(cell, miss_ratio);
            let is_near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(
                is_near(writes, expected.0) && is_near(deletes, expected.1),
                "{cell}: {writes}"
            );
        };
        check("get:0.75 set:0.25", 0.4549, (0.0, 0.0));
        check("get:0.80 set:0.20", 0.1, (0.12 / 0.92, 0.0));
        check("add:0.15 get:0.85", 0.3685, (0.0, 0.0));
        check("get:0.72 incr:0.18 set:0.10", 0.875, (0.2, 0.0));
        check("get:0.65 delete:0.22 set:0.13", 0.2, (0.0, 0.22 / 0.87));
        check("", 0.5, (0.0, 0.0));
    }

    #[test]
    fn times_have_units() {
        let check =
            |text: &str, expected: Option<u32>| assert_eq!(seconds(text), expected, "{text}");
        check("60s", Some(60));
        check("1.8h", Some(6_480));
        check("92.6d", Some(8_000_640));
        check("s", None);
        check("", None);
        check("5y", None);
        check("0s", None);
    }
}
