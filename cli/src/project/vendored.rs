//! The Rust SDK as a new project has it: its sources from this repository, their manifests made to stand by themselves.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use include_dir::{Dir, include_dir};
use toml::{Table, Value};

use super::{ProjectFile, every_file};

static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdk");

/// What the SDK's manifests refer to.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// The versions this was tested with. Cargo drops what a project doesn't need.
const LOCK: &str = include_str!("../../../examples/Cargo.lock");

/// Where the SDK is in this repository.
const HERE: &str = "sdk";

/// Where it is in a project.
const THERE: &str = "vendor/wharf-sdk";

/// The SDK's files, and the versions of what it needs.
pub(super) fn rust_sdk() -> Result<Vec<ProjectFile>> {
    let workspace: Table = WORKSPACE
        .parse()
        .context("this program came with a damaged workspace")?;
    let mut files = vec![ProjectFile {
        path: "Cargo.lock".into(),
        contents: LOCK.as_bytes().into(),
    }];
    for (path, contents) in every_file(&SDK) {
        let contents = match path.ends_with("Cargo.toml") {
            true => standing(contents, path, &workspace)?.into_bytes().into(),
            false => contents.into(),
        };
        files.push(ProjectFile {
            path: Path::new(THERE).join(path),
            contents,
        });
    }
    Ok(files)
}

/// A manifest with everything in place that it takes from the workspace. It has no lints: they are for who works on it.
fn standing(contents: &[u8], path: &Path, workspace: &Table) -> Result<String> {
    let damaged = || format!("this program came with a damaged {}", path.display());
    let mut manifest: Table = str::from_utf8(contents)?.parse().with_context(damaged)?;
    let of_workspace = workspace
        .get("workspace")
        .and_then(Value::as_table)
        .with_context(damaged)?;
    manifest.remove("lints");
    if let (Some(Value::Table(own)), Some(Value::Table(all))) =
        (manifest.get_mut("package"), of_workspace.get("package"))
    {
        inherit(own, all);
    }
    let all = of_workspace
        .get("dependencies")
        .and_then(Value::as_table)
        .with_context(damaged)?;
    let folder = Path::new(HERE).join(path.parent().unwrap_or(Path::new("")));
    depend(&mut manifest, all, &folder);
    if let Some(Value::Table(targets)) = manifest.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let Value::Table(target) = target {
                depend(target, all, &folder);
            }
        }
    }
    toml::to_string(&manifest).with_context(damaged)
}

/// Puts what `own` takes from the workspace in place.
fn inherit(own: &mut Table, all: &Table) {
    for (key, value) in own.iter_mut() {
        if is_inherited(value)
            && let Some(theirs) = all.get(key)
        {
            *value = theirs.clone();
        }
    }
}

/// The same for dependencies, which may ask for more than the workspace does.
fn depend(manifest: &mut Table, all: &Table, folder: &Path) {
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(Value::Table(dependencies)) = manifest.get_mut(kind) else {
            continue;
        };
        for (name, value) in dependencies.iter_mut() {
            if is_inherited(value)
                && let Some(theirs) = all.get(name)
            {
                *value = merged(value, theirs, folder);
            }
        }
    }
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn merged(own: &Value, theirs: &Value, folder: &Path) -> Value {
    let mut merged = match theirs {
        Value::Table(theirs) => theirs.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    };
    if let Some(Value::String(path)) = merged.get_mut("path") {
        *path = relative(Path::new(path), folder).to_string_lossy().into_owned();
    }
    let own = own.as_table().into_iter().flatten();
    for (key, value) in own.filter(|(key, _)| *key != "workspace") {
        match (merged.get_mut(key), value) {
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more.iter().cloned()),
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Table(merged)
}

/// A path from the workspace's root, as it is from one of its folders.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let shared = path
        .components()
        .zip(folder.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = folder.components().skip(shared).map(|_| PathBuf::from(".."));
    let down = path
        .components()
        .skip(shared)
        .map(|part| PathBuf::from(part.as_os_str()));
    up.chain(down).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(of: &str) -> String {
        let files = rust_sdk().unwrap();
        let file = files.iter().find(|file| file.path == Path::new(of)).unwrap();
        String::from_utf8(file.contents.to_vec()).unwrap()
    }

    #[test]
    fn the_manifests_stand_by_themselves() {
        for path in [
            "vendor/wharf-sdk/Cargo.toml",
            "vendor/wharf-sdk/macros/Cargo.toml",
        ] {
            let text = text(path);
            assert!(!text.contains("workspace"), "{text}");
            let manifest: Table = text.parse().unwrap();
            assert_eq!(manifest["package"]["edition"].as_str(), Some("2024"));
            assert!(manifest.get("lints").is_none());
        }
        let sdk: Table = text("vendor/wharf-sdk/Cargo.toml").parse().unwrap();
        assert_eq!(
            sdk["dependencies"]["wharf-sdk-macros"]["path"].as_str(),
            Some("macros")
        );
        assert_eq!(sdk["lib"]["name"].as_str(), Some("wharf"));
    }

    #[test]
    fn the_sources_are_those_of_this_repository() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk");
        let mut folders = vec![root.clone()];
        let mut here = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => here.push(path.strip_prefix(&root).unwrap().to_owned()),
                }
            }
        }
        let mut there: Vec<PathBuf> = every_file(&SDK).map(|(path, _)| path.to_owned()).collect();
        here.sort();
        there.sort();
        assert_eq!(here, there, "touch cli/src/project/vendored.rs and build again");
    }

    #[test]
    fn a_dependency_has_what_the_workspace_says_and_what_it_asks_for_itself() {
        let all: Table = "a = { version = \"1\", features = [\"x\"] }\nb = \"2\"\nc = { path = \"sdk/c\" }"
            .parse()
            .unwrap();
        let own = "[dependencies]\na = { workspace = true, features = [\"y\"], optional = true }\nb.workspace = true\n\
                   c.workspace = true\nd = \"3\"\n";
        let mut manifest: Table = own.parse().unwrap();
        depend(&mut manifest, &all, Path::new("sdk/e"));
        let expected: Table =
            "[dependencies]\na = { version = \"1\", features = [\"x\", \"y\"], optional = true }\n\
                               b = { version = \"2\" }\nc = { path = \"../c\" }\nd = \"3\"\n"
                .parse()
                .unwrap();
        assert_eq!(manifest, expected);
    }
}
