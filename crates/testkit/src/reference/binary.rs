//! Frames of the binary protocol, read a second time: from a table, a number after another.

use larder_protocol::binary::{
    Adjust, Delete, Get, Head, Opcode, Refused, Request, Status, Storage, Touch,
};
use larder_protocol::{Delta, StoreMode};

/// A frame as a client sends it, its parts apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFrame {
    /// What is asked, a number that may mean nothing.
    pub opcode: u8,
    /// At which nobody looks.
    pub vbucket: u16,
    /// The client's own 32 bits.
    pub opaque: u32,
    /// The number that the item must have; 0 is none.
    pub cas: u64,
    /// What belongs to the opcode; at most 255 bytes.
    pub extras: Vec<u8>,
    /// Key of the item; at most 65,535 bytes.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

impl ClientFrame {
    /// A frame of nothing but its opcode.
    #[must_use]
    pub const fn new(opcode: u8) -> Self {
        Self {
            opcode,
            vbucket: 0,
            opaque: 0,
            cas: 0,
            extras: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// The bytes that cross the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let body = [&self.extras[..], &self.key, &self.value].concat();
        let mut bytes = vec![0x80, self.opcode];
        push(self.key.len() as u64, 2, &mut bytes);
        push(self.extras.len() as u64, 1, &mut bytes);
        push(0, 1, &mut bytes);
        push(self.vbucket.into(), 2, &mut bytes);
        push(body.len() as u64, 4, &mut bytes);
        push(self.opaque.into(), 4, &mut bytes);
        push(self.cas, 8, &mut bytes);
        [bytes, body].concat()
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<'f> {
    /// A request, whether its value is there or not.
    Asked(Head, Request<'f>),
    /// No request; known from its head.
    Refused(Refused),
    /// Not yet a head with its extras and its key.
    Unfinished,
}

/// Reads the frame that the bytes begin with.
#[must_use]
pub fn read(bytes: &[u8]) -> Reading<'_> {
    if bytes.len() < 24 {
        return Reading::Unfinished;
    }
    let number = |from: usize, len: usize| long(&bytes[from..from + len]);
    let (opcode, opaque) = (bytes[1], u32::try_from(number(12, 4)).unwrap_or_default());
    let (key_len, extras_len, body_len) = (number(2, 2), number(4, 1), number(8, 4));
    let refuse = |status, skip_len| Reading::Refused(Refused { status, opcode, opaque, skip_len });
    if bytes[0] != 0x80 {
        return refuse(None, None);
    }
    if key_len + extras_len > body_len {
        return refuse(Some(Status::UnknownCommand), None);
    }
    if key_len > 250 || body_len > 1024 * 1024 * 1024 {
        return refuse(Some(Status::InvalidArguments), None);
    }
    let len = |len: u64| usize::try_from(len).unwrap_or(usize::MAX);
    let value_len = body_len - key_len - extras_len;
    let Some(shape) = shape_of(opcode) else {
        return refuse(Some(Status::UnknownCommand), Some(len(body_len)));
    };
    let is_right = shape.extras.contains(&extras_len)
        && shape.key.allows(key_len)
        && shape.value.allows(value_len);
    if !is_right {
        return refuse(Some(Status::InvalidArguments), None);
    }
    // Authentication is not served.
    let Some(opcode) = Opcode::parse(opcode).filter(|_| !(0x20..=0x22).contains(&opcode)) else {
        return refuse(Some(Status::UnknownCommand), Some(len(body_len)));
    };
    let head = Head {
        opcode,
        extras_len: len(extras_len),
        key_len: len(key_len),
        value_len: len(value_len),
        opaque,
        cas: number(16, 8),
    };
    let key_at = 24 + head.extras_len;
    match (bytes.get(24..key_at), bytes.get(key_at..key_at + head.key_len)) {
        (Some(extras), Some(key)) => Reading::Asked(head, ask(&head, extras, key)),
        _ => Reading::Unfinished,
    }
}

/// What may stand in the body of an opcode.
struct Shape {
    /// Lengths of the extras.
    extras: &'static [u64],
    key: Part,
    value: Part,
}

/// Whether a part of a body is there.
#[derive(Clone, Copy)]
enum Part {
    Absent,
    Present,
    Either,
}

impl Part {
    const fn allows(self, len: u64) -> bool {
        match self {
            Self::Absent => len == 0,
            Self::Present => len > 0,
            Self::Either => true,
        }
    }
}

fn shape_of(opcode: u8) -> Option<Shape> {
    use Part::{Absent, Either, Present};
    let (extras, key, value): (&[u64], _, _) = match opcode {
        // get, getq, getk, getkq, delete, deleteq
        0x00 | 0x09 | 0x0c | 0x0d | 0x04 | 0x14 => (&[0], Present, Absent),
        // set, add, replace, and quiet
        0x01..=0x03 | 0x11..=0x13 => (&[8], Present, Either),
        // append, prepend, and quiet
        0x0e | 0x0f | 0x19 | 0x1a => (&[0], Present, Either),
        // incr, decr, and quiet
        0x05 | 0x06 | 0x15 | 0x16 => (&[20], Present, Absent),
        // touch, gat, gatq, gatk, gatkq
        0x1c..=0x1e | 0x23 | 0x24 => (&[4], Present, Absent),
        // flush, flushq
        0x08 | 0x18 => (&[0, 4], Absent, Absent),
        // stat
        0x10 => (&[0], Either, Absent),
        // quit, noop, version, quitq, the list of mechanisms
        0x07 | 0x0a | 0x0b | 0x17 | 0x20 => (&[0], Absent, Absent),
        // authentication and its next step
        0x21 | 0x22 => (&[0], Present, Either),
        _ => return None,
    };
    Some(Shape { extras, key, value })
}

fn ask<'f>(head: &Head, extras: &'f [u8], key: &'f [u8]) -> Request<'f> {
    let short = |at: usize| {
        let bytes = extras.get(at..at + 4).unwrap_or_default();
        u32::try_from(long(bytes)).unwrap_or_default()
    };
    let compare = if head.cas == 0 { None } else { Some(head.cas) };
    let opcode = head.opcode as u8;
    let store = |mode| {
        let (flags, exptime, value_len) = (short(0), short(4), head.value_len);
        Request::Storage(Storage { mode, key, flags, exptime, value_len, compare })
    };
    match opcode {
        0x00 | 0x09 | 0x0c | 0x0d => Request::Get(Get { key, touch: None }),
        0x1d | 0x1e | 0x23 | 0x24 => Request::Get(Get { key, touch: Some(short(0)) }),
        0x01 | 0x11 => store(StoreMode::Set),
        0x02 | 0x12 => store(StoreMode::Add),
        0x03 | 0x13 => store(StoreMode::Replace),
        0x0e | 0x19 => store(StoreMode::Append),
        0x0f | 0x1a => store(StoreMode::Prepend),
        0x04 | 0x14 => Request::Delete(Delete { key, compare }),
        0x05 | 0x15 | 0x06 | 0x16 => {
            let step = long(&extras[..8]);
            let is_increment = opcode & 0x0f == 5;
            let delta = if is_increment { Delta::Increment(step) } else { Delta::Decrement(step) };
            let exptime = if extras[16..] == [0xff; 4] { None } else { Some(short(16)) };
            Request::Adjust(Adjust { key, delta, initial: long(&extras[8..16]), exptime, compare })
        }
        0x1c => Request::Touch(Touch { key, exptime: short(0) }),
        0x08 | 0x18 => Request::FlushAll(short(0)),
        0x10 => Request::Stats(key),
        0x0a => Request::Noop,
        0x0b => Request::Version,
        _ => Request::Quit,
    }
}

/// The number that these bytes are, the highest first.
fn long(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number * 256 + u64::from(byte))
}

/// Appends a number in so many bytes, the highest first; what does not fit is cut off.
fn push(number: u64, len: u32, bytes: &mut Vec<u8>) {
    for place in (0..len).rev() {
        let byte = number / 256_u64.pow(place) % 256;
        bytes.push(u8::try_from(byte).unwrap_or_default());
    }
}
