//! The client suites: programs of others against a server of ours.
//!
//! `xtask/clients/suites.txt` has a line for each, `name | command | Debian packages`; empty lines and those
//! that begin with `#` say nothing. The command is a shell's, in which `{host}`, `{port}`, `{venv}`, `{sdists}` and
//! `{node_modules}` are replaced, and `{server}` by the program of the server, for suites that start more of them.
//! It prints `NAME: N passed, M failed` at its end.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::install::Installation;
use super::server::{Program, Server};
use crate::process::{Stream, run_watched};
use crate::tally::{Row, Stopwatch, Tally, parse_counts};
use crate::workspace::Workspace;

/// One line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suite {
    pub(super) name: String,
    command: String,
    /// Debian packages that it needs.
    pub(super) packages: Vec<String>,
}

/// Reads the list of suites.
///
/// # Errors
/// A sentence: the file is not there, or a line is not understood.
pub(super) fn read(workspace: &Workspace) -> Result<Vec<Suite>, String> {
    let path = workspace.root.join("xtask/clients/suites.txt");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs every suite, each against a server of its own.
pub(super) fn run(
    suites: &[Suite],
    program: &Program,
    tools: &Installation,
    workspace: &Workspace,
    tally: &mut Tally,
) {
    for suite in suites {
        let clock = Stopwatch::start();
        let (passed, failed, note) = match run_one(suite, program, tools, workspace) {
            Ok((passed, failed, result)) => (passed, failed, result.err().unwrap_or_default()),
            Err(error) => (0, 1, error),
        };
        let name = format!("{} on {}", suite.name, program.name);
        tally.push(Row { name, passed, failed, note, elapsed: clock.elapsed() });
    }
}

type Counts = (u64, u64, Result<(), String>);

fn run_one(
    suite: &Suite,
    program: &Program,
    tools: &Installation,
    workspace: &Workspace,
) -> Result<Counts, String> {
    let mut server = Server::start(program.command(THREADS)?)?;
    let line = suite
        .command
        .replace("{host}", "127.0.0.1")
        .replace("{port}", &server.port.to_string())
        .replace("{server}", &program.path.to_string_lossy())
        .replace("{venv}", &tools.venv.to_string_lossy())
        .replace("{sdists}", &tools.sdists.to_string_lossy())
        .replace("{node_modules}", &tools.node_modules.to_string_lossy());
    let mut command = Command::new("sh");
    command.current_dir(&workspace.root).args(["-c", &line]);
    let mut last = None;
    let result = run_watched(&mut command, Stream::Stdout, TIME_MAX, |line| {
        println!("{line}");
        last = parse_counts(line).or(last);
    });
    let result = match result {
        _ if !server.is_running() => Err(format!("{} ended during the suite", program.name)),
        other => other,
    };
    Ok(verdict(last, result))
}

/// What a suite's last line and its end come to: it must have counted, and agree with its exit code.
fn verdict(counts: Option<(u64, u64)>, result: Result<(), String>) -> Counts {
    let (passed, failed) = counts.unwrap_or((0, 0));
    let result = match result {
        Ok(()) if counts.is_none() => Err("it printed no `N passed, M failed`".to_owned()),
        Ok(()) if passed == 0 => Err("it checked nothing".to_owned()),
        other => other,
    };
    (passed, if result.is_err() { failed.max(1) } else { failed }, result)
}

fn parse(text: &str) -> Result<Vec<Suite>, String> {
    let mut suites = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let (name, command, packages) = match fields[..] {
            [name, command] => (name, command.trim_end_matches('|').trim_end(), ""),
            [name, command, packages] => (name, command, packages),
            _ => return Err(format!("line {}: not `name | command | packages`", index + 1)),
        };
        // A server of its own or one that it starts itself: else nothing of ours is tested.
        let is_about_us = ["{port}", "{server}"].iter().any(|&place| command.contains(place));
        if name.is_empty() || !is_about_us {
            return Err(format!(
                "line {}: a suite has a name, and a {{port}} or the {{server}}",
                index + 1
            ));
        }
        suites.push(Suite {
            name: name.to_owned(),
            command: command.to_owned(),
            packages: packages.split_whitespace().map(str::to_owned).collect(),
        });
    }
    if suites.is_empty() { Err("names no suite".to_owned()) } else { Ok(suites) }
}

const THREADS: usize = 4;
const TIME_MAX: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::{parse, verdict};

    #[test]
    fn suites_are_read() {
        let text = "# who | how | what\n\nphp | php a.php {host} {port} | php8.2-cli php8.2-memcached\n\
                    py | {venv}/bin/python a.py {port} |\nnode | node a.js {port}\n\
                    udp | sh a.sh {server}\n";
        let suites = parse(text).expect("well formed");
        let [php, py, node, _udp] = &suites[..] else { panic!("four suites: {suites:?}") };
        assert_eq!(php.packages, ["php8.2-cli", "php8.2-memcached"]);
        assert_eq!(py.command, "{venv}/bin/python a.py {port}");
        assert_eq!((py.packages.len(), node.packages.len()), (0, 0));
    }

    #[test]
    fn the_list_can_be_read() {
        assert!(parse(include_str!("../../clients/suites.txt")).is_ok());
    }

    #[test]
    fn lines_that_run_nothing_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        };
        check("# nothing\n", "names no suite");
        check("php\n", "line 1: not");
        check("a | b {port} | c | d\n", "line 1: not");
        check("php | php a.php\n", "line 1: a suite has");
    }

    #[test]
    fn a_suite_must_count_and_agree_with_its_exit_code() {
        let check = |counts, result: Result<(), &str>, expected: (u64, u64)| {
            let (passed, failed, _) = verdict(counts, result.map_err(str::to_owned));
            assert_eq!((passed, failed), expected, "{counts:?} {result:?}");
        };
        check(Some((5, 0)), Ok(()), (5, 0));
        check(Some((5, 2)), Err("status 1"), (5, 2));
        check(Some((5, 0)), Err("status 1"), (5, 1));
        check(Some((0, 0)), Ok(()), (0, 1));
        check(None, Ok(()), (0, 1));
    }
}
