//! A server process on a free port, ended by its id.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use crate::process::output_of;
use crate::tally::Stopwatch;

/// A server that can be started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
}

impl Program {
    pub(super) fn larder(path: &Path) -> Self {
        Self { name: "larder", path: path.to_owned() }
    }

    pub(super) fn memcached() -> Self {
        Self { name: "memcached", path: "memcached".into() }
    }

    /// The command that starts it: on a free port of the loopback, without root's rights.
    pub(super) fn command(&self, threads: usize) -> Result<Command, String> {
        let mut command = Command::new(&self.path);
        command.args(self.arguments(threads)?);
        Ok(command)
    }

    /// The same under another program, such as strace.
    pub(super) fn command_under(
        &self,
        mut outer: Command,
        threads: usize,
    ) -> Result<Command, String> {
        outer.arg(&self.path).args(self.arguments(threads)?);
        Ok(outer)
    }

    fn arguments(&self, threads: usize) -> Result<Vec<String>, String> {
        let threads = threads.to_string();
        let mut arguments: Vec<String> =
            ["-p", "-1", "-U", "0", "-l", "127.0.0.1", "-t", &threads].map(str::to_owned).into();
        if is_root()? {
            arguments.extend(["-u", "nobody"].map(str::to_owned));
        }
        Ok(arguments)
    }
}

/// A running server. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
    _dir: Directory,
}

impl Server {
    /// Starts a command made by a [`Program`] and waits until it listens.
    ///
    /// # Errors
    /// A sentence: it did not start, ended at once, or did not listen in time.
    pub(super) fn start(mut command: Command) -> Result<Self, String> {
        let dir = Directory::create()?;
        let port_file = dir.0.join("port");
        command.env("MEMCACHED_PORT_FILENAME", &port_file);
        let mut child =
            command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?;
        match wait_for_port(&mut child, &port_file) {
            Ok(port) => Ok(Self { child, port, _dir: dir }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }

    /// Whether it still runs: a suite after which it does not has failed, whatever the suite says.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Id of the process that was started.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, which somebody else brought about.
    ///
    /// # Errors
    /// A sentence when it has not ended within the usual time.
    pub(super) fn wait(&mut self) -> Result<(), String> {
        let clock = Stopwatch::start();
        while self.is_running() {
            if clock.elapsed() > TIME_MAX {
                return Err(format!("process {} does not end", self.id()));
            }
            sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn wait_for_port(child: &mut Child, port_file: &Path) -> Result<u16, String> {
    let clock = Stopwatch::start();
    loop {
        if let Some(port) = fs::read_to_string(port_file).ok().as_deref().and_then(tcp_port) {
            return Ok(port);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("the server ended at its start with {status}"));
        }
        if clock.elapsed() > TIME_MAX {
            return Err(format!("the server does not listen after {} s", TIME_MAX.as_secs()));
        }
        sleep(PAUSE);
    }
}

/// The port in a file of lines `TCP INET: 40123`.
fn tcp_port(text: &str) -> Option<u16> {
    text.lines().find_map(|line| line.strip_prefix("TCP INET: ")?.trim().parse().ok())
}

/// A directory of our own that the server may write to after it has dropped root's rights.
#[derive(Debug)]
pub(super) struct Directory(pub(super) PathBuf);

impl Directory {
    /// # Errors
    /// A sentence that names the directory.
    pub(super) fn create() -> Result<Self, String> {
        let base = std::env::temp_dir();
        let mut number = 0;
        loop {
            let path = base.join(format!("larder-xtask-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    let open = fs::Permissions::from_mode(0o777);
                    let result = fs::set_permissions(&path, open);
                    let dir = Self(path);
                    return match result {
                        Ok(()) => Ok(dir),
                        Err(error) => Err(format!("{}: {error}", dir.0.display())),
                    };
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether this runs as root.
///
/// # Errors
/// A sentence when the system cannot say.
pub(super) fn is_root() -> Result<bool, String> {
    Ok(output_of(Command::new("id").arg("-u"))?.trim() == "0")
}

const TIME_MAX: Duration = Duration::from_secs(20);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::{Directory, Server, tcp_port};
    use std::process::Command;

    #[test]
    fn the_port_is_read_from_the_file() {
        assert_eq!(tcp_port("TCP INET: 40123\nTCP INET6: 40124\n"), Some(40123));
        assert_eq!(tcp_port("TCP INET6: 40124\nTCP INET: 40123\n"), Some(40123));
        assert_eq!(tcp_port("TCP INET: "), None);
        assert_eq!(tcp_port(""), None);
    }

    #[test]
    fn a_server_that_ends_at_once_is_an_error() {
        let error = Server::start(Command::new("false")).expect_err("no server");
        assert!(error.contains("ended at its start"), "{error}");
    }

    #[test]
    fn a_server_ends_with_its_guard() {
        let mut command = Command::new("sh");
        let script = "echo 'TCP INET: 7' > $MEMCACHED_PORT_FILENAME; exec sleep 60";
        command.args(["-c", script]);
        let mut server = Server::start(command).expect("it says that it listens");
        assert_eq!(server.port, 7);
        assert!(server.is_running());
        let process = format!("/proc/{}", server.id());
        drop(server);
        assert!(!std::path::Path::new(&process).exists());
    }

    #[test]
    fn directories_are_distinct_and_go_with_their_guards() {
        let one = Directory::create().expect("the temporary directory is writable");
        let two = Directory::create().expect("the temporary directory is writable");
        assert_ne!(one.0, two.0);
        let path = one.0.clone();
        drop(one);
        assert!(!path.exists());
    }
}
