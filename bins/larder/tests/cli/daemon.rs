//! `-d`: what the command that was typed says, and what it leaves running.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::program::{LARDER, Place, ask, proc, run, run_in, user, wait_until};

/// A server in the background, found by its pid file; killed with the value.
struct Background {
    place: Place,
    pid: Pid,
}

impl Background {
    fn start(args: &[&str]) -> Self {
        let place = Place::new();
        let all = [user(), &["-d", "-P", "x.pid"], args].concat();
        let ended = run_in(&place, LARDER, &all);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.is_empty(), "{ended:?}");
        // No waiting: it listens and its files are there when the command has ended.
        let pid = place.read("x.pid").trim().parse().unwrap();
        Self { place, pid: Pid::from_raw(pid) }
    }

    fn link(&self, name: &str) -> PathBuf {
        fs::read_link(format!("/proc/{}/{name}", self.pid)).unwrap()
    }

    /// Whether it has ended; nobody may be there to collect an orphan.
    fn is_gone(&self) -> bool {
        signal::kill(self.pid, None).is_err() || proc(self.pid, "status", "State:").starts_with('Z')
    }

    fn stop(&self) {
        signal::kill(self.pid, Signal::SIGTERM).unwrap();
        wait_until("the server ends", || self.is_gone());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !self.is_gone() {
            let _ = signal::kill(self.pid, Signal::SIGKILL);
        }
    }
}

#[test]
fn the_command_ends_when_the_server_listens() {
    let server = Background::start(&["-l", "127.0.0.1", "-p", "-1"]);
    let (_, port) = server.place.ports().remove(0);
    assert_eq!(ask("127.0.0.1", port, "version"), "VERSION 1.6.45\r\n");
    assert!(!server.place.join("x.pid.tmp").exists());
    server.stop();
    assert!(!server.place.join("x.pid").exists(), "the pid file stays behind");
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_lets_go_of_the_terminal() {
    let quiet = Background::start(&["-l", "127.0.0.1", "-p", "-1"]);
    let null = PathBuf::from("/dev/null");
    wait_until("its streams are closed", || quiet.link("fd/2") == null);
    assert_eq!(quiet.link("cwd"), PathBuf::from("/"));
    assert_eq!((quiet.link("fd/0"), quiet.link("fd/1")), (null.clone(), null.clone()));
    let stat = fs::read_to_string(format!("/proc/{}/stat", quiet.pid)).unwrap();
    let (_, after_name) = stat.rsplit_once(") ").unwrap();
    let session = after_name.split(' ').nth(3).unwrap();
    assert_eq!(session, quiet.pid.to_string(), "a session of its own");

    let loud = Background::start(&["-l", "127.0.0.1", "-p", "-1", "-v", "-r"]);
    wait_until("its output is closed", || loud.link("fd/1") == null);
    assert_eq!(loud.link("fd/2"), loud.place.join("stderr"));
    assert_eq!(loud.link("cwd"), loud.place.join(""));
}

#[test]
fn debians_options_work() {
    let mut args = vec!["-m", "64", "-p", "-1", "-l", "127.0.0.1"];
    if UdpSocket::bind("[::1]:0").is_ok() {
        args.extend(["-l", "::1"]);
    }
    let server = Background::start(&args);
    assert_eq!(server.place.read("stderr"), "");
    for (family, port) in server.place.ports() {
        let host = if family == "TCP INET6" { "::1" } else { "127.0.0.1" };
        assert_eq!(ask(host, port, "version"), "VERSION 1.6.45\r\n", "{family}");
    }
    server.stop();
}

#[test]
fn a_port_that_is_taken_is_an_error_of_the_command() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(LARDER, &[user(), &["-d", "-l", "127.0.0.1", "-p", &port]].concat());
    assert_eq!(ended.code, Some(71), "{ended:?}");
    assert!(ended.stderr.contains(&format!("127.0.0.1:{port}")), "{ended:?}");
}

#[test]
fn a_bad_option_is_an_error_of_the_command() {
    let ended = run(LARDER, &[user(), &["-d", "-t", "0"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn an_older_pid_file_that_names_a_living_process_is_warned_about() {
    let place = Place::new();
    let own = std::process::id();
    fs::write(place.join("x.pid"), format!("{own}\n")).unwrap();
    let args = [user(), &["-d", "-P", "x.pid", "-l", "127.0.0.1", "-p", "-1"]].concat();
    let ended = run_in(&place, LARDER, &args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let pid = Pid::from_raw(place.read("x.pid").trim().parse().unwrap());
    assert_ne!(pid, Pid::this(), "the pid file is the old one");
    let server = Background { place, pid };
    assert!(ended.stderr.contains(&format!("the running process {own}")), "{ended:?}");
    server.stop();
}
