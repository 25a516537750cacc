//! Where to listen: memcached's `-l` with its prefixes, ports and separators, into socket addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use larder_server::Protocols;
use log::Level;

use super::Notice;
use crate::refusal::{Exit, Refusal};

/// The addresses that the entries of every `-l` name, in order, each once; none at all means every interface.
///
/// Every interface is `0.0.0.0` and `[::]`, each with a socket of its own; on a machine without IPv6, or without
/// IPv4, the other one alone. Names are looked up here, so that a wrong one is refused before anything is started.
pub(super) fn addresses(
    entries: &[String],
    port: u16,
    notices: &mut Vec<Notice>,
) -> Result<Vec<SocketAddr>, Refusal> {
    let entries: Vec<&str> = entries
        .iter()
        .flat_map(|entry| entry.split([',', ';']))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .collect();
    let mut found = Vec::new();
    for entry in if entries.is_empty() { &["*"] } else { entries.as_slice() } {
        let endpoint = Endpoint::parse(entry)?;
        for address in endpoint.resolve(entry, port)? {
            // The same address twice would fail to bind; memcached ignores the repetition too.
            if address.port() == 0 || !found.contains(&address) {
                found.push(address);
            } else {
                notices.push(Notice::new(Level::Info, format!("-l {entry}: named before")));
            }
        }
    }
    Ok(found)
}

/// What clients may speak: what every entry of `-l` says, if they say it, or else `-B`. All listeners speak the same, so entries
/// that part ways are refused.
pub(super) fn protocols(entries: &[String], otherwise: Protocols) -> Result<Protocols, Refusal> {
    let mut agreed: Option<Protocols> = None;
    let entries = entries.iter().flat_map(|entry| entry.split([',', ';'])).map(str::trim);
    for entry in entries.filter(|entry| !entry.is_empty()) {
        let (_, protocols) = Endpoint::without_prefixes(entry)?;
        let protocols = protocols.unwrap_or(otherwise);
        if agreed.is_some_and(|agreed| agreed != protocols) {
            return Err(Refusal::usage(format!(
                "-l {entry}: larder speaks the same protocols at every address: say the same proto[] for each, or -B"
            )));
        }
        agreed = Some(protocols);
    }
    Ok(agreed.unwrap_or(otherwise))
}

/// What to say when somebody outside this machine can connect and nothing asks who they are.
pub(super) fn exposure(tcp: &[SocketAddr], udp: &[SocketAddr]) -> Option<String> {
    let is_outside = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    let also_udp = udp.iter().filter(|address| !tcp.contains(address));
    let outside: Vec<String> = tcp
        .iter()
        .chain(also_udp)
        .filter(is_outside)
        .map(|address| match address.port() {
            0 => format!("{} (any free port)", address.ip()),
            _ => address.to_string(),
        })
        .collect();
    let forgery = if udp.iter().any(|address| is_outside(&address)) {
        "; over UDP they can also have replies sent to others, by forging where a datagram is from"
    } else {
        ""
    };
    (!outside.is_empty()).then(|| {
        format!(
            "everybody who can reach {} can read and change what is kept here: neither TLS nor \
             authentication is on{forgery}; -l 127.0.0.1 or -s FILE keeps the server to this machine",
            outside.join(", ")
        )
    })
}

/// One entry of `-l`, its prefixes taken off.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint<'a> {
    /// `None` is every interface.
    host: Option<&'a str>,
    port: Option<u16>,
}

impl<'a> Endpoint<'a> {
    /// Reads `[notls:][proto[x]:][tag[x]:]host[:port]`.
    fn parse(entry: &'a str) -> Result<Self, Refusal> {
        let (rest, _) = Self::without_prefixes(entry)?;
        let (host, port) = if let Some(inner) = rest.strip_prefix('[') {
            let Some((host, after)) = inner.split_once(']') else {
                return Err(refused(entry, "the `[` of an IPv6 address has no `]`"));
            };
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => {
                    return Err(refused(entry, "`]` is followed by something else than `:port`"));
                }
            }
        } else {
            match rest.split_once(':') {
                // More than one colon: a bare IPv6 address, as Debian's configuration has it (`-l ::1`).
                Some((_, port)) if port.contains(':') => (rest, None),
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            }
        };
        let port = match port.map(str::parse) {
            Some(Err(_)) => {
                return Err(refused(entry, "the port must be a number from 0 to 65535"));
            }
            Some(Ok(port)) => Some(port),
            None => None,
        };
        Ok(Self { host: (!matches!(host, "" | "*")).then_some(host), port })
    }

    /// An entry without what stands before its address, and the protocols that this says.
    fn without_prefixes(entry: &'a str) -> Result<(&'a str, Option<Protocols>), Refusal> {
        let (mut rest, mut protocols) = (entry, None);
        loop {
            if let Some(after) = rest.strip_prefix("notls:") {
                rest = after;
            } else if rest.starts_with("btls:") || rest.starts_with("mtls:") {
                return Err(Refusal::usage(format!(
                    "-l {entry}: larder does not serve TLS yet: leave the prefix out"
                )));
            } else if let Some(tagged) = rest.strip_prefix("tag[") {
                // Tags name listeners for memcached's proxy; nothing here looks at them.
                let Some((_, after)) = tagged.split_once("]:") else {
                    return Err(refused(entry, "`tag[` has no `]:`"));
                };
                rest = after;
            } else if let Some(protocol) = rest.strip_prefix("proto[") {
                let Some((name, after)) = protocol.split_once("]:") else {
                    return Err(refused(entry, "`proto[` has no `]:`"));
                };
                protocols = Some(match name {
                    "ascii" => Protocols::Ascii,
                    "auto" | "negotiating" => Protocols::Auto,
                    "binary" => Protocols::Binary,
                    other => {
                        return Err(Refusal::usage(format!(
                            "-l {entry}: larder does not serve the protocol {other:?} yet: use proto[ascii]"
                        )));
                    }
                });
                rest = after;
            } else {
                return Ok((rest, protocols));
            }
        }
    }

    fn resolve(&self, entry: &str, port: u16) -> Result<Vec<SocketAddr>, Refusal> {
        let port = self.port.unwrap_or(port);
        let Some(host) = self.host else {
            let both = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            return Ok(usable(both.map(|ip| SocketAddr::new(ip, port)).to_vec()));
        };
        match (host, port).to_socket_addrs() {
            Ok(found) => Ok(usable(found.collect())),
            Err(error) => Err(refused(entry, &format!("cannot look up {host:?}: {error}"))),
        }
    }
}

/// Of several addresses that one name stands for, those that this machine can bind: `localhost` is often `::1` too
/// where there is no IPv6. One address alone is kept, and so are all where none works: binding says why.
fn usable(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let able: Vec<SocketAddr> = addresses
        .iter()
        .copied()
        .filter(|address| UdpSocket::bind(SocketAddr::new(address.ip(), 0)).is_ok())
        .collect();
    if able.is_empty() { addresses } else { able }
}

/// memcached ends with an operating system error (71) for an address that it cannot use, and so do we.
fn refused(entry: &str, why: &str) -> Refusal {
    Refusal { exit: Exit::System, sentence: format!("-l {entry}: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_taken_apart() {
        type Parts = (Option<&'static str>, Option<u16>);
        let cases: [(&str, Parts); 16] = [
            ("127.0.0.1", (Some("127.0.0.1"), None)),
            ("127.0.0.1:11212", (Some("127.0.0.1"), Some(11212))),
            ("127.0.0.1:0", (Some("127.0.0.1"), Some(0))),
            ("localhost:11212", (Some("localhost"), Some(11212))),
            ("::1", (Some("::1"), None)),
            ("fe80::1%lo", (Some("fe80::1%lo"), None)),
            ("[::1]", (Some("::1"), None)),
            ("[::1]:11212", (Some("::1"), Some(11212))),
            ("*", (None, None)),
            ("*:11212", (None, Some(11212))),
            (":11212", (None, Some(11212))),
            ("notls:127.0.0.1", (Some("127.0.0.1"), None)),
            ("notls:[::1]:1", (Some("::1"), Some(1))),
            ("proto[ascii]:127.0.0.1:1", (Some("127.0.0.1"), Some(1))),
            ("tag[front]:127.0.0.1:1", (Some("127.0.0.1"), Some(1))),
            ("notls:proto[ascii]:tag[x]:*:1", (None, Some(1))),
        ];
        for (entry, (host, port)) in cases {
            assert_eq!(Endpoint::parse(entry), Ok(Endpoint { host, port }), "{entry}");
        }
    }

    #[test]
    fn entries_that_cannot_be_meant_are_refused() {
        let cases = [
            ("127.0.0.1:abc", Exit::System),
            ("127.0.0.1:99999", Exit::System),
            ("127.0.0.1:", Exit::System),
            ("[::1", Exit::System),
            ("[::1]x", Exit::System),
            ("tag[x", Exit::System),
            ("proto[ascii:1.2.3.4", Exit::System),
            ("proto[proxy]:*", Exit::Usage),
            ("mtls:*", Exit::Usage),
            ("btls:*", Exit::Usage),
        ];
        for (entry, exit) in cases {
            assert_eq!(Endpoint::parse(entry).map_err(|r| r.exit), Err(exit), "{entry}");
        }
    }

    #[test]
    fn all_addresses_speak_the_same() {
        let cases: [(&str, Protocols, Option<Protocols>); 9] = [
            ("", Protocols::Binary, Some(Protocols::Binary)),
            ("127.0.0.1", Protocols::Auto, Some(Protocols::Auto)),
            ("proto[ascii]:127.0.0.1", Protocols::Auto, Some(Protocols::Ascii)),
            ("proto[binary]:127.0.0.1:1", Protocols::Auto, Some(Protocols::Binary)),
            ("proto[negotiating]:*", Protocols::Ascii, Some(Protocols::Auto)),
            ("proto[ascii]:*:1,notls:proto[ascii]:*:2", Protocols::Auto, Some(Protocols::Ascii)),
            ("proto[ascii]:*:1,*:2", Protocols::Ascii, Some(Protocols::Ascii)),
            ("proto[ascii]:*:1,*:2", Protocols::Auto, None),
            ("proto[ascii]:*:1;proto[binary]:*:2", Protocols::Auto, None),
        ];
        for (entries, otherwise, expected) in cases {
            let entries = [entries.to_owned()];
            assert_eq!(protocols(&entries, otherwise).ok(), expected, "{entries:?}");
        }
    }

    #[test]
    fn lists_are_joined_and_repetitions_dropped() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["127.0.0.1"], &["127.0.0.1:7"]),
            (&["127.0.0.1,127.0.0.2"], &["127.0.0.1:7", "127.0.0.2:7"]),
            (&["127.0.0.1;127.0.0.2:8"], &["127.0.0.1:7", "127.0.0.2:8"]),
            (&["127.0.0.1", "127.0.0.1", "127.0.0.1:8"], &["127.0.0.1:7", "127.0.0.1:8"]),
            (&["127.0.0.1:0,127.0.0.1:0", ","], &["127.0.0.1:0", "127.0.0.1:0"]),
        ];
        for (entries, expected) in cases {
            let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
            let found = addresses(&entries, 7, &mut Vec::new()).unwrap();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn only_addresses_that_others_can_reach_are_warned_about() {
        let cases = [
            ("127.0.0.1:7", false),
            ("127.9.9.9:7", false),
            ("[::1]:7", false),
            ("[::ffff:127.0.0.1]:7", false),
            ("0.0.0.0:7", true),
            ("[::]:7", true),
            ("10.0.0.1:0", true),
        ];
        for (address, expected) in cases {
            let addresses = [address.parse().unwrap()];
            let both = exposure(&addresses, &addresses);
            for (tcp, udp) in [(&addresses[..], &[][..]), (&[][..], &addresses[..])] {
                let warning = exposure(tcp, udp);
                assert_eq!(warning.is_some(), expected, "{address}: {warning:?}");
                assert_eq!(
                    warning.is_some_and(|text| text.contains("forging")),
                    expected && tcp.is_empty()
                );
            }
            assert_eq!(both, exposure(&[], &addresses), "named once: {both:?}");
        }
    }
}
