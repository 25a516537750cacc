//! `cargo xtask bench replay`: traces against memcached and Larder with the same memory, and who misses how much.
//!
//! memcached gives each of its size classes a page of 1 MiB, whatever `-m` says, so a small one holds far more than its
//! limit. Where it does, Larder is measured twice: with the same `-m`, and with as much memory as memcached took.

mod points;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::arguments::{Arguments, Known};
use crate::process::{self, output_of};
use crate::served::{Bench, Contender, Served, flags, load_average, machine};
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};
use points::{Outcome, Point, Results};

/// Runs the replay bench with the words after `bench replay`.
///
/// # Errors
/// A sentence: an option is wrong, or something does not build.
pub(crate) fn run(words: &[String]) -> Result<Tally, String> {
    let plan = Plan::parse(words)?;
    let workspace = Workspace::load()?;
    let mut build = cargo();
    build.current_dir(&workspace.root);
    build.args(["build", "--release", "-p", "larder", "-p", "larder-replay"]);
    process::run(&mut build)?;
    let bench = Bench::new(workspace.target.join("release"));
    let head = plan.head(&bench, words);
    println!("\n{}\n", head.join("\n"));

    let mut tally = Tally::default();
    let mut all: Vec<Results> = Vec::new();
    for trace in &plan.traces {
        let clock = Stopwatch::start();
        let measured = plan.measure(&bench, trace).and_then(|results| {
            println!("{}", results.markdown());
            if let Some(directory) = &plan.output {
                draw(&bench, &workspace.root.join(directory), &results)?;
            }
            let verdict = results.verdict(plan.is_check);
            all.push(results);
            verdict
        });
        tally.check(trace, measured, clock);
    }
    let clock = Stopwatch::start();
    println!("{}", points::summary(&all));
    tally.check("mean", points::mean_verdict(&all, plan.is_check), clock);
    if let Some(directory) = &plan.output {
        write(&workspace.root.join(directory), &head, &all)?;
    }
    Ok(tally)
}

/// What is measured.
#[derive(Debug, PartialEq)]
struct Plan {
    traces: Vec<String>,
    /// Memory in percent of a trace's footprint.
    percents: Vec<f64>,
    requests: Option<u64>,
    /// Whether a goal that is missed is a failure.
    is_check: bool,
    /// Where tables and pictures go, in the source tree.
    output: Option<PathBuf>,
    /// A `replay.json` with memcached's figures, which then is not measured again.
    known: Option<PathBuf>,
}

impl Plan {
    /// # Errors
    /// A sentence that names the option which is wrong.
    fn parse(words: &[String]) -> Result<Self, String> {
        let arguments = Arguments::parse(words, &KNOWN, 0)?;
        let is_quick = arguments.has("--quick");
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let traces = match arguments.value("--trace") {
            Some(names) => list(names),
            None if is_quick => vec![QUICK_TRACE.to_owned()],
            None => TRACES.map(str::to_owned).to_vec(),
        };
        let percents = match arguments.value("--percent") {
            Some(text) => list(text)
                .iter()
                .map(|percent| percent.parse().ok().filter(|p| (0.01..=200.0).contains(p)))
                .collect::<Option<_>>()
                .ok_or_else(|| format!("`--percent {text}` is no list of 0.01 to 200"))?,
            None if is_quick => vec![QUICK_PERCENT],
            None => PERCENTS.to_vec(),
        };
        let requests = match arguments.value("--requests") {
            Some(text) => {
                let requests = text.parse().ok().filter(|requests| *requests > 0);
                Some(requests.ok_or_else(|| format!("`--requests {text}` is no number"))?)
            }
            None => is_quick.then_some(QUICK_REQUESTS),
        };
        let path = |name: &str| arguments.value(name).map(PathBuf::from);
        let (output, known) = (path("--output"), path("--memcached"));
        Ok(Self { traces, percents, requests, is_check: arguments.has("--check"), output, known })
    }

    /// Plays one trace at all sizes.
    fn measure(&self, bench: &Bench, trace: &str) -> Result<Results, String> {
        let mut command = bench.client("larder-replay");
        command.args(["show", trace, "--json"]).args(self.requests_flags());
        let facts = parse(&output_of(&mut command)?)?;
        let fact = |name: &str| {
            facts.get(name).and_then(Value::as_u64).ok_or_else(|| format!("no fact `{name}`"))
        };
        let (footprint, keys) = (fact("footprint_bytes")?, fact("keys")?);
        let mut memories: Vec<u64> =
            self.percents.iter().map(|percent| memory_mib(footprint, *percent)).collect();
        memories.sort_unstable();
        memories.dedup();

        let known = self.known_outcomes(trace, footprint)?;
        let find = |memory: u64| known.iter().find(|(known, _)| *known == memory);
        let unknown = memories.iter().filter(|memory| find(**memory).is_none());
        let asked: Vec<(Contender, u64)> = unknown
            .map(|memory| (Contender::Memcached, *memory))
            .chain(memories.iter().map(|memory| (Contender::Larder, *memory)))
            .collect();
        let mut outcomes = self.play(bench, trace, &asked)?;
        let ours = outcomes.split_off(outcomes.len() - memories.len());
        let mut measured = outcomes.into_iter();
        let pair = |(memory, larder): (&u64, Outcome)| {
            let found = find(*memory).map(|(_, outcome)| outcome.clone());
            let memcached = found.or_else(|| measured.next());
            memcached.map(|memcached| (*memory, [memcached, larder]))
        };
        let pairs: Vec<(u64, [Outcome; 2])> = memories.iter().zip(ours).filter_map(pair).collect();

        let mut larger: Vec<u64> =
            pairs.iter().filter_map(|(memory, [theirs, _])| theirs.overrun_mib(*memory)).collect();
        larger.sort_unstable();
        larger.dedup();
        let asked: Vec<_> = larger.iter().map(|memory| (Contender::Larder, *memory)).collect();
        let again = if asked.is_empty() { vec![] } else { self.play(bench, trace, &asked)? };
        let again: Vec<(u64, Outcome)> = larger.into_iter().zip(again).collect();

        let point = |(memory_mib, [memcached, larder]): (u64, [Outcome; 2])| {
            let took = memcached.overrun_mib(memory_mib);
            let with_as_much =
                again.iter().find(|(memory, _)| Some(*memory) == took).map(|(_, o)| o.clone());
            Point { memory_mib, memcached, larder, with_as_much }
        };
        let points = pairs.into_iter().map(point).collect();
        Ok(Results { trace: trace.to_owned(), footprint, keys, points })
    }

    /// memcached's figures for this trace, by memory limit, as far as an earlier run has them.
    fn known_outcomes(&self, trace: &str, footprint: u64) -> Result<Vec<(u64, Outcome)>, String> {
        let Some(path) = &self.known else { return Ok(Vec::new()) };
        let text = fs::read_to_string(path);
        let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
        points::memcached_outcomes(&parse(&text)?, trace, footprint)
    }

    /// Plays a trace against servers with these limits, one after the other.
    fn play(
        &self,
        bench: &Bench,
        trace: &str,
        asked: &[(Contender, u64)],
    ) -> Result<Vec<Outcome>, String> {
        let servers: Vec<Served> = asked
            .iter()
            .map(|(contender, memory)| Served::start(bench, *contender, *memory))
            .collect::<Result<_, _>>()?;
        let mut command = bench.client("larder-replay");
        command.args(["run", trace, "--json"]).args(self.requests_flags());
        for (place, server) in servers.iter().enumerate() {
            let flag = if place == 0 { "--server" } else { "--also" };
            command.args([flag, &server.address(), "--pid", &server.pid()]);
        }
        // How far it is goes to the terminal.
        command.stderr(Stdio::inherit());
        let reports = parse(&output_of(&mut command)?)?;
        let reports = reports.as_array().ok_or("`larder-replay` wrote no array")?;
        reports.iter().map(Outcome::parse).collect()
    }

    fn requests_flags(&self) -> Vec<String> {
        let flags = |requests: u64| vec!["--requests".to_owned(), requests.to_string()];
        self.requests.map_or_else(Vec::new, flags)
    }

    /// Machine, servers and command: without them figures mean nothing.
    fn head(&self, bench: &Bench, words: &[String]) -> Vec<String> {
        let command = format!("command: cargo xtask bench replay {}", words.join(" "));
        let version = |contender: Contender| {
            format!("server: {} ({})", contender.name(), bench.version(contender))
        };
        vec![
            command.trim_end().to_owned(),
            format!("machine: {}", machine()),
            version(Contender::Memcached),
            version(Contender::Larder),
            format!("flags of both: {}", flags(0).replace("-m 0", "-m MiB")),
            format!("load average before the run: {}", load_average()),
        ]
    }
}

/// The percentage of a footprint in whole MiB, which is what `-m` takes.
fn memory_mib(footprint: u64, percent: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand MiB"
    )]
    let memory = (footprint as f64 * percent / 100.0 / f64::from(1 << 20)).round() as u64;
    memory.max(MEMORY_MIN_MIB)
}

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| format!("`larder-replay` wrote no JSON: {error}"))
}

/// Writes a trace's picture.
fn draw(bench: &Bench, directory: &Path, results: &Results) -> Result<(), String> {
    let name = &results.trace;
    let points = std::env::temp_dir().join(format!("larder-curve-{}.json", std::process::id()));
    let say = |error: std::io::Error| format!("the curve of {name} cannot be written: {error}");
    fs::create_dir_all(directory).map_err(say)?;
    fs::write(&points, results.curve().to_string()).map_err(say)?;
    let mut command = Command::new(bench.programs.join("larder-replay"));
    command.arg("curve").arg(&points).args(["--title", name]);
    let drawn = output_of(command.arg("--output").arg(directory.join(format!("{name}.svg"))));
    let _ = fs::remove_file(points);
    drawn.map(drop)
}

/// Writes the tables of all traces.
fn write(directory: &Path, head: &[String], all: &[Results]) -> Result<(), String> {
    let lines: Vec<String> = head.iter().map(|line| format!("- {line}\n")).collect();
    let tables: Vec<String> = all.iter().map(Results::markdown).collect();
    let markdown = format!("{}\n{}\n{}", lines.concat(), tables.join("\n"), points::summary(all));
    let traces: Vec<Value> = all.iter().map(Results::json).collect();
    let json = format!("{:#}\n", json!({ "run": head, "traces": traces }));
    for (name, text) in [("replay.md", markdown), ("replay.json", json)] {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("written to {}", path.display());
    }
    Ok(())
}

const KNOWN: [Known; 7] = [
    Known::Switch("--check"),
    Known::Value("--memcached"),
    Known::Value("--output"),
    Known::Value("--percent"),
    Known::Switch("--quick"),
    Known::Value("--requests"),
    Known::Value("--trace"),
];

const TRACES: [&str; 13] = [
    "orm-busy",
    "orm-night",
    "zipf0.9",
    "zipf1.0",
    "zipf1.1",
    "tw4",
    "tw19",
    "tw22",
    "tw29",
    "tw45",
    "tw52",
    "meta-fbobj",
    "meta-kvreg",
];
const PERCENTS: [f64; 4] = [1.0, 5.0, 10.0, 25.0];
/// Enough to see that it works.
const QUICK_TRACE: &str = "zipf1.0";
const QUICK_PERCENT: f64 = 25.0;
const QUICK_REQUESTS: u64 = 300_000;
/// The smallest `-m` that servers are started with: a hundredth of a small trace is less.
const MEMORY_MIN_MIB: u64 = 2;

pub(crate) const HELP: &str = "\
Plays traces against memcached and larder with the same -m, and prints who misses how much.

Usage: cargo xtask bench replay [OPTIONS]

  --trace NAME,NAME     some traces only: orm-busy orm-night zipf0.9 zipf1.0 zipf1.1 tw4 tw19 tw22 tw29 tw45 tw52
                        meta-fbobj meta-kvreg, or any other that `larder-replay list` tells of
  --percent N,N         memory in percent of a trace's footprint [1,5,10,25]
  --requests N          shorter traces
  --quick               one short trace at one size: shows that it works
  --check               a goal that is missed is a failure: 8 % fewer misses at each point, 18 % in the mean
  --memcached FILE      take memcached's figures from the replay.json of an earlier run, where it has them
  --output DIR          write replay.md, replay.json and a picture a trace; benches/replay is the place of published ones

Servers run one after the other with one worker on the first core, the replay (larder-replay) on the others. All of it
takes about an hour. Debian's package memcached must be installed; only the loopback is used. benches/replay/README.md
says how to read a table.
";

#[cfg(test)]
mod tests {
    use super::{HELP, Plan, TRACES, memory_mib};

    fn parse(line: &str) -> Result<Plan, String> {
        Plan::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_make_a_plan() {
        let plan = parse("").expect("defaults");
        assert_eq!((plan.traces.len(), plan.percents.len(), plan.requests), (13, 4, None));
        let plan = parse("--quick").expect("known");
        assert_eq!((plan.traces.len(), plan.percents.len()), (1, 1));
        assert!(plan.requests.is_some() && plan.output.is_none() && !plan.is_check);
        let plan = parse("--trace tw4,zipf0.7 --percent 0.5,50 --requests 10 --check");
        let plan = plan.expect("known");
        assert_eq!(plan.traces, ["tw4", "zipf0.7"]);
        assert_eq!((plan.percents, plan.requests), (vec![0.5, 50.0], Some(10)));
    }

    #[test]
    fn bad_options_are_refused_with_a_sentence() {
        let check = |line: &str, expected: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        check("--percent 0", "no list of 0.01 to 200");
        check("--percent 1,x", "no list of");
        check("--requests 0", "is no number");
        check("tw4", "one word too many");
    }

    #[test]
    fn memory_is_whole_mebibytes() {
        let check = |footprint, percent, expected| {
            assert_eq!(memory_mib(footprint, percent), expected, "{footprint}, {percent} %");
        };
        check(100 << 20, 5.0, 5);
        check(100 << 20, 5.4, 5);
        check(100 << 20, 1.0, 2);
        check(0, 25.0, 2);
    }

    #[test]
    fn the_help_names_every_trace() {
        for trace in TRACES {
            assert!(HELP.contains(trace), "{trace}");
        }
    }
}
