//! What the process may do: its limits, raised while it may still raise them, and its user, dropped for good.
//!
//! Everything here goes through the C library, not straight to the kernel: a change of user must reach every thread.

use std::ffi::CString;

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};
use nix::unistd::{Gid, Uid, User, geteuid, getuid, initgroups, setgid, setgroups, setuid};

use crate::options::Options;
use crate::refusal::{Exit, Refusal};

/// The user to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// For the list of groups; a number without an entry in the user database has none.
    name: Option<CString>,
    uid: Uid,
    gid: Gid,
}

impl Identity {
    /// The user that `-u` names, for root; `None` for everybody else, who stays who he is, as with memcached.
    ///
    /// A number needs no entry in the user database: containers have none, and then the group has the same number.
    ///
    /// # Errors
    ///
    /// Root must say whom to become, and there must be such a user.
    pub(crate) fn choose(user: Option<&str>) -> Result<Option<Self>, Refusal> {
        if !getuid().is_root() && !geteuid().is_root() {
            return Ok(None);
        }
        let Some(user) = user.filter(|user| !user.is_empty()) else {
            return Err(Refusal::usage(
                "can't run as root without the -u switch: name an unprivileged user, such as -u nobody",
            ));
        };
        let found = User::from_name(user)
            .map_err(|error| Refusal::system(format!("cannot look up the user {user:?}"), error))?;
        match (found, user.parse()) {
            (Some(entry), _) => Self::from_entry(entry).map(Some),
            (None, Ok(number)) => Self::from_number(number).map(Some),
            (None, Err(_)) => Err(Refusal {
                exit: Exit::NoUser,
                sentence: format!(
                    "can't find the user {user} to switch to: -u needs the name or the number of a user"
                ),
            }),
        }
    }

    fn from_entry(entry: User) -> Result<Self, Refusal> {
        let name = CString::new(entry.name)
            .map_err(|error| Refusal::system("cannot use the name of the user", error))?;
        Ok(Self { name: Some(name), uid: entry.uid, gid: entry.gid })
    }

    fn from_number(number: u32) -> Result<Self, Refusal> {
        match User::from_uid(Uid::from_raw(number)) {
            Ok(Some(entry)) => Self::from_entry(entry),
            Ok(None) => {
                Ok(Self { name: None, uid: Uid::from_raw(number), gid: Gid::from_raw(number) })
            }
            Err(error) => Err(Refusal::system(format!("cannot look up the user {number}"), error)),
        }
    }

    /// Becomes this user, groups first, and makes sure that there is no way back.
    ///
    /// # Errors
    ///
    /// When the system refuses, or when root can be had again.
    pub(crate) fn assume(&self) -> Result<(), Refusal> {
        let refused = |error: Errno| {
            Refusal::system(format!("failed to assume the identity of user {}", self.uid), error)
        };
        match &self.name {
            Some(name) => initgroups(name, self.gid).map_err(refused)?,
            None => setgroups(&[]).map_err(refused)?,
        }
        setgid(self.gid).map_err(refused)?;
        setuid(self.uid).map_err(refused)?;
        if self.uid.is_root() {
            log::warn!("-u {}: the server keeps the rights of root", self.uid);
        } else if setuid(Uid::from_raw(0)).is_ok() {
            return Err(Refusal::system("failed to drop the rights of root", "they came back"));
        }
        Ok(())
    }
}

/// Raises the limits that the options need: descriptors for every client, core dumps (`-r`), locked memory (`-k`).
///
/// # Errors
///
/// When there cannot be enough descriptors, or no core dumps. Memory that cannot be locked is a warning, as with
/// memcached: the server works without.
pub(crate) fn raise_limits(options: &Options) -> Result<(), Refusal> {
    if options.core_dumps {
        raise_core_limit()?;
    }
    let config = &options.config;
    // Each thread has a socket of its own for every UDP address.
    let sockets = config.threads.saturating_mul(config.udp.listen.len());
    let clients = config.connections_max.saturating_add(sockets);
    raise_descriptor_limit(clients, config.threads)?;
    if options.lock_memory
        && let Err(why) = lock_memory(options.config.memory_bytes)
    {
        log::warn!("-k has no effect: {why}");
    }
    Ok(())
}

/// Gives up what a change of user leaves behind: programs with the set-user-id bit no longer help a process that has
/// been taken over. A process that changed its user does not dump core unless it says so again.
pub(crate) fn seal(options: &Options) {
    #[cfg(target_os = "linux")]
    {
        if let Err(error) = nix::sys::prctl::set_no_new_privs() {
            log::warn!("cannot forbid new privileges: {error}");
        }
        if options.core_dumps
            && let Err(error) = nix::sys::prctl::set_dumpable(true)
        {
            log::warn!("-r has no effect after the change of user: {error}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = options;
}

fn raise_core_limit() -> Result<(), Refusal> {
    let refused = |error| Refusal::system("-r: failed to ensure the creation of core files", error);
    if setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY).is_ok() {
        return Ok(());
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE).map_err(refused)?;
    match hard {
        0 => Err(Refusal::system("-r", "core files are forbidden by the hard limit (ulimit -Hc)")),
        _ => setrlimit(Resource::RLIMIT_CORE, hard, hard).map_err(refused),
    }
}

/// `-c` counts clients: the limit must leave room for everything else that has a descriptor.
fn raise_descriptor_limit(clients: usize, threads: usize) -> Result<(), Refusal> {
    let refused = |error| Refusal::system("-c: cannot read the limit of open files", error);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(refused)?;
    let clients = rlim_t::try_from(clients).unwrap_or(rlim_t::MAX);
    let threads = rlim_t::try_from(threads).unwrap_or(rlim_t::MAX);
    let needed = threads
        .saturating_mul(DESCRIPTORS_A_THREAD)
        .saturating_add(DESCRIPTORS_BESIDE)
        .saturating_add(clients);
    if soft >= needed || setrlimit(Resource::RLIMIT_NOFILE, needed, hard.max(needed)).is_ok() {
        return Ok(());
    }
    if hard < clients {
        return Err(Refusal::system(
            format!("-c {clients}: failed to raise the limit of open files to {needed}"),
            format!(
                "it is {hard}: raise it (ulimit -Hn, LimitNOFILE=), let root with CAP_SYS_RESOURCE start it, or ask for fewer clients"
            ),
        ));
    }
    // memcached starts too where the limit is just what -c says, and then serves a few clients less.
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        return Err(Refusal::system("-c: failed to raise the limit of open files", error));
    }
    log::warn!(
        "-c {clients}: the limit of open files is {hard} and {needed} are needed: the last clients are refused"
    );
    Ok(())
}

/// Locks all memory, now and later. A limit under what the server may need is not used: later allocations would fail.
fn lock_memory(memory_bytes: u64) -> Result<(), String> {
    let needed = memory_bytes.saturating_add(memory_bytes / 4).saturating_add(MEMORY_BESIDE);
    let unlimited = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    if let Err(error) = unlimited {
        let (_, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)
            .map_err(|error| format!("cannot read the limit of locked memory: {error}"))?;
        if hard < needed {
            return Err(format!(
                "the limit of locked memory is {hard} bytes and {needed} may be needed ({error}): \
                 raise it (ulimit -Hl) or start as root with CAP_IPC_LOCK"
            ));
        }
        setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard)
            .map_err(|error| format!("cannot raise the limit of locked memory: {error}"))?;
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
        .map_err(|error| format!("mlockall() failed: {error}"))
}

/// A poller and its wake-up, for each thread; generously.
const DESCRIPTORS_A_THREAD: rlim_t = 8;

/// Standard streams, listeners, the listener's poller, signals, one in reserve; generously.
const DESCRIPTORS_BESIDE: rlim_t = 64;

/// Memory beside the items that may be locked with them: program, stacks, connections.
const MEMORY_BESIDE: u64 = 64 << 20;
