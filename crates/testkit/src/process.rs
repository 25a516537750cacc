//! A server process for the length of a test: larder or a real memcached.
//!
//! [`Process`] starts it on a free loopback port (or a Unix socket), waits until it serves, and kills it by its id when
//! dropped. Both servers say where they listen in the file that `MEMCACHED_PORT_FILENAME` names, so no port is fixed
//! and none is guessed.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// A running server, killed and forgotten with its files when this is dropped.
///
/// ```no_run
/// use larder_testkit::process::Process;
///
/// let server = Process::memcached(&["-m", "64"])?;
/// let stream = std::net::TcpStream::connect(server.address())?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Process {
    child: Child,
    port: u16,
    /// What the process wrote, its port file, and whatever else belongs to this run.
    directory: PathBuf,
}

impl Process {
    /// Starts the larder binary at `binary`: in a test of its package, `env!("CARGO_BIN_EXE_larder")`.
    ///
    /// `args` come after `-p -1 -l 127.0.0.1` and, for root, `-u nobody`; a `-s PATH` among them takes the place of
    /// the address.
    ///
    /// # Errors
    ///
    /// The program cannot be started, ends at once, or does not listen within 10 seconds; the message quotes what it
    /// wrote to its standard error.
    pub fn larder(binary: impl AsRef<Path>, args: &[&str]) -> io::Result<Self> {
        Self::with_environment(binary.as_ref(), args, &[])
    }

    /// Starts the memcached that is installed, with the same conditions as [`Process::larder`].
    ///
    /// # Errors
    ///
    /// As for [`Process::larder`].
    pub fn memcached(args: &[&str]) -> io::Result<Self> {
        Self::with_environment("memcached", args, &[])
    }

    /// Starts either with more in its environment than this process has, such as a library to load first.
    ///
    /// # Errors
    ///
    /// As for [`Process::larder`].
    pub fn with_environment(
        program: impl AsRef<OsStr>,
        args: &[&str],
        environment: &[(&str, &OsStr)],
    ) -> io::Result<Self> {
        Self::start(program.as_ref(), args, environment)
    }

    /// The TCP port it listens on; 0 when it listens on a Unix socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where to connect: 127.0.0.1 and its port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to its standard error and output so far.
    ///
    /// # Errors
    ///
    /// The file that holds it cannot be read.
    pub fn log(&self) -> io::Result<String> {
        read_log(&self.directory)
    }

    /// The status it ended with, waited for at most 10 seconds; `None` if it still runs then.
    ///
    /// # Errors
    ///
    /// The system cannot tell.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        until(|| self.child.try_wait())
    }

    fn start(program: &OsStr, args: &[&str], environment: &[(&str, &OsStr)]) -> io::Result<Self> {
        let directory = directory()?;
        let port_file = directory.join("ports");
        let socket =
            args.windows(2).find(|pair| pair[0] == "-s").map(|pair| PathBuf::from(pair[1]));
        let log = File::create(directory.join("log"))?;
        let mut command = Command::new(program);
        command.env("MEMCACHED_PORT_FILENAME", &port_file).envs(environment.iter().copied());
        if socket.is_none() {
            command.args(["-p", "-1", "-l", "127.0.0.1"]);
        }
        if is_root()? && !args.contains(&"-u") {
            command.args(["-u", "nobody"]);
        }
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", program.display()))
        })?;
        // From here on a failure drops the process, and with it the child.
        let mut process = Self { child, port: 0, directory };
        let ready = until(|| process.listening(socket.as_deref(), &port_file))?;
        let Some(port) = ready else {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{} does not listen: {}", program.display(), process.log()?),
            ));
        };
        process.port = port;
        Ok(process)
    }

    /// The port once it listens, an error once it ended.
    fn listening(&mut self, socket: Option<&Path>, port_file: &Path) -> io::Result<Option<u16>> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("ended with {status}: {}", self.log()?)));
        }
        if let Some(path) = socket {
            return Ok(is_listening(path)?.then_some(0));
        }
        // The file is renamed into place when it is whole.
        Ok(fs::read_to_string(port_file).ok().as_deref().and_then(tcp_port))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it ended already, or that its files are gone: what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Whether somebody listens on the Unix socket at `path`. It is not tried out: a connection would be counted, and its
/// end may come after the next.
fn is_listening(path: &Path) -> io::Result<bool> {
    let sockets = fs::read_to_string("/proc/net/unix")?;
    let path = path.to_string_lossy();
    // Num, RefCount, Protocol, Flags (SO_ACCEPTCON is 0x10000), Type, St, Inode, Path.
    Ok(sockets.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(3) == Some("00010000") && words.nth(3) == Some(&*path)
    }))
}

/// Whether this process runs as root, which both servers refuse to do without `-u`.
///
/// # Errors
///
/// `/proc` cannot be read.
pub fn is_root() -> io::Result<bool> {
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// Asks `condition` until it has an answer, for at most 10 seconds; `None` when it had none by then.
///
/// # Errors
///
/// The first error of `condition`.
pub fn until<T>(mut condition: impl FnMut() -> io::Result<Option<T>>) -> io::Result<Option<T>> {
    for _ in 0..DEADLINE.as_millis() / PAUSE.as_millis() {
        if let Some(answer) = condition()? {
            return Ok(Some(answer));
        }
        thread::sleep(PAUSE);
    }
    condition()
}

/// A new directory that the user a server changes to may write into.
fn directory() -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("larder-test-{}-{count}", std::process::id()));
    fs::create_dir(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o777))?;
    Ok(path)
}

fn read_log(directory: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(directory.join("log"))?).into_owned())
}

/// The first TCP port of a port file.
fn tcp_port(text: &str) -> Option<u16> {
    text.lines().find_map(|line| line.strip_prefix("TCP INET: ")?.trim().parse().ok())
}

/// How long a condition may take to come true on a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);
