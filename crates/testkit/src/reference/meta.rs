//! Meta commands, read and answered a second time.

use larder_protocol::{
    Delta, Meta, MetaArithmetic, MetaError, MetaFlags, MetaKey, MetaSet, ParseError, Placed,
    Request, Status, StoreMode, Words,
};

use super::meaning::Meaning;
use super::{is_too_long, number, owned, read_exptime, refused};

/// What a meta command means, without a line to borrow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaMeaning {
    /// Which one it is.
    pub command: MetaCommand,
    /// The key, out of base64.
    pub key: Vec<u8>,
    /// The key as it stands in the line.
    pub key_word: Vec<u8>,
    /// Whether that is base64.
    pub is_encoded: bool,
    /// What the flags ask.
    pub flags: MetaFlags,
    /// The flags as they stand.
    pub words: Vec<Vec<u8>>,
}

/// The meta commands with flags, and what is theirs alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaCommand {
    /// `ma`.
    Arithmetic(Delta),
    /// `md`.
    Delete,
    /// `mg`.
    Get,
    /// `ms`: mode and length of the data block.
    Set(StoreMode, usize),
}

impl MetaMeaning {
    pub(super) fn of(command: MetaCommand, meta: &Meta<'_>) -> Meaning {
        Meaning::Meta(Box::new(Self {
            command,
            key: meta.key.decode().as_ref().to_vec(),
            key_word: meta.key.word.to_vec(),
            is_encoded: meta.key.is_encoded,
            flags: meta.flags,
            words: meta.words.map(<[u8]>::to_vec).collect(),
        }))
    }

    /// The words of its line.
    pub(super) fn line(&self) -> Vec<Vec<u8>> {
        let (name, len) = match self.command {
            MetaCommand::Arithmetic(_) => ("ma", None),
            MetaCommand::Delete => ("md", None),
            MetaCommand::Get => ("mg", None),
            MetaCommand::Set(_, len) => ("ms", Some(len)),
        };
        let mut words = vec![name.into(), self.key_word.clone()];
        words.extend(len.map(|len| len.to_string().into_bytes()));
        words.extend(self.words.iter().cloned());
        words
    }

    /// Calls `ask` with the request, borrowing what it borrows.
    pub(super) fn with_request<R>(&self, ask: impl FnOnce(&[u8], Request<'_>) -> R) -> R {
        let text = self.words.join(&b' ');
        let key = MetaKey { word: &self.key_word, is_encoded: self.is_encoded };
        let meta = Meta { key, flags: self.flags, words: Words::new(&text) };
        let request = match self.command {
            MetaCommand::Arithmetic(delta) => {
                Request::MetaArithmetic(MetaArithmetic { meta, delta })
            }
            MetaCommand::Delete => Request::MetaDelete(meta),
            MetaCommand::Get => Request::MetaGet(meta),
            MetaCommand::Set(mode, value_len) => {
                Request::MetaSet(MetaSet { meta, mode, value_len })
            }
        };
        ask(&self.key, request)
    }

    /// Writes a reply: what `tell` says for each flag, key and opaque said here.
    pub(super) fn reply(
        &self,
        code: &str,
        key_is_encoded: bool,
        tell: impl Fn(char) -> Option<String>,
    ) -> Vec<u8> {
        let mut reply = code.as_bytes().to_vec();
        for word in &self.words {
            let letter = char::from(word[0]);
            match letter {
                'O' => reply.extend([&b" "[..], word].concat()),
                'k' => {
                    reply.extend(b" k");
                    let (key, is_encoded) = spoken(&self.key, key_is_encoded);
                    reply.extend(key);
                    reply.extend(if is_encoded { &b" b"[..] } else { b"" });
                }
                _ => {
                    if let Some(told) = tell(letter) {
                        reply.extend(format!(" {letter}{told}").into_bytes());
                    }
                }
            }
        }
        reply
    }

    /// The reply to an outcome without an item; to an error without flags.
    pub(super) fn outcome(&self, status: Status, tell: impl Fn(char) -> Option<String>) -> Vec<u8> {
        let code = match status {
            Status::Stored | Status::Deleted => "HD",
            Status::Exists => "EX",
            Status::NotFound => "NF",
            Status::NotStored => "NS",
            error => return error.line().to_vec(),
        };
        [&self.reply(code, self.is_encoded, tell)[..], b"\r\n"].concat()
    }
}

/// A key as replies say it: in base64 if it came so, or if it could not be said otherwise.
pub(super) fn spoken(key: &[u8], is_encoded: bool) -> (Vec<u8>, bool) {
    let is_encoded = is_encoded || key.contains(&b' ') || key.contains(&b'\n');
    (if is_encoded { to_base64(key) } else { key.to_vec() }, is_encoded)
}

/// Reads the words after the name of a meta command.
pub(super) fn read_meta(name: &[u8], words: &[&[u8]]) -> Meaning {
    let (command, key, words) = match (name, words) {
        (b"ms", [key, len, words @ ..]) => {
            let Some(len) = number(len).filter(|&len| len <= 2_147_483_645) else {
                return refused(ParseError::BadFormat);
            };
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            (MetaCommand::Set(StoreMode::Set, len), key, words)
        }
        (b"mg", [key, words @ ..]) => (MetaCommand::Get, key, words),
        (b"md", [key, words @ ..]) => (MetaCommand::Delete, key, words),
        (b"ma", [key, words @ ..]) => (MetaCommand::Arithmetic(Delta::Increment(1)), key, words),
        _ => return refused(ParseError::BadFormat),
    };
    match read_whole(command, key, words) {
        Ok(meaning) => Meaning::Meta(Box::new(meaning)),
        Err(reason) => {
            let is_vague = matches!(command, MetaCommand::Delete | MetaCommand::Arithmetic(_));
            let reason = match reason {
                ParseError::Meta(
                    MetaError::TooManyFlags
                    | MetaError::OpaqueTooLong
                    | MetaError::InvalidArithmeticMode,
                ) => reason,
                ParseError::Meta(_) if is_vague => MetaError::InvalidOrDuplicateFlag.into(),
                ParseError::BadFormat if is_vague && !is_too_long(key) => {
                    MetaError::InvalidOrDuplicateFlag.into()
                }
                reason => reason,
            };
            let skip_len = if let MetaCommand::Set(_, len) = command { len + 2 } else { 0 };
            Meaning::Refused { reason, quiet: false, skip_len }
        }
    }
}

fn read_whole(
    command: MetaCommand,
    key: &[u8],
    words: &[&[u8]],
) -> Result<MetaMeaning, ParseError> {
    if is_too_long(key) {
        return Err(ParseError::BadFormat);
    }
    let others = if matches!(command, MetaCommand::Set(..)) { 3 } else { 2 };
    if words.len() + others > 20 {
        return Err(MetaError::TooManyFlags.into());
    }
    let (mut faults, mut seen) = (Vec::new(), Vec::new());
    for word in words {
        let letter = word[0];
        if !char::from(letter).is_ascii_alphanumeric() {
            return Err(ParseError::BadFormat);
        }
        if seen.contains(&letter) {
            return Err(MetaError::DuplicateFlag.into());
        }
        if !b"bqvuIxtTNRCEDJFMcfhklOsPL".contains(&letter) {
            return Err(MetaError::InvalidFlag.into());
        }
        seen.push(letter);
        faults.extend(fault_of(letter, &word[1..], key));
    }
    // The last fault is told; one of `F` only if there is no other.
    let others = faults.iter().rev().find(|&&fault| fault != ParseError::BadFormat);
    if let Some(&fault) = others.or_else(|| faults.first()) {
        return Err(fault);
    }
    let flags = flags_of(words);
    let command = command_of(command, &flags)?;
    if words.iter().any(|word| word[0] == b'O' && word.len() > 32) {
        return Err(MetaError::OpaqueTooLong.into());
    }
    let is_encoded = seen.contains(&b'b');
    let plain = if is_encoded { from_base64(key).unwrap_or_default() } else { key.to_vec() };
    Ok(MetaMeaning {
        command,
        key: plain,
        key_word: key.to_vec(),
        is_encoded,
        flags,
        words: owned(words),
    })
}

fn fault_of(letter: u8, token: &[u8], key: &[u8]) -> Option<ParseError> {
    let meta = |is_right: bool, error: MetaError| (!is_right).then_some(error.into());
    match letter {
        b'T' | b'N' | b'R' => meta(read_exptime(token).is_some(), MetaError::BadToken),
        b'C' | b'E' => meta(number(token).is_some(), MetaError::BadToken),
        b'D' => meta(number(token).is_some(), MetaError::InvalidDelta),
        b'J' => meta(number(token).is_some(), MetaError::InvalidInitial),
        b'M' => meta(token.len() == 1, MetaError::ModeLength),
        b'b' => meta(from_base64(key).is_some(), MetaError::UndecodedKey),
        b'F' => {
            let is_right = number(token).is_some_and(|bits| bits < 1 << 32);
            (!is_right).then_some(ParseError::BadFormat)
        }
        _ => None,
    }
}

fn command_of(command: MetaCommand, flags: &MetaFlags) -> Result<MetaCommand, ParseError> {
    let mode = flags.mode.map(char::from);
    Ok(match command {
        MetaCommand::Set(_, len) => {
            let mode = match (mode, flags.compare) {
                (None | Some('S' | 'R'), Some(cas)) => StoreMode::Cas(cas),
                (None | Some('S'), None) => StoreMode::Set,
                (Some('R'), None) => StoreMode::Replace,
                (Some('E'), _) => StoreMode::Add,
                (Some('A'), _) => StoreMode::Append,
                (Some('P'), _) => StoreMode::Prepend,
                _ => return Err(MetaError::InvalidSetMode.into()),
            };
            MetaCommand::Set(mode, len)
        }
        MetaCommand::Arithmetic(_) => MetaCommand::Arithmetic(match mode {
            None | Some('I' | '+') => Delta::Increment(flags.delta),
            Some('D' | '-') => Delta::Decrement(flags.delta),
            Some(_) => return Err(MetaError::InvalidArithmeticMode.into()),
        }),
        other => other,
    })
}

/// What flags without a fault ask.
pub(crate) fn flags_of<W: AsRef<[u8]>>(words: &[W]) -> MetaFlags {
    let place = |letter| words.iter().position(|word| word.as_ref()[0] == letter);
    let token = |letter| place(letter).map(|place| &words[place].as_ref()[1..]);
    let small = |place| u8::try_from(place).unwrap_or(u8::MAX);
    let exptime = |letter| {
        let exptime = token(letter).and_then(read_exptime)?;
        Some(Placed { exptime, place: small(place(letter)?) })
    };
    MetaFlags {
        quiet: token(b'q').is_some(),
        value: token(b'v').is_some(),
        no_bump: token(b'u').is_some(),
        invalidate: token(b'I').is_some(),
        drop_value: token(b'x').is_some(),
        touch: exptime(b'T'),
        vivify: exptime(b'N'),
        recache: exptime(b'R'),
        ttl_place: place(b't').map_or(u8::MAX, small),
        compare: token(b'C').and_then(number),
        cas: token(b'E').and_then(number),
        client_flags: token(b'F')
            .and_then(number)
            .and_then(|bits| u32::try_from(bits).ok())
            .unwrap_or(0),
        initial: token(b'J').and_then(number).unwrap_or(0),
        delta: token(b'D').and_then(number).unwrap_or(1),
        mode: token(b'M').and_then(|mode| mode.first().copied()),
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Out of base64, three bytes for four letters; padding must be there.
pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = text.len() / 4;
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    for (index, four) in text.chunks(4).enumerate() {
        let padding = four.iter().rev().take_while(|&&letter| letter == b'=').count();
        if padding > 2 || (padding > 0 && index + 1 < count) {
            return None;
        }
        let mut bits = 0;
        for letter in &four[..4 - padding] {
            bits = bits << 6 | LETTERS.iter().position(|known| known == letter)?;
        }
        bits <<= 6 * padding;
        let three = [bits >> 16, bits >> 8 & 255, bits & 255]
            .map(|byte| u8::try_from(byte).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&three[..3 - padding]);
    }
    Some(bytes)
}

/// Into base64, with padding.
pub(crate) fn to_base64(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for three in bytes.chunks(3) {
        let byte = |index: usize| three.get(index).map_or(0, |&byte| usize::from(byte));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (index, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = if index > three.len() { b'=' } else { LETTERS[bits >> shift & 63] };
            text.push(letter);
        }
    }
    text
}
