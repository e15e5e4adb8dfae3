//! Bundles: packed, carried, deployed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::project::{Guest, Project};
use crate::server::Server;
use crate::wharf::{Ended, command};

fn package(project: &Project, out: &Path) -> Value {
    let mut package = command();
    package
        .arg("package")
        .arg(project.path())
        .arg("--out")
        .arg(out)
        .args(["-o", "json"]);
    let ended = Ended::of(package.output().expect("wharf starts"));
    assert_eq!(ended.code, 0, "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

fn project() -> Project {
    let project = Project::new(
        Guest::Http,
        "name = \"shop\"\n[task]\ncomponent = \"app.wasm\"\nbuild = \"make\"\nenv = { MARK = \"packed\" }\n\
         files = [{ source = \"static\", mount = \"/static\" }]\n[service]\n",
    );
    fs::create_dir_all(Path::new(project.path()).join("static/deep")).expect("made");
    project.write("static/deep/page.txt", "as it was packed");
    project
}

#[test]
fn a_bundle_is_the_same_for_the_same_inputs_and_deploys_anywhere() {
    let project = project();
    let home = tempfile::tempdir().unwrap();
    let (first, second, folder) = (
        home.path().join("first.tar"),
        home.path().join("second.tar"),
        home.path().join("layout"),
    );
    let digest = package(&project, &first)["digest"].clone();
    assert!(digest.as_str().unwrap().starts_with("sha256:"), "{digest}");
    // Another time, another place, and files that were touched.
    let other = self::project();
    assert_eq!(package(&other, &second)["digest"], digest);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    assert_eq!(package(&project, &folder)["digest"], digest);
    assert!(folder.join("oci-layout").is_file());
    other.write("static/deep/page.txt", "another text");
    assert_ne!(package(&other, &second)["digest"], digest);

    drop(project);
    let server = Server::start();
    let wharf = server.wharf();
    let said = wharf.ok(["deploy".as_ref(), first.as_os_str()]);
    assert!(said.contains("shop:1 is running"), "{said}");
    assert_eq!(server.get("shop.localhost", "/env").json()["MARK"], "packed");
    let read = server.get("shop.localhost", "/read?path=/static/deep/page.txt");
    assert_eq!(read.body, "as it was packed", "{read:?}");
    // The same, as a directory.
    let said = wharf.ok(["deploy".as_ref(), folder.as_os_str()]);
    assert!(said.contains("was running already"), "{said}");
}

#[test]
fn a_damaged_bundle_is_refused() {
    let project = project();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("layout");
    package(&project, &folder);
    let blobs = folder.join("blobs/sha256");
    let largest = fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().path());
    let component = largest.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(&component).unwrap();
    bytes[100] ^= 1;
    fs::write(&component, bytes).unwrap();
    let server = Server::start();
    let refused = server.wharf().call(["deploy".as_ref(), folder.as_os_str()]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("is damaged"), "{refused:?}");
    let text = home.path().join("no.tar");
    fs::write(&text, "no archive").unwrap();
    let refused = server.wharf().call(["deploy".as_ref(), text.as_os_str()]);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.contains("no archive of an OCI layout"),
        "{refused:?}"
    );
}
