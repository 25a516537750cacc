//! How it ends under load, and what it says of clients that end badly.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::{Client, start, until};

#[test]
fn a_signal_under_load_ends_well() {
    for signal in [Signal::SIGTERM, Signal::SIGUSR1] {
        let mut server = start(&["-t", "4"]);
        let address = server.address();
        let mut observer = Client::connect(&server);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || hammer(TcpStream::connect(address).unwrap()));
            }
            until("they are at it", || observer.stat("stats", "cmd_get") > 1000);
            signal::kill(Pid::from_raw(server.pid().try_into().unwrap()), signal).unwrap();
            let ended = server.ended().unwrap().expect("it ends");
            assert_eq!(ended.code(), Some(0), "{signal}: {}", server.log().unwrap());
        });
        assert_eq!(server.log().unwrap(), "", "{signal}");
    }
}

#[test]
fn clients_that_end_badly_are_no_news() {
    let server = start(&[]);
    let mut observer = Client::connect(&server);
    for _ in 0..20 {
        drop(Client::connect(&server));
        let half = Client::connect(&server);
        half.send("set key 0 0 100\r\nhalf");
        half.stream().shutdown(Shutdown::Write).unwrap();
        // Replies that arrived and were not read: the system resets the connection.
        let reset = Client::connect(&server);
        reset.send("version\r\nget");
        let mut byte = [0];
        assert_eq!(reset.stream().peek(&mut byte).unwrap(), 1);
    }
    until("all are gone", || observer.stat("stats", "curr_connections") == 1);
    assert_eq!(observer.stat("stats", "total_connections"), 1 + 3 * 20);
    assert_eq!(server.log().unwrap(), "");
}

/// Sets and gets in pipelines until the server is gone.
fn hammer(mut stream: TcpStream) {
    let commands = "set key 0 0 5\r\nvalue\r\nget key\r\n".repeat(50);
    let replies = "STORED\r\nVALUE key 0 5\r\nvalue\r\nEND\r\n".repeat(50);
    let mut received = vec![0; replies.len()];
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while stream.write_all(commands.as_bytes()).is_ok() {
        if stream.read_exact(&mut received).is_err() {
            break;
        }
        assert_eq!(received, replies.as_bytes());
    }
}
