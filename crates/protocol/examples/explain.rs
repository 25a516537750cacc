//! Explains lines of the protocol: `echo 'set k 0 0 5' | cargo run -p larder-protocol --example explain`.

use std::io::{BufRead, Write};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().split(b'\n') {
        match larder_protocol::parse_line(&line?) {
            Ok(request) => writeln!(out, "{request:?}")?,
            Err(refused) => {
                let reply =
                    refused.reason.status().map_or(&b"(closed)"[..], |status| status.line());
                writeln!(out, "refused: {} ({refused:?})", reply.trim_ascii_end().escape_ascii())?;
            }
        }
    }
    Ok(())
}
