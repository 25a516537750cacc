//! The program itself: its output, its exit codes, its sentences.

use std::process::{Command, Output};

use larder_testkit::process::Process;

fn larder_load(flags: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder-load"))
        .args(flags.split(' '))
        .output()
        .expect("it was built")
}

/// A wrong flag ends with code 2, a server that is not there with code 1; each says why.
fn check(flags: &str, code: i32, sentence: &str) {
    let output = larder_load(flags);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{flags}: {said}");
    assert!(said.contains(sentence), "{flags}: {said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    check("--frobnicate", 2, "unexpected argument '--frobnicate'");
    check("--connections many", 2, "invalid value 'many'");
    check("--pipeline 0", 2, "0 is not in 1..");
    check("--duration 5 --requests 5", 2, "cannot be used with");
    check("--server nowhere", 2, "--server is HOST:PORT");
    check("--distribution pareto", 2, "none of uniform, zipf, zipf:EXPONENT, sequential");
    check("--ratio 0:0", 2, "leaves no request to send");
    check("--connections 2 --threads 3", 2, "between the number of threads");
    check("--unix /does/not/exist --requests 1", 1, "cannot connect to /does/not/exist");
    check("--pid 4294967295 --requests 1", 1, "cannot read process 4294967295");
}

#[test]
fn help_names_every_flag() {
    let help = String::from_utf8(larder_load("--help").stdout).unwrap();
    for flag in [
        "--server",
        "--unix",
        "--connections",
        "--threads",
        "--pipeline",
        "--keys",
        "--key-prefix",
        "--key-len",
        "--distribution",
        "--value-size",
        "--ratio",
        "--multiget",
        "--duration",
        "--requests",
        "--timeout",
        "--warm-up",
        "--populate",
        "--verify",
        "--pid",
        "--seed",
        "--json",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
}

#[test]
fn both_outputs_say_the_same() {
    let server = Process::memcached(&[]).unwrap();
    let load =
        format!("--server {} --populate --requests 3000 --keys 500 --verify", server.address());

    let text = larder_load(&load);
    let said = String::from_utf8(text.stdout).unwrap();
    assert!(text.status.success(), "{said}");
    assert!(said.contains("populated   500 keys"), "{said}");
    assert!(said.contains("(3000 in "), "{said}");
    assert!(said.contains("p99.9"), "{said}");

    let json = larder_load(&format!("{load} --pid {} --json", server.pid()));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["requests"], 3000);
    assert_eq!(json["populated"], 500);
    assert_eq!(json["errors"], 0);
    assert!(json["server_system_us"].is_number() && json["latency_p99_us"].is_number());
}

#[test]
fn the_usual_limit_of_1024_descriptors_is_no_limit() {
    let server = Process::memcached(&["-c", "4096"]).unwrap();
    let load = format!("--server {} --connections 1500 --requests 3000", server.address());
    // A shell lowers the soft limit, as a login on most systems has it.
    let script = format!("ulimit -S -n 1024; exec {} {load}", env!("CARGO_BIN_EXE_larder-load"));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("(3000 in "), "{output:?}");
}
