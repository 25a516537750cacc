//! The project's own tasks: `cargo xtask tidy | test | bench | fuzz | ci`.
//!
//! Each ends with a line `N passed, M failed` and with zero exactly if something ran and nothing failed.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to a terminal")]

mod arguments;
mod bench;
mod ci;
mod fuzz;
mod load;
mod pressure;
mod process;
mod replay;
mod served;
mod simulate;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use arguments::{Arguments, Known};
use tally::Tally;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&given) {
        Ok(code) => code,
        Err(sentence) => {
            eprintln!("xtask: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task that was named.
///
/// # Errors
/// A sentence about arguments that are wrong.
fn dispatch(given: &[String]) -> Result<ExitCode, String> {
    let Some((task, rest)) = given.split_first() else {
        eprint!("{HELP}");
        return Ok(ExitCode::FAILURE);
    };
    let help = match task.as_str() {
        "-h" | "--help" | "help" => HELP,
        "bench" => bench::HELP,
        "ci" => ci::HELP,
        "fuzz" => fuzz::HELP,
        "test" => test::HELP,
        "tidy" => TIDY_HELP,
        _ => return Err(format!("there is no task `{task}`: tidy, test, bench, fuzz and ci are")),
    };
    // The load bench has options of its own, and its own help.
    let is_load = task == "bench" && rest.first().is_some_and(|word| word == "load");
    if is_load {
        return Ok(load::run(&rest[1..]));
    }
    let is_pressure = task == "bench" && pressure::is_meant(rest);
    let is_replay = task == "bench" && rest.first().is_some_and(|word| word == "replay");
    let is_simulate = task == "bench" && rest.first().is_some_and(|word| word == "simulate");
    let help = match (is_pressure, is_replay, is_simulate) {
        (true, _, _) => pressure::HELP,
        (_, true, _) => replay::HELP,
        (_, _, true) => simulate::HELP,
        _ => help,
    };
    if help == HELP || rest.iter().any(|word| word == "-h" || word == "--help") {
        print!("{help}");
        return Ok(ExitCode::SUCCESS);
    }
    if is_pressure {
        return Ok(pressure::run(&rest[1..])?.finish());
    }
    if is_replay {
        return Ok(replay::run(&rest[1..])?.finish());
    }
    if is_simulate {
        return Ok(simulate::run(&rest[1..])?.finish());
    }
    Ok(run(task, rest)?.finish())
}

fn run(task: &str, rest: &[String]) -> Result<Tally, String> {
    match task {
        "bench" => {
            let arguments = Arguments::parse(rest, &[Known::Switch("--quick")], 1)?;
            bench::bench(arguments.words.first().map(String::as_str), arguments.has("--quick"))
        }
        "ci" => {
            Arguments::parse(rest, &[], 0)?;
            Ok(ci::ci())
        }
        "fuzz" => {
            let arguments =
                Arguments::parse(rest, &[Known::Value("--seconds"), Known::Switch("--seeds")], 1)?;
            if arguments.has("--seeds") {
                return fuzz::seeds();
            }
            let seconds = arguments.value("--seconds").unwrap_or("60");
            let seconds = seconds
                .parse()
                .ok()
                .filter(|&seconds| seconds > 0)
                .ok_or_else(|| format!("`--seconds {seconds}` is no number of seconds"))?;
            fuzz::fuzz(arguments.words.first().map(String::as_str), seconds)
        }
        "test" => {
            let known = ["--against", "--commands", "--seed"].map(Known::Value);
            let arguments = Arguments::parse(rest, &known, 1)?;
            let conversations = test::Conversations::parse(&arguments)?;
            let step = arguments.words.first().map(String::as_str);
            test::test(step, arguments.value("--against"), &conversations)
        }
        _ => {
            Arguments::parse(rest, &[], 0)?;
            Ok(tidy::tidy())
        }
    }
}

const HELP: &str = "\
The project's own tasks.

Usage: cargo xtask TASK

  tidy                            rules of the source tree, format, lints, documentation
  test [STEP] [OPTIONS]           every test; installs what the client suites need
  bench [LAYER] [--quick]         criterion benches
  bench load [OPTIONS]            the server under load, beside memcached
  bench replay [OPTIONS]          traces against the server and memcached: who misses how much
  bench simulate [OPTIONS]        traces against the item store without a server, beside reference policies
  bench store WHAT [OPTIONS]      the item store under memory pressure, beside memcached
  fuzz [TARGET] [--seconds N]     fuzz targets
  ci                              all of it, in the order of the continuous integration

`cargo xtask TASK --help` says more. A task ends with the line `N passed, M failed`.
";

const TIDY_HELP: &str = "\
Checks the rules of the source tree, then format, lints and documentation.

Usage: cargo xtask tidy

The limits and lists are in xtask/src/tidy/; exceptions, each with its reason, in xtask/src/tidy/exceptions.txt.
";

#[cfg(test)]
mod tests {
    use super::dispatch;

    #[test]
    fn bad_arguments_end_with_a_sentence() {
        let check = |line: &str, expected: &str| {
            let given: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let error = dispatch(&given).expect_err(line);
            assert!(error.contains(expected), "{error}");
        };
        check("tidyy", "no task `tidyy`");
        check("tidy now", "one word too many");
        check("fuzz parser --seconds soon", "no number of seconds");
        check("fuzz --seconds 0", "no number of seconds");
        check("fuzz no-such-target", "no fuzz target `no-such-target`");
        check("bench --slow", "no option `--slow`");
        check("bench no-such-layer", "no bench `no-such-layer`");
        check("test --against redis", "`redis`");
        check("test everything", "no step `everything`");
        check("test differential --commands many", "`--commands many` is no number");
        check("ci quickly", "one word too many");
    }
}
