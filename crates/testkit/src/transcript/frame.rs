//! A frame of the binary protocol, in words.

use larder_protocol::binary::{HEAD_LEN, Header, MAGIC_REQUEST, MAGIC_RESPONSE, Opcode, Status};

use super::parse::{pattern as text_pattern, piece};
use super::{Pattern, Piece, Values};

/// Whose frame it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Side {
    /// A request.
    Client,
    /// A response.
    Server,
}

/// The bytes of a frame that is written as `NAME field=value …`, or of some and then this one.
pub(super) fn pattern(text: &str, side: Side) -> Result<Pattern, String> {
    if let Some(text) = text.strip_prefix("{frames} ") {
        let mut frames = Pattern { pieces: vec![Piece::Frames] };
        frames.append(pattern(text, side)?);
        return Ok(frames);
    }
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let name = words.next().ok_or("a frame without an opcode")?;
    let mut fields = Fields::default();
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("no field: {word}"))?;
        fields.given.push((name, value));
    }
    let opcode = opcode(name)?;
    let frame = fields.frame(opcode, side)?;
    match fields.given.first() {
        None => Ok(frame),
        Some((name, _)) => Err(format!("{name} means nothing here")),
    }
}

/// What is left of the fields of a frame.
#[derive(Debug, Default)]
struct Fields<'t> {
    given: Vec<(&'t str, &'t str)>,
}

impl<'t> Fields<'t> {
    fn take(&mut self, name: &str) -> Option<&'t str> {
        let index = self.given.iter().position(|(given, _)| *given == name)?;
        Some(self.given.remove(index).1)
    }

    fn number<N: TryFrom<u64>>(&mut self, name: &str, otherwise: N) -> Result<N, String> {
        let Some(text) = self.take(name) else { return Ok(otherwise) };
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        };
        number
            .and_then(|number| N::try_from(number).ok())
            .ok_or_else(|| format!("{name}: not such a number: {text}"))
    }

    fn text(&mut self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let bytes = text_pattern(text)?.bytes(&Values::new(), 0);
        bytes.map(Some).ok_or_else(|| format!("{name} must be plain text"))
    }

    fn frame(&mut self, opcode: u8, side: Side) -> Result<Pattern, String> {
        let (extras, status) = match side {
            Side::Client => (self.request_extras(opcode)?, self.number("vbucket", 0)?),
            Side::Server => (self.response_extras()?, self.status()?),
        };
        let key = self.text("key")?.unwrap_or_default();
        let value = match (self.text("value")?, self.take("number")) {
            (Some(value), _) => value,
            (None, Some(number)) => {
                let number: u64 = number.parse().map_err(|_| format!("no number: {number}"))?;
                number.to_be_bytes().to_vec()
            }
            (None, None) if key.is_empty() && side == Side::Server => words_of(status),
            (None, None) => Vec::new(),
        };
        let body = [&extras[..], &key, &value].concat();
        let len = |len: usize| u16::try_from(len).map_err(|_| "too long".to_owned());
        let magic = if side == Side::Client { MAGIC_REQUEST } else { MAGIC_RESPONSE };
        let header = Header {
            magic: self.number("magic", magic)?,
            opcode,
            key_len: self.number("keylen", len(key.len())?)?,
            extras_len: self.number("extraslen", u8::try_from(extras.len()).unwrap_or(u8::MAX))?,
            data_type: self.number("type", 0)?,
            status,
            body_len: self.number("bodylen", u32::try_from(body.len()).unwrap_or(u32::MAX))?,
            opaque: self.number("opaque", OPAQUE)?,
            cas: 0,
        };
        let mut head = Vec::with_capacity(HEAD_LEN);
        header.push(&mut head);
        let mut frame = Pattern::default();
        frame.push_literal(&head[..CAS_AT]);
        frame.append(self.cas()?);
        frame.push_literal(&body);
        Ok(frame)
    }

    fn request_extras(&mut self, opcode: u8) -> Result<Vec<u8>, String> {
        if let Some(extras) = self.text("extras")? {
            return Ok(extras);
        }
        let exptime = match self.take("exptime") {
            Some("never-create") => Some(u32::MAX),
            Some(text) => Some(text.parse().map_err(|_| format!("not an exptime: {text}"))?),
            None => None,
        };
        let seconds = exptime.unwrap_or(0).to_be_bytes();
        Ok(match Opcode::parse(opcode) {
            Some(
                Opcode::Set
                | Opcode::SetQ
                | Opcode::Add
                | Opcode::AddQ
                | Opcode::Replace
                | Opcode::ReplaceQ,
            ) => [self.number("flags", 0_u32)?.to_be_bytes(), seconds].concat(),
            Some(
                Opcode::Increment | Opcode::IncrementQ | Opcode::Decrement | Opcode::DecrementQ,
            ) => {
                let (delta, initial): (u64, u64) =
                    (self.number("delta", 1)?, self.number("initial", 0)?);
                [&delta.to_be_bytes()[..], &initial.to_be_bytes(), &seconds].concat()
            }
            Some(Opcode::Touch | Opcode::Gat | Opcode::GatQ | Opcode::GatK | Opcode::GatKQ) => {
                seconds.to_vec()
            }
            _ if exptime.is_some() => seconds.to_vec(),
            _ => Vec::new(),
        })
    }

    fn response_extras(&mut self) -> Result<Vec<u8>, String> {
        let has_flags = self.given.iter().any(|(name, _)| *name == "flags");
        let flags: u32 = self.number("flags", 0)?;
        Ok(if has_flags { flags.to_be_bytes().to_vec() } else { Vec::new() })
    }

    fn status(&mut self) -> Result<u16, String> {
        let Some(name) = self.take("status") else { return Ok(0) };
        let status = STATUSES.iter().find(|(known, _)| *known == name);
        status.map(|(_, status)| status.code()).ok_or_else(|| format!("no status: {name}"))
    }

    /// The number of an item: decimal, kept before, or to be kept or overlooked.
    fn cas(&mut self) -> Result<Pattern, String> {
        let mut cas = Pattern::default();
        let text = self.take("cas").unwrap_or("0");
        let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
            let number: u64 = text.parse().map_err(|_| format!("not a number: {text}"))?;
            cas.push_literal(&number.to_be_bytes());
            return Ok(cas);
        };
        cas.pieces.push(match piece(inner)? {
            Piece::Any => Piece::Wide(None),
            Piece::Number(name) => Piece::Wide(name),
            Piece::Kept(name) => Piece::KeptWide(name),
            _ => return Err(format!("no number of an item: {text}")),
        });
        Ok(cas)
    }
}

fn opcode(name: &str) -> Result<u8, String> {
    if let Some(digits) = name.strip_prefix("0x") {
        return u8::from_str_radix(digits, 16).map_err(|_| format!("not an opcode: {name}"));
    }
    let opcode = Opcode::ALL.into_iter().find(|opcode| {
        let known = format!("{opcode:?}").to_lowercase();
        // `incr` and `decr`, as everywhere.
        known.replacen("crement", "cr", 1) == name
    });
    opcode.map(|opcode| opcode as u8).ok_or_else(|| format!("no opcode: {name}"))
}

/// The word of a status in transcripts, empty for success, and the text that is its value; none for a status that
/// transcripts do not know.
#[must_use]
pub fn status_words(code: u16) -> Option<(&'static str, &'static str)> {
    if code == 0 {
        return Some(("", ""));
    }
    let status = STATUSES.iter().find(|(_, status)| status.code() == code);
    status.map(|(name, status)| (*name, status.text()))
}

fn words_of(code: u16) -> Vec<u8> {
    status_words(code).map_or_else(Vec::new, |(_, text)| text.into())
}

const STATUSES: &[(&str, Status)] = &[
    ("not-found", Status::NotFound),
    ("exists", Status::Exists),
    ("too-large", Status::TooLarge),
    ("invalid", Status::InvalidArguments),
    ("not-stored", Status::NotStored),
    ("non-numeric", Status::NonNumeric),
    ("auth-failure", Status::AuthFailure),
    ("unknown", Status::UnknownCommand),
    ("out-of-memory", Status::OutOfMemory),
];

/// What a client puts in the place that is its own, unless a frame says otherwise.
const OPAQUE: u32 = 0xdead_beef;

/// Where in a head the number of the item stands.
const CAS_AT: usize = 16;
