//! The program: flags into what is asked for, reports to standard output, an exit code.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's report and its complaint"
)]

mod options;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use larder_replay::{Facts, Trace, write};
use options::{Options, Task, TraceArgs, catalogue};

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
        Task::Make { trace, output } => save(&trace.load()?, output.as_deref())?,
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

fn save(trace: &Trace, output: Option<&Path>) -> Result<(), String> {
    let result = match output {
        None => write(trace, &mut BufWriter::new(io::stdout().lock())),
        Some(path) => File::create(path).and_then(|file| write(trace, &mut BufWriter::new(file))),
    };
    let place = output.map_or_else(|| "standard output".into(), Path::to_string_lossy);
    result.map_err(|error| format!("{place} cannot be written: {error}"))
}
