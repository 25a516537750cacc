//! `-d`: the server in the background, and `-P`: a file with its process id.
//!
//! The program starts itself a second time and waits until the second one listens. A port that is taken is then an
//! error of the command that was typed, where memcached's parent has long ended well.
//!
//! ```text
//!   larder -d ──spawn──► larder -d          its parent's id in the environment: "you are the daemon"
//!   │ read from the pipe    setsid, limits, user, bind, pid file
//!   │ ◄──────────────────── one byte        streams to /dev/null, directory to /
//!   exit 0                  serve
//!   (or: end of the pipe ── its error, on the same terminal ──► exit with its code)
//! ```

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sys::signal;
use nix::unistd::{Pid, dup2_stderr, dup2_stdin, dup2_stdout, getppid, setsid};

use crate::options::Options;
use crate::refusal::{Exit, Refusal};

/// Which of the two processes this is.
#[derive(Debug)]
pub(crate) enum Side {
    /// The command that was typed; it ends with this code.
    Parent(ExitCode),
    /// The one that serves.
    Daemon(Daemon),
}

/// A daemon whose parent still waits to hear that it listens.
#[derive(Debug)]
#[must_use = "the parent waits for `ready`"]
pub(crate) struct Daemon(());

impl Daemon {
    /// Becomes a daemon: returns in both processes, one after the other.
    ///
    /// # Errors
    ///
    /// When the second process cannot be started, or cannot leave the session of the first.
    pub(crate) fn detach() -> Result<Side, Refusal> {
        let is_daemon = env::var(PARENT).is_ok_and(|id| id == getppid().to_string());
        if !is_daemon {
            return spawn_and_wait().map(Side::Parent);
        }
        setsid().map_err(|error| Refusal::system("-d: failed to leave the session", error))?;
        Ok(Side::Daemon(Self(())))
    }

    /// Tells the parent that all is well and lets go of the terminal: the directory unless there are core dumps to be
    /// written (`-r`), the streams unless there is something to log (`-v`).
    ///
    /// # Errors
    ///
    /// When the streams or the directory cannot be changed; the parent has not been told then.
    pub(crate) fn ready(self, options: &Options) -> Result<(), Refusal> {
        let refused =
            |error: io::Error| Refusal::system("-d: failed to let go of the terminal", error);
        if !options.core_dumps {
            env::set_current_dir("/").map_err(refused)?;
        }
        let null = OpenOptions::new().read(true).write(true).open("/dev/null").map_err(refused)?;
        let mut pipe = io::stdout().lock();
        // A parent that was killed while it waited cannot hear this, and need not.
        let _ = pipe.write_all(b"\n").and_then(|()| pipe.flush());
        dup2_stdin(&null).map_err(|error| refused(error.into()))?;
        dup2_stdout(&null).map_err(|error| refused(error.into()))?;
        if options.config.verbosity == 0 {
            dup2_stderr(&null).map_err(|error| refused(error.into()))?;
        }
        Ok(())
    }
}

fn spawn_and_wait() -> Result<ExitCode, Refusal> {
    let refused =
        |error: io::Error| Refusal::system("-d: failed to start in the background", error);
    let program = env::current_exe().map_err(refused)?;
    let mut args = env::args_os();
    let mut command = Command::new(&program);
    command.arg0(args.next().unwrap_or_else(|| program.clone().into_os_string()));
    command.args(args).env(PARENT, process::id().to_string());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(refused)?;
    let mut word = [0];
    let heard = match child.stdout.as_mut() {
        Some(pipe) => pipe.read(&mut word).map_err(refused)?,
        None => 0,
    };
    if heard > 0 {
        return Ok(ExitCode::SUCCESS);
    }
    // The child has closed the pipe without a word: it has said on the shared terminal what is wrong.
    match child.wait().map_err(refused)?.code().map(u8::try_from) {
        Some(Ok(code)) => Ok(ExitCode::from(code)),
        _ => Ok(ExitCode::from(Exit::System)),
    }
}

/// A file with the id of this process.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes the file under another name and renames it, so that nobody reads half a number. A file that cannot be
    /// written is a warning, as with memcached: the server works without.
    pub(crate) fn write(path: &Path) -> Option<Self> {
        if let Some(running) = running(path) {
            log::warn!("{}: named the running process {running} until now", path.display());
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let written = fs::write(&temporary, format!("{}\n", process::id()))
            .and_then(|()| fs::rename(&temporary, path));
        match written {
            Ok(()) => Some(Self(path.to_owned())),
            Err(error) => {
                log::warn!("could not write the pid file {}: {error}", path.display());
                None
            }
        }
    }

    pub(crate) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.0) {
            log::warn!("could not remove the pid file {}: {error}", self.0.display());
        }
    }
}

/// The process that an older pid file names, if it is still there.
fn running(path: &Path) -> Option<Pid> {
    let id = fs::read_to_string(path).ok()?.trim().parse::<i32>().ok().filter(|id| *id > 0)?;
    let pid = Pid::from_raw(id);
    match signal::kill(pid, None) {
        Ok(()) | Err(Errno::EPERM) => Some(pid),
        Err(_) => None,
    }
}

/// Names the process that waits. An older value that was inherited names somebody else.
const PARENT: &str = "LARDER_DAEMON_OF";
