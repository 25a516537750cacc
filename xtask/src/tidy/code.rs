//! Rust text with its comments and literals blanked out, and where its functions begin and end.
//!
//! This is no parser: the rules need to know words and braces, and a word inside a string or a comment is
//! none. Every byte that is not code becomes a space and newlines stay, so that lines keep their numbers.

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// Line of the word `fn`, counted from 1.
    pub(super) line: usize,
    /// Lines from the word `fn` to the closing brace, both included.
    pub(super) lines: usize,
}

/// Replaces everything that is no code by spaces.
pub(super) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        match end {
            Some(end) => {
                code.extend(bytes[at..end].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
                at = end;
            }
            None => {
                // Identifiers go whole: the `r` of `for"` is not the start of a raw string.
                let word = word_len(&bytes[at..]).max(1);
                code.extend_from_slice(&bytes[at..at + word]);
                at += word;
            }
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `None` if none begins there.
fn token_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return Some(at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return Some(at + block_comment_len(rest));
    }
    let prefix = ["br", "cr", "r", "b", "c", ""]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix.as_bytes()) && is_literal(&rest[prefix.len()..]))?;
    let literal = &rest[prefix.len()..];
    let len = match literal[0] {
        b'\'' if prefix.is_empty() || prefix == "b" => char_len(literal)?,
        _ if prefix.ends_with('r') => raw_len(literal)?,
        b'"' => quoted_len(literal),
        _ => return None,
    };
    Some(at + prefix.len() + len)
}

fn is_literal(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'"' | b'\'' | b'#'))
}

fn block_comment_len(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of `"…"` with its escapes.
fn quoted_len(literal: &[u8]) -> usize {
    let mut at = 1;
    while at < literal.len() {
        match literal[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    literal.len()
}

/// Length of `#"…"#` with any number of `#`; `None` for a raw identifier such as `r#type`.
fn raw_len(literal: &[u8]) -> Option<usize> {
    let hashes = literal.iter().take_while(|&&b| b == b'#').count();
    if literal.get(hashes) != Some(&b'"') {
        return None;
    }
    let body = &literal[hashes + 1..];
    let close = (0..body.len()).find(|&at| {
        body[at] == b'"' && body[at + 1..].iter().take_while(|&&b| b == b'#').count() >= hashes
    });
    Some(close.map_or(literal.len(), |at| hashes + 1 + at + 1 + hashes))
}

/// Length of a character literal; `None` for a lifetime.
fn char_len(literal: &[u8]) -> Option<usize> {
    match literal.get(1)? {
        b'\\' => {
            let close = literal.iter().skip(3).position(|&b| b == b'\'')?;
            Some(close + 4)
        }
        _ => {
            // One character of up to four bytes, then the closing quote; else it was a lifetime.
            let width = std::str::from_utf8(&literal[1..]).ok()?.chars().next()?.len_utf8();
            (literal.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
    }
}

fn word_len(rest: &[u8]) -> usize {
    rest.iter().take_while(|&&b| is_word(b)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Byte positions where `word` stands alone in blanked code.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let after = bytes.get(at + word.len()).copied();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Line of a byte position, counted from 1.
pub(super) fn line_of(text: &str, position: usize) -> usize {
    text.as_bytes()[..position].iter().filter(|&&b| b == b'\n').count() + 1
}

/// The functions with bodies in blanked code, in order of their beginning.
pub(super) fn functions(code: &str) -> Vec<Function<'_>> {
    words(code, "fn").filter_map(|at| function_at(code, at)).collect()
}

fn function_at(code: &str, at: usize) -> Option<Function<'_>> {
    let after = code[at + 2..].trim_start();
    let name = &after[..word_len(after.as_bytes())];
    if name.is_empty() {
        return None; // the type `fn(u8)`
    }
    let bytes = code.as_bytes();
    let mut nesting = 0_usize; // of parentheses and brackets: `[u8; 4]` in a signature holds a `;`
    let mut open = at;
    loop {
        match bytes.get(open)? {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.saturating_sub(1),
            b';' if nesting == 0 => return None, // a method without a body
            b'{' if nesting == 0 => break,
            _ => {}
        }
        open += 1;
    }
    let mut depth = 0_usize;
    let body = bytes[open..].iter().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let line = line_of(code, at);
    Some(Function { name, line, lines: line_of(code, open + body) - line + 1 })
}

#[cfg(test)]
mod tests {
    use super::{blank, functions, words};

    #[test]
    fn only_code_is_left() {
        let check = |text: &str, expected: &str| assert_eq!(blank(text).trim_end(), expected);
        check("a // b", "a");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"a("b \" c", 'x', '\'', 'é')"#, "a(        ,    ,     ,     )");
        check(r##"a(r#"b " c"#, br"d")"##, "a(          ,      )");
        check("fn a<'b>(c: &'b str)", "fn a<'b>(c: &'b str)");
        check("r#type + for\"x\"", "r#type + for");
        check("a(b'{')", "a(    )");
        check("a\"b\nc\"d", "a  \n  d");
    }

    #[test]
    fn words_stand_alone() {
        let count = |code: &str| words(code, "unsafe").count();
        assert_eq!(count("unsafe { x } #![deny(unsafe_code)] not_unsafe unsafe"), 2);
    }

    #[test]
    fn functions_are_measured_from_their_word_to_their_brace() {
        let code = blank(
            "trait A { fn none(x: [u8; 2]); }\nfn one() { \"}\" }\npub fn two(f: fn(u8)) -> [u8; 2] {\n  \
             if x { y }\n  // }\n}\n",
        );
        let found: Vec<_> = functions(&code).iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("one", 2, 1), ("two", 3, 4)]);
    }
}
