//! Ten visitors, three seats: the buffers of those who left serve those who come.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use larder_pool::{Full, Pool, Recycle};

struct Visitor {
    number: u32,
    notes: Vec<u8>,
}

impl Recycle for Visitor {
    fn retire(&mut self) {
        self.notes.clear();
    }
}

fn main() -> Result<(), Full> {
    let mut pool = Pool::new(3);
    let mut seated = std::collections::VecDeque::new();
    let mut buffers = 0;
    for number in 0..10 {
        if pool.is_full()
            && let Some(longest) = seated.pop_front()
        {
            pool.remove(longest);
        }
        let key = pool.insert_with(|_, old: Option<Visitor>| {
            let notes = old.map_or_else(
                || {
                    buffers += 1;
                    Vec::with_capacity(4096)
                },
                |old| old.notes,
            );
            Visitor { number, notes }
        })?;
        seated.push_back(key);
    }
    for (key, visitor) in pool.iter_mut() {
        let (number, room) = (visitor.number, visitor.notes.capacity());
        println!("{key:?}: visitor {number} with a buffer of {room} bytes");
    }
    println!("10 visitors, {} at a time, {buffers} buffers", pool.len());
    Ok(())
}
