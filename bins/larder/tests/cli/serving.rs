//! A server in the foreground: where it listens, whom it becomes, what it raises, what signals do.

use std::io::Write as _;
use std::net::UdpSocket;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

use crate::program::{Server, converse, user, wait_until};

#[test]
fn a_server_on_any_port_answers_and_says_nothing() {
    let server = Server::start(&[]);
    assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
    assert_eq!(server.place.ports().len(), 1);
    assert_eq!(server.place.ports()[0].0, "TCP INET");
    assert_eq!(server.stderr(), "");
    assert!(!server.place.join("ports.lck").exists());
}

#[test]
fn options_with_an_inner_blank_are_read() {
    let lines = ["-m 128", "-I 2m", "-c 64", "--extended=modern,track_sizes", "-o modern", "-t 2"];
    let server = Server::start(&lines);
    assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
    assert_eq!(server.stderr(), "");
}

#[test]
fn without_an_address_it_listens_everywhere_and_warns_once() {
    let mut args = user().to_vec();
    args.extend(["-p", "-1"]);
    let server = Server::start_exactly(&args);
    let families: Vec<String> = server.place.ports().into_iter().map(|(name, _)| name).collect();
    let has_v6 = UdpSocket::bind("[::]:0").is_ok();
    assert_eq!(families, if has_v6 { &["TCP INET", "TCP INET6"][..] } else { &["TCP INET"] });
    assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
    let warnings = server.stderr();
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    for words in ["neither TLS nor authentication", "-l 127.0.0.1", "-s FILE", "0.0.0.0"] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
}

#[test]
fn a_udp_port_is_served_and_written_down() {
    let families = |server: &Server| -> Vec<String> {
        server.place.ports().into_iter().map(|(family, _)| family).collect()
    };
    let server = Server::start(&["-U", "-1"]);
    assert_eq!(families(&server), ["TCP INET", "UDP INET"]);
    let (_, port) = server.place.ports().remove(1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    socket.send_to(b"\x12\x34\0\0\0\x01\0\0version\r\n", ("127.0.0.1", port)).unwrap();
    let mut reply = [0; 100];
    let len = socket.recv(&mut reply).unwrap();
    assert_eq!(&reply[..len], b"\x12\x34\0\0\0\x01\0\0VERSION 1.6.45\r\n");
    assert_eq!(server.stats("stats settings", &["udpport"]), [port.to_string()]);
    assert_eq!(server.stderr(), "");
    // -p is on the line of every server that is started here; its last mention counts.
    let alone = Server::start(&["-p", "0", "-U", "-1"]);
    assert_eq!(families(&alone), ["UDP INET"]);
}

#[test]
fn what_is_wrong_with_datagrams_is_logged_once() {
    let server = Server::start(&["-U", "-1"]);
    let (_, port) = server.place.ports().remove(1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..100 {
        socket.send_to(b"short", ("127.0.0.1", port)).unwrap();
    }
    let dropped = || server.stats("stats larder", &["udp_short_dropped"]);
    wait_until("they are dropped", || dropped() == ["100"]);
    let warnings = server.stderr();
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    let peer = socket.local_addr().unwrap().port().to_string();
    assert!(warnings.contains("too short") && warnings.contains(&peer), "{warnings}");
}

#[test]
fn several_addresses_are_served() {
    let server = Server::start(&["-l", "127.0.0.1,127.0.0.2"]);
    // The harness names 127.0.0.1 already: a repetition on a port of its own is kept.
    let families: Vec<String> = server.place.ports().into_iter().map(|(name, _)| name).collect();
    assert_eq!(families, ["TCP INET"; 3]);
}

#[test]
fn a_unix_socket_has_its_permissions_and_its_user() {
    let mut args = user().to_vec();
    args.extend(["-s", "x.sock", "-a", "0750"]);
    let server = Server::start_exactly(&args);
    let found = std::fs::metadata(server.place.join("x.sock")).unwrap();
    assert_eq!(found.permissions().mode() & 0o7777, 0o750);
    if geteuid().is_root() {
        assert_eq!(found.uid(), User::from_name("nobody").unwrap().unwrap().uid.as_raw());
    }
    let stream = UnixStream::connect(server.place.join("x.sock")).unwrap();
    assert_eq!(converse(stream, "version"), "VERSION 1.6.45\r\n");
}

#[test]
#[cfg(target_os = "linux")]
fn root_becomes_the_user_for_good() {
    if !geteuid().is_root() {
        // Nobody else can; -u is ignored then, whomever it names.
        let server = Server::start(&["-u", "no-such-user"]);
        assert_eq!(server.proc("status", "Uid:").split(' ').next(), Some(&*geteuid().to_string()));
        return;
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let four = |id: u32| [id; 4].map(|id| id.to_string()).join(" ");
    for (name, uid, gid) in [
        ("nobody", nobody.uid.as_raw(), nobody.gid.as_raw()),
        // A number that nobody has, as in a container.
        ("54321", 54321, 54321),
    ] {
        let server = Server::start(&["-u", name]);
        assert_eq!(server.proc("status", "Uid:"), four(uid), "{name}");
        assert_eq!(server.proc("status", "Gid:"), four(gid), "{name}");
        assert!(["".to_owned(), gid.to_string()].contains(&server.proc("status", "Groups:")));
        assert_eq!(server.proc("status", "CapEff:"), "0000000000000000", "{name}");
        assert_eq!(server.proc("status", "NoNewPrivs:"), "1", "{name}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn limits_are_raised() {
    let server = Server::start(&["-c", "3000", "-r", "-k"]);
    let files = server.proc("limits", "Max open files");
    let soft: u64 = files.split(' ').next().unwrap().parse().unwrap();
    assert!(soft > 3000, "{files}");
    let cores = server.proc("limits", "Max core file size");
    let cores: Vec<&str> = cores.split(' ').collect();
    assert_eq!(cores[0], cores[1]);
    let locked = server.proc("status", "VmLck:");
    assert!(locked != "0 kB" || server.stderr().contains("-k has no effect"), "{locked}");
}

#[test]
fn int_term_and_usr1_end_well() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1] {
        let mut server = Server::start(&[]);
        // A client that is in the middle of a command does not keep the server.
        let mut client = server.connect();
        client.write_all(b"set key 0 0 10\r\nhalf").unwrap();
        assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
        server.signal(signal);
        assert_eq!(server.wait(), Some(0), "{signal}: {}", server.stderr());
    }
}

#[test]
fn hup_is_logged_and_changes_nothing() {
    let mut server = Server::start(&["-v"]);
    server.signal(Signal::SIGHUP);
    wait_until("SIGHUP is logged", || server.stderr().contains("SIGHUP"));
    assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn a_pid_file_without_d_is_written_and_stays() {
    let mut server = Server::start(&["-P", "x.pid"]);
    // Ports are written down first.
    wait_until("the pid file", || server.place.join("x.pid").exists());
    assert_eq!(server.place.read("x.pid"), format!("{}\n", server.pid()));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
    assert!(server.place.join("x.pid").exists());
    assert!(!server.place.join("x.pid.tmp").exists());
}

#[test]
fn a_pid_file_that_cannot_be_written_is_a_warning() {
    let server = Server::start(&["-P", "/nowhere/x.pid"]);
    wait_until("the warning", || server.stderr().contains("/nowhere/x.pid"));
    assert_eq!(server.ask("version"), "VERSION 1.6.45\r\n");
}
