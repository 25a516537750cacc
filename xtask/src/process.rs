//! Commands: started visibly, counted, bounded in time, and ended by their id.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::tally::Stopwatch;

/// Runs a command with its output going to the terminal.
///
/// # Errors
/// A sentence that names the command: it could not be started, or it did not end with zero.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = Shown::of(command);
    println!("+ {shown}");
    let status =
        command.status().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

/// Runs a command quietly and returns what it wrote to its standard output.
///
/// # Errors
/// As [`run`], with what the command wrote to its standard error.
pub(crate) fn output_of(command: &mut Command) -> Result<String, String> {
    let shown = Shown::of(command);
    let output =
        command.output().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{shown}` ended with {}: {}", output.status, reason.trim()))
}

/// Which of a command's streams is read line by line; the other one goes to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stderr,
    Stdout,
}

/// Runs a command in a process group of its own, passes on every line of `stream` (printing is the
/// caller's), and ends the whole group when `limit` has passed.
///
/// # Errors
/// As [`run`]; or that the time was up.
pub(crate) fn run_watched(
    command: &mut Command,
    stream: Stream,
    limit: Duration,
    mut on_line: impl FnMut(&str),
) -> Result<(), String> {
    let shown = Shown::of(command);
    println!("+ {shown}");
    let clock = Stopwatch::start();
    command.stdin(Stdio::null()).process_group(0);
    match stream {
        Stream::Stdout => command.stdout(Stdio::piped()),
        Stream::Stderr => command.stderr(Stdio::piped()),
    };
    let mut child =
        command.spawn().map_err(|error| format!("`{shown}` could not be started: {error}"))?;
    let pipe: Option<Box<dyn Read + Send>> = match stream {
        Stream::Stdout => child.stdout.take().map(|pipe| Box::new(pipe) as _),
        Stream::Stderr => child.stderr.take().map(|pipe| Box::new(pipe) as _),
    };
    let Some(pipe) = pipe else { return Err(format!("`{shown}` has no pipe")) };

    let (sender, lines) = mpsc::channel();
    let in_time = std::thread::scope(|scope| {
        scope.spawn(move || read_lines(pipe, &sender));
        let in_time = pass_on(&lines, clock, limit, &mut on_line);
        if !in_time {
            end_group(&mut child);
        }
        in_time
    });
    let status = child.wait().map_err(|error| format!("`{shown}` was lost: {error}"))?;
    if !in_time {
        return Err(format!("`{shown}` was ended after {} s", limit.as_secs()));
    }
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

/// Passes lines on until the pipe closes (true) or the time is up (false).
fn pass_on(
    lines: &mpsc::Receiver<String>,
    clock: Stopwatch,
    limit: Duration,
    on_line: &mut impl FnMut(&str),
) -> bool {
    loop {
        match lines.recv_timeout(limit.saturating_sub(clock.elapsed())) {
            Ok(line) => on_line(&line),
            Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
        }
    }
}

fn read_lines(pipe: impl Read, sender: &mpsc::Sender<String>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        // A tool may print bytes that are no text (a fuzz input, a key); the line still counts.
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if sender.send(text).is_err() {
            return;
        }
        line.clear();
    }
}

/// Ends a process group that [`run_watched`] started, by its id.
fn end_group(child: &mut Child) {
    // std ends single processes only, and a suite starts tools of its own: `kill` with the negative id.
    if signal("KILL", &format!("-{}", child.id())).is_err() {
        let _ = child.kill();
    }
}

/// Sends a signal to one process, or to a group when the id is negative.
///
/// # Errors
/// As [`output_of`].
pub(crate) fn signal(name: &str, id: &str) -> Result<(), String> {
    // The shell's own: a small machine has no program of that name.
    let script = r#"kill -s "$0" -- "$1""#;
    output_of(Command::new("sh").args(["-c", script, name, id])).map(drop)
}

/// A command as somebody would type it, the directory of its program left out.
struct Shown(String);

impl Shown {
    fn of(command: &Command) -> Self {
        let mut words: Vec<String> = command
            .get_envs()
            .filter_map(|(name, value)| Some(format!("{}={:?}", name.to_str()?, value?)))
            .collect();
        let program = Path::new(command.get_program());
        words.push(program.file_name().unwrap_or_default().to_string_lossy().into_owned());
        words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
        Self(words.join(" "))
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Stream, output_of, run_watched};
    use crate::tally::Stopwatch;
    use std::process::Command;
    use std::time::Duration;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn lines_of_the_chosen_stream_are_passed_on() {
        for (stream, script) in
            [(Stream::Stdout, "echo a; echo b"), (Stream::Stderr, "echo a >&2; echo b >&2")]
        {
            let mut seen = Vec::new();
            let limit = Duration::from_secs(20);
            let result =
                run_watched(&mut shell(script), stream, limit, |line| seen.push(line.to_owned()));
            assert_eq!(result, Ok(()));
            assert_eq!(seen, ["a", "b"], "{stream:?}");
        }
    }

    #[test]
    fn failures_are_sentences_that_name_the_command() {
        let limit = Duration::from_secs(20);
        let result = run_watched(&mut shell("exit 3"), Stream::Stdout, limit, |_| {});
        assert!(result.is_err_and(|text| text.contains("exit 3") && text.contains("status: 3")));
        let result = output_of(&mut Command::new("no-such-program-here"));
        assert!(result.is_err_and(|text| text.contains("no-such-program-here")));
        let result = output_of(&mut shell("echo why >&2; false"));
        assert!(result.is_err_and(|text| text.ends_with("why")));
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_children() {
        // The grandchild holds the pipe open: were only the child ended, this would wait for a minute.
        let clock = Stopwatch::start();
        let limit = Duration::from_millis(300);
        let result = run_watched(&mut shell("sleep 60 & wait"), Stream::Stdout, limit, |_| {});
        assert!(result.is_err_and(|text| text.contains("was ended after")));
        assert!(clock.elapsed() < Duration::from_secs(50), "{:?}", clock.elapsed());
    }
}
