//! What `-vv` shows: each read and each reply, by descriptor, as memcached does.

use larder_connection::Phase;

/// Logs bytes that a client sent; of a value only that it arrives.
pub(crate) fn received(descriptor: i32, phase: Phase, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) && phase != Phase::Value {
        log::debug!("<{descriptor} {}", shown(bytes));
    }
}

/// Logs bytes that are offered to a client's socket.
pub(crate) fn sent(descriptor: i32, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) {
        log::debug!(">{descriptor} {}", shown(bytes));
    }
}

/// The first bytes, printable: a peer's bytes must not steer somebody's terminal.
fn shown(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN_LEN_MAX).unwrap_or(bytes);
    let more = if head.len() < bytes.len() { "..." } else { "" };
    format!("{}{more} ({} bytes)", head.escape_ascii(), bytes.len())
}

const SHOWN_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn bytes_are_printable_and_few() {
        assert_eq!(shown(b"get a\x1b[2J\r\n"), "get a\\x1b[2J\\r\\n (11 bytes)");
        assert_eq!(shown(&[b'x'; 1000]), format!("{}... (1000 bytes)", "x".repeat(256)));
    }
}
