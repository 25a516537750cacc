//! The guard around a server process, shown with memcached.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use larder_testkit::process::Process;

/// The answer to `version` over any stream.
fn version(mut stream: impl Read + Write) -> String {
    stream.write_all(b"version\r\nquit\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn it_serves_until_it_is_dropped() {
    let server = Process::memcached(&["-m", "8"]).unwrap();
    let (address, pid) = (server.address(), server.pid());
    assert_eq!(address.port(), server.port());
    assert!(version(TcpStream::connect(address).unwrap()).starts_with("VERSION "));
    drop(server);
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
}

#[test]
fn it_serves_on_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("larder-test-{}.sock", std::process::id()));
    let server = Process::memcached(&["-s", path.to_str().unwrap()]).unwrap();
    assert_eq!(server.port(), 0);
    assert!(version(UnixStream::connect(&path).unwrap()).starts_with("VERSION "));
    drop(server);
    // memcached leaves its socket behind when it is killed.
    let _ = fs::remove_file(path);
}

#[test]
fn a_program_that_ends_or_is_missing_is_an_error_that_says_why() {
    let error = Process::memcached(&["--no-such-switch"]).unwrap_err().to_string();
    assert!(error.contains("no-such-switch"), "{error}");
    let error = Process::larder("/nonexistent/larder", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn a_shutdown_is_seen() {
    let mut server = Process::memcached(&["-A"]).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"shutdown\r\n").unwrap();
    assert!(server.ended().unwrap().unwrap().success());
}
