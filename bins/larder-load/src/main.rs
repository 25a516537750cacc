//! The program: flags into a plan, the plan's report to standard output, an exit code.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's report and its complaint"
)]

mod options;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn main() -> ExitCode {
    let options = options::Options::parse();
    let json = options.json;
    let plan = match options.into_plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("larder-load: {error}");
            return ExitCode::from(BAD_FLAGS);
        }
    };
    raise_descriptor_limit();
    let report = match larder_load::run(&plan) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("larder-load: {error}");
            return ExitCode::FAILURE;
        }
    };
    if json {
        println!("{:#}", report.json());
    } else {
        println!("{report}");
    }
    if report.is_clean() {
        return ExitCode::SUCCESS;
    }
    let complaint = report.complaint.as_deref().unwrap_or("see the counts");
    eprintln!("larder-load: not every request got the reply it must get: {complaint}");
    ExitCode::FAILURE
}

/// Allows as many descriptors as the system lets a process have: each connection takes one.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Should it be refused, connecting says so as soon as descriptors run out.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// What clap itself ends with when a flag is wrong.
const BAD_FLAGS: u8 = 2;
