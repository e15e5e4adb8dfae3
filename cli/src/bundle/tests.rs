use std::fs;

use super::*;

fn project(manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wharf.toml"), manifest).unwrap();
    folder
}

fn overrides(words: &[&str]) -> Overrides {
    use clap::Parser as _;

    match crate::args::Wharf::try_parse_from(["wharf", "deploy"].iter().chain(words))
        .map(|parsed| parsed.command)
    {
        Ok(crate::args::Command::Deploy(deploy)) => deploy.overrides,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_typed_wins_and_paths_stay_here() {
    let folder = project(
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nbuild = \"make\"\ncpu = 64\nenv = { A = \"1\" }\n",
    );
    fs::write(folder.path().join("app.wasm"), "component").unwrap();
    let bundle = Bundle::read(
        folder.path(),
        &overrides(&["--secret", "A=key", "--env", "B=2", "--count", "3"]),
    )
    .unwrap();
    let json = bundle.manifest_json().unwrap();
    assert_eq!(json["task"]["secrets"]["A"], "key");
    assert_eq!(
        (&json["task"]["env"]["A"], &json["task"]["env"]["B"]),
        (&serde_json::Value::Null, &"2".into())
    );
    assert_eq!(
        (&json["task"]["cpu"], &json["service"]["count"]),
        (&64.into(), &3.into())
    );
    assert_eq!(json["task"]["component"], bundle.component_digest());
    assert!(json["task"]["build"].is_null());
}

#[test]
fn what_only_the_command_line_makes_too_much_is_not_the_manifests_fault() {
    let written: Vec<String> = (0..256).map(|n| format!("A{n} = \"1\"")).collect();
    let folder = project(&format!(
        "name = \"web\"\n[task]\ncomponent = \"app.wasm\"\nenv = {{ {} }}\n",
        written.join(", ")
    ));
    let typed = overrides(&["--env", "B=1"]);
    let error = Bundle::read(folder.path(), &typed).err().unwrap();
    assert!(error.is::<Usage>());
    assert_eq!(
        error.to_string(),
        "with what was typed over the manifest, `task.env` has 257 entries: 256 are allowed"
    );
}

#[test]
fn a_missing_component_names_its_build_command() {
    let folder = project("name = \"web\"\n[task]\ncomponent = \"out/app.wasm\"\nbuild = \"make app\"\n");
    let error = Bundle::read(folder.path(), &Overrides::default())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("out/app.wasm") && error.contains("`make app` in"),
        "{error}"
    );
}
