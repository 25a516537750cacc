//! Words of a line: what blanks part.

use memchr::memchr2;

/// The words of a line, in order; runs of blanks part them like one blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// The words of `line`, which holds no newline.
    pub fn new(line: &'a [u8]) -> Self {
        Self { rest: line }
    }

    /// Bytes not walked over yet, the blanks before the next word included.
    pub fn unread_len(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.rest.iter().position(|&byte| byte != b' ')?;
        let rest = self.rest.get(start..)?;
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

/// What stands at the beginning of a piece of a line, which may go on after the piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// The line ends here, after only blanks.
    LineEnd,
    /// The piece ends before its word does.
    Unfinished(&'a [u8]),
    /// A word, and the blank or line end after it was seen.
    Word(&'a [u8]),
}

/// Takes the next token off a piece of a line. Returns it with the number of bytes it used up: the blanks before it for
/// all, the word itself for [`Token::Word`], the line end for [`Token::LineEnd`]; an unfinished word is not used up.
///
/// A carriage return right before the newline belongs to the line end, everywhere else to the word.
pub fn next_token(piece: &[u8]) -> (Token<'_>, usize) {
    let start = piece.iter().position(|&byte| byte != b' ').unwrap_or(piece.len());
    let (_, rest) = piece.split_at(start);
    match memchr2(b' ', b'\n', rest) {
        None => (Token::Unfinished(rest), start),
        Some(end) => {
            let (word, after) = rest.split_at(end);
            if after.first() == Some(&b' ') {
                return (Token::Word(word), start + end);
            }
            let trimmed = word.strip_suffix(b"\r").unwrap_or(word);
            if trimmed.is_empty() {
                (Token::LineEnd, start + end + 1)
            } else {
                (Token::Word(trimmed), start + trimmed.len())
            }
        }
    }
}
