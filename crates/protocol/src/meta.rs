//! Meta commands: `mg ms md ma me`, a key and flags of one letter each.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use crate::number::{parse_exptime, parse_number};
use crate::parse::{KEY_LEN_MAX, Parsed, VALUE_LEN_MAX, check_key};
use crate::request::{Delta, ParseError, Rejection, Request, StoreMode};
use crate::words::Words;

/// A meta command without a data block: a key, and what its flags ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// Key of the item.
    pub key: MetaKey<'a>,
    /// What the flags ask.
    pub flags: MetaFlags,
    /// The flags themselves: each letter at most once, in the order in which replies repeat them.
    pub words: Words<'a>,
}

/// A request to store the data block that follows it: `ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaSet<'a> {
    /// Key and flags.
    pub meta: Meta<'a>,
    /// What the flag `M` says, with the number of `C` where that makes it another condition.
    pub mode: StoreMode,
    /// Length of the data block, its line end not counted.
    pub value_len: usize,
}

/// A request for a sum: `ma`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaArithmetic<'a> {
    /// Key and flags.
    pub meta: Meta<'a>,
    /// What the flags `M` and `D` say.
    pub delta: Delta,
}

/// A request for what is known of an item: `me`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaDebug<'a> {
    /// Key of the item.
    pub key: MetaKey<'a>,
}

/// A key as it stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaKey<'a> {
    /// Its word, at most [`KEY_LEN_MAX`] bytes.
    pub word: &'a [u8],
    /// Whether the word is base64 (flag `b`); then it has been seen to decode.
    pub is_encoded: bool,
}

impl MetaKey<'_> {
    /// The key itself.
    pub fn decode(&self) -> Decoded {
        let mut decoded = Decoded { bytes: [0; KEY_ROOM], len: 0 };
        let len = if self.is_encoded {
            BASE64.decode_slice(self.word, &mut decoded.bytes).ok()
        } else {
            let room = decoded.bytes.get_mut(..self.word.len());
            room.map(|room| room.copy_from_slice(self.word)).map(|()| self.word.len())
        };
        decoded.len = len.unwrap_or(0);
        decoded
    }
}

/// A key, out of base64 if it was in it.
#[derive(Debug, Clone, Copy)]
pub struct Decoded {
    bytes: [u8; KEY_ROOM],
    len: usize,
}

impl AsRef<[u8]> for Decoded {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// What the flags of a meta command ask, those that only replies repeat left out.
///
/// Flags take effect in the order in which they stand, so those that meet know their places: `t` before `T` shows the
/// time that was left, after it the time that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaFlags {
    /// `q`: the ordinary reply is left out; errors never are.
    pub quiet: bool,
    /// `v`: the value is wanted.
    pub value: bool,
    /// `u`: this is no use of the item.
    pub no_bump: bool,
    /// `I`: `md` marks the item stale, `ms` stores a value that is older than the item's, as stale.
    pub invalidate: bool,
    /// `x`: the value goes, the item stays.
    pub drop_value: bool,
    /// `T`: the item's new exptime.
    pub touch: Option<Placed>,
    /// `N`: an item that is missing is created, with this exptime.
    pub vivify: Option<Placed>,
    /// `R`: who fetches an item that expires before this wins its renewal.
    pub recache: Option<Placed>,
    /// Where `t` stands; [`u8::MAX`] where it does not.
    pub ttl_place: u8,
    /// `C`: the CAS number that the item must have.
    pub compare: Option<u64>,
    /// `E`: the CAS number that the item gets.
    pub cas: Option<u64>,
    /// `F`: the client's own 32 bits.
    pub client_flags: u32,
    /// `J`: the number that a counter begins with.
    pub initial: u64,
    /// `D`: what to add or take away.
    pub delta: u64,
    /// `M`: the letter of a mode.
    pub mode: Option<u8>,
}

/// An exptime and its place among the flags, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// By the rules of [`crate::Storage::exptime`].
    pub exptime: i64,
    /// How many flags stand before it.
    pub place: u8,
}

impl MetaFlags {
    /// The exptime that the flags before this place have given an item; none if they left it as it was.
    pub fn exptime_at(&self, place: u8, is_new: bool) -> Option<i64> {
        let vivify = self.vivify.filter(|_| is_new);
        let given = [self.touch, vivify].into_iter().flatten();
        given.filter(|given| given.place < place).max_by_key(|given| given.place).map(|g| g.exptime)
    }

    /// The exptime that all flags together give an item; none if they leave it as it was.
    pub fn exptime(&self, is_new: bool) -> Option<i64> {
        self.exptime_at(u8::MAX, is_new)
    }
}

/// What was wrong with the flags of a meta command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetaError {
    /// A letter without the number it needs.
    BadToken,
    /// A letter twice.
    DuplicateFlag,
    /// A mode that `ma` does not have.
    InvalidArithmeticMode,
    /// `D` without a 64-bit number.
    InvalidDelta,
    /// A letter that is none of the flags.
    InvalidFlag,
    /// `J` without a 64-bit number.
    InvalidInitial,
    /// `md` and `ma` say no more about any fault in a flag.
    InvalidOrDuplicateFlag,
    /// A mode that `ms` does not have.
    InvalidSetMode,
    /// A mode of more or less than one letter.
    ModeLength,
    /// An opaque token of more than [`OPAQUE_LEN_MAX`] bytes.
    OpaqueTooLong,
    /// More flags than [`FLAG_COUNT_MAX`], or nearly.
    TooManyFlags,
    /// A key that is not base64 though the flags say so.
    UndecodedKey,
}

impl MetaError {
    /// The whole reply, its line end included.
    pub const fn line(self) -> &'static [u8] {
        match self {
            Self::BadToken => b"CLIENT_ERROR bad token in command line format\r\n",
            Self::DuplicateFlag => b"CLIENT_ERROR duplicate flag\r\n",
            Self::InvalidArithmeticMode => b"CLIENT_ERROR invalid mode for ma M token\r\n",
            Self::InvalidDelta => b"CLIENT_ERROR invalid numeric delta value\r\n",
            Self::InvalidFlag => b"CLIENT_ERROR invalid flag\r\n",
            Self::InvalidInitial => b"CLIENT_ERROR invalid numeric initial value\r\n",
            Self::InvalidOrDuplicateFlag => b"CLIENT_ERROR invalid or duplicate flag\r\n",
            Self::InvalidSetMode => b"CLIENT_ERROR invalid mode for ms M token\r\n",
            Self::ModeLength => b"CLIENT_ERROR incorrect length for M token\r\n",
            Self::OpaqueTooLong => b"CLIENT_ERROR opaque token too long\r\n",
            Self::TooManyFlags => b"CLIENT_ERROR options flags are too long\r\n",
            Self::UndecodedKey => b"CLIENT_ERROR error decoding key\r\n",
        }
    }
}

impl From<MetaError> for ParseError {
    fn from(error: MetaError) -> Self {
        Self::Meta(error)
    }
}

/// Whether a key can stand in a line as it is.
pub fn is_key_plain(key: &[u8]) -> bool {
    memchr::memchr2(b' ', b'\n', key).is_none()
}

/// Appends a key in base64.
pub fn encode_key(out: &mut alloc::vec::Vec<u8>, key: &[u8]) {
    let mut room = [0; KEY_LEN_MAX.div_ceil(3) * 4];
    let len = BASE64.encode_slice(key, &mut room).unwrap_or(0);
    out.extend_from_slice(room.get(..len).unwrap_or_default());
}

/// Words after the name: key, flags.
pub(crate) fn parse_get(rest: &[u8]) -> Parsed<'_> {
    let meta = parse_meta(rest, |reason| reason)?;
    check_opaque(meta.words)?;
    Ok(Request::MetaGet(meta))
}

/// Words after the name: key, flags.
pub(crate) fn parse_delete(rest: &[u8]) -> Parsed<'_> {
    let meta = parse_meta(rest, without_detail)?;
    check_opaque(meta.words)?;
    Ok(Request::MetaDelete(meta))
}

/// Words after the name: key, flags.
pub(crate) fn parse_arithmetic(rest: &[u8]) -> Parsed<'_> {
    let meta = parse_meta(rest, without_detail)?;
    let delta = match meta.flags.mode {
        None | Some(b'I' | b'+') => Delta::Increment,
        Some(b'D' | b'-') => Delta::Decrement,
        Some(_) => return Err(ParseError::from(MetaError::InvalidArithmeticMode).into()),
    };
    check_opaque(meta.words)?;
    Ok(Request::MetaArithmetic(MetaArithmetic { meta, delta: delta(meta.flags.delta) }))
}

/// Words after the name: key, then perhaps `b` and more. memcached 1.6.45 sees the `b` only if another word follows it.
pub(crate) fn parse_debug(rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let word = words.next().ok_or(ParseError::BadFormat)?;
    check_key(word)?;
    let is_encoded = words.next() == Some(b"b") && words.next().is_some();
    let key = MetaKey { word, is_encoded };
    if key.decode().len == 0 {
        return Err(ParseError::BadFormat.into());
    }
    Ok(Request::MetaDebug(MetaDebug { key }))
}

/// Words after the name: key, length, flags. What follows a refused line is thrown away if its length is known.
pub(crate) fn parse_set(rest: &[u8]) -> Parsed<'_> {
    let mut words = Words::new(rest);
    let mut next = || words.next().ok_or(ParseError::BadFormat);
    let (word, len) = (next()?, next()?);
    let value_len = parse_number(len)
        .and_then(|len| usize::try_from(len).ok())
        .filter(|&len| len <= VALUE_LEN_MAX)
        .ok_or(ParseError::BadFormat)?;
    let refuse = |reason| Rejection { reason, quiet: false, skip_len: value_len + b"\r\n".len() };
    check_key(word).map_err(refuse)?;
    // Name, key and length are words too.
    let meta = parse_flags(word, words, FLAG_COUNT_MAX - 1).map_err(refuse)?;
    let compare = meta.flags.compare.map(StoreMode::Cas);
    let mode = match meta.flags.mode {
        None | Some(b'S') => compare.unwrap_or(StoreMode::Set),
        Some(b'R') => compare.unwrap_or(StoreMode::Replace),
        Some(b'E') => StoreMode::Add,
        Some(b'A') => StoreMode::Append,
        Some(b'P') => StoreMode::Prepend,
        Some(_) => return Err(refuse(MetaError::InvalidSetMode.into())),
    };
    check_opaque(meta.words).map_err(refuse)?;
    Ok(Request::MetaSet(MetaSet { meta, mode, value_len }))
}

fn parse_meta(rest: &[u8], told: fn(ParseError) -> ParseError) -> Result<Meta<'_>, ParseError> {
    let mut words = Words::new(rest);
    let word = words.next().ok_or(ParseError::BadFormat)?;
    check_key(word)?;
    parse_flags(word, words, FLAG_COUNT_MAX).map_err(told)
}

/// Reads the flags. Of faults in numbers the last one is told, a letter that cannot be there ends the reading.
fn parse_flags<'a>(
    key: &'a [u8],
    words: Words<'a>,
    count_max: usize,
) -> Result<Meta<'a>, ParseError> {
    if words.count() > count_max {
        return Err(MetaError::TooManyFlags.into());
    }
    let mut key = MetaKey { word: key, is_encoded: false };
    let mut flags = MetaFlags::NONE;
    let (mut seen, mut fault) = (0_u128, None);
    for (place, word) in (0..).zip(words) {
        let Some((&letter, token)) = word.split_first() else { continue };
        if !letter.is_ascii_alphanumeric() {
            return Err(ParseError::BadFormat);
        }
        if seen & (1 << letter) != 0 {
            return Err(MetaError::DuplicateFlag.into());
        }
        seen |= 1 << letter;
        let known = match letter {
            b'b' => {
                key.is_encoded = true;
                check_base64(key)
            }
            _ => flags.read(letter, token, place),
        };
        match known {
            Ok(()) => {}
            Err(reason @ ParseError::Meta(MetaError::InvalidFlag)) => return Err(reason),
            // memcached has no words of its own for `F`: another fault is told before it.
            Err(ParseError::BadFormat) => fault = fault.or(Some(ParseError::BadFormat)),
            Err(reason) => fault = Some(reason),
        }
    }
    fault.map_or(Ok(Meta { key, flags, words }), Err)
}

impl MetaFlags {
    /// Those of a command that has none.
    pub const NONE: Self = Self {
        quiet: false,
        value: false,
        no_bump: false,
        invalidate: false,
        drop_value: false,
        touch: None,
        vivify: None,
        recache: None,
        ttl_place: u8::MAX,
        compare: None,
        cas: None,
        client_flags: 0,
        initial: 0,
        delta: 1,
        mode: None,
    };

    fn read(&mut self, letter: u8, token: &[u8], place: u8) -> Result<(), ParseError> {
        let exptime = || {
            let exptime = parse_exptime(token).ok_or(MetaError::BadToken)?;
            Ok::<_, ParseError>(Some(Placed { exptime, place }))
        };
        let number = |fault: MetaError| parse_number(token).ok_or(fault);
        match letter {
            b'q' => self.quiet = true,
            b'v' => self.value = true,
            b'u' => self.no_bump = true,
            b'I' => self.invalidate = true,
            b'x' => self.drop_value = true,
            b't' => self.ttl_place = place,
            b'T' => self.touch = exptime()?,
            b'N' => self.vivify = exptime()?,
            b'R' => self.recache = exptime()?,
            b'C' => self.compare = Some(number(MetaError::BadToken)?),
            b'E' => self.cas = Some(number(MetaError::BadToken)?),
            b'D' => self.delta = number(MetaError::InvalidDelta)?,
            b'J' => self.initial = number(MetaError::InvalidInitial)?,
            b'F' => {
                let bits = parse_number(token).and_then(|bits| u32::try_from(bits).ok());
                self.client_flags = bits.ok_or(ParseError::BadFormat)?;
            }
            b'M' => match token {
                [mode] => self.mode = Some(*mode),
                _ => return Err(MetaError::ModeLength.into()),
            },
            // Replies repeat or tell these; `P` and `L` are for routers on the way.
            b'c' | b'f' | b'h' | b'k' | b'l' | b'O' | b's' | b'P' | b'L' => {}
            _ => return Err(MetaError::InvalidFlag.into()),
        }
        Ok(())
    }
}

fn check_base64(key: MetaKey<'_>) -> Result<(), ParseError> {
    if key.decode().len == 0 { Err(MetaError::UndecodedKey.into()) } else { Ok(()) }
}

fn check_opaque(mut words: Words<'_>) -> Result<(), ParseError> {
    let opaque = words.find(|word| word.first() == Some(&b'O'));
    if opaque.is_some_and(|word| word.len() > OPAQUE_LEN_MAX + 1) {
        return Err(MetaError::OpaqueTooLong.into());
    }
    Ok(())
}

/// `md` and `ma` do not say which flag is at fault, or how.
fn without_detail(reason: ParseError) -> ParseError {
    match reason {
        ParseError::Meta(MetaError::TooManyFlags) => reason,
        _ => MetaError::InvalidOrDuplicateFlag.into(),
    }
}

/// Most flags of a command, its name and key being words too; `ms` has room for one less.
pub const FLAG_COUNT_MAX: usize = 18;

/// Longest opaque token, in bytes, its letter not counted.
pub const OPAQUE_LEN_MAX: usize = 31;

/// Room for the longest key, and for what the decoder wants to have free behind it.
const KEY_ROOM: usize = KEY_LEN_MAX + 6;

/// Padding must be right; bits of the last letter that mean nothing may be set, as memcached lets them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);
