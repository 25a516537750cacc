//! What `-vv` shows: the first line of each read and of each reply, by descriptor. Values are not shown: a log is read by
//! people whom the cache's content does not concern.

use larder_connection::Phase;

/// Logs what a client sent, unless it belongs to a value.
pub(crate) fn received(descriptor: i32, phase: Phase, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) && !matches!(phase, Phase::Value | Phase::Skip) {
        log::debug!("<{descriptor} {}", shown(bytes));
    }
}

/// Logs the beginning of replies, which is a line and no value.
pub(crate) fn sent(descriptor: i32, bytes: &[u8]) {
    if log::log_enabled!(log::Level::Debug) {
        log::debug!(">{descriptor} {}", shown(bytes));
    }
}

/// The first line, printable: a peer's bytes must not steer somebody's terminal.
fn shown(bytes: &[u8]) -> String {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let head = line.get(..SHOWN_LEN_MAX).unwrap_or(line);
    let more = if head.len() < line.len() { "..." } else { "" };
    format!("{}{more} ({} bytes in all)", head.escape_ascii(), bytes.len())
}

const SHOWN_LEN_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn lines_are_printable_and_few() {
        assert_eq!(shown(b"get a\x1b[2J\r\n"), "get a\\x1b[2J (11 bytes in all)");
        assert_eq!(shown(b"set k 0 0 6\r\nsecret\r\n"), "set k 0 0 6 (21 bytes in all)");
        assert_eq!(shown(&[b'x'; 1000]), format!("{}... (1000 bytes in all)", "x".repeat(256)));
    }
}
