//! Exit codes and what is printed with them. Where memcached is installed, it is the judge of the codes.

use std::path::Path;
use std::time::Duration;

use nix::unistd::geteuid;

use crate::program::{LARDER, run, user};

const MEMCACHED: &str = "/usr/bin/memcached";

/// Whether memcached 1.6.18 refuses with the same code.
#[derive(Clone, Copy, PartialEq)]
enum Judge {
    Agrees,
    /// It takes the value for another (`abc` is 0, 99999 is 34463), or serves what is not served here.
    Differs,
}

use Judge::{Agrees, Differs};

/// Runs the program with arguments that are parted by `|`.
#[track_caller]
fn check(line: &str, code: i32, judge: Judge, words: &str) {
    let args: Vec<&str> = line.split('|').collect();
    let args = [user(), &args].concat();
    let mut ended = run(LARDER, &args);
    for _ in 0..3 {
        // Only the fastest of a few runs says something on a machine that is busy with other tests.
        if ended.took >= Duration::from_secs(1) {
            ended = run(LARDER, &args);
        }
    }
    assert_eq!(ended.code, Some(code), "{line}: {ended:?}");
    assert!(ended.stderr.contains(words), "{line}: {ended:?}");
    assert!(ended.stdout.is_empty(), "{line}: {ended:?}");
    assert!(ended.took < Duration::from_secs(1), "{line}: {ended:?}");
    if judge == Agrees && Path::new(MEMCACHED).exists() {
        let ended = run(MEMCACHED, &args);
        assert_eq!(ended.code, Some(code), "memcached {line}: {ended:?}");
    }
}

#[test]
fn a_bad_value_is_1() {
    check("-c|0", 1, Agrees, "-c \"0\"");
    check("-t|0", 1, Agrees, "-t \"0\"");
    check("-f|1.0", 1, Agrees, "-f \"1.0\"");
    check("-n|0", 1, Agrees, "-n \"0\"");
    check("-R|0", 1, Agrees, "-R \"0\"");
    check("-N|0", 1, Agrees, "-N \"0\"");
    check("-D|", 1, Agrees, "-D");
    check("-o|bogus", 1, Agrees, "-o bogus: no such extended option");
    check("-o|hashpower=99", 1, Agrees, "from 12 to 32");
    check("-o|idle_timeout", 1, Agrees, "idle_timeout=N");
    check("-o|lru_crawler_sleep=9999999", 1, Agrees, "1000000");
    check("--bogus", 1, Agrees, "--bogus: no such option; larder -h lists the options");
    check("-Q", 1, Agrees, "-Q: no such option");
    check("-p", 1, Agrees, "the value is missing");
    check("-p|abc", 1, Differs, "the port must be a number");
    check("-a|999|-s|x", 1, Differs, "octal");
    check("-b|abc|-p|-1", 1, Differs, "-b \"abc\"");
}

#[test]
fn bad_usage_is_64() {
    check("-p|70000", 64, Agrees, "-p 70000");
    check("-m|0", 64, Agrees, "half of the memory");
    check("-m|abc", 64, Agrees, "-m \"abc\"");
    check("-I|512", 64, Agrees, "from 1k to 1g");
    check("-I|2g", 64, Agrees, "from 1k to 1g");
    check("-I|64m|-m|64", 64, Agrees, "raise -m or lower -I");
    check("-B|foo", 64, Agrees, "ascii, binary or auto");
    check("-U|70000", 64, Agrees, "-U 70000");
    check("-S", 64, Differs, "larder does not serve SASL yet");
    check("-Y|/nowhere", 64, Differs, "larder does not serve authentication yet");
    check("-Z", 64, Agrees, "larder does not serve TLS yet");
    check("-e|/nowhere", 64, Differs, "larder does not serve a memory file yet");
    check("-p|0", 64, Differs, "nothing to listen on");
}

#[test]
fn what_the_system_refuses_is_71() {
    // A documentation address, which no machine has.
    check("-l|192.0.2.1|-p|-1", 71, Agrees, "192.0.2.1");
    check("-l|127.0.0.1:abc", 71, Agrees, "127.0.0.1:abc");
    check("-s|/nowhere/x.sock", 71, Agrees, "/nowhere/x.sock");
    check("-l|127.0.0.1|-p|-1|-c|4000000000", 71, Differs, "limit of open files");
}

#[test]
fn root_must_say_whom_to_become() {
    if geteuid().is_root() {
        for program in [LARDER, MEMCACHED] {
            if Path::new(program).exists() {
                let ended = run(program, &["-p", "-1"]);
                assert_eq!(ended.code, Some(64), "{program}: {ended:?}");
                assert!(ended.stderr.contains("can't run as root without the -u switch"));
            }
        }
        check("-u|no-such-user|-p|-1", 67, Agrees, "can't find the user no-such-user to switch to");
    } else {
        // Others stay who they are, whatever -u says: the port is what is refused here.
        check("-u|no-such-user|-p|70000", 64, Agrees, "-p 70000");
    }
}

#[test]
fn help_version_and_licence_end_well() {
    let cases: [(&[&str], &str); 7] = [
        (&["-h"], "memcached 1.6.45 (larder "),
        (&["--help"], "--unix-socket"),
        (&["-p", "-1", "-h"], "Exit codes:"),
        (&["-V"], "memcached 1.6.45 (larder "),
        (&["--version"], "memcached 1.6.45 (larder "),
        (&["-V", "--bogus"], "memcached 1.6.45 (larder "),
        (&["-i"], "Apache License"),
    ];
    for (args, words) in cases {
        let ended = run(LARDER, args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        assert!(ended.stdout.contains(words), "{args:?}: {ended:?}");
        assert!(ended.stderr.is_empty(), "{args:?}: {ended:?}");
    }
}
