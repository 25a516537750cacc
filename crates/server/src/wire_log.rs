//! What `-vv` shows: the first line of each read and of each reply, or the head, extras and key of a binary one, by
//! descriptor. Values are not shown: a log is read by people whom the cache's content does not concern.

use larder_connection::Phase;
use larder_protocol::binary::{HEAD_LEN, Header, MAGIC_REQUEST, MAGIC_RESPONSE};

/// Logs what a client sent, unless it belongs to a value.
pub(crate) fn received(descriptor: i32, phase: Phase, is_half_way: bool, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) && !matches!(phase, Phase::Value | Phase::Skip) {
        log::debug!("<{descriptor} {}", shown_after(is_half_way, bytes));
    }
}

/// Logs the beginning of replies, which is a line or a head and no value.
pub(crate) fn sent(descriptor: i32, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) {
        log::debug!(">{descriptor} {}", shown(bytes));
    }
}

/// What goes on with half a request cannot be read alone: behind half a binary head, it may hold a value.
fn shown_after(is_half_way: bool, bytes: &[u8]) -> String {
    if is_half_way { format!("... ({} bytes in all)", bytes.len()) } else { shown(bytes) }
}

/// The beginning, printable: a peer's bytes must not steer somebody's terminal.
fn shown(bytes: &[u8]) -> String {
    let first = match bytes.first_chunk::<HEAD_LEN>().map(Header::parse) {
        Some(header) if matches!(header.magic, MAGIC_REQUEST | MAGIC_RESPONSE) => {
            let args_len = usize::from(header.extras_len) + usize::from(header.key_len);
            bytes.get(..HEAD_LEN + args_len).unwrap_or(bytes)
        }
        _ => {
            let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
            line.strip_suffix(b"\r").unwrap_or(line)
        }
    };
    let head = first.get(..SHOWN_LEN_MAX).unwrap_or(first);
    let more = if head.len() < first.len() { "..." } else { "" };
    format!("{}{more} ({} bytes in all)", head.escape_ascii(), bytes.len())
}

const SHOWN_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::{shown, shown_after};

    #[test]
    fn lines_are_printable_and_few() {
        assert_eq!(shown(b"get a\x1b[2J\r\n"), "get a\\x1b[2J (11 bytes in all)");
        assert_eq!(shown(b"set k 0 0 6\r\nsecret\r\n"), "set k 0 0 6 (21 bytes in all)");
        assert_eq!(shown(&[b'x'; 1000]), format!("{}... (1000 bytes in all)", "x".repeat(256)));
    }

    #[test]
    fn of_binary_the_head_extras_and_key_are_shown() {
        let head_rest = [0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for magic in [0x80, 0x81] {
            let head = [&[magic, 1, 0, 3, 4, 0][..], &head_rest].concat();
            let frame = [&head[..], b"\0\0\0\0k\nysecret"].concat();
            let frame_shown = shown(&frame);
            assert!(frame_shown.ends_with("k\\ny (37 bytes in all)"), "{frame_shown}");
            assert!(shown(&head).ends_with("(24 bytes in all)"), "a value that comes later");
            assert!(shown(&head[..3]).ends_with("\\x00 (3 bytes in all)"), "part of a head");
        }
    }

    #[test]
    fn what_goes_on_with_half_a_request_may_be_a_value() {
        assert_eq!(shown_after(true, b"secret"), "... (6 bytes in all)");
        assert_eq!(shown_after(false, b"get a\r\n"), "get a (7 bytes in all)");
    }
}
