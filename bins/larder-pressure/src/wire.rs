//! A connection that speaks the classic text protocol: stores without replies by the thousand, and single questions.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::Error;

/// A connection.
#[derive(Debug)]
pub struct Wire {
    replies: BufReader<TcpStream>,
    /// Requests that are not sent yet.
    output: Vec<u8>,
    line: Vec<u8>,
    values: Pattern,
}

/// What a server said to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// `STORED`
    Yes,
    /// `SERVER_ERROR out of memory storing object`, or `during read`
    OutOfMemory,
    /// `SERVER_ERROR object too large for cache`
    TooLarge,
}

impl Wire {
    /// # Errors
    /// A sentence when nobody listens.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let replies = BufReader::with_capacity(READ_LEN, stream);
        Ok(Self { replies, output: Vec::new(), line: Vec::new(), values: Pattern::new() })
    }

    /// Stores without a reply; what is refused is not told. Requests are collected, and sent when they are many.
    ///
    /// # Errors
    /// A sentence when the connection is lost.
    pub fn set_quietly(&mut self, key: &[u8], ttl: u32, len: usize) -> Result<(), Error> {
        self.push_set(key, ttl, len, b" noreply");
        if self.output.len() >= WRITE_LEN {
            self.send()?;
        }
        Ok(())
    }

    /// Waits until everything that was asked has been done.
    ///
    /// # Errors
    /// A sentence when the server has complained of something before.
    pub fn settle(&mut self) -> Result<(), Error> {
        self.output.extend_from_slice(b"mn\r\n");
        self.send()?;
        match self.read_line()? {
            b"MN" => Ok(()),
            other => Err(surprise("mn", other)),
        }
    }

    /// Stores all these, and says what became of each.
    ///
    /// # Errors
    /// A sentence when the server says what it never should.
    pub fn set_all<'k>(
        &mut self,
        items: impl Iterator<Item = (&'k [u8], usize)>,
        mut see: impl FnMut(Stored),
    ) -> Result<(), Error> {
        // Few enough at a time that neither side waits for the other to read.
        let mut pending = 0;
        for (key, len) in items {
            self.push_set(key, 0, len, b"");
            pending += 1;
            if pending == PENDING_MAX || self.output.len() >= WRITE_LEN {
                self.read_stored(pending, &mut see)?;
                pending = 0;
            }
        }
        self.read_stored(pending, &mut see)
    }

    /// Stores one and says what became of it.
    ///
    /// # Errors
    /// As [`Self::set_all`].
    pub fn set(&mut self, key: &[u8], len: usize) -> Result<Stored, Error> {
        let mut stored = Stored::Yes;
        self.set_all(std::iter::once((key, len)), |one| stored = one)?;
        Ok(stored)
    }

    /// Asks for all these at once, in one line each, and tells the length of each value, or none where there is none.
    /// A value must be what [`Self::set_all`] has stored under this key.
    ///
    /// # Errors
    /// A sentence when the server says what it never should, a value of another key for example.
    pub fn get_all(
        &mut self,
        keys: &[Vec<u8>],
        mut see: impl FnMut(Option<usize>),
    ) -> Result<(), Error> {
        for key in keys {
            self.output.extend_from_slice(b"get ");
            self.output.extend_from_slice(key);
            self.output.extend_from_slice(b"\r\n");
        }
        self.send()?;
        for key in keys {
            see(self.read_value(key)?);
        }
        Ok(())
    }

    /// Sends a line and returns the line that answers it.
    ///
    /// # Errors
    /// A sentence when the connection is lost.
    pub fn ask(&mut self, line: &str) -> Result<String, Error> {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.send()?;
        Ok(String::from_utf8_lossy(self.read_line()?).into_owned())
    }

    /// What `stats` says: all numbers of a subject, or of none.
    ///
    /// # Errors
    /// A sentence when the answer is none.
    pub fn stats(&mut self, subject: &str) -> Result<BTreeMap<String, u64>, Error> {
        let line = format!("stats {subject}");
        self.output.extend_from_slice(line.trim_end().as_bytes());
        self.output.extend_from_slice(b"\r\n");
        self.send()?;
        let mut stats = BTreeMap::new();
        loop {
            let line = self.read_line()?;
            if line == b"END" {
                return Ok(stats);
            }
            let text = String::from_utf8_lossy(line);
            let mut words = text.split(' ');
            let (Some("STAT"), Some(name), Some(value)) =
                (words.next(), words.next(), words.next())
            else {
                return Err(surprise("stats", text.as_bytes()));
            };
            if let Ok(number) = value.parse() {
                stats.insert(name.to_owned(), number);
            }
        }
    }

    fn push_set(&mut self, key: &[u8], ttl: u32, len: usize, end: &[u8]) {
        let output = &mut self.output;
        output.extend_from_slice(b"set ");
        output.extend_from_slice(key);
        output.extend_from_slice(b" 0 ");
        push_number(ttl.into(), output);
        output.push(b' ');
        push_number(len as u64, output);
        output.extend_from_slice(end);
        output.extend_from_slice(b"\r\n");
        self.values.push(key, len, output);
        output.extend_from_slice(b"\r\n");
    }

    fn read_stored(&mut self, count: usize, see: &mut impl FnMut(Stored)) -> Result<(), Error> {
        self.send()?;
        for _ in 0..count {
            see(match self.read_line()? {
                b"STORED" => Stored::Yes,
                b"SERVER_ERROR object too large for cache" => Stored::TooLarge,
                line if line.to_ascii_lowercase().starts_with(OUT_OF_MEMORY) => Stored::OutOfMemory,
                other => return Err(surprise("set", other)),
            });
        }
        Ok(())
    }

    fn read_value(&mut self, key: &[u8]) -> Result<Option<usize>, Error> {
        let line = self.read_line()?;
        if line == b"END" {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(line).into_owned();
        let len: Option<usize> = text
            .strip_prefix("VALUE ")
            .and_then(|rest| rest.strip_prefix(&*String::from_utf8_lossy(key)))
            .and_then(|rest| rest.strip_prefix(" 0 "))
            .and_then(|len| len.parse().ok());
        let len = len.ok_or_else(|| surprise("get", text.as_bytes()))?;
        let mut at = 0;
        let mut piece = [0; 16 << 10];
        while at < len {
            let wanted = (len - at).min(piece.len());
            self.replies.read_exact(&mut piece[..wanted])?;
            if !self.values.is_part(key, at, &piece[..wanted]) {
                return Err(Error::new(format!("`{text}`: the value is not what was stored")));
            }
            at += wanted;
        }
        for expected in [&b""[..], b"END"] {
            let line = self.read_line()?;
            if line != expected {
                return Err(surprise("get", line));
            }
        }
        Ok(Some(len))
    }

    fn send(&mut self) -> Result<(), Error> {
        self.replies.get_mut().write_all(&self.output)?;
        self.output.clear();
        // One large value should not be held for ever.
        self.output.shrink_to(2 * WRITE_LEN);
        Ok(())
    }

    fn read_line(&mut self) -> Result<&[u8], Error> {
        self.line.clear();
        self.replies.read_until(b'\n', &mut self.line)?;
        self.line.strip_suffix(b"\r\n").ok_or_else(|| Error::new("the server has hung up"))
    }
}

fn surprise(asked: &str, said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(&said[..said.len().min(200)]).into_owned();
    Error::new(format!("to `{asked}` the server said `{said}`"))
}

/// Bytes of values: different for each key, and known without being remembered.
#[derive(Debug)]
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        let mut state = 1_u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'!' + u8::try_from(state >> 24).unwrap_or(0) % 90
        };
        Self((0..PATTERN_LEN).map(|_| byte()).collect())
    }

    fn push(&self, key: &[u8], len: usize, output: &mut Vec<u8>) {
        let mut at = self.offset(key);
        let mut left = len;
        while left > 0 {
            let run = left.min(PATTERN_LEN - at);
            output.extend_from_slice(&self.0[at..at + run]);
            left -= run;
            at = 0;
        }
    }

    fn is_part(&self, key: &[u8], position: usize, mut bytes: &[u8]) -> bool {
        let mut at = (self.offset(key) + position) % PATTERN_LEN;
        while !bytes.is_empty() {
            let run = bytes.len().min(PATTERN_LEN - at);
            if bytes[..run] != self.0[at..at + run] {
                return false;
            }
            bytes = &bytes[run..];
            at = 0;
        }
        true
    }

    #[expect(clippy::unused_self, reason = "it is the pattern's offset")]
    fn offset(&self, key: &[u8]) -> usize {
        let digest = key.iter().fold(0_u32, |digest, &byte| {
            digest.rotate_left(5).wrapping_mul(0x9E37_79B1) ^ u32::from(byte)
        });
        digest as usize % PATTERN_LEN
    }
}

fn push_number(number: u64, output: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(output, "{number}");
}

const OUT_OF_MEMORY: &[u8] = b"server_error out of memory";
/// Bytes of the pattern before it repeats.
const PATTERN_LEN: usize = 8191;
/// Requests are sent when there are so many bytes of them.
const WRITE_LEN: usize = 256 << 10;
const READ_LEN: usize = 64 << 10;
/// Replies that may be due at once: both sides' socket buffers hold them.
const PENDING_MAX: usize = 256;
/// A server that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::{PATTERN_LEN, Pattern};

    #[test]
    fn a_value_is_recognised_in_any_pieces_and_no_other_is() {
        let pattern = Pattern::new();
        for len in [0, 1, 100, PATTERN_LEN, 3 * PATTERN_LEN + 77] {
            let mut value = Vec::new();
            pattern.push(b"key:12", len, &mut value);
            assert_eq!(value.len(), len);
            for piece in [1, 7, 16 << 10] {
                for (turn, bytes) in value.chunks(piece).enumerate() {
                    assert!(pattern.is_part(b"key:12", turn * piece, bytes), "{len} {piece}");
                    assert!(!pattern.is_part(b"key:13", turn * piece, bytes) || bytes.len() < 7);
                }
            }
        }
    }
}
