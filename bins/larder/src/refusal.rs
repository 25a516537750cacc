//! Why the program does not start: one sentence for the operator, one number for the script that started it.

use std::fmt;
use std::process::ExitCode;

/// A start that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) exit: Exit,
    /// What was wrong and, where something can be done about it, what to do.
    pub(crate) sentence: String,
}

impl Refusal {
    /// A number, an option or a suboption that cannot be used.
    pub(crate) fn value(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Value, sentence: sentence.into() }
    }

    /// Options that make no sense together, or ask for what this server does not have.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, sentence: sentence.into() }
    }

    /// The system refused something; `source` says why.
    pub(crate) fn system(doing: impl fmt::Display, source: impl fmt::Display) -> Self {
        Self { exit: Exit::System, sentence: format!("{doing}: {source}") }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Exit codes, as memcached has them: `EXIT_FAILURE` and three of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Value = 1,
    Usage = 64,
    NoUser = 67,
    System = 71,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
