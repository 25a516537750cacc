//! Shows the conversation that the bytes of a file grow into, and its answers: `cargo run -p larder-testkit --example
//! grow -- FILE`. (An input of the fuzz target `connection` has 16 bytes of limits and plan before them.)

#![allow(clippy::print_stdout, reason = "showing is all that it does")]

use larder_connection::Limits;
use larder_testkit::model::{Model, Rules};
use larder_testkit::reference::answers;
use larder_testkit::script::{Choices, conversation};

fn main() -> std::io::Result<()> {
    let seed = match std::env::args_os().nth(1) {
        Some(path) => std::fs::read(path)?,
        None => b"no file was named, so these bytes are it".to_vec(),
    };
    let line_len = Limits::default().line_len;
    let said = conversation(&mut Choices::new(&seed), line_len);
    let answered = answers(&said, line_len, &mut Model::new(Rules::default()));
    for (who, bytes) in [("C", said), ("S", answered)] {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (start, more) = line.split_at(line.len().min(100));
            let more = if more.is_empty() { "" } else { " ..." };
            println!("{who}: {}{more}", start.escape_ascii());
        }
    }
    Ok(())
}
