//! A transcript, played against something that answers.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Judge, Match, Pattern, Step, Transcript, Values};

/// Where a transcript is played: opens connections, and has the clock the server goes by.
///
/// A machine without sockets is a stage too: `write` gives bytes to it, `read` takes its output,
/// is `WouldBlock` while there is none and 0 once it closed; `wait` moves the clock on.
pub trait Stage {
    /// One client's connection. A read gives up with `WouldBlock` or `TimedOut` when nothing
    /// comes in the time that a reply may take.
    type Wire: Read + Write;

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// The server cannot be reached.
    fn connect(&mut self) -> io::Result<Self::Wire>;

    /// Tells the server that nothing more will be sent on `wire`.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    fn end(&mut self, wire: &mut Self::Wire) -> io::Result<()>;

    /// The Unix time of the server's clock, in seconds.
    fn now(&self) -> u64;

    /// Lets `pause` pass on the server's clock.
    fn wait(&mut self, pause: Duration);
}

/// A server at a TCP address.
#[derive(Clone, Copy, Debug)]
pub struct Tcp(pub SocketAddr);

impl Stage for Tcp {
    type Wire = TcpStream;

    fn connect(&mut self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.0)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    fn end(&mut self, wire: &mut TcpStream) -> io::Result<()> {
        wire.shutdown(Shutdown::Write)
    }

    fn now(&self) -> u64 {
        unix_time()
    }

    fn wait(&mut self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// A server at a Unix socket.
#[derive(Clone, Debug)]
pub struct Unix(pub PathBuf);

impl Stage for Unix {
    type Wire = UnixStream;

    fn connect(&mut self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    fn end(&mut self, wire: &mut UnixStream) -> io::Result<()> {
        wire.shutdown(Shutdown::Write)
    }

    fn now(&self) -> u64 {
        unix_time()
    }

    fn wait(&mut self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// Plays transcripts on a stage.
#[derive(Debug)]
pub struct Player<S> {
    stage: S,
    judge: Judge,
}

impl<S: Stage> Player<S> {
    /// A player on `stage` that expects what `judge` says.
    pub const fn new(stage: S, judge: Judge) -> Self {
        Self { stage, judge }
    }

    /// Plays one transcript; the stage should be fresh.
    ///
    /// # Errors
    ///
    /// The first reply that is not the expected one, or the connection failure in its place.
    pub fn play(&mut self, transcript: &Transcript) -> Result<(), Mismatch> {
        let mut cast = Cast {
            stage: &mut self.stage,
            judge: self.judge,
            clients: BTreeMap::new(),
            kept: Values::new(),
            line: transcript.line,
        };
        cast.steps(&transcript.steps).and_then(|()| cast.leave()).map_err(|outcome| Mismatch {
            name: transcript.name.clone(),
            line: cast.line,
            outcome,
        })
    }
}

/// What came was not what a transcript says.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The transcript.
    pub name: String,
    /// The last line that was looked for.
    pub line: usize,
    outcome: String,
}

impl Display for Mismatch {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, in \"{}\": {}", self.line, self.name, self.outcome)
    }
}

impl Error for Mismatch {}

/// One performance: the connections that are open and what was learnt.
struct Cast<'s, S: Stage> {
    stage: &'s mut S,
    judge: Judge,
    clients: BTreeMap<usize, Client<S::Wire>>,
    kept: Values,
    line: usize,
}

/// One side of a connection, and what it received that no line asked for yet.
struct Client<W> {
    wire: W,
    received: Vec<u8>,
    ended: bool,
}

impl<S: Stage> Cast<'_, S> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send { connection, bytes } => {
                let bytes = bytes
                    .bytes(&self.kept, self.stage.now())
                    .ok_or_else(|| "a number is sent that no reply brought".to_owned())?;
                let sent = self.client(*connection)?.wire.write_all(&bytes);
                sent.map_err(|error| format!("cannot send: {error}"))
            }
            Step::Expect { connection, expectation } => {
                self.line = expectation.line;
                let pattern = expectation.pattern(self.judge);
                let kept = self.kept.clone();
                let new = self.client(*connection)?.expect(pattern, &kept)?;
                self.kept.extend(new);
                Ok(())
            }
            Step::End { connection } => self.end(*connection),
            Step::Closed { connection } => {
                let closed = self.client(*connection)?.expect_end();
                self.clients.remove(connection);
                closed
            }
            Step::Until { seconds, steps } => self.retry(*seconds, steps),
        }
    }

    /// Tries `steps` on new connections until they match or `seconds` are over.
    fn retry(&mut self, seconds: u64, steps: &[Step]) -> Result<(), String> {
        let deadline = self.stage.now() + seconds;
        loop {
            let regular = std::mem::take(&mut self.clients);
            let outcome = self.steps(steps).and_then(|()| self.leave());
            self.clients = regular;
            // Both sides go by whole seconds: one more than was asked for may have to pass.
            if outcome.is_ok() || self.stage.now() > deadline {
                return outcome;
            }
            self.stage.wait(PAUSE);
        }
    }

    fn client(&mut self, connection: usize) -> Result<&mut Client<S::Wire>, String> {
        if !self.clients.contains_key(&connection) {
            let wire = self.stage.connect().map_err(|error| format!("cannot connect: {error}"))?;
            self.clients.insert(connection, Client { wire, received: Vec::new(), ended: false });
        }
        self.clients.get_mut(&connection).ok_or_else(String::new)
    }

    fn end(&mut self, connection: usize) -> Result<(), String> {
        self.client(connection)?;
        let Some(client) = self.clients.get_mut(&connection) else { return Ok(()) };
        client.ended = true;
        match self.stage.end(&mut client.wire) {
            // The server was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other.map_err(|error| format!("cannot end: {error}")),
        }
    }

    /// Ends what is open and sees that nothing was left unread.
    fn leave(&mut self) -> Result<(), String> {
        let open: Vec<_> = self.clients.keys().copied().collect();
        for connection in open {
            if !self.client(connection)?.ended {
                self.end(connection)?;
            }
            self.client(connection)?.expect_end().map_err(|outcome| {
                format!("{outcome} on connection {connection}, after its last line")
            })?;
        }
        self.clients.clear();
        Ok(())
    }
}

impl<W: Read> Client<W> {
    /// Takes what `pattern` describes; gives the numbers to keep.
    fn expect(&mut self, pattern: &Pattern, kept: &Values) -> Result<Values, String> {
        loop {
            let problem = match pattern.matches(&self.received, kept) {
                Match::Whole(len, new) => {
                    self.received.drain(..len);
                    return Ok(new);
                }
                Match::Not => "received",
                Match::Partial => match self.read() {
                    Ok(0) => "closed after",
                    Ok(_) => continue,
                    Err(error) if is_silence(&error) => "nothing more came after",
                    Err(error) => return Err(format!("cannot receive: {error}")),
                },
            };
            let expected = Excerpt::of(pattern);
            return Err(format!(
                "expected {expected}, {problem} {}",
                Excerpt::bytes(&self.received)
            ));
        }
    }

    fn expect_end(&mut self) -> Result<(), String> {
        loop {
            if !self.received.is_empty() {
                return Err(format!(
                    "expected the end, received {}",
                    Excerpt::bytes(&self.received)
                ));
            }
            match self.read() {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // A server that closes with input unread resets the connection.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
                Err(error) => return Err(format!("expected the end: {error}")),
            }
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            match self.wire.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(len) => {
                    self.received.extend_from_slice(&chunk[..len]);
                    return Ok(len);
                }
            }
        }
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Bytes for a person to read: escaped, and cut when long.
struct Excerpt(String);

impl Excerpt {
    fn bytes(bytes: &[u8]) -> Self {
        let shown = bytes[..bytes.len().min(EXCERPT_LEN)].escape_ascii();
        let more = if bytes.len() > EXCERPT_LEN { "..." } else { "" };
        Self(format!("\"{shown}\"{more} ({} bytes)", bytes.len()))
    }

    fn of(pattern: &Pattern) -> Self {
        let text = pattern.to_string();
        // Whatever is not plain ASCII is escaped in it: every byte is a place to cut.
        let shown = text.get(..EXCERPT_LEN).unwrap_or(&text);
        let more = if text.len() > EXCERPT_LEN { "..." } else { "" };
        Self(format!("\"{shown}\"{more}"))
    }
}

impl Display for Excerpt {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn unix_time() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "a stage over a socket goes by the real clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How long a reply may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts at an exchange that waits for the clock.
const PAUSE: Duration = Duration::from_millis(50);
/// How much is read at once.
const CHUNK_LEN: usize = 64 << 10;
/// How much of a reply an error message shows.
const EXCERPT_LEN: usize = 200;
