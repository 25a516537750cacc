//! The program: a command, its report to standard output and to files, an exit code.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program's report and its complaint"
)]

mod options;

use std::process::ExitCode;

use clap::Parser as _;
use options::Options;

fn main() -> ExitCode {
    let options = Options::parse();
    let report = match options.run() {
        Ok(report) => report,
        Err(error) => {
            eprintln!("larder-pressure: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (passed, failed) = report.counts();
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
