//! A server in this process, clients for it, and conditions to wait for.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_server::{Config, Error, Server, StopHandle};
use larder_testkit::process;
use socket2::{Domain, Socket, Type};

#[path = "../../examples/small/config.rs"]
mod small;

/// The configuration of the example, to be changed: 127.0.0.1, any free port, 64 MiB, 2 threads.
pub(crate) fn config() -> Config {
    small::config()
}

/// A server that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) addrs: Vec<SocketAddr>,
    pub(crate) udp_addrs: Vec<SocketAddr>,
    pub(crate) stop: StopHandle,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let server = Server::bind(config).unwrap();
        let (addrs, stop) = (server.local_addrs().to_vec(), server.stop_handle());
        let udp_addrs = server.local_udp_addrs().to_vec();
        let thread = thread::Builder::new().spawn(move || server.run()).unwrap();
        Self { addrs, udp_addrs, stop, thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::new(TcpStream::connect_timeout(&self.addrs[0], PATIENCE).unwrap())
    }

    /// A client whose system keeps little for it, of what it does not read and of what the server does not.
    pub(crate) fn connect_narrow(&self) -> Client {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.set_send_buffer_size(16 << 10).unwrap();
        socket.connect(&self.addrs[0].into()).unwrap();
        Client::new(socket.into())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits until `run` has returned, and returns that.
    pub(crate) fn ended(&mut self) -> Result<(), Error> {
        until("the server ends", || !self.is_running());
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            // What went wrong has been printed, and a test fails for its own reasons.
            let _ = thread.join();
        }
    }
}

/// One end of a connection; whatever it waits for, it waits for a bounded time.
pub(crate) struct Client<S = TcpStream> {
    reader: BufReader<S>,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref()
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end(&self) {
        self.stream().shutdown(Shutdown::Write).unwrap();
    }

    /// Whether the server has closed this connection; bytes that arrived are not lost.
    pub(crate) fn is_closed(&self) -> bool {
        let stream = self.stream();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        match peeked {
            Ok(len) => len == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Sends until the server takes no more for a while, or all is sent; returns how many bytes it took.
    pub(crate) fn send_until_blocked(&self, bytes: &[u8]) -> usize {
        let mut stream = self.stream();
        stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match stream.write(&bytes[sent..]) {
                Ok(len) => sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        sent
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { reader: BufReader::with_capacity(1 << 16, stream) }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what the server may refuse to take.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    /// The next line, its end included; empty at the end of the connection.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).unwrap();
        String::from_utf8(line).unwrap()
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Sends a line and returns a line.
    pub(crate) fn ask(&mut self, line: impl AsRef<str>) -> String {
        self.send(format!("{}\r\n", line.as_ref()));
        self.line()
    }

    /// Everything until the connection ends.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        String::from_utf8(rest).unwrap()
    }

    /// Whether the connection ends here, in whatever way.
    pub(crate) fn ends(&mut self) -> bool {
        match self.reader.read(&mut [0]) {
            Ok(len) => len == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) -> String {
        let head = format!("set {key} 0 0 {}\r\n", value.len());
        self.send([head.as_bytes(), value, b"\r\n"].concat());
        self.line()
    }

    /// The value of a key, if it is kept.
    pub(crate) fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        self.send(format!("get {key}\r\n"));
        self.value(key)
    }

    /// Reads the reply to a `get` of one key.
    pub(crate) fn value(&mut self, key: &str) -> Option<Vec<u8>> {
        let head = self.line();
        if head == "END\r\n" {
            return None;
        }
        let len = head.strip_prefix(&format!("VALUE {key} 0 ")).unwrap_or_else(|| panic!("{head}"));
        let mut value = self.bytes(len.trim_end().parse::<usize>().unwrap() + 2);
        assert!(value.ends_with(b"\r\n"));
        value.truncate(value.len() - 2);
        assert_eq!(self.line(), "END\r\n");
        Some(value)
    }

    /// What a `stats` command answers, in its order, and how many bytes that took.
    pub(crate) fn stats_page(&mut self, command: &str) -> (Vec<(String, String)>, usize) {
        self.send(format!("{command}\r\n"));
        let (mut page, mut len) = (Vec::new(), 0);
        loop {
            let line = self.line();
            len += line.len();
            if line == "END\r\n" {
                return (page, len);
            }
            let stat = line.strip_prefix("STAT ").and_then(|stat| stat.trim_end().split_once(' '));
            let (name, value) = stat.unwrap_or_else(|| panic!("{command}: {line:?}"));
            page.push((name.to_owned(), value.to_owned()));
        }
    }

    pub(crate) fn stats(&mut self, command: &str) -> BTreeMap<String, String> {
        self.stats_page(command).0.into_iter().collect()
    }

    /// A number among the statistics.
    pub(crate) fn stat(&mut self, command: &str, name: &str) -> u64 {
        let page = self.stats(command);
        let value = page.get(name).unwrap_or_else(|| panic!("{command}: no {name}: {page:?}"));
        value.parse().unwrap_or_else(|_| panic!("{name} is {value}"))
    }

    /// Polls a statistic until it is as expected.
    pub(crate) fn until_stat(&mut self, command: &str, name: &str, is_so: impl Fn(u64) -> bool) {
        let mut last = 0;
        let found = process::until(|| {
            last = self.stat(command, name);
            Ok(is_so(last).then_some(()))
        });
        assert!(found.unwrap().is_some(), "{command}: {name} stays {last}");
    }
}

/// Polls a condition, and gives up after ten seconds.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let found = process::until(|| Ok(is_so().then_some(())));
    assert!(found.unwrap().is_some(), "not so in time: {what}");
}

/// Bytes that tell where in a value they are, and of which value.
pub(crate) fn pattern(seed: u8, len: usize) -> Vec<u8> {
    let byte = |index: usize| index.wrapping_mul(31).wrapping_add(index >> 8).to_le_bytes()[0];
    (0..len).map(|index| byte(index) ^ seed).collect()
}

/// How long a client waits to be connected, and for one read or write.
const PATIENCE: Duration = Duration::from_secs(20);
