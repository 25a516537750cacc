//! Every switch in one table: its names, its default and its line of help. The table is the parser's only input, so
//! what `-h` says is what the server does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::Takes::{Help, Nothing, Times, Value, Values, Version};
use super::{LICENSE, VERSION};
use crate::refusal::Refusal;

/// What the command line said.
#[derive(Debug)]
pub(super) struct Given(ArgMatches);

/// The end of parsing where nothing is to be served.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something to print, after which the program ends well: `-h`, `-V`, `-i`.
    Print(String),
    Refuse(Refusal),
}

impl Given {
    /// Reads `args`, the name of the program first.
    pub(super) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, Stop> {
        let args = args.into_iter().flat_map(apart);
        let matches = command().try_get_matches_from(args).map_err(stop)?;
        if matches.get_flag("license") {
            return Err(Stop::Print(LICENSE.to_owned()));
        }
        Ok(Self(matches))
    }

    /// Whether a switch without a value was given.
    pub(super) fn is_on(&self, long: &str) -> bool {
        self.0.get_flag(long)
    }

    /// How often a counting switch was given.
    pub(super) fn times(&self, long: &str) -> u8 {
        self.0.get_count(long)
    }

    /// Whether the value of a switch was given, and is not its default.
    pub(super) fn is_given(&self, long: &str) -> bool {
        self.0.value_source(long) == Some(ValueSource::CommandLine)
    }

    /// The value of a switch as it stands, the last one where it was repeated; leading blanks do not count, because
    /// `"-s FILE"` may come as one argument.
    pub(super) fn raw(&self, long: &str) -> Option<&OsStr> {
        self.0
            .get_one::<OsString>(long)
            .map(|value| OsStr::from_bytes(value.as_bytes().trim_ascii_start()))
    }

    /// The value of a switch as text, without blanks around it; empty if it has none.
    pub(super) fn text(&self, long: &str) -> Result<&str, Refusal> {
        self.raw(long).map_or(Ok(""), |value| text(long, value))
    }

    /// Every value of a switch that may be repeated.
    pub(super) fn texts(&self, long: &str) -> Result<Vec<String>, Refusal> {
        let values = self.0.get_many::<OsString>(long).into_iter().flatten();
        values.map(|value| text(long, value).map(str::to_owned)).collect()
    }

    /// Arguments that belong to no switch.
    pub(super) fn extra(&self) -> Vec<String> {
        let values = self.0.get_many::<OsString>(EXTRA).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    }
}

/// A switch as people type it: `-t`, or `--unread-reply-limit` where there is no letter.
pub(super) fn label(long: &str) -> String {
    match SWITCHES.iter().find(|switch| switch.long == long) {
        Some(Switch { short: Some(short), .. }) => format!("-{short}"),
        _ => format!("--{long}"),
    }
}

/// One switch.
struct Switch {
    short: Option<char>,
    long: &'static str,
    takes: Takes,
    help: &'static str,
    group: &'static str,
}

#[derive(Clone, Copy)]
enum Takes {
    /// Being given is all.
    Nothing,
    /// Being given more often says more.
    Times,
    /// A value: its name in the help, and its default; `""` for none.
    Value(&'static str, &'static str),
    /// Values, one each time it is given.
    Values(&'static str),
    /// Prints the help, or the version.
    Help,
    Version,
}

/// `-D=` as two arguments: to getopt the sign is the value, which the parser would take for what stands before one.
fn apart(arg: OsString) -> Vec<OsString> {
    if arg == "-D=" { vec!["-D".into(), "=".into()] } else { vec![arg] }
}

fn command() -> Command {
    let mut command = Command::new("memcached")
        .version(VERSION)
        .help_template("memcached {version}\n\n{usage-heading} {usage}\n\n{all-args}\n{after-help}")
        .override_usage("larder [options]")
        .after_help(AFTER_HELP)
        .disable_help_flag(true)
        .disable_version_flag(true)
        // getopt's habits: the last one wins, options may be abbreviated and may follow other arguments.
        .args_override_self(true)
        .infer_long_args(true)
        .arg(Arg::new(EXTRA).num_args(0..).hide(true).value_parser(os_string()));
    for switch in SWITCHES {
        command = command.arg(switch.arg());
    }
    command
}

impl Switch {
    fn arg(&self) -> Arg {
        let arg = Arg::new(self.long).long(self.long).help(self.help).help_heading(self.group);
        let arg = if let Some(short) = self.short { arg.short(short) } else { arg };
        let arg = if self.long == "napi-ids" { arg.alias("napi_ids") } else { arg };
        let arg = arg.hide(self.group == UNSERVED);
        match self.takes {
            Nothing => arg.action(ArgAction::SetTrue),
            Times => arg.action(ArgAction::Count),
            Help => arg.action(ArgAction::HelpShort),
            Version => arg.action(ArgAction::Version),
            Values(name) => valued(arg.action(ArgAction::Append), name),
            Value(name, "") => valued(arg, name),
            Value(name, default) => valued(arg, name).default_value(default),
        }
    }
}

/// getopt takes whatever comes next as the value, `-1` and the empty argument included.
fn valued(arg: Arg, name: &'static str) -> Arg {
    arg.value_name(name).num_args(1).allow_hyphen_values(true).value_parser(os_string())
}

fn os_string() -> ValueParser {
    ValueParser::os_string()
}

fn text<'a>(long: &str, value: &'a OsStr) -> Result<&'a str, Refusal> {
    match value.to_str() {
        Some(text) => Ok(text.trim_ascii()),
        None => Err(Refusal::value(format!("{}: the value is not UTF-8", label(long)))),
    }
}

/// memcached's exit code is 1 for whatever getopt does not know.
fn stop(error: clap::Error) -> Stop {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Stop::Print(error.render().to_string());
        }
        _ => {}
    }
    let context = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let argument = context(ContextKind::InvalidArg);
    let sentence = match error.kind() {
        ErrorKind::UnknownArgument if is_ambiguous(&argument) => {
            format!("{argument}: more than one option begins like this")
        }
        ErrorKind::UnknownArgument => format!("{argument}: no such option"),
        ErrorKind::InvalidValue | ErrorKind::WrongNumberOfValues => {
            let long = argument.split(' ').next().unwrap_or_default().trim_start_matches('-');
            format!("{}: the value is missing", label(long))
        }
        ErrorKind::TooManyValues => format!("{argument}: takes no value"),
        _ => error
            .render()
            .to_string()
            .lines()
            .next()
            .unwrap_or("cannot read the options")
            .to_owned(),
    };
    Stop::Refuse(Refusal::value(format!("{sentence}; larder -h lists the options")))
}

/// The parser does not know an abbreviation of several options from a word of none.
fn is_ambiguous(argument: &str) -> bool {
    argument.strip_prefix("--").is_some_and(|short| {
        SWITCHES.iter().filter(|switch| switch.long.starts_with(short)).count() > 1
    })
}

const EXTRA: &str = "extra";

const NETWORK: &str = "Network";
const MEMORY: &str = "Memory";
const COMMANDS: &str = "Protocol and commands";
const BUDGETS: &str =
    "Budgets for what clients leave unfinished, for the whole server; over one, a client is closed";
const PROCESS: &str = "Process";
const ACCEPTED: &str = "Accepted for memcached's sake, without effect on what is served";
/// What memcached has and this server refuses; scripts find out what a server can do by looking for words in its help.
const UNSERVED: &str = "Not served";

const fn switch(
    short: char,
    long: &'static str,
    takes: Takes,
    group: &'static str,
    help: &'static str,
) -> Switch {
    Switch { short: Some(short), long, takes, help, group }
}

const fn long(long: &'static str, takes: Takes, group: &'static str, help: &'static str) -> Switch {
    Switch { short: None, long, takes, help, group }
}

/// In the order of the help.
#[rustfmt::skip] // One line a switch reads as the table that it is.
const SWITCHES: &[Switch] = &[
    switch('p', "port", Value("NUM", "11211"), NETWORK, "TCP port; 0 is none, -1 any free one"),
    switch('l', "listen", Values("ADDR"), NETWORK, "Address to listen on: HOST, HOST:PORT, [V6]:PORT or *, several with commas or\nby repeating -l; without it every interface"),
    switch('s', "unix-socket", Value("FILE", ""), NETWORK, "Unix socket to listen on, instead of TCP and UDP"),
    switch('a', "unix-mask", Value("MODE", "700"), NETWORK, "Permissions of the Unix socket, in octal"),
    switch('c', "conn-limit", Value("NUM", "1024"), NETWORK, "Clients served at once"),
    switch('b', "listen-backlog", Value("NUM", "1024"), NETWORK, "Connections that the kernel may queue until they are accepted"),
    switch('U', "udp-port", Value("NUM", "0"), NETWORK, "UDP port; 0 is none, -1 any free one; without -p it is the TCP port too"),
    long("udp-reply-limit", Value("SIZE", "64k"), NETWORK, "Most that one datagram is answered with: replies over it are not sent"),
    long("udp-reply-rate", Value("SIZE", "64m"), NETWORK, "Most that all datagrams of a second are answered with; 0 is no limit"),

    switch('m', "memory-limit", Value("MB", "64"), MEMORY, "Memory for items, in megabytes"),
    switch('M', "disable-evictions", Nothing, MEMORY, "When memory is full, refuse to store instead of evicting"),
    switch('I', "max-item-size", Value("SIZE", "1m"), MEMORY, "Largest item, from 1k to 1g and at most half of -m"),
    switch('k', "lock-memory", Nothing, MEMORY, "Keep all memory out of swap"),

    switch('C', "disable-cas", Nothing, COMMANDS, "Keep no CAS numbers: gets returns 0"),
    switch('F', "disable-flush-all", Nothing, COMMANDS, "Refuse flush_all"),
    switch('X', "disable-dumping", Nothing, COMMANDS, "Refuse dumps of keys and stats detail"),
    switch('W', "disable-watch", Nothing, COMMANDS, "Refuse watch, by which clients are told what happens"),
    switch('A', "enable-shutdown", Nothing, COMMANDS, "Obey the shutdown command"),
    long("debug-commands", Nothing, COMMANDS, "Obey debugtime SECONDS, p and r, which shift, stop and start the\nserver's clock: for tests"),
    switch('B', "protocol", Value("NAME", "auto"), COMMANDS, "Protocol: ascii, binary or auto"),
    switch('D', "prefix-delimiter", Value("CHAR", ":"), COMMANDS, "What ends the prefix of a key; turns stats detail on"),
    switch('o', "extended", Values("LIST"), COMMANDS, "Extended options, with commas: idle_timeout=SECONDS closes clients that are\nsilent for so long (0: never), read_buf_mem_limit=MB sets\n--incomplete-command-limit, watcher_logbuf_size=KB bounds the lines that\nwait for a watcher (256), track_sizes lets stats sizes count;\nthose that tune memcached's inside are accepted"),

    long("unread-reply-limit", Value("SIZE", "64m"), BUDGETS, "Bytes of replies that clients have not read"),
    long("incomplete-value-limit", Value("SIZE", ""), BUDGETS, "Bytes of values that have arrived in part\n[default: half of -m; for twice -I up to 3/4 of it]"),
    long("incomplete-command-limit", Value("SIZE", "64m"), BUDGETS, "Bytes of command lines that have arrived in part"),
    long("replies-in-flight-limit", Value("NUM", "65536"), BUDGETS, "Values sent from item memory that clients have not read"),
    long("half-command-timeout", Value("SECONDS", "30"), BUDGETS, "Time that half a command may wait for its other half; 0 is no limit"),

    switch('t', "threads", Value("NUM", "4"), PROCESS, "Threads that serve clients"),
    switch('u', "user", Value("USER", ""), PROCESS, "Become this user, by name or number; root must say it, others cannot"),
    switch('d', "daemon", Nothing, PROCESS, "Run in the background, once it listens"),
    switch('P', "pidfile", Value("FILE", ""), PROCESS, "Write the process id there; removed at the end with -d"),
    switch('r', "enable-coredumps", Nothing, PROCESS, "Allow core dumps of any size"),
    switch('v', "verbose", Times, PROCESS, "Log more: -v what happens to the server, -vv connections too, and the\nfirst line of what they send and get; -vvv the same"),
    switch('h', "help", Help, PROCESS, "Print this help and exit"),
    switch('V', "version", Version, PROCESS, "Print the version and exit"),
    switch('i', "license", Nothing, PROCESS, "Print the licence and exit"),

    switch('f', "slab-growth-factor", Value("X", "1.25"), ACCEPTED, "Growth of the size classes that stats slabs reports"),
    switch('n', "slab-min-size", Value("BYTES", "48"), ACCEPTED, "Room of the smallest of these classes"),
    switch('R', "max-reqs-per-event", Value("NUM", "20"), ACCEPTED, "Requests in a row; a turn is bounded by bytes here"),
    switch('L', "enable-largepages", Nothing, ACCEPTED, "Large memory pages"),
    switch('N', "napi-ids", Value("NUM", ""), ACCEPTED, "Connections by the queue of the network card"),

    switch('S', "enable-sasl", Nothing, UNSERVED, ""),
    switch('Y', "auth-file", Value("FILE", ""), UNSERVED, ""),
    switch('Z', "enable-ssl", Nothing, UNSERVED, ""),
    switch('e', "memory-file", Value("FILE", ""), UNSERVED, ""),
];

const AFTER_HELP: &str = "\
SIZE is a number of bytes, or of kilobytes, megabytes or gigabytes with k, m or g after it. A value may follow
its letter at once (-m64), as the next argument (-m 64), or in the same argument after a blank (\"-m 64\").
Environment: MEMCACHED_PORT_FILENAME names a file for the ports that were bound.
Signals: INT and TERM stop the server at once, USR1 when replies are sent; HUP changes nothing.
Exit codes: 0 stopped, 1 bad value, 64 bad usage, 67 no such user, 71 the system refused.
";
