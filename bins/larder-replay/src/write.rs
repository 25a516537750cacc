//! A trace as a file for other programs, and for a second reading.

use std::io::{self, Write};

use crate::{Trace, Verb};

/// Writes a trace in Twitter's format, a line an access: `timestamp,key,key size,value size,client id,operation,TTL`.
///
/// # Errors
/// What the writer says.
pub fn write(trace: &Trace, out: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    for access in &trace.accesses {
        line.clear();
        write!(line, "{},", access.at)?;
        access.push_key(&mut line);
        let verb = match access.verb {
            Verb::Get => "get",
            Verb::Set => "set",
            Verb::Delete => "delete",
        };
        writeln!(line, ",{},{},0,{verb},{}", access.key_len, access.value_len, access.ttl)?;
        out.write_all(&line)?;
    }
    out.flush()
}
