//! A conversation that went two ways, as a draft of a transcript.

mod frame;

use std::fmt::{self, Display, Formatter};

use self::frame::Sender;
use crate::frames::REQUEST;
use crate::play::{Said, has_frames};
use crate::search::{Difference, Report};

impl Display for Report {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(formatter, "{difference}")?;
        }
        for difference in &self.unsteady {
            writeln!(formatter, "when it was said again, the servers agreed in this:")?;
            writeln!(formatter, "{difference}")?;
        }
        for (name, count) in &self.excuses {
            writeln!(formatter, "{count:>9} times the known difference {name}")?;
        }
        let Self { commands, conversations, differences, unsteady, .. } = self;
        let count = differences.len() + unsteady.len();
        writeln!(
            formatter,
            "{commands} commands in {conversations} conversations, {count} differences"
        )
    }
}

impl Display for Difference {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let problem = self.verdict.difference.as_deref().unwrap_or("nothing");
        writeln!(formatter, "conversation {}: {problem}", self.number)?;
        writeln!(formatter, "\n== {problem}")?;
        if !self.args.is_empty() {
            writeln!(formatter, "@args {}", self.args.join(" "))?;
        }
        self.verdict.said.iter().try_for_each(|said| print(said, formatter))
    }
}

fn print(said: &Said, formatter: &mut Formatter<'_>) -> fmt::Result {
    let Said::Exchanged { connection, sent, replies: [larder, memcached], closed } = said else {
        let Said::Advanced(seconds) = said else { return Ok(()) };
        return writeln!(formatter, "# {seconds} seconds pass");
    };
    let name = connection.map_or_else(|| "9".to_owned(), |number| (number + 1).to_string());
    let are_frames = connection.map_or(sent.first() == Some(&REQUEST), has_frames);
    let told = |bytes: &[u8], sender| {
        if are_frames { frames(&name, bytes, sender) } else { lines(&name, bytes) }
    };
    for line in told(sent, Sender::Client) {
        speak(formatter, 'C', &line)?;
    }
    replies(formatter, &name, &[larder, memcached].map(|bytes| told(bytes, Sender::Server)))?;
    match closed {
        [true, true] => writeln!(formatter, "@closed {name}"),
        [true, false] => writeln!(formatter, "# larder closes connection {name}"),
        [false, true] => writeln!(formatter, "# memcached closes connection {name}"),
        [false, false] => Ok(()),
    }
}

/// What both replied, line by line; where memcached says something else, its lines are below Larder's.
fn replies(
    formatter: &mut Formatter<'_>,
    name: &str,
    [larder, memcached]: &[Vec<String>; 2],
) -> fmt::Result {
    let nothing = format!("{name}: \\");
    for place in 0..larder.len().max(memcached.len()) {
        let [left, right] = [larder, memcached].map(|lines| lines.get(place).unwrap_or(&nothing));
        speak(formatter, 'S', left)?;
        if left != right && !right.starts_with('#') {
            speak(formatter, 'M', right)?;
            writeln!(formatter, "# because UNKNOWN: whether it is a bug is to be found out")?;
        }
    }
    Ok(())
}

fn speak(formatter: &mut Formatter<'_>, letter: char, line: &str) -> fmt::Result {
    if line.starts_with('#') {
        return writeln!(formatter, "{line}");
    }
    // The blank before an empty text could not be seen.
    writeln!(formatter, "{letter}{}", line.trim_end())
}

/// The frames of what was said, as a transcript writes them after the letter of the speaker.
fn frames(name: &str, mut bytes: &[u8], sender: Sender) -> Vec<String> {
    let mut written = Vec::new();
    while !bytes.is_empty() {
        let Some((words, rest)) = frame::written(bytes, sender) else {
            written.extend(lines(name, bytes));
            break;
        };
        written.push(format!("B{name}: {words}"));
        bytes = rest;
    }
    written
}

/// The lines of what was said, in the same way.
fn lines(name: &str, bytes: &[u8]) -> Vec<String> {
    let mut written = Vec::new();
    let all: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    for (place, same) in all.chunk_by(|one, next| one == next).enumerate() {
        if place == LINES_MAX {
            written.push(format!("# and so on: {} bytes", bytes.len()));
            break;
        }
        let line = same[0];
        if same.len() > SAME_MAX {
            written.push(format!("{name}: \\{{{}*{}}}\\", same.len(), Text(line)));
            continue;
        }
        let (text, end) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, ""),
            None => (line, "\\"),
        };
        written.extend(same.iter().map(|_| format!("{name}: {}{end}", Text(text))));
    }
    written
}

/// Bytes with the escapes of transcripts; many of the same are said once.
struct Text<'t>(&'t [u8]);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let [first, ..] = rest {
            let run_len = rest.iter().take_while(|byte| *byte == first).count();
            let (run, after) = rest.split_at(run_len);
            let byte = match first {
                b'{' => "\\x7b".to_owned(),
                // A blank at the end would be lost.
                b' ' if after.is_empty() => "\\x20".to_owned(),
                b'"' | b'\'' => char::from(*first).to_string(),
                _ => first.escape_ascii().to_string(),
            };
            if run_len > RUN_LEN {
                write!(formatter, "\\{{{run_len}*{byte}}}")?;
            } else {
                write!(formatter, "{}", byte.repeat(run.len()))?;
            }
            rest = after;
        }
        Ok(())
    }
}

/// Lines of one side that are printed.
const LINES_MAX: usize = 40;

/// More of the same line than this are counted.
const SAME_MAX: usize = 3;

/// More of the same byte than this are counted.
const RUN_LEN: usize = 20;
