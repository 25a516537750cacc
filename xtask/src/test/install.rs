//! What the client suites need: Debian packages, a Python environment, npm packages.
//!
//! Only what is missing is installed. Debian packages need root; the others go below the target directory and
//! are made anew when their list of versions has changed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::is_root;
use super::suites::Suite;
use crate::process::{output_of, run};
use crate::workspace::Workspace;

/// Where the tools are that were installed.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) venv: PathBuf,
    /// Source distributions of Python clients, for the tests in them.
    pub(super) sdists: PathBuf,
    pub(super) node_modules: PathBuf,
}

impl Installation {
    /// Installs what is missing.
    ///
    /// # Errors
    /// A sentence that names what could not be installed, and what to do.
    pub(super) fn prepare(workspace: &Workspace, suites: &[Suite]) -> Result<Self, String> {
        let mut wanted = packages(suites);
        wanted.extend(INTERPRETERS.map(str::to_owned));
        debian(&wanted)?;
        let base = workspace.target.join("clients");
        let lists = workspace.root.join("xtask/clients");
        let (venv, sdists, node) = (base.join("venv"), base.join("sdists"), base.join("node"));
        once(&venv, &[lists.join("requirements.txt")], || python(&venv, &lists))?;
        let pinned = lists.join("sdists.txt");
        once(&sdists, std::slice::from_ref(&pinned), || download(&venv, &pinned, &sdists))?;
        let versions = [lists.join("package.json"), lists.join("package-lock.json")];
        once(&node, &versions, || npm(&node, &versions))?;
        Ok(Self { venv, sdists, node_modules: node.join("node_modules") })
    }
}

/// Installs what the tests need that are no client suites.
///
/// # Errors
/// As [`Installation::prepare`].
pub(super) fn own_packages() -> Result<(), String> {
    debian(&packages(&[]))
}

/// The Debian packages of all suites, and those that the tests themselves need.
fn packages(suites: &[Suite]) -> BTreeSet<String> {
    let own = PACKAGES.iter().map(|&name| name.to_owned());
    own.chain(suites.iter().flat_map(|suite| suite.packages.iter().cloned())).collect()
}

fn debian(wanted: &BTreeSet<String>) -> Result<(), String> {
    let missing: Vec<&str> =
        wanted.iter().map(String::as_str).filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !is_root()? {
        return Err(format!("these packages are missing: `sudo apt-get install {names}`"));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        run(&mut command)
    };
    let _no_daemons = NoDaemons::begin();
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    arguments.extend(missing);
    apt(&arguments).map_err(|error| format!("{error}; on Debian 12 these are needed: {names}"))
}

/// Whether a package is installed, or its program came from elsewhere.
fn is_there(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let status = output_of(query.args(["--show", "--showformat=${db:Status-Status}", package]));
    if status.is_ok_and(|status| status == "installed") {
        return true;
    }
    // Node, Python, Go, Java and their tools often come from other places than Debian.
    match package {
        "python3-venv" => {
            output_of(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
        }
        "nodejs" => is_program("node"),
        "golang-go" => is_program("go"),
        "openjdk-17-jdk-headless" => is_program("javac"),
        name => is_program(name),
    }
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

fn python(venv: &Path, lists: &Path) -> Result<(), String> {
    run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    let mut install = pip(venv, "install");
    run(install.arg("--requirement").arg(lists.join("requirements.txt")))
}

/// Fetches the source distributions of a list into `dir`, each checked against the hash that the list pins.
fn download(venv: &Path, pinned: &Path, dir: &Path) -> Result<(), String> {
    let mut download = pip(venv, "download");
    // pip asks a source for its name and version by running its build: with what the environment has, pinned too.
    download.args(["--no-deps", "--no-binary=:all:", "--no-build-isolation", "--require-hashes"]);
    run(download.arg("--requirement").arg(pinned).arg("--dest").arg(dir))
}

fn pip(venv: &Path, verb: &str) -> Command {
    let mut command = Command::new(venv.join("bin/python"));
    command.args(["-m", "pip", verb, "--quiet", "--disable-pip-version-check"]);
    command
}

fn npm(node: &Path, versions: &[PathBuf]) -> Result<(), String> {
    for path in versions {
        let name = path.file_name().unwrap_or_default();
        fs::copy(path, node.join(name)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    run(Command::new("npm").current_dir(node).args(["ci", "--no-audit", "--no-fund"]))
}

/// Makes `dir` anew unless it was made from these very files.
fn once(
    dir: &Path,
    made_from: &[PathBuf],
    make: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let mut stamp = String::new();
    for path in made_from {
        let text = fs::read_to_string(path);
        stamp += &text.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let stamp_path = dir.join("made-from.txt");
    if fs::read_to_string(&stamp_path).is_ok_and(|text| text == stamp) {
        return Ok(());
    }
    let fail = |error: std::io::Error| format!("{}: {error}", dir.display());
    if dir.exists() {
        fs::remove_dir_all(dir).map_err(fail)?;
    }
    fs::create_dir_all(dir).map_err(fail)?;
    make()?;
    fs::write(stamp_path, stamp).map_err(fail)
}

/// Keeps Debian from starting daemons of packages (memcached, on its usual port) while they are installed.
struct NoDaemons {
    /// Whether the policy is ours, to be taken away at the end.
    is_ours: bool,
}

impl NoDaemons {
    fn begin() -> Self {
        let mut options = fs::OpenOptions::new();
        let policy = options.write(true).create_new(true).mode(0o755).open(POLICY);
        let is_ours = policy.is_ok_and(|mut file| {
            // 101: the action is forbidden by policy.
            std::io::Write::write_all(&mut file, b"#!/bin/sh\nexit 101\n").is_ok()
        });
        Self { is_ours }
    }
}

impl Drop for NoDaemons {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// `memcached` is the judge of transcripts, conversations and benches, `libfaketime` moves the clock of both servers,
/// `strace` counts system calls, and libFuzzer is C++.
const PACKAGES: [&str; 4] = ["g++", "libfaketime", "memcached", "strace"];

/// What the lists of Python and npm packages are installed with.
const INTERPRETERS: [&str; 3] = ["nodejs", "npm", "python3-venv"];

#[cfg(test)]
mod tests {
    use super::{is_there, once};
    use crate::test::server::Directory;
    use std::fs;

    #[test]
    fn a_program_on_the_path_counts_as_there() {
        assert!(is_there("sh"));
        assert!(!is_there("larder-no-such-package"));
    }

    #[test]
    fn a_directory_is_made_again_only_when_its_list_changes() {
        let base = Directory::create().expect("the temporary directory is writable");
        let (dir, list) = (base.0.join("made"), base.0.join("list"));
        let mut made = 0;
        for (text, is_fine, expected) in
            [("a==1", false, 1), ("a==1", true, 2), ("a==1", true, 2), ("a==2", true, 3)]
        {
            fs::write(&list, text).expect("writable");
            let result = once(&dir, std::slice::from_ref(&list), || {
                made += 1;
                if is_fine { Ok(()) } else { Err("no network".to_owned()) }
            });
            assert_eq!((result.is_ok(), made), (is_fine, expected), "{text}");
        }
    }
}
