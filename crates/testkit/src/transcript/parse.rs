//! A file of transcripts, read.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::{fs, io};

use super::frame::{self, Side};
use super::{Difference, Expectation, Pattern, Piece, Step, Transcript};

/// Reads the transcripts of one file.
///
/// # Errors
///
/// The first line that is not of the format, with the reason.
pub fn parse(text: &str) -> Result<Vec<Transcript>, Malformed> {
    let mut parser = Parser::default();
    for (index, line) in text.lines().enumerate() {
        parser.line = index + 1;
        parser.read(line).map_err(|reason| Malformed { line: index + 1, reason })?;
    }
    parser
        .finish_transcript()
        .map_err(|reason| Malformed { line: text.lines().count(), reason })?;
    Ok(parser.transcripts)
}

/// Reads every `*.txt` of a directory, in the order of their names: file name and transcripts.
///
/// # Errors
///
/// The directory or a file cannot be read, a file is not of the format (the message names it), or
/// there is none.
pub fn parse_directory(directory: &Path) -> io::Result<Vec<(String, Vec<Transcript>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let transcripts = parse(&fs::read_to_string(&path)?)
            .map_err(|error| io::Error::other(format!("{name}, {error}")))?;
        files.push((name, transcripts));
    }
    if files.is_empty() {
        return Err(io::Error::other(format!("no transcripts in {}", directory.display())));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files)
}

/// A line that is not of the format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Display for Malformed {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.reason)
    }
}

impl Error for Malformed {}

#[derive(Debug, Default)]
struct Parser {
    transcripts: Vec<Transcript>,
    line: usize,
    /// The next `C` line begins a write of its own.
    cut: bool,
    /// The exchange under `@until`, and for how many seconds.
    retried: Option<(u64, Vec<Step>)>,
    /// `M` lines that no `# because` has excused yet; where they belong is the last step.
    unexcused: Option<Pattern>,
}

impl Parser {
    fn read(&mut self, line: &str) -> Result<(), String> {
        if line.ends_with([' ', '\t']) {
            return Err("a blank at the end cannot be seen: write \\x20".to_owned());
        }
        if let Some(because) = line.strip_prefix("# because ") {
            return self.excuse(because);
        }
        if let Some(Spoken { speaker, connection, text, is_frame }) = spoken(line)? {
            if speaker != 'M' {
                self.require_excuse()?;
            }
            let said = match speaker {
                'C' if is_frame => frame::pattern(text, Side::Client)?,
                _ if is_frame => frame::pattern(text, Side::Server)?,
                _ => line_pattern(text)?,
            };
            return match speaker {
                'C' => self.send(connection, said),
                'S' => self.expect(connection, said),
                _ => self.differ(connection, said),
            };
        }
        self.require_excuse()?;
        if line.is_empty() || line.starts_with('#') {
            Ok(())
        } else if let Some(name) = line.strip_prefix("== ") {
            self.finish_transcript()?;
            self.transcripts.push(Transcript {
                name: name.to_owned(),
                line: self.line,
                args: Vec::new(),
                needs_server: false,
                steps: Vec::new(),
            });
            Ok(())
        } else if let Some(directive) = line.strip_prefix('@') {
            self.direct(directive)
        } else {
            Err("neither a line of somebody, a directive, nor a comment".to_owned())
        }
    }

    fn direct(&mut self, directive: &str) -> Result<(), String> {
        self.finish_retried()?;
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "args" => {
                let args = rest.split(' ').filter(|arg| !arg.is_empty()).map(str::to_owned);
                self.transcript_to_begin()?.args.extend(args);
            }
            "server" => self.transcript_to_begin()?.needs_server = true,
            "cut" => self.cut = true,
            "end" => {
                let connection = connection_number(rest)?;
                self.push(Step::End { connection })?;
            }
            "closed" => {
                let connection = connection_number(rest)?;
                self.push(Step::Closed { connection })?;
            }
            "until" => {
                let seconds = rest.parse().map_err(|_| format!("not a number: {rest}"))?;
                self.retried = Some((seconds, Vec::new()));
            }
            other => return Err(format!("unknown directive: {other}")),
        }
        Ok(())
    }

    fn send(&mut self, connection: usize, said: Pattern) -> Result<(), String> {
        if said.pieces.iter().any(|piece| {
            !matches!(
                piece,
                Piece::Literal(_) | Piece::Kept(_) | Piece::KeptWide(_) | Piece::Now(_)
            )
        }) {
            return Err("a pattern cannot be sent".to_owned());
        }
        let replied = self
            .retried
            .as_ref()
            .is_some_and(|(_, steps)| steps.iter().any(|step| !step.is_send()));
        if replied {
            self.finish_retried()?;
        }
        let cut = std::mem::take(&mut self.cut);
        match self.steps()?.last_mut() {
            Some(Step::Send { connection: last, bytes }) if *last == connection && !cut => {
                bytes.append(said);
                Ok(())
            }
            _ => self.push(Step::Send { connection, bytes: said }),
        }
    }

    fn expect(&mut self, connection: usize, said: Pattern) -> Result<(), String> {
        let expectation = Expectation { line: self.line, reference: said, debian: None };
        self.push(Step::Expect { connection, expectation })
    }

    /// An `M` line: one more of what memcached says in place of the last `S` line.
    fn differ(&mut self, connection: usize, said: Pattern) -> Result<(), String> {
        match self.steps()?.last() {
            Some(Step::Expect { connection: last, .. }) if *last == connection => {}
            _ => {
                return Err(
                    "an M line stands for the S line of that connection above it".to_owned()
                );
            }
        }
        self.unexcused.get_or_insert_default().append(said);
        Ok(())
    }

    fn excuse(&mut self, because: &str) -> Result<(), String> {
        let Some(pattern) = self.unexcused.take() else {
            return Err("nothing to excuse above".to_owned());
        };
        let Some((because, _)) = because.split_once(": ") else {
            return Err("say `# because NAME: the difference`".to_owned());
        };
        let Some(Step::Expect { expectation, .. }) = self.steps()?.last_mut() else {
            return Err("no S line above".to_owned());
        };
        if expectation.reference == pattern {
            return Err("the M lines say what the S line says".to_owned());
        }
        expectation.debian = Some(Difference { pattern, because: because.to_owned() });
        Ok(())
    }

    fn require_excuse(&self) -> Result<(), String> {
        if self.unexcused.is_some() {
            return Err("M lines must be followed by `# because NAME: the difference`".to_owned());
        }
        Ok(())
    }

    fn transcript(&mut self) -> Result<&mut Transcript, String> {
        self.transcripts.last_mut().ok_or_else(|| "no `== NAME` line above".to_owned())
    }

    fn transcript_to_begin(&mut self) -> Result<&mut Transcript, String> {
        let transcript = self.transcript()?;
        if transcript.steps.is_empty() {
            Ok(transcript)
        } else {
            Err("the conversation has begun already".to_owned())
        }
    }

    /// Where the next step goes.
    fn steps(&mut self) -> Result<&mut Vec<Step>, String> {
        if self.retried.is_none() {
            return Ok(&mut self.transcript()?.steps);
        }
        self.retried.as_mut().map(|(_, steps)| steps).ok_or_else(String::new)
    }

    fn push(&mut self, step: Step) -> Result<(), String> {
        self.steps()?.push(step);
        Ok(())
    }

    fn finish_retried(&mut self) -> Result<(), String> {
        let Some((seconds, steps)) = self.retried.take() else {
            return Ok(());
        };
        let connection = |step: &Step| match step {
            Step::Send { connection, .. } | Step::Expect { connection, .. } => Some(*connection),
            _ => None,
        };
        let first = steps.first().and_then(connection);
        if !steps.first().is_some_and(Step::is_send)
            || steps.last().is_some_and(Step::is_send)
            || steps.iter().any(|step| connection(step) != first)
        {
            return Err("@until takes one exchange of one connection".to_owned());
        }
        self.push(Step::Until { seconds, steps })
    }

    fn finish_transcript(&mut self) -> Result<(), String> {
        self.require_excuse()?;
        self.finish_retried()?;
        match self.transcripts.last() {
            Some(transcript) if transcript.steps.is_empty() => {
                Err(format!("nothing happens in \"{}\"", transcript.name))
            }
            _ => Ok(()),
        }
    }
}

/// A line that is said.
struct Spoken<'l> {
    speaker: char,
    connection: usize,
    text: &'l str,
    /// The text is a frame in words.
    is_frame: bool,
}

/// Who says what on which connection, if the line is one that is said.
fn spoken(line: &str) -> Result<Option<Spoken<'_>>, String> {
    let Some(speaker) = line.chars().next().filter(|first| matches!(first, 'C' | 'S' | 'M')) else {
        return Ok(None);
    };
    let Some((number, text)) = line[1..].split_once(':') else {
        return Ok(None);
    };
    let (number, is_frame) = match number.strip_prefix('B') {
        Some(number) => (number, true),
        None => (number, false),
    };
    let connection = connection_number(number)?;
    let text = text.strip_prefix(' ').unwrap_or(text);
    Ok(Some(Spoken { speaker, connection, text, is_frame }))
}

/// The bytes of a line, with its end unless the text says that it has none.
fn line_pattern(text: &str) -> Result<Pattern, String> {
    if let Some(text) = text.strip_suffix('\\').filter(|_| is_unended(text)) {
        return pattern(text);
    }
    let mut said = pattern(text)?;
    said.push_literal(b"\r\n");
    Ok(said)
}

fn connection_number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=9) => Ok(number),
        _ if text.is_empty() => Ok(1),
        _ => Err(format!("not a connection: {text}")),
    }
}

/// Whether the text ends in a `\` of its own: nothing follows it.
fn is_unended(text: &str) -> bool {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The bytes and patterns of a text.
pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    let mut pattern = Pattern::default();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        pattern.push_literal(&rest.as_bytes()[..at]);
        let special = &rest[at..];
        let len = match special.strip_prefix('{') {
            Some(inner) => {
                let (inner, _) = inner.split_once('}').ok_or("a { without its }")?;
                pattern.pieces.push(piece(inner)?);
                inner.len() + 2
            }
            None => escape(special, &mut pattern)?,
        };
        rest = &special[len..];
    }
    pattern.push_literal(rest.as_bytes());
    Ok(pattern)
}

/// Adds what an escape stands for; its length in the text.
fn escape(special: &str, pattern: &mut Pattern) -> Result<usize, String> {
    let byte = match special.as_bytes().get(1) {
        Some(b'r') => b'\r',
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'0') => 0,
        Some(b'\\') => b'\\',
        Some(b'x') => {
            let digits = special.get(2..4).ok_or("\\x needs two digits")?;
            let byte = u8::from_str_radix(digits, 16).map_err(|_| "\\x needs two hex digits")?;
            pattern.push_literal(&[byte]);
            return Ok(4);
        }
        Some(b'{') => {
            let (inner, _) = special[2..].split_once('}').ok_or("a \\{ without its }")?;
            let (count, text) = inner.split_once('*').ok_or("say \\{COUNT*TEXT}")?;
            let count: usize = count.parse().map_err(|_| format!("not a number: {count}"))?;
            let repeated = self::pattern(text)?;
            let bytes = repeated.bytes(&super::Values::new(), 0).ok_or("only text repeats")?;
            pattern.push_literal(&bytes.repeat(count));
            return Ok(inner.len() + 3);
        }
        _ => return Err("unknown escape".to_owned()),
    };
    pattern.push_literal(&[byte]);
    Ok(2)
}

pub(super) fn piece(text: &str) -> Result<Piece, String> {
    if let Some(shift) = text.strip_prefix("now") {
        let shift = if shift.is_empty() { "0" } else { shift };
        return Ok(Piece::Now(shift.parse().map_err(|_| format!("not a number: {shift}"))?));
    }
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
    match text {
        "u64" => Ok(Piece::Number(None)),
        "any" => Ok(Piece::Any),
        "lines" => Ok(Piece::Lines),
        name if is_name(name) => Ok(Piece::Kept(name.to_owned())),
        _ => match text.strip_prefix("cas=") {
            Some(name) if is_name(name) => Ok(Piece::Number(Some(name.to_owned()))),
            _ => Err(format!("unknown pattern: {{{text}}}")),
        },
    }
}
