//! Lines of text, numbered, and their fields.

use std::io::{BufRead, Read as _};

use super::{VALUE_LEN_MAX, Wrong, failed};

/// The lines of a file that are not blank.
pub(super) struct Lines<'a, R> {
    source: &'a mut R,
    line: Vec<u8>,
    number: u64,
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub(super) fn new(source: &'a mut R) -> Self {
        Self { source, line: Vec::new(), number: 0 }
    }

    /// The next line, without its end.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, Wrong> {
        loop {
            self.line.clear();
            self.number += 1;
            let number = self.number;
            let mut bounded = self.source.by_ref().take(LINE_LEN_MAX);
            let read = bounded.read_until(b'\n', &mut self.line);
            let len = read.map_err(|error| failed(number, &error))?;
            if len == 0 {
                return Ok(None);
            }
            if len as u64 == LINE_LEN_MAX {
                return Err(Wrong { place: number, why: "it is too long for a line".to_owned() });
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some(Line { text: self.line.trim_ascii(), number }));
            }
        }
    }
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    number: u64,
}

impl Line<'_> {
    pub(super) fn wrong(&self, why: impl Into<String>) -> Wrong {
        Wrong { place: self.number, why: why.into() }
    }

    /// The number in a field.
    pub(super) fn number(&self, field: Option<&[u8]>, what: &str) -> Result<u64, Wrong> {
        let field = field.ok_or_else(|| self.wrong(format!("the {what} is missing")))?;
        let text = std::str::from_utf8(field).ok().map(str::trim);
        text.and_then(|text| text.parse().ok()).ok_or_else(|| {
            let field = String::from_utf8_lossy(field);
            self.wrong(format!("the {what} `{field}` is no number"))
        })
    }

    /// The length of a value in a field.
    pub(super) fn value_len(&self, field: Option<&[u8]>) -> Result<u32, Wrong> {
        let len = self.number(field, "value size")?;
        match u32::try_from(len) {
            Ok(small) if len <= VALUE_LEN_MAX => Ok(small),
            _ => Err(self.wrong(format!("a value of {len} bytes is longer than any cache takes"))),
        }
    }
}

/// Longer than any line of a trace.
const LINE_LEN_MAX: u64 = 64 << 10;
