//! `cargo xtask bench`: the criterion benches of package `larder-benches`.

use std::time::Duration;

use crate::process::{Stream, run_watched};
use crate::tally::{Row, Stopwatch, Tally};
use crate::workspace::{Workspace, cargo, source_root};

/// Runs one layer's benches, or all; `is_quick` measures just enough to see that they work.
///
/// # Errors
/// A sentence: there is no such bench, or the tree cannot be read.
pub(crate) fn bench(layer: Option<&str>, is_quick: bool) -> Result<Tally, String> {
    let workspace = Workspace::load()?;
    let layers: Vec<String> = workspace
        .members()
        .filter(|member| member.name == PACKAGE)
        .flat_map(|member| member.targets.clone())
        .filter(|(_, kind)| kind == "bench")
        .map(|(name, _)| name)
        .collect();
    let chosen: Vec<&String> = match layer {
        None => layers.iter().collect(),
        Some(name) => layers.iter().filter(|layer| *layer == name).collect(),
    };
    if let (Some(name), []) = (layer, &chosen[..]) {
        let known = layers.join(", ");
        return Err(format!("there is no bench `{name}`: {known} and load are"));
    }
    let mut tally = Tally::default();
    for layer in chosen {
        tally.push(run(layer, is_quick));
    }
    Ok(tally)
}

fn run(layer: &str, is_quick: bool) -> Row {
    let clock = Stopwatch::start();
    let mut command = cargo();
    command.current_dir(source_root()).args(["bench", "-p", PACKAGE, "--bench", layer]);
    if is_quick {
        command.args(["--", "--quick"]);
    }
    let mut measured = 0;
    let result = run_watched(&mut command, Stream::Stdout, TIME_MAX, |line| {
        println!("{line}");
        measured += u64::from(is_measurement(line));
    });
    let result = match result {
        Ok(()) if measured == 0 => Err("nothing was measured".to_owned()),
        other => other,
    };
    let failed = u64::from(result.is_err());
    let note = result.err().unwrap_or_default();
    Row { name: layer.to_owned(), passed: measured, failed, note, elapsed: clock.elapsed() }
}

/// Whether a line of criterion's report gives the time of a benchmark.
fn is_measurement(line: &str) -> bool {
    line.contains("time:   [") && line.trim_end().ends_with(']')
}

const PACKAGE: &str = "larder-benches";
const TIME_MAX: Duration = Duration::from_secs(3600);

pub(crate) const HELP: &str = "\
Runs the criterion benches.

Usage: cargo xtask bench [LAYER] [--quick]
       cargo xtask bench load [OPTIONS]
       cargo xtask bench replay [OPTIONS]
       cargo xtask bench simulate [OPTIONS]
       cargo xtask bench store WHAT [OPTIONS]

  LAYER      one file of benches/: parser, connection, store; all of them when none is named
  --quick    measure just enough to see that the benches work
  load       the server under load, beside memcached: `cargo xtask bench load --help`
  replay     traces against the server and memcached: `cargo xtask bench replay --help`
  simulate   traces against the store without a server: `cargo xtask bench simulate --help`
  store WHAT the store under memory pressure: `cargo xtask bench store --help`
";

#[cfg(test)]
mod tests {
    use super::is_measurement;

    #[test]
    fn measurements_are_told_from_the_rest_of_the_report() {
        assert!(is_measurement("parser/get_one_key      time:   [31.2 ns 31.4 ns 31.6 ns]"));
        assert!(is_measurement("                        time:   [31.2 ns 31.4 ns 31.6 ns]"));
        assert!(!is_measurement("                 change: [-1.2% +0.1% +1.3%] (p = 0.8 > 0.05)"));
        assert!(!is_measurement("Benchmarking parser/get_one_key"));
    }
}
