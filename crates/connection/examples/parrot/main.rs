//! A server of one client over standard input and output, without a socket: `printf 'get polly\r\n' | cargo run -p
//! larder-connection --example parrot`.

mod service;

use std::io::{Read, Write};

use larder_connection::{Connection, Limits};
use service::Parrot;

fn main() -> std::io::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut connection = Connection::new(Limits::default());
    let mut scratch = [0; 4096];
    while !connection.is_finished() {
        match input.read(&mut scratch)? {
            0 => connection.receive_end(&mut Parrot),
            len => connection.receive(&scratch[..len], &mut Parrot),
        }
        while connection.wants_write() {
            let sent =
                connection.output().chunks().next().map_or(Ok(0), |chunk| output.write(chunk))?;
            connection.output().advance(sent);
            connection.receive(&[], &mut Parrot);
        }
    }
    Ok(())
}
