//! A server that answers each byte with itself, until the last of its three clients has left.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::thread;

use larder_poller::{Events, Interest, Poller};

const LISTENER: u64 = 0;
const CLIENTS: u64 = 3;

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    thread::scope(|scope| {
        for number in 1..=CLIENTS {
            thread::Builder::new().spawn_scoped(scope, move || client(addr, number))?;
        }
        serve(listener)
    })
}

fn serve(listener: TcpListener) -> io::Result<()> {
    let mut poller = Poller::new()?;
    let listener = poller.register(listener, LISTENER, Interest::READ)?;
    let mut clients = BTreeMap::new();
    let mut events = Events::with_capacity(NonZeroUsize::MIN);
    let (mut accepted, mut bytes) = (0, [0; 512]);
    while accepted < CLIENTS || !clients.is_empty() {
        poller.wait(&mut events, None)?;
        for ready in events.iter() {
            if ready.key == LISTENER {
                let (stream, _) = listener.accept()?;
                accepted += 1;
                clients.insert(accepted, poller.register(stream, accepted, Interest::READ)?);
            } else if let Some(stream) = clients.get(&ready.key) {
                let mut stream: &TcpStream = stream;
                match stream.read(&mut bytes)? {
                    0 => drop(clients.remove(&ready.key)),
                    count => stream.write_all(&bytes[..count])?,
                }
            }
        }
    }
    println!("{accepted} clients were served");
    Ok(())
}

fn client(addr: SocketAddr, number: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr)?;
    writeln!(stream, "client {number}")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    print!("{}", io::read_to_string(stream)?);
    Ok(())
}
