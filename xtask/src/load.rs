//! `cargo xtask bench load`: server processes under load, one beside the other.
//!
//! Times drift on every machine, so servers take turns round by round on the same core, and only ratios within a
//! round are compared. What a request costs the server is the figure that drifts least.

mod figures;
mod shape;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::arguments::{Arguments, Known};
use crate::process::{self, output_of};
use crate::served::{Bench, Contender, Served, flags, load_average, machine};
use crate::workspace::{Workspace, cargo};
use figures::{Results, Sample};
use shape::{SHAPES, Shape};

/// Runs the load bench with the words after `bench load`.
pub(crate) fn run(args: &[String]) -> ExitCode {
    if args.iter().any(|word| word == "-h" || word == "--help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Plan::parse(args).and_then(|plan| plan.run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// What is measured.
#[derive(Debug, PartialEq)]
struct Plan {
    contenders: Vec<Contender>,
    shapes: Vec<&'static Shape>,
    rounds: usize,
    /// Of each measurement.
    seconds: f64,
    output: Option<PathBuf>,
}

impl Plan {
    /// # Errors
    /// A sentence that names the option which is wrong.
    fn parse(args: &[String]) -> Result<Self, String> {
        let arguments = Arguments::parse(args, &KNOWN, 0)?;
        let contenders = match (arguments.value("--only"), arguments.value("--against")) {
            (Some(_), Some(_)) => return Err("--only and --against exclude each other".to_owned()),
            (Some(name), None) => vec![Contender::named(name)?],
            (None, Some("memcached")) => vec![Contender::Larder, Contender::Memcached],
            (None, Some(name)) => {
                return Err(format!(
                    "`--against {name}`: memcached is what there is to compare with"
                ));
            }
            (None, None) => vec![Contender::Larder],
        };
        let shapes = match arguments.value("--shape") {
            Some(names) => names.split(',').map(Shape::named).collect::<Result<_, _>>()?,
            None => SHAPES.iter().collect(),
        };
        let (rounds, seconds) = if arguments.has("--quick") { QUICK } else { THOROUGH };
        let rounds = match arguments.value("--rounds") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|rounds| (1..=ROUNDS_MAX).contains(rounds))
                .ok_or_else(|| format!("`--rounds {text}` is not between 1 and {ROUNDS_MAX}"))?,
            None => rounds,
        };
        let seconds = match arguments.value("--seconds") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (0.05..=SECONDS_MAX).contains(seconds))
                .ok_or_else(|| {
                    format!("`--seconds {text}` is not between 0.05 and {SECONDS_MAX}")
                })?,
            None => seconds,
        };
        let output = arguments.value("--output").map(PathBuf::from);
        Ok(Self { contenders, shapes, rounds, seconds, output })
    }

    /// # Errors
    /// A sentence: something does not build, start, or answer as it must.
    fn run(&self, args: &[String]) -> Result<(), String> {
        let workspace = Workspace::load()?;
        let mut build = cargo();
        build.current_dir(&workspace.root).args(["build", "--release", "-p", "larder-load"]);
        if self.contenders.contains(&Contender::Larder) {
            build.args(["-p", "larder"]);
        }
        process::run(&mut build)?;

        let bench = Bench::new(workspace.target.join("release"));
        let head = self.head(&bench, args);
        println!("\n{}\n", head.join("\n"));
        let servers = self
            .contenders
            .iter()
            .map(|contender| Served::start(&bench, *contender, MEMORY_MIB))
            .collect::<Result<Vec<_>, _>>()?;
        let mut all = Vec::new();
        for shape in &self.shapes {
            let results = self.measure(&bench, &servers, shape)?;
            println!("{results}");
            all.push(results);
        }
        drop(servers);
        self.write(&head, &all)
    }

    /// Fills every server, then lets them take turns; each second round goes in the other direction.
    fn measure(
        &self,
        bench: &Bench,
        servers: &[Served],
        shape: &'static Shape,
    ) -> Result<Results, String> {
        for served in servers {
            generate(bench, served, &shape.fill_flags())?;
        }
        let mut flags = shape.flags();
        let warm_up = (self.seconds / 10.0).to_string();
        flags.extend(["--warm-up", &warm_up, "--duration"].map(str::to_owned));
        flags.push(self.seconds.to_string());
        let names = servers.iter().map(|served| (served.contender.name(), Vec::new()));
        let mut results = Results { shape: shape.name, goal: shape.goal, servers: names.collect() };
        for round in 0..self.rounds {
            let mut turns: Vec<_> = servers.iter().zip(&mut results.servers).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for (served, (_, samples)) in turns {
                samples.push(Sample::parse(&generate(bench, served, &flags)?)?);
            }
        }
        Ok(results)
    }

    /// Machine, servers and command: without them figures mean nothing.
    fn head(&self, bench: &Bench, args: &[String]) -> Vec<String> {
        let mut lines = vec![
            format!("command: cargo xtask bench load {}", args.join(" ")).trim_end().to_owned(),
            format!("machine: {}", machine()),
        ];
        lines.extend(self.contenders.iter().map(|contender| {
            let (name, version) = (contender.name(), bench.version(*contender));
            format!("server: {name} ({version}) {}", flags(MEMORY_MIB))
        }));
        lines.push(match &bench.cores {
            Some((server, generator)) => format!("cores: server {server}, generator {generator}"),
            None => "cores: server and generator share them".to_owned(),
        });
        // Other work on the machine blurs everything but ratios; the reader shall see that there was some.
        lines.push(format!("load average before the run: {}", load_average()));
        let (rounds, seconds) = (self.rounds, self.seconds);
        lines.push(format!("rounds: {rounds} of {seconds} s each; median (lowest..highest)"));
        lines
    }

    fn write(&self, head: &[String], all: &[Results]) -> Result<(), String> {
        let Some(path) = &self.output else { return Ok(()) };
        let text = if path.extension().is_some_and(|extension| extension == "json") {
            let shapes: Vec<_> = all.iter().map(Results::json).collect();
            format!("{:#}\n", json!({ "run": head, "shapes": shapes }))
        } else {
            let head: Vec<_> = head.iter().map(|line| format!("- {line}\n")).collect();
            let tables: Vec<_> = all.iter().map(Results::markdown).collect();
            format!("{}\n{}", head.concat(), tables.join("\n"))
        };
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }
}

/// Runs `larder-load` and returns what it wrote.
///
/// # Errors
/// A sentence with what it wrote to its standard error.
fn generate(bench: &Bench, served: &Served, flags: &[String]) -> Result<String, String> {
    let mut command = bench.client("larder-load");
    command.args(["--json", "--server", &served.address(), "--pid", &served.pid()]);
    output_of(command.args(flags))
}

const KNOWN: [Known; 7] = [
    Known::Value("--against"),
    Known::Value("--only"),
    Known::Value("--output"),
    Known::Switch("--quick"),
    Known::Value("--rounds"),
    Known::Value("--seconds"),
    Known::Value("--shape"),
];

/// For the items of all shapes.
const MEMORY_MIB: u64 = 1024;
/// Rounds, and seconds of each measurement.
const THOROUGH: (usize, f64) = (5, 2.0);
/// Enough to see that it works, not to see how fast.
const QUICK: (usize, f64) = (1, 0.3);
const ROUNDS_MAX: usize = 1000;
const SECONDS_MAX: f64 = 3600.0;

const HELP: &str = "\
Puts larder under load, alone or beside memcached, and prints throughput, latency and CPU time a request.

Usage: cargo xtask bench load [OPTIONS]

  --against memcached   measure both in turns and print ratios; Debian's package memcached must be installed
  --only SERVER         measure only larder (the default) or only memcached
  --rounds N            measurements of each server for each shape [5]
  --seconds S           length of a measurement [2]
  --shape NAME,NAME     some shapes only: get-1x1 get-50x1 get-500x1 get-50x16 get-10x64 set-50x1 set-50x16
                        mix-1000x1 large-20x1 (connections x pipeline)
  --quick               one round of 0.3 s
  --output FILE         write the tables too: as JSON if the name ends in .json, else as Markdown

Servers run with one worker on the first core, the generator (larder-load) on the others; both are built for release.
Only the loopback is used. See bins/larder-load/README.md for what the figures mean.
";

#[cfg(test)]
mod tests {
    use super::shape::SHAPES;
    use super::{HELP, Plan};
    use crate::served::Contender;

    fn parse(line: &str) -> Result<Plan, String> {
        Plan::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_make_a_plan() {
        let plan = parse("").expect("defaults");
        assert_eq!(plan.contenders, [Contender::Larder]);
        assert_eq!((plan.rounds, plan.seconds.to_string()), (5, "2".to_owned()));
        assert_eq!(plan.shapes.len(), SHAPES.len());
        let plan = parse("--against memcached --quick --rounds 3 --shape get-50x16,set-50x1");
        let plan = plan.expect("all known");
        assert_eq!(plan.contenders, [Contender::Larder, Contender::Memcached]);
        assert_eq!((plan.rounds, plan.seconds.to_string()), (3, "0.3".to_owned()));
        let names: Vec<_> = plan.shapes.iter().map(|shape| shape.name).collect();
        assert_eq!(names, ["get-50x16", "set-50x1"]);
    }

    #[test]
    fn bad_options_are_refused_with_a_sentence() {
        let check = |line: &str, expected: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        check("--against redis", "memcached is what there is");
        check("--only redis", "`redis` is no server");
        check("--only larder --against memcached", "exclude each other");
        check("--rounds 0", "between 1 and");
        check("--rounds many", "between 1 and");
        check("--seconds -1", "between 0.05 and");
        check("--seconds NaN", "between 0.05 and");
        check("--shape get-1x1,get-2x2", "no shape `get-2x2`");
        check("get-1x1", "one word too many");
    }

    #[test]
    fn the_help_names_every_shape() {
        for shape in SHAPES {
            assert!(HELP.contains(shape.name), "{}", shape.name);
        }
    }
}
