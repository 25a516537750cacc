//! The program: flags into what is asked for, reports to standard output, an exit code.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's report and its complaint"
)]

mod options;
mod progress;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};

use clap::Parser;
use larder_replay::{Curve, Facts, Plan, Report, Trace, replay, write};
use options::{ExpireArgs, Options, ServerArgs, SimulateArgs, Task, TraceArgs, catalogue};
use progress::Line;
use serde_json::Value;

fn main() -> ExitCode {
    match run(Options::parse().task) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("larder-replay: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode, String> {
    match task {
        Task::List => println!("{}", catalogue()),
        Task::Show { trace, json } => show(&trace, json)?,
        Task::Curve { points, title, output } => draw(&points, &title, output.as_deref())?,
        Task::Run { trace, servers, json } => play(&trace.load()?, &servers, json)?,
        Task::Make { trace, output } => {
            let trace = trace.load()?;
            save(output.as_deref(), |mut out| write(&trace, &mut out))?;
        }
        Task::Simulate(args) => return simulate(&args),
        Task::Expire(args) => return expire(&args),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(trace: &TraceArgs, json: bool) -> Result<(), String> {
    let trace = trace.load()?;
    let facts = Facts::of(&trace);
    if json {
        let mut json = facts.json();
        json["trace"] = trace.name.into();
        println!("{json:#}");
    } else {
        println!("{}\n{facts}", trace.name);
    }
    Ok(())
}

fn play(trace: &Trace, servers: &ServerArgs, json: bool) -> Result<(), String> {
    let plans = servers.plans()?;
    let play = |plan: &Plan, progress: &Line| {
        let report = replay(trace, plan, |now| progress.show(plan.server, now));
        report.map_err(|error| format!("{}: {error}", plan.server))
    };
    let results: Vec<_> = if servers.at_once {
        // One line cannot show several servers: each keeps to itself.
        let quiet = Line::quiet();
        thread::scope(|scope| {
            let players = plans.iter().map(|plan| scope.spawn(|| play(plan, &quiet)));
            let players: Vec<_> = players.collect();
            players.into_iter().map(joined).collect()
        })
    } else {
        let line = Line::new();
        plans.iter().map(|plan| play(plan, &line)).collect()
    };
    let reports = results.into_iter().collect::<Result<Vec<Report>, String>>()?;
    if json {
        let reports: Vec<_> = reports.iter().map(Report::json).collect();
        println!("{:#}", Value::from(reports));
    } else {
        let reports: Vec<_> = reports.iter().map(Report::to_string).collect();
        println!("{}", reports.join("\n\n"));
    }
    Ok(())
}

fn joined<T>(player: ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    player.join().unwrap_or_else(|_| Err("a replay ended in a panic".to_owned()))
}

fn draw(points: &Path, title: &str, output: Option<&Path>) -> Result<(), String> {
    let wrong = |error: String| format!("{}: {error}", points.display());
    let json = fs::read_to_string(points).map_err(|error| wrong(error.to_string()))?;
    let svg = Curve::parse(title, &json).map_err(wrong)?.svg();
    save(output, |out| out.write_all(svg.as_bytes()))
}

/// Writes to a file, or to standard output.
fn save(
    output: Option<&Path>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), String> {
    let result = match output {
        None => write(&mut BufWriter::new(io::stdout().lock())),
        Some(path) => File::create(path).and_then(|file| write(&mut BufWriter::new(file))),
    };
    let place = output.map_or_else(|| "standard output".into(), Path::to_string_lossy);
    result.map_err(|error| format!("{place} cannot be written: {error}"))
}

/// Fails if a bound of the check is not kept.
fn simulate(args: &SimulateArgs) -> Result<ExitCode, String> {
    let line = Line::new();
    let seen = |done, of| line.show_points(done, of);
    let report = args.simulation().run(args.traces(), |number| args.load(number), seen)?;
    if args.json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    if args.check && !report.is_decisive() {
        return Err("there is no point at which larder and s3fifo both played".to_owned());
    }
    let is_kept = !args.check || report.verdict().is_empty();
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fails if a bound of the check is not kept.
fn expire(args: &ExpireArgs) -> Result<ExitCode, String> {
    let report = args.trial().run()?;
    if args.json {
        println!("{:#}", report.json());
    } else {
        print!("{report}");
    }
    let is_kept = !args.check || report.verdict().is_empty();
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
