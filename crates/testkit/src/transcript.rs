//! Conversations as data: what clients send, and what the server answers, byte for byte.
//!
//! [`parse`] reads a file of transcripts ([`parse_directory`] all of them) into [`Transcript`]s: arguments for the server and
//! [`Step`]s with the exact bytes to send and matchers for the replies. A [`Player`] plays one on
//! a [`Stage`]: a server behind a socket, or a machine without any.
//!
//! # The format
//!
//! One transcript begins at each `== NAME` line and is played on a server (or machine) of its own,
//! started for it. Blank lines and lines that start with `#` mean nothing. The rest, in order:
//!
//! ```text
//! == a value is stored and read
//! @args -M -I 2k          the server's arguments; before the first exchange
//! @server                 needs a whole server (its options, statistics, process): a machine
//!                         with a model behind it cannot play this one
//! C: set k 0 0 1          connection 1 sends this line and \r\n
//! C: a                    consecutive C lines of one connection are one write
//! S: STORED               connection 1 must receive this line and \r\n
//! C2: get k               connection 2; connections open when first named, 1 to 9
//! S2: VALUE k 0 1
//! S2: a
//! S2: END
//! @cut                    the C lines around this are separate writes
//! @until 4                what follows, up to the next C line after its replies or the next
//!                         directive, is said again, each time on a new connection, until the
//!                         replies match; for at most 4 seconds of the server's clock
//! @end                    connection 1 sends nothing more (its half is shut); `@end 2`
//! @closed                 the server closed connection 1, and sent nothing more; `@closed 2`
//! ```
//!
//! Whatever the server sends beyond the `S` lines is a mismatch: it comes where the next `S` line
//! or the end is expected. At the end of a transcript the player ends every open connection and
//! reads it empty.
//!
//! **Text.** After the colon one blank is skipped. `\r \n \t \0 \\ \xHH` are bytes,
//! `\{1000*text}` is the text (escapes included) a thousand times. A `\` at the end of a line
//! leaves out the `\r\n`: `C: get k\n\` sends a bare newline, `S: \` expects nothing. A blank at
//! the end must be written `\x20`, a literal `{` is `\x7b`.
//!
//! **Patterns**, where a reply cannot be known: `{u64}` is a decimal number; `{any}` is what is
//! left up to the next literal text, within the line; `{lines}` is any number of whole lines before
//! an `END`;
//! `{cas=X}` is a number, kept as `X`. `{X}` is that number, in `C` and `S` lines. `{now+2}` in a
//! `C` line is the server's Unix time plus 2 seconds (`{now-2}` minus).
//!
//! **Frames** of the binary protocol stand in `CB`, `SB` and `MB` lines, in words; `CB2:` is connection 2. An opcode, by name or as
//! `0x1b`, then fields, the lengths being what they come to:
//!
//! ```text
//! CB: set key=k flags=7 exptime=60 value=a\x20b cas={X}
//! SB: set cas={cas=Y}
//! CB: get key=k
//! SB: get flags=7 value=a\x20b cas={Y}
//! CB: incr key=n delta=5 initial=1 exptime=never-create
//! SB: incr status=not-found
//! CB: noop opaque=0x01020304 keylen=5 bodylen=3
//! SB: {frames} stat key=pid value=7      any number of whole responses first, as few as do
//! ```
//!
//! `extras=` is for extras that the opcode does not have; `magic type vbucket keylen extraslen bodylen opaque` put another number
//! in their place. A response says its `status`, whose words are its value unless it has another value or a key; `number=` is a
//! value of eight bytes. `cas={any}` is any number.
//!
//! **Where memcached 1.6.18 answers otherwise**, `M` lines after an `S` line say what it sends in
//! place of that line, and a comment says which known difference excuses it:
//!
//! ```text
//! C: incr k
//! S: CLIENT_ERROR bad command line format
//! M: ERROR
//! # because missing-arguments: ERROR became CLIENT_ERROR
//! ```

mod frame;
mod parse;
mod pattern;
mod play;

pub use frame::status_words;
pub use parse::{Malformed, parse, parse_directory};
pub use pattern::{Match, Pattern, Piece, Values};
pub use play::{Mismatch, Player, Stage, Tcp, Unix};

/// A conversation with one fresh server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Transcript {
    /// What the `==` line says.
    pub name: String,
    /// The line of the file it begins at, from 1.
    pub line: usize,
    /// Arguments the server is started with, beyond where it listens.
    pub args: Vec<String>,
    /// It needs a server process; a state machine alone cannot play it.
    pub needs_server: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Transcript {
    /// How many exchanges it has: sends that are followed by a reply or by the end.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        let sends = |steps: &[Step]| {
            steps.windows(2).filter(|pair| pair[0].is_send() && !pair[1].is_send()).count()
        };
        let retried = self.steps.iter().map(|step| match step {
            Step::Until { steps, .. } => sends(steps),
            _ => 0,
        });
        sends(&self.steps) + retried.sum::<usize>()
    }

    /// Every reply it expects, those said again and again included.
    pub fn expectations(&self) -> impl Iterator<Item = &Expectation> {
        self.steps
            .iter()
            .flat_map(|step| match step {
                Step::Until { steps, .. } => steps.as_slice(),
                other => std::slice::from_ref(other),
            })
            .filter_map(|step| match step {
                Step::Expect { expectation, .. } => Some(expectation),
                _ => None,
            })
    }
}

/// One thing that happens in a transcript.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// A client sends these bytes in one write.
    Send {
        /// Which connection, from 1.
        connection: usize,
        /// The bytes; all literal but for kept numbers and the time.
        bytes: Pattern,
    },
    /// A client receives this next.
    Expect {
        /// Which connection, from 1.
        connection: usize,
        /// One line of the reply, as a rule.
        expectation: Expectation,
    },
    /// A client sends nothing more.
    End {
        /// Which connection, from 1.
        connection: usize,
    },
    /// The server closed this connection and sent nothing more before.
    Closed {
        /// Which connection, from 1.
        connection: usize,
    },
    /// An exchange that is repeated on new connections until its replies match.
    Until {
        /// For how long, by the server's clock.
        seconds: u64,
        /// One connection's sends and expectations.
        steps: Vec<Self>,
    },
}

impl Step {
    const fn is_send(&self) -> bool {
        matches!(self, Self::Send { .. })
    }
}

/// What must be received at one place of a transcript.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expectation {
    /// The line of the file, from 1.
    pub line: usize,
    /// What Larder and memcached 1.6.45 send.
    pub reference: Pattern,
    /// What memcached 1.6.18 sends in its place, if that is something else.
    pub debian: Option<Difference>,
}

impl Expectation {
    /// What `judge` expects here.
    #[must_use]
    pub fn pattern(&self, judge: Judge) -> &Pattern {
        match (&self.debian, judge) {
            (Some(difference), Judge::Debian) => &difference.pattern,
            _ => &self.reference,
        }
    }
}

/// A reply of memcached 1.6.18 that is not the reference's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// What it sends.
    pub pattern: Pattern,
    /// The name of the known difference: what stands between `# because` and the colon.
    pub because: String,
}

/// Whose replies are the right ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judge {
    /// memcached 1.6.45, with Larder's own stances: the `S` lines.
    Reference,
    /// memcached 1.6.18 as Debian packs it: the `M` lines where there are any.
    Debian,
}
