//! The program: flags into what is asked for, reports to standard output, an exit code.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let options::Options {} = options::Options::parse();
    ExitCode::SUCCESS
}
