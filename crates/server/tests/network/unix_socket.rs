//! Listening on a Unix socket.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_server::{Config, Error, Server, UnixSocket};

use crate::kit::{Client, Running, config};

#[test]
fn it_has_the_permissions_asked_for_and_is_named() {
    for mode in [0o700, 0o660, 0o777] {
        let place = Place::new();
        let server = Running::start(place.config(mode));
        let found = fs::metadata(place.socket()).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, mode);
        assert!(server.addrs.is_empty());

        let mut client = place.connect();
        assert_eq!(client.set("key", b"value"), "STORED\r\n");
        assert_eq!(client.get("key").unwrap(), b"value");
        let name = format!("unix:{}", place.socket().display());
        let page = client.stats("stats conns");
        for part in [":addr", ":listen_addr"] {
            let values = page.iter().filter(|(key, _)| key.ends_with(part)).map(|(_, value)| value);
            let values: Vec<_> = values.collect();
            assert!(!values.is_empty() && values.iter().all(|&value| *value == name), "{page:?}");
        }
    }
}

#[test]
fn a_stale_socket_is_replaced() {
    let place = Place::new();
    // Nobody listens any more, and the file is still there.
    drop(UnixListener::bind(place.socket()).unwrap());
    assert!(place.socket().exists());
    let _server = Running::start(place.config(0o700));
    assert_eq!(place.connect().ask("version"), "VERSION 1.6.45\r\n");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let place = Place::new();
    fs::write(place.socket(), "precious").unwrap();
    let refusal = Server::bind(place.config(0o700)).unwrap_err();
    assert!(matches!(&refusal, Error::ListenUnix { path, .. } if *path == place.socket()));
    let text = refusal.to_string();
    assert!(text.contains(&*place.socket().to_string_lossy()), "{text}");
    assert_eq!(fs::read_to_string(place.socket()).unwrap(), "precious");
}

#[test]
fn it_is_served_beside_tcp() {
    let place = Place::new();
    let config = Config { listen: config().listen, ..place.config(0o700) };
    let server = Running::start(config);
    assert_eq!(server.connect().set("key", b"by tcp"), "STORED\r\n");
    assert_eq!(place.connect().get("key").unwrap(), b"by tcp");
}

/// A directory, gone with the value.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("larder-unix-{}-{count}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }

    pub(crate) fn config(&self, mode: u32) -> Config {
        let unix = Some(UnixSocket { path: self.socket(), mode });
        Config { listen: Vec::new(), unix, ..config() }
    }

    pub(crate) fn connect(&self) -> Client<UnixStream> {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        Client::over(stream)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
