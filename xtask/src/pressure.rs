//! `cargo xtask bench store WHAT`: the item store under memory pressure, measured by `larder-pressure`.

use std::process::Command;

use crate::process;
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};

/// Whether these words after `bench` are for this module; `bench store` alone is the criterion bench of that layer.
pub(crate) fn is_meant(words: &[String]) -> bool {
    let wants_help = |word: &String| word == "-h" || word == "--help";
    words.first().is_some_and(|word| word == "store")
        && words.get(1).is_some_and(|word| !word.starts_with('-') || wants_help(word))
}

/// Runs one measurement, or all, with the words after `bench store`.
///
/// # Errors
/// A sentence: there is no such measurement, or the tree cannot be read.
pub(crate) fn run(words: &[String]) -> Result<Tally, String> {
    let (words, dir) = without_dir(words)?;
    let (chosen, flags) = match &words[..] {
        [word, flags @ ..] if word == "all" => (&MEASUREMENTS[..], flags),
        [word, flags @ ..] => {
            let at = MEASUREMENTS.iter().position(|name| name == word).ok_or_else(|| {
                format!("there is no measurement `{word}`: {} are", MEASUREMENTS.join(", "))
            })?;
            (&MEASUREMENTS[at..=at], flags)
        }
        [] => return Err(format!("one of {} is wanted", MEASUREMENTS.join(", "))),
    };
    let workspace = Workspace::load()?;
    let mut tally = Tally::default();
    for name in chosen {
        let clock = Stopwatch::start();
        let outputs = dir.as_deref().map_or_else(Vec::new, |dir| outputs(dir, name));
        let result = measure(&workspace, name, &[flags, &outputs].concat());
        tally.check(name, result.map(|()| String::new()), clock);
    }
    Ok(tally)
}

/// Takes `--into DIR` out.
fn without_dir(words: &[String]) -> Result<(Vec<String>, Option<String>), String> {
    let mut words = words.to_vec();
    let Some(at) = words.iter().position(|word| word == "--into") else { return Ok((words, None)) };
    if at + 1 == words.len() {
        return Err("`--into` needs a directory".to_owned());
    }
    let dir = words.drain(at..at + 2).next_back();
    Ok((words, dir))
}

/// The flags that write a report into this directory.
fn outputs(dir: &str, name: &str) -> Vec<String> {
    let forms: &[&str] = if name == DRAWING { &["md", "json", "svg"] } else { &["md", "json"] };
    let flag = |form: &&str| ["--output".to_owned(), format!("{dir}/{name}.{form}")];
    forms.iter().flat_map(flag).collect()
}

fn measure(workspace: &Workspace, name: &str, flags: &[String]) -> Result<(), String> {
    build(workspace, &["-p", "larder"])?;
    // In a build of its own: cargo would give the feature to the server too.
    let feature: &[&str] = if name == RECORDING { &["--features", "hold-times"] } else { &[] };
    build(workspace, &[&["-p", "larder-pressure"], feature].concat())?;
    let mut command = Command::new(workspace.target.join("release/larder-pressure"));
    // Files that are named lie below the top, where cargo runs this.
    process::run(command.current_dir(&workspace.root).arg(name).args(flags))
}

fn build(workspace: &Workspace, what: &[&str]) -> Result<(), String> {
    let mut command = cargo();
    process::run(command.current_dir(&workspace.root).args(["build", "--release"]).args(what))
}

/// In the order in which they tell most soonest.
const MEASUREMENTS: [&str; 7] = ["bytes", "rss", "time", "holds", "expiry", "mix", "limits"];
/// The one that reads what the store records for it.
const RECORDING: &str = "holds";
/// The one that has a picture.
const DRAWING: &str = "mix";

pub(crate) const HELP: &str = "\
Puts larder's item store under memory pressure, memcached's beside it, and fails when a goal is missed.

Usage: cargo xtask bench store WHAT [--quick] [--alone] [--output FILE]...
       cargo xtask bench store                                              the criterion bench of the store

  WHAT             one of
    bytes          items until the first eviction, and memory of the process, for five laws of value lengths
    rss            memory of the process at every moment, while values change their sizes
    time           a batch of lookups against single ones, a set that evicts against a get, the worst set of a filling
    holds          how long locks are held, by place, as a histogram
    expiry         expired items nobody reads: when their memory is free, what the sweeper costs
    mix            hit ratio while sizes change with time, as a table and a curve
    limits         values up to 64 MB, -m 2, cache_memlimit under load, -M, flush_all of a full store
    all            all of them, about half an hour
  --quick          small limits and short runs
  --alone          without memcached
  --output FILE    write the report here too, as JSON if the name ends in .json, else as Markdown
  --into DIR       write all that there is of each report here: WHAT.md, WHAT.json, and WHAT.svg of mix

`larder-pressure WHAT --help` knows the other options of each.
";

#[cfg(test)]
mod tests {
    use super::{HELP, MEASUREMENTS, is_meant, outputs, run, without_dir};

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_criterion_bench_keeps_its_name() {
        for (line, expected) in [
            ("store", false),
            ("store --quick", false),
            ("parser", false),
            ("", false),
            ("store bytes", true),
            ("store all --quick", true),
            ("store --help", true),
        ] {
            assert_eq!(is_meant(&words(line)), expected, "{line}");
        }
    }

    #[test]
    fn a_directory_gets_every_form() {
        let given = words("all --into here --quick");
        assert_eq!(without_dir(&given), Ok((words("all --quick"), Some("here".to_owned()))));
        assert_eq!(outputs("here", "rss"), words("--output here/rss.md --output here/rss.json"));
        assert_eq!(outputs("here", "mix").len(), 6);
        assert!(without_dir(&words("all --into")).is_err_and(|error| error.contains("directory")));
    }

    #[test]
    fn what_is_not_there_is_refused_with_a_sentence() {
        let error = run(&words("speed")).expect_err("no such measurement");
        assert!(error.contains("no measurement `speed`: bytes, rss"), "{error}");
        for name in MEASUREMENTS {
            assert!(HELP.contains(&format!("\n    {name} ")), "{name}");
        }
    }
}
