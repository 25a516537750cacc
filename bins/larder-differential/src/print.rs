//! A conversation that went two ways, as a draft of a transcript.

use std::fmt::{self, Display, Formatter};

use crate::play::Said;
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
    lines(formatter, &format!("C{name}"), sent)?;
    if larder == memcached {
        lines(formatter, &format!("S{name}"), larder)?;
    } else {
        writeln!(formatter, "# larder:")?;
        lines(formatter, &format!("S{name}"), larder)?;
        writeln!(formatter, "# memcached:")?;
        lines(formatter, &format!("M{name}"), memcached)?;
    }
    for (server, is_closed) in ["larder", "memcached"].iter().zip(closed) {
        if *is_closed {
            writeln!(formatter, "@closed {name}  # by {server}")?;
        }
    }
    Ok(())
}

/// The lines of what was said, as a transcript writes them.
fn lines(formatter: &mut Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    let all: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    for (place, same) in all.chunk_by(|one, next| one == next).enumerate() {
        if place == LINES_MAX {
            return writeln!(formatter, "# and so on: {} bytes", bytes.len());
        }
        let line = same[0];
        if same.len() > SAME_MAX {
            writeln!(formatter, "{name}: \\{{{}*{}}}\\", same.len(), Text(line))?;
            continue;
        }
        let (text, end) = match line.strip_suffix(b"\r\n") {
            Some(text) => (text, ""),
            None => (line, "\\"),
        };
        for _ in same {
            writeln!(formatter, "{name}: {}{end}", Text(text))?;
        }
    }
    Ok(())
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
