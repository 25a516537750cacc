//! Replies, taken apart as they arrive. Values are stepped over, never kept.

use memchr::memchr;

use super::Error;

/// Bytes that have arrived and what is known of the reply they belong to.
#[derive(Debug)]
pub(super) struct Replies {
    buffer: Box<[u8]>,
    /// What has arrived and is not taken lies in `buffer[taken..arrived]`.
    taken: usize,
    arrived: usize,
    /// Bytes of a value, and its line end, that are still to step over.
    value_left: u64,
    /// Whether the reply of now had a value.
    has_value: bool,
}

/// One whole reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// A value, which ended.
    Hit,
    /// `END` without a value.
    Miss,
    /// `STORED`.
    Stored,
    /// `DELETED` or `NOT_FOUND`.
    Gone,
    /// `SERVER_ERROR` and a reason.
    Refused,
}

impl Replies {
    pub(super) fn new() -> Self {
        let buffer = vec![0; BUFFER_LEN].into_boxed_slice();
        Self { buffer, taken: 0, arrived: 0, value_left: 0, has_value: false }
    }

    /// Where the next bytes may be put; [`Replies::extend`] says how many were.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.taken > 0 {
            self.buffer.copy_within(self.taken..self.arrived, 0);
            self.arrived -= self.taken;
            self.taken = 0;
        }
        &mut self.buffer[self.arrived..]
    }

    pub(super) fn extend(&mut self, len: usize) {
        self.arrived += len;
    }

    /// The next reply, if all of it has arrived.
    pub(super) fn next_reply(&mut self) -> Result<Option<Reply>, Error> {
        loop {
            if self.value_left > 0 {
                let there = (self.arrived - self.taken) as u64;
                let stepped = there.min(self.value_left);
                self.value_left -= stepped;
                self.taken += usize::try_from(stepped).unwrap_or(0);
                if self.value_left > 0 {
                    return Ok(None);
                }
            }
            let waiting = &self.buffer[self.taken..self.arrived];
            let Some(end) = memchr(b'\n', waiting) else {
                if waiting.len() == BUFFER_LEN {
                    return Err(strange(waiting));
                }
                return Ok(None);
            };
            let line = &waiting[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match line {
                [b'V', b'A', b'L', b'U', b'E', b' ', head @ ..] => {
                    self.value_left = value_len(head).ok_or_else(|| strange(line))? + LINE_END_LEN;
                    self.has_value = true;
                    self.taken += end + 1;
                }
                _ => {
                    let reply = match line {
                        b"END" if self.has_value => Reply::Hit,
                        b"END" => Reply::Miss,
                        b"STORED" => Reply::Stored,
                        b"DELETED" | b"NOT_FOUND" => Reply::Gone,
                        _ if line.starts_with(b"SERVER_ERROR ") => Reply::Refused,
                        _ => return Err(strange(line)),
                    };
                    self.has_value = false;
                    self.taken += end + 1;
                    return Ok(Some(reply));
                }
            }
        }
    }
}

/// The length in `KEY FLAGS LENGTH`.
fn value_len(head: &[u8]) -> Option<u64> {
    let mut fields = head.split(|byte| *byte == b' ').skip(2);
    let digits = fields.next().filter(|digits| (1..=LEN_DIGITS_MAX).contains(&digits.len()))?;
    digits.iter().try_fold(0, |len: u64, digit| {
        digit.is_ascii_digit().then(|| len * 10 + u64::from(digit - b'0'))
    })
}

fn strange(line: &[u8]) -> Error {
    let start = String::from_utf8_lossy(&line[..line.len().min(SHOWN_LEN)]);
    Error::Protocol(format!("`{}`", start.escape_debug()))
}

/// Room for many short replies and for the heads of long ones.
const BUFFER_LEN: usize = 64 << 10;
const LINE_END_LEN: u64 = 2;
/// A gigabyte has ten.
const LEN_DIGITS_MAX: usize = 10;
const SHOWN_LEN: usize = 60;

#[cfg(test)]
mod tests {
    use super::{Replies, Reply};

    /// What comes of bytes that arrive `step` at a time.
    fn replies(bytes: &[u8], step: usize) -> Result<Vec<Reply>, String> {
        let mut replies = Replies::new();
        let mut found = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = replies.room();
            let len = step.min(rest.len()).min(room.len());
            room[..len].copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            replies.extend(len);
            while let Some(reply) = replies.next_reply().map_err(|error| error.to_string())? {
                found.push(reply);
            }
        }
        Ok(found)
    }

    #[test]
    fn replies_are_the_same_however_they_arrive() {
        let bytes = b"VALUE k 0 5\r\nEND\r\n\r\nEND\r\nEND\r\nSTORED\r\nDELETED\r\nNOT_FOUND\r\n\
            SERVER_ERROR out of memory storing object\r\nVALUE k 7 0 9\r\n\r\nEND\r\n";
        let expected = [
            Reply::Hit,
            Reply::Miss,
            Reply::Stored,
            Reply::Gone,
            Reply::Gone,
            Reply::Refused,
            Reply::Hit,
        ];
        for step in [1, 2, 3, 7, bytes.len()] {
            assert_eq!(replies(bytes, step).unwrap(), expected, "{step}");
        }
    }

    #[test]
    fn values_longer_than_the_buffer_are_stepped_over() {
        let value = vec![b'\n'; 1_000_000];
        let bytes = [b"VALUE k 0 1000000\r\n", &value[..], b"\r\nEND\r\nEND\r\n"].concat();
        assert_eq!(replies(&bytes, 50_000).unwrap(), [Reply::Hit, Reply::Miss]);
    }

    #[test]
    fn what_no_memcached_says_is_an_error() {
        let check = |bytes: &[u8], expected: &str| {
            let error = replies(bytes, 1000).expect_err(expected);
            assert_eq!(error, format!("the server answered `{expected}`"));
        };
        check(b"ERROR\r\n", "ERROR");
        check(b"CLIENT_ERROR bad\r\n", "CLIENT_ERROR bad");
        check(b"VALUE k\r\n", "VALUE k");
        check(b"VALUE k 0 -1\r\n", "VALUE k 0 -1");
        check(b"VALUE k 0 99999999999\r\n", "VALUE k 0 99999999999");
        check(b"\x00\xff\n", "\\0\u{fffd}");
        check(&[b'x'; 70_000], &"x".repeat(60));
    }
}
