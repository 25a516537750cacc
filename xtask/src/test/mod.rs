//! `cargo xtask test`: everything that can be tested, on the real thing.

mod differential;
mod install;
mod server;
mod suites;
mod syscalls;
mod unit;

use crate::process::run;
use crate::tally::{Stopwatch, Tally};
use crate::workspace::{Workspace, cargo};

pub(crate) use self::differential::Conversations;
use self::install::Installation;
use self::server::Program;

/// Runs one step, or all; the client suites run against larder or against the server named.
///
/// # Errors
/// A sentence: there is no such step or server, or the tree cannot be read.
pub(crate) fn test(
    step: Option<&str>,
    against: Option<&str>,
    conversations: &Conversations,
) -> Result<Tally, String> {
    if let Some(name) = step.filter(|name| !STEPS.contains(name)) {
        return Err(format!("there is no step `{name}`: {} are", STEPS.join(", ")));
    }
    let is_larder = match against {
        None | Some("larder") => true,
        Some("memcached") => false,
        Some(name) => return Err(format!("`{name}` is no server to test: larder, memcached are")),
    };
    // Against memcached only the suites make sense: the other steps test this source tree.
    let step = if is_larder { step } else { Some("clients") };
    let is_chosen = |name: &str| step.is_none_or(|step| step == name);

    let workspace = Workspace::load()?;
    let mut tally = Tally::default();
    let clock = Stopwatch::start();
    // What cannot be installed is a failure of its own; what needs nothing still runs.
    let mut install = |result: Result<(), String>| {
        if let Err(error) = result {
            tally.check("installation", Err(error), clock);
        }
    };
    let mut clients = None;
    if is_chosen("clients") {
        let prepared = suites::read(&workspace)
            .and_then(|wanted| Ok((Installation::prepare(&workspace, &wanted)?, wanted)));
        install(prepared.map(|prepared| clients = Some(prepared)));
    } else if ["cargo", "differential", "syscalls"].into_iter().any(is_chosen) {
        install(install::own_packages());
    }
    if is_chosen("cargo") {
        unit::workspace(&mut tally);
        unit::examples(&workspace, &mut tally);
    }
    if is_chosen("loom") {
        unit::loom(&workspace, &mut tally);
    }
    if !["clients", "differential", "syscalls"].into_iter().any(is_chosen) {
        return Ok(tally);
    }
    let program =
        if is_larder { build(&workspace, &mut tally) } else { Some(Program::memcached()) };
    let Some(program) = program else { return Ok(tally) };
    if is_chosen("differential") {
        differential::run(&workspace, conversations, &mut tally);
    }
    if let Some((tools, wanted)) = clients {
        suites::run(&wanted, &program, &tools, &workspace, &mut tally);
    }
    if is_chosen("syscalls") {
        for depth in [1, 16] {
            let clock = Stopwatch::start();
            let name = format!("system calls, pipeline {depth}");
            tally.check(&name, syscalls::check(&program, depth), clock);
        }
    }
    Ok(tally)
}

/// Builds the server as users do.
fn build(workspace: &Workspace, tally: &mut Tally) -> Option<Program> {
    let clock = Stopwatch::start();
    let mut command = cargo();
    command.current_dir(&workspace.root).args(["build", "--release", "-p", "larder"]);
    let result = run(&mut command);
    let is_built = result.is_ok();
    tally.check("release build", result.map(|()| String::new()), clock);
    is_built.then(|| Program::larder(&workspace.target.join("release/larder")))
}

const STEPS: [&str; 5] = ["cargo", "loom", "differential", "clients", "syscalls"];

pub(crate) const HELP: &str = "\
Runs every test, and installs what the client suites need: Debian packages (as root), Python and npm packages
below the target directory.

Usage: cargo xtask test [STEP] [--against memcached] [--commands N] [--seed N]

  STEP                   one of
    cargo                unit, property, transcript and documentation tests; the examples
    loom                 models of the lock-free parts
    differential         the same conversations with a release build and with memcached
    clients              the suites of xtask/clients/suites.txt against a release build
    syscalls             system calls of a turn, counted by strace
  --against memcached    run the client suites against Debian's memcached instead: it is the judge of them
  --commands N           commands of the differential step, 100000 unless said; millions make a long run
  --seed N               what its conversations grow out of, as a run before has printed it
";
