//! What was measured at each memory size, the goals, and the tables that show both.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What one server did with one trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) gets: u64,
    pub(super) misses: u64,
    byte_miss_ratio: f64,
    /// Bytes allocated for items, in memcached's way of counting.
    slab_bytes: u64,
    peak_resident_bytes: u64,
    /// What `larder-replay` wrote, for the file.
    report: Value,
}

impl Outcome {
    /// # Errors
    /// A sentence that names the field which is missing.
    pub(super) fn parse(report: &Value) -> Result<Self, String> {
        let number = |name: &str| {
            let number = report.get(name).and_then(Value::as_f64);
            number.ok_or_else(|| format!("`larder-replay` wrote no number `{name}`"))
        };
        let count = |name: &str| {
            let count = report.get(name).and_then(Value::as_u64);
            count.ok_or_else(|| format!("`larder-replay` wrote no count `{name}`"))
        };
        // Nothing was there before, or the figures are of something else.
        if count("items_before")? > 0 {
            return Err("a server was not empty when its replay began".to_owned());
        }
        Ok(Self {
            gets: count("gets")?,
            misses: count("misses")?,
            byte_miss_ratio: number("byte_miss_ratio")?,
            slab_bytes: count("slab_bytes")?,
            peak_resident_bytes: count("peak_resident_bytes")?,
            report: report.clone(),
        })
    }

    /// What memcached took for items in whole MiB, if that is over its limit by more than a twentieth.
    pub(super) fn overrun_mib(&self, limit_mib: u64) -> Option<u64> {
        let took = self.slab_bytes.div_ceil(1 << 20);
        (took * 20 > limit_mib * 21).then_some(took)
    }

    fn miss_ratio(&self) -> f64 {
        ratio(self.misses, self.gets)
    }
}

/// Both servers with the same limit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) memory_mib: u64,
    pub(super) memcached: Outcome,
    pub(super) larder: Outcome,
    /// Larder with the memory that memcached took, where that is more than its limit.
    pub(super) with_as_much: Option<Outcome>,
}

impl Point {
    /// Larder's misses with memcached's limit, as a change of memcached's.
    fn change(&self) -> f64 {
        change(&self.larder, &self.memcached)
    }

    /// The same with the memory that memcached took: the comparison that is fair.
    fn fair_change(&self) -> f64 {
        change(self.with_as_much.as_ref().unwrap_or(&self.larder), &self.memcached)
    }

    /// Whether no server could miss as much less as the goal asks: nearly all misses are first accesses.
    fn is_cold(&self, keys: u64) -> bool {
        ratio(keys, self.memcached.misses) > 1.0 - GOAL_EACH
    }
}

/// One trace at all sizes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Results {
    pub(super) trace: String,
    /// Bytes of its different keys and their values.
    pub(super) footprint: u64,
    pub(super) keys: u64,
    pub(super) points: Vec<Point>,
}

impl Results {
    /// Whether the trace's points are as the goals have them; a failure only if that is to be checked.
    ///
    /// # Errors
    /// A sentence: a point missed its goal.
    pub(super) fn verdict(&self, is_check: bool) -> Result<String, String> {
        let missed = |point: &&Point| !point.is_cold(self.keys) && point.fair_change() > -GOAL_EACH;
        let changes: Vec<f64> = self.points.iter().map(Point::fair_change).collect();
        let mut note = format!("{} of misses in the mean", percent(mean(&changes)));
        let missed: Vec<String> = self
            .points
            .iter()
            .filter(missed)
            .map(|point| format!("{} at -m {}", percent(point.fair_change()), point.memory_mib))
            .collect();
        if missed.is_empty() {
            return Ok(note);
        }
        let _ = write!(note, "; short of the goal: {}", missed.join(", "));
        if is_check { Err(note) } else { Ok(note) }
    }

    /// A table in Markdown.
    pub(super) fn markdown(&self) -> String {
        let gets = self.points.first().map_or(0, |point| point.memcached.gets);
        let mut text = format!(
            "### {}\n\n{gets} gets, {} keys, footprint {} MiB; {:.4} of the gets are the first of their key at most\n\n",
            self.trace,
            self.keys,
            self.footprint >> 20,
            ratio(self.keys, gets),
        );
        text += "| % | -m MiB | memcached | larder | change | it took MiB | larder with that | change \
                 | bytes missed | peak RSS MiB |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
        for point in &self.points {
            let Point { memory_mib, memcached, larder, with_as_much } = point;
            let cold = if point.is_cold(self.keys) { " (cold)" } else { "" };
            let (took, misses, fair) = match with_as_much {
                Some(outcome) => (
                    memcached.slab_bytes.div_ceil(1 << 20).to_string(),
                    format!("{:.4}", outcome.miss_ratio()),
                    percent(point.fair_change()),
                ),
                None => Default::default(),
            };
            let _ = writeln!(
                text,
                "| {:.1} | {memory_mib} | {:.4} | {:.4} | {}{cold} | {took} | {misses} | {fair} | {:.4} / {:.4} | {} / {} |",
                100.0 * ratio(*memory_mib << 20, self.footprint),
                memcached.miss_ratio(),
                larder.miss_ratio(),
                percent(point.change()),
                memcached.byte_miss_ratio,
                larder.byte_miss_ratio,
                memcached.peak_resident_bytes >> 20,
                larder.peak_resident_bytes >> 20,
            );
        }
        text
    }

    /// The points of a picture. memcached's stand at the memory that it took.
    pub(super) fn curve(&self) -> Value {
        let point = |line: &str, memory_mib: u64, outcome: &Outcome| json!({ "line": line, "memory_mib": memory_mib, "miss_ratio": outcome.miss_ratio() });
        let mut points = Vec::new();
        for Point { memory_mib, memcached, larder, with_as_much } in &self.points {
            let took = memcached.overrun_mib(*memory_mib).unwrap_or(*memory_mib);
            points.push(point("memcached", took, memcached));
            points.push(point("larder", *memory_mib, larder));
            points.extend(with_as_much.iter().map(|outcome| point("larder", took, outcome)));
        }
        Value::Array(points)
    }

    pub(super) fn json(&self) -> Value {
        let point = |point: &Point| {
            json!({
                "memory_mib": point.memory_mib,
                "memcached": point.memcached.report,
                "larder": point.larder.report,
                "larder_with_as_much": point.with_as_much.as_ref().map(|outcome| &outcome.report),
                "change": point.change(),
                "change_with_as_much": point.fair_change(),
                "is_cold": point.is_cold(self.keys),
            })
        };
        let points: Vec<Value> = self.points.iter().map(point).collect();
        let Self { trace, footprint, keys, .. } = self;
        json!({ "trace": trace, "footprint_bytes": footprint, "keys": keys, "points": points })
    }
}

/// memcached's figures in an earlier run's file, by memory limit in MiB. The trace must be the same, byte for byte.
///
/// # Errors
/// A sentence: a report lacks something.
pub(super) fn memcached_outcomes(
    file: &Value,
    trace: &str,
    footprint: u64,
) -> Result<Vec<(u64, Outcome)>, String> {
    let same =
        |results: &&Value| results["trace"] == trace && results["footprint_bytes"] == footprint;
    let traces = file.get("traces").and_then(Value::as_array);
    let points = traces.and_then(|traces| traces.iter().find(same)).map(|found| &found["points"]);
    let points = points.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let outcome = |point: &Value| {
        let memory = point["memory_mib"].as_u64().ok_or("a point has no `memory_mib`")?;
        Ok((memory, Outcome::parse(&point["memcached"])?))
    };
    points.iter().map(outcome).collect()
}

/// How many points reach the goal, and the means.
pub(super) fn summary(all: &[Results]) -> String {
    let points = || all.iter().flat_map(|results| &results.points);
    let kept: Vec<f64> =
        points().filter(|point| point.with_as_much.is_none()).map(Point::change).collect();
    let fair: Vec<f64> = points().map(Point::fair_change).collect();
    let warm: Vec<f64> = all
        .iter()
        .flat_map(|results| results.points.iter().filter(|point| !point.is_cold(results.keys)))
        .map(Point::fair_change)
        .collect();
    let reached = warm.iter().filter(|change| **change <= -GOAL_EACH).count();
    let mut text = format!(
        "Same memory, {} points: {} of misses in the mean, {} in the median. {reached} of the {} points where 8 % \
         fewer misses are possible have them.",
        fair.len(),
        percent(mean(&fair)),
        percent(median(fair.clone())),
        warm.len(),
    );
    if !kept.is_empty() {
        let (points, change) = (kept.len(), percent(mean(&kept)));
        let _ =
            write!(text, " Where memcached kept its limit, {points} points: {change} in the mean.");
    }
    text + "\n"
}

/// Whether the mean of all points is as the goal has it.
///
/// # Errors
/// A sentence: it is not, and that is to be checked.
pub(super) fn mean_verdict(all: &[Results], is_check: bool) -> Result<String, String> {
    let changes: Vec<f64> =
        all.iter().flat_map(|results| &results.points).map(Point::fair_change).collect();
    let note = format!("{} of misses over {} points", percent(mean(&changes)), changes.len());
    if is_check && mean(&changes) > -GOAL_MEAN { Err(note) } else { Ok(note) }
}

fn change(ours: &Outcome, theirs: &Outcome) -> f64 {
    ours.miss_ratio() / theirs.miss_ratio().max(f64::MIN_POSITIVE) - 1.0
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / float(values.len().max(1) as u64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

fn percent(change: f64) -> String {
    format!("{:+.1} %", change * 100.0)
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "counts and bytes far under 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

/// How many fewer misses than memcached each point is to have, as a share.
const GOAL_EACH: f64 = 0.08;
/// And all points in the mean.
const GOAL_MEAN: f64 = 0.18;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Outcome, Point, Results, mean_verdict, median, memcached_outcomes, summary};

    fn outcome(misses: u64, slab_mib: u64) -> Outcome {
        let report = json!({
            "gets": 1000, "misses": misses, "byte_miss_ratio": 0.5, "items_before": 0,
            "slab_bytes": slab_mib << 20, "peak_resident_bytes": (slab_mib + 7) << 20,
        });
        Outcome::parse(&report).expect("all fields are there")
    }

    fn results(points: Vec<Point>) -> Results {
        Results { trace: "t".to_owned(), footprint: 100 << 20, keys: 100, points }
    }

    /// memcached misses 500 within its limit of 64 MiB.
    fn plain(larder: u64) -> Point {
        let (memcached, larder) = (outcome(500, 65), outcome(larder, 64));
        Point { memory_mib: 64, memcached, larder, with_as_much: None }
    }

    /// memcached misses 500 with 33 MiB, where its limit is 2.
    fn overrun(larder: u64, with_as_much: u64) -> Point {
        let with_as_much = Some(outcome(with_as_much, 33));
        Point {
            memory_mib: 2,
            memcached: outcome(500, 33),
            larder: outcome(larder, 2),
            with_as_much,
        }
    }

    #[test]
    fn memory_beyond_the_limit_is_seen() {
        assert_eq!(outcome(1, 33).overrun_mib(2), Some(33));
        assert_eq!(outcome(1, 67).overrun_mib(64), None, "a twentieth is no overrun");
        assert_eq!(outcome(1, 68).overrun_mib(64), Some(68));
        assert_eq!(outcome(1, 10).overrun_mib(64), None);
    }

    #[test]
    fn goals_are_judged_with_the_memory_that_memcached_took() {
        let check = |points: Vec<Point>, expected: Result<&str, &str>| {
            let results = results(points);
            let verdict = results.verdict(true);
            assert_eq!(verdict.as_deref().map_err(String::as_str), expected);
            assert!(results.verdict(false).is_ok());
        };
        check(vec![plain(400)], Ok("-20.0 % of misses in the mean"));
        check(vec![overrun(900, 450)], Ok("-10.0 % of misses in the mean"));
        let short = "-6.0 % of misses in the mean; short of the goal: -2.0 % at -m 64";
        check(vec![plain(490), overrun(900, 450)], Err(short));
        // 480 of 500 misses are first accesses: nobody can have 8 % fewer.
        let cold = Results { keys: 480, ..results(vec![plain(490)]) };
        assert!(cold.verdict(true).is_ok());
        assert!(mean_verdict(&[cold], true).is_err());
        assert!(mean_verdict(&[results(vec![plain(400)])], true).is_ok());
    }

    #[test]
    fn tables_show_both_comparisons() {
        let results = results(vec![overrun(900, 450), plain(400)]);
        let text = results.markdown();
        let row = "| 2.0 | 2 | 0.5000 | 0.9000 | +80.0 % | 33 | 0.4500 | -10.0 % | 0.5000 / 0.5000 | 40 / 9 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| 64.0 | 64 | 0.5000 | 0.4000 | -20.0 % |  |  |  |"), "{text}");
        let curve = results.curve();
        let memories: Vec<_> =
            curve.as_array().unwrap().iter().map(|point| point["memory_mib"].clone()).collect();
        assert_eq!(memories, [33, 2, 33, 64, 64]);
        let text = summary(&[results]);
        assert!(text.contains("2 points: -15.0 % of misses in the mean, -15.0 % in the median"));
        assert!(text.contains("kept its limit, 1 points: -20.0 %"), "{text}");
        assert!(text.contains("2 of the 2 points"), "{text}");
    }

    #[test]
    fn figures_of_an_earlier_run_are_found() {
        let file = json!({ "traces": [results(vec![plain(400), overrun(900, 450)]).json()] });
        let found = memcached_outcomes(&file, "t", 100 << 20).expect("nothing is missing");
        assert_eq!(found, [(64, outcome(500, 65)), (2, outcome(500, 33))]);
        assert_eq!(memcached_outcomes(&file, "t", 100), Ok(vec![]), "another trace of that name");
        assert_eq!(memcached_outcomes(&file, "u", 100 << 20), Ok(vec![]));
        assert_eq!(memcached_outcomes(&json!({}), "t", 1), Ok(vec![]));
        let broken = json!({ "traces": [{ "trace": "t", "footprint_bytes": 1, "points": [{}] }] });
        assert!(memcached_outcomes(&broken, "t", 1).is_err());
    }

    #[test]
    fn reports_that_lack_something_are_refused() {
        let check = |report: serde_json::Value, expected: &str| {
            let error = Outcome::parse(&report).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        check(json!({}), "`items_before`");
        check(json!({ "items_before": 3 }), "not empty");
        check(json!({ "items_before": 0, "gets": 1, "misses": -1 }), "no count `misses`");
    }

    #[test]
    fn medians_are_in_the_middle() {
        let check = |values: &[f64], expected: f64| {
            assert!((median(values.to_vec()) - expected).abs() < 1e-9, "{values:?}");
        };
        check(&[3.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 3.0], 2.5);
        check(&[], 0.0);
    }
}
