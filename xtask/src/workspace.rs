//! What cargo says about the workspace: packages, dependencies, licences, and where builds go.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::output_of;

/// The workspace as `cargo metadata` describes it.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo builds; everything that the tasks install or write goes below it.
    pub(crate) target: PathBuf,
    /// Members first, then everything that they depend on, on any platform.
    pub(crate) packages: Vec<Package>,
}

/// A package: a member of the workspace or something that a member depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) is_member: bool,
    /// An SPDX expression, if the package says one.
    pub(crate) license: Option<String>,
    /// `None` for a path; else `registry+…` or `git+…`.
    pub(crate) source: Option<String>,
    /// Directory of the manifest, relative to the workspace for members.
    pub(crate) dir: PathBuf,
    /// Whether the package may be uploaded to a registry.
    pub(crate) is_published: bool,
    /// Names of the packages that it needs to be built, development left out.
    pub(crate) dependencies: Vec<String>,
    /// Names of its targets with their kinds: `("parser", "bench")`.
    pub(crate) targets: Vec<(String, String)>,
}

impl Workspace {
    /// Asks cargo about the workspace of this source tree.
    ///
    /// # Errors
    /// A sentence: cargo failed, or said something that this does not understand.
    pub(crate) fn load() -> Result<Self, String> {
        Self::load_manifest(&source_root().join("Cargo.toml"))
    }

    /// Asks cargo about the workspace with this manifest.
    ///
    /// # Errors
    /// As [`Workspace::load`].
    pub(crate) fn load_manifest(manifest: &Path) -> Result<Self, String> {
        let mut command = cargo();
        command.args(["metadata", "--format-version", "1", "--all-features", "--manifest-path"]);
        Self::parse(&output_of(command.arg(manifest))?)
    }

    /// Reads the output of `cargo metadata`.
    ///
    /// # Errors
    /// A sentence that names the field which is missing or is no JSON.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let top: Value = serde_json::from_str(json)
            .map_err(|error| format!("`cargo metadata` wrote no JSON: {error}"))?;
        let root = PathBuf::from(text(&top, "workspace_root")?);
        let target = PathBuf::from(text(&top, "target_directory")?);
        let members: Vec<&str> =
            list(&top, "workspace_members")?.iter().filter_map(Value::as_str).collect();
        let mut packages = list(&top, "packages")?
            .iter()
            .map(|package| Package::parse(package, &members, &root))
            .collect::<Result<Vec<_>, _>>()?;
        packages.sort_by(|a, b| (!a.is_member, &a.name).cmp(&(!b.is_member, &b.name)));
        Ok(Self { root, target, packages })
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_member)
    }
}

impl Package {
    fn parse(value: &Value, members: &[&str], root: &Path) -> Result<Self, String> {
        let manifest = PathBuf::from(text(value, "manifest_path")?);
        let dir = manifest.parent().unwrap_or_else(|| Path::new(""));
        let dependencies = list(value, "dependencies")?
            .iter()
            // `kind` is null for a normal dependency. A loom model is a test, though cargo has no such kind for it.
            .filter(|dependency| dependency.get("kind").and_then(Value::as_str) != Some("dev"))
            .filter(|dependency| {
                dependency.get("target").and_then(Value::as_str) != Some("cfg(loom)")
            })
            .map(|dependency| text(dependency, "name").map(str::to_owned))
            .collect::<Result<Vec<_>, _>>()?;
        let mut targets = Vec::new();
        for target in list(value, "targets")? {
            for kind in list(target, "kind")?.iter().filter_map(Value::as_str) {
                targets.push((text(target, "name")?.to_owned(), kind.to_owned()));
            }
        }
        Ok(Self {
            name: text(value, "name")?.to_owned(),
            version: text(value, "version")?.to_owned(),
            is_member: members.contains(&text(value, "id")?),
            license: value.get("license").and_then(Value::as_str).map(str::to_owned),
            source: value.get("source").and_then(Value::as_str).map(str::to_owned),
            dir: dir.strip_prefix(root).unwrap_or(dir).to_owned(),
            // null: any registry; an empty list: none.
            is_published: value
                .get("publish")
                .is_none_or(|publish| publish.as_array().is_none_or(|names| !names.is_empty())),
            dependencies,
            targets,
        })
    }
}

/// The cargo that runs this task, so that all steps use one toolchain.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Top directory of the source tree.
pub(crate) fn source_root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), Path::to_owned)
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    value
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| format!("`cargo metadata` names no `{name}` where one was expected"))
}

fn list<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], String> {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .ok_or_else(|| format!("`cargo metadata` has no list `{name}` where one was expected"))
}

#[cfg(test)]
mod tests {
    use super::Workspace;
    use std::path::Path;

    const METADATA: &str = r#"{
        "workspace_root": "/src", "target_directory": "/out", "workspace_members": ["a-id"],
        "packages": [
            {"name": "memchr", "version": "2.8.0", "id": "m-id", "license": "MIT", "publish": null,
             "source": "registry+x", "manifest_path": "/elsewhere/m/Cargo.toml", "dependencies": [], "targets": []},
            {"name": "a", "version": "0.1.0", "id": "a-id", "license": null, "publish": [], "source": null,
             "manifest_path": "/src/crates/a/Cargo.toml",
             "dependencies": [{"name": "memchr", "kind": null}, {"name": "cc", "kind": "build"},
                              {"name": "proptest", "kind": "dev"},
                              {"name": "loom", "kind": null, "target": "cfg(loom)"}],
             "targets": [{"name": "parser", "kind": ["bench"]}]}
        ]}"#;

    #[test]
    fn packages_are_read_with_what_they_need_to_be_built() {
        let workspace = Workspace::parse(METADATA).expect("the sample is well formed");
        let [a, memchr] = &workspace.packages[..] else { panic!("two packages") };
        assert_eq!((a.name.as_str(), a.is_member, a.is_published), ("a", true, false));
        assert_eq!(a.dir, Path::new("crates/a"));
        assert_eq!(
            a.dependencies,
            ["memchr", "cc"],
            "development dependencies and models are left out"
        );
        assert_eq!(a.targets, [("parser".to_owned(), "bench".to_owned())]);
        assert_eq!((memchr.is_member, memchr.is_published), (false, true));
        assert_eq!(memchr.license.as_deref(), Some("MIT"));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (json, expected) in [("{", "no JSON"), ("{}", "workspace_root")] {
            let error = Workspace::parse(json).expect_err("not metadata");
            assert!(error.contains(expected), "{error}");
        }
    }
}
