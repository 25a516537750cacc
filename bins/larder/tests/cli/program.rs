//! Runs the program, and knows what it did.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, geteuid};

pub(crate) const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// What must be given so that root may start a server; nothing for others.
pub(crate) fn user() -> &'static [&'static str] {
    if geteuid().is_root() { &["-u", "nobody"] } else { &[] }
}

/// A directory that whoever the server becomes may write to; gone with the value.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("larder-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).unwrap_or_default()
    }

    /// The ports that the server here has written down, by family, in order.
    pub(crate) fn ports(&self) -> Vec<(String, u16)> {
        let ports = self.read("ports");
        let lines = ports.lines().map(|line| line.rsplit_once(": ").unwrap());
        lines.map(|(family, port)| (family.to_owned(), port.parse().unwrap())).collect()
    }

    fn command(&self, program: &str, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&self.0)
            .env("MEMCACHED_PORT_FILENAME", self.join("ports"))
            .stdin(Stdio::null())
            .stdout(File::create(self.join("stdout")).unwrap())
            .stderr(File::create(self.join("stderr")).unwrap());
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that has ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// Runs a program that is expected to end.
pub(crate) fn run(program: &str, args: &[impl AsRef<OsStr>]) -> Ended {
    run_in(&Place::new(), program, args)
}

#[expect(clippy::disallowed_methods, reason = "how long a start takes is part of the promise")]
pub(crate) fn run_in(place: &Place, program: &str, args: &[impl AsRef<OsStr>]) -> Ended {
    let start = Instant::now();
    let mut child = Process(place.command(program, args).spawn().unwrap());
    let code = child.wait();
    let took = start.elapsed();
    Ended { code, stdout: place.read("stdout"), stderr: place.read("stderr"), took }
}

/// A server that listens; killed with the value.
pub(crate) struct Server {
    // Ends before its directory goes.
    process: Process,
    pub(crate) place: Place,
}

impl Server {
    /// Starts one on any free port of this machine.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_exactly(&[user(), &["-l", "127.0.0.1", "-p", "-1"], args].concat())
    }

    pub(crate) fn start_exactly(args: &[&str]) -> Self {
        let place = Place::new();
        let mut process = Process(place.command(LARDER, args).spawn().unwrap());
        wait_until("the server listens", || {
            let ended = process.0.try_wait().unwrap();
            assert!(ended.is_none(), "{args:?}: {}", place.read("stderr"));
            place.join("ports").exists()
        });
        Self { process, place }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    pub(crate) fn stderr(&self) -> String {
        self.place.read("stderr")
    }

    /// Sends one line and returns one line.
    pub(crate) fn ask(&self, line: &str) -> String {
        converse(self.connect(), line)
    }

    /// The values that a `stats` command returns for these names.
    pub(crate) fn stats(&self, command: &str, names: &[&str]) -> Vec<String> {
        let mut stream = self.connect();
        stream.write_all(format!("{command}\r\nquit\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let value = |name: &&str| {
            let lines =
                reply.lines().filter_map(|line| line.strip_prefix("STAT ")?.split_once(' '));
            let mut values = lines.filter(|(found, _)| found == name).map(|(_, value)| value);
            values.next().unwrap_or_else(|| panic!("{command}: no {name}: {reply}")).to_owned()
        };
        names.iter().map(value).collect()
    }

    /// A connection to the first address that it listens on.
    pub(crate) fn connect(&self) -> TcpStream {
        let (family, port) = self.place.ports().remove(0);
        connect(if family == "TCP INET6" { "::1" } else { "127.0.0.1" }, port)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended; its exit code, or `None` if a signal killed it.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait()
    }

    /// A line of `/proc/PID/NAME`, its first word and what follows.
    pub(crate) fn proc(&self, name: &str, key: &str) -> String {
        proc(self.pid(), name, key)
    }
}

pub(crate) fn ask(host: &str, port: u16, line: &str) -> String {
    converse(connect(host, port), line)
}

fn connect(host: &str, port: u16) -> TcpStream {
    let stream = TcpStream::connect((host, port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Sends a line and returns a line, from anything that can be read and written.
pub(crate) fn converse(mut stream: impl Read + Write, line: &str) -> String {
    stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(b"\n") && stream.read(&mut byte).unwrap() > 0 {
        reply.push(byte[0]);
    }
    String::from_utf8(reply).unwrap()
}

/// What follows `key` in a file about a process, blanks made single.
pub(crate) fn proc(pid: Pid, name: &str, key: &str) -> String {
    let text = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(name)).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Polls a condition, and gives up at the deadline.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..DEADLINE.as_millis() / PAUSE.as_millis() {
        if is_so() {
            return;
        }
        thread::park_timeout(PAUSE);
    }
    panic!("not in time: {what}");
}

/// A child that does not outlive the value.
struct Process(Child);

impl Process {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().try_into().unwrap())
    }

    fn wait(&mut self) -> Option<i32> {
        let mut ended = None;
        wait_until("the process ends", || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        });
        ended.and_then(|status| status.code())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);
