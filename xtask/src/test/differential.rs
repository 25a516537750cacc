//! The same conversations with larder and with memcached: a program of the workspace holds and compares them.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::process::{Stream, run_watched};
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};

/// How many conversations, and which ones.
#[derive(Debug)]
pub(crate) struct Conversations {
    commands: u64,
    /// `None` for new ones.
    seed: Option<u64>,
}

impl Conversations {
    /// Reads `--commands` and `--seed`.
    ///
    /// # Errors
    /// A sentence that names what is no number.
    pub(crate) fn parse(arguments: &Arguments) -> Result<Self, String> {
        let number = |name: &str| match arguments.value(name) {
            None => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| format!("`{name} {text}` is no number"))
            }
        };
        let commands = number("--commands")?.unwrap_or(COMMANDS);
        Ok(Self { commands, seed: number("--seed")? })
    }
}

impl Default for Conversations {
    fn default() -> Self {
        Self { commands: COMMANDS, seed: None }
    }
}

/// Runs the program against the release build, which is there.
pub(super) fn run(workspace: &Workspace, conversations: &Conversations, tally: &mut Tally) {
    let clock = Stopwatch::start();
    let mut command = cargo();
    command.current_dir(&workspace.root);
    command.args(["run", "--quiet", "--release", "-p", "larder-differential", "--", "--larder"]);
    command.arg(workspace.target.join("release/larder"));
    command.args(["--commands", &conversations.commands.to_string()]);
    if let Some(seed) = conversations.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    // A thousand commands a second are slow.
    let limit = BUILD_TIME_MAX + Duration::from_millis(conversations.commands);
    let mut last = String::new();
    let result = run_watched(&mut command, Stream::Stdout, limit, |line| {
        println!("{line}");
        line.clone_into(&mut last);
    });
    let is_report = last.contains("commands in ");
    let result = match result {
        Ok(()) if !is_report => Err("it did not say what it compared".to_owned()),
        Ok(()) => Ok(last),
        Err(error) if is_report => Err(format!("{last}; {error}")),
        Err(error) => Err(error),
    };
    tally.check("conversations with both servers", result, clock);
}

/// Commands of a run unless it says otherwise.
const COMMANDS: u64 = 100_000;

const BUILD_TIME_MAX: Duration = Duration::from_secs(600);
