//! Frames of the binary protocol in the words of transcripts.

use std::fmt::Write as _;

use larder_protocol::binary::{HEAD_LEN, MAGIC_REQUEST, MAGIC_RESPONSE, Opcode};
use larder_testkit::transcript::status_words;

use super::Text;

/// Who sends it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// The first frame of some bytes as what follows the colon of a `CB` or `SB` line, and the bytes after it; none where
/// words cannot say it.
pub(super) fn written(bytes: &[u8], sender: Sender) -> Option<(String, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let [magic, opcode, key_high, key_low, extras_len, data_type, high, low, ..] = *head;
    let vbucket = u16::from_be_bytes([high, low]);
    let key_len = u16::from_be_bytes([key_high, key_low]);
    let [body_len, opaque] = [8, 12].map(|place| number(&head[place..place + 4]));
    let args_len = u64::from(extras_len) + u64::from(key_len);
    // What a key needs beyond the body may have been sent.
    let there = usize::try_from(body_len.max(args_len)).unwrap_or(usize::MAX).min(rest.len());
    let (body, after) = rest.split_at(there);
    let (extras, body) = body.split_at(usize::from(extras_len).min(body.len()));
    let (key, value) = body.split_at(usize::from(key_len).min(body.len()));

    let mut words = name(opcode);
    let own_magic = match sender {
        Sender::Client => {
            words.push_str(&extras_of_request(opcode, extras));
            push(&mut words, "vbucket", vbucket.into(), 0);
            push_text(&mut words, "key", key, b"");
            push_text(&mut words, "value", value, b"");
            MAGIC_REQUEST
        }
        Sender::Server => {
            let (status, text) = status_words(vbucket)?;
            if !status.is_empty() {
                let _ = write!(words, " status={status}");
            }
            match extras.len() {
                0 => {}
                4 => drop(write!(words, " flags={}", number(extras))),
                _ => return None,
            }
            push_text(&mut words, "key", key, b"");
            let otherwise = if key.is_empty() { text.as_bytes() } else { b"" };
            push_text(&mut words, "value", value, otherwise);
            MAGIC_RESPONSE
        }
    };
    push(&mut words, "magic", magic.into(), own_magic.into());
    push(&mut words, "type", data_type.into(), 0);
    push(&mut words, "keylen", key_len.into(), key.len() as u64);
    push(&mut words, "extraslen", extras_len.into(), extras.len() as u64);
    push(&mut words, "bodylen", body_len, there as u64);
    push(&mut words, "opaque", opaque, OPAQUE);
    match (number(&head[16..]), sender) {
        (0, _) => {}
        (cas, Sender::Client) => push(&mut words, "cas", cas, 0),
        // It is each server's own.
        (_, Sender::Server) => words.push_str(" cas={any}"),
    }
    Some((words, after))
}

fn name(opcode: u8) -> String {
    Opcode::parse(opcode).map_or_else(
        || format!("{opcode:#04x}"),
        |opcode| format!("{opcode:?}").to_lowercase().replacen("crement", "cr", 1),
    )
}

fn extras_of_request(opcode: u8, extras: &[u8]) -> String {
    let mut words = String::new();
    let seconds = |seconds: &[u8]| match number(seconds) {
        NEVER => "never-create".to_owned(),
        seconds => seconds.to_string(),
    };
    let _ = match (opcode, extras.len()) {
        (0x01..=0x03 | 0x11..=0x13, 8) => {
            let (flags, exptime) = extras.split_at(4);
            write!(words, " flags={} exptime={}", number(flags), seconds(exptime))
        }
        (0x05 | 0x06 | 0x15 | 0x16, 20) => {
            let [delta, initial] = [&extras[..8], &extras[8..16]].map(number);
            write!(words, " delta={delta} initial={initial} exptime={}", seconds(&extras[16..]))
        }
        (0x1c..=0x1e | 0x23 | 0x24, 4) => write!(words, " exptime={}", seconds(extras)),
        // These have extras unless it is said that they have none.
        (0x01..=0x03 | 0x11..=0x13 | 0x05 | 0x06 | 0x15 | 0x16 | 0x1c..=0x1e | 0x23 | 0x24, 0) => {
            write!(words, " extras=")
        }
        _ => return text(" extras", extras, b""),
    };
    words
}

fn push(words: &mut String, name: &str, number: u64, otherwise: u64) {
    if number != otherwise {
        let _ = write!(words, " {name}={number}");
    }
}

fn push_text(words: &mut String, name: &str, bytes: &[u8], otherwise: &[u8]) {
    words.push_str(&text(&format!(" {name}"), bytes, otherwise));
}

/// A field of bytes, unless it is what it is without it.
fn text(name: &str, bytes: &[u8], otherwise: &[u8]) -> String {
    if bytes == otherwise {
        return String::new();
    }
    // A blank would end the field.
    format!("{name}={}", Text(bytes).to_string().replace(' ', "\\x20"))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// What a frame has in the place of the client's own number unless it says otherwise.
const OPAQUE: u64 = 0xdead_beef;

/// The exptime that lets no counter begin.
const NEVER: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use larder_testkit::reference::ClientFrame;
    use larder_testkit::script::{self, Choices};
    use larder_testkit::transcript::{Step, Values, parse};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Sender, written};

    /// The bytes that a transcript sends with the line `CB: text`.
    fn read(text: &str) -> Vec<u8> {
        let transcripts = parse(&format!("== x\nCB: {text}\n")).unwrap();
        let [Step::Send { bytes, .. }] = &transcripts[0].steps[..] else { panic!("{text}") };
        bytes.bytes(&Values::new(), 0).unwrap()
    }

    proptest! {
        #[test]
        fn transcripts_read_what_is_written(bytes: Vec<u8>, is_broken in any::<bool>()) {
            let mut choices = Choices::new(&bytes);
            let frame = script::valid_frame(&mut choices);
            let mut bytes = if is_broken { script::broken_frame(&frame, &mut choices) } else { frame.bytes() };
            // What has no whole head is no frame.
            bytes.resize(bytes.len().max(24), 0);
            let (text, rest) = written(&bytes, Sender::Client).unwrap();
            prop_assert_eq!([&read(&text), rest].concat(), bytes, "{}", text);
        }
    }

    #[test]
    fn replies_are_in_words() {
        let check = |frame: ClientFrame, status: u8, expected: &str| {
            let mut bytes = frame.bytes();
            (bytes[0], bytes[7]) = (0x81, status);
            let (text, rest) = written(&bytes, Sender::Server).unwrap();
            assert_eq!((&text[..], rest), (expected, &b""[..]));
        };
        let own = || ClientFrame { opaque: 0xdead_beef, ..ClientFrame::new(0x0c) };
        let hit = ClientFrame {
            key: b"k".to_vec(),
            extras: vec![0, 0, 0, 7],
            value: b"a b".to_vec(),
            cas: 5,
            ..own()
        };
        check(hit, 0, "getk flags=7 key=k value=a\\x20b cas={any}");
        let text = |text: &str| ClientFrame { value: text.into(), opaque: 3, ..own() };
        check(text("Not found"), 1, "getk status=not-found opaque=3");
        check(text("Not"), 1, "getk status=not-found value=Not opaque=3");
        check(own(), 0, "getk");
    }
}
