//! From a folder to what is sent.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A folder with a component, some files and a manifest.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a.wasm"), b"component");
    write(&folder.path().join("static/index.html"), b"<p>hi</p>");
    write(&folder.path().join("static/css/site.css"), b"p {}");
    write(&folder.path().join("copy.html"), b"<p>hi</p>");
    let manifest = "name = \"api\"\n[task]\ncomponent = \"a.wasm\"\nfiles = [\n\
        { source = \"static\", mount = \"/static\" },\n{ source = \"copy.html\", mount = \"/pages\" },\n]\n";
    write(&folder.path().join(MANIFEST_FILE), manifest.as_bytes());
    folder
}

fn collect(folder: &Path) -> Result<Package, Unpackable> {
    let file = ManifestFile::open(folder).unwrap();
    file.package(&file.check().unwrap())
}

fn refusal(folder: &Path) -> String {
    collect(folder).unwrap_err().to_string()
}

#[test]
fn a_folder_is_listed_and_digested() {
    let folder = project();
    let package = collect(folder.path()).unwrap();
    assert_eq!(
        (package.component.path.as_str(), package.component.size),
        ("a.wasm", 9)
    );
    assert_eq!(package.component.digest.hex(), sha256_hex(b"component"));
    let listed: Vec<_> = package
        .mounts
        .iter()
        .flat_map(|mount| {
            mount
                .files
                .iter()
                .map(|file| (mount.mount.as_str(), file.path.as_str()))
        })
        .collect();
    assert_eq!(
        listed,
        [
            ("/static", "css/site.css"),
            ("/static", "index.html"),
            ("/pages", "copy.html")
        ]
    );
    // The page is there twice and sent once.
    assert_eq!(package.blobs().count(), 3);
}

fn sha256_hex(content: &[u8]) -> String {
    use sha2::Digest as _;
    crate::names::hex(&sha2::Sha256::digest(content))
}

#[test]
fn a_folder_a_file_and_a_component_can_be_opened() {
    let folder = project();
    let by_file = ManifestFile::open(&folder.path().join(MANIFEST_FILE)).unwrap();
    let package = by_file.package(&by_file.check().unwrap()).unwrap();
    assert_eq!(package.component.host, folder.path().join("a.wasm"));
    let bare = folder.path().join("My_App.wasm");
    write(&bare, b"component");
    let bare = ManifestFile::open(&bare).unwrap();
    let manifest = bare.check().unwrap();
    assert_eq!(manifest.name.as_str(), "my-app");
    assert_eq!(bare.package(&manifest).unwrap().component.size, 9);

    let empty = tempfile::tempdir().unwrap();
    let refused = ManifestFile::open(empty.path()).unwrap_err().to_string();
    assert!(refused.ends_with("has no wharf.toml: name a folder that has one, the file itself, or a .wasm"));
    assert!(
        ManifestFile::open(&empty.path().join("absent"))
            .unwrap_err()
            .to_string()
            .ends_with("can't be read")
    );
    let unnamed = empty.path().join("__.wasm");
    write(&unnamed, b"x");
    assert!(
        ManifestFile::open(&unnamed)
            .unwrap_err()
            .to_string()
            .contains("makes no name for a service")
    );
    let large = empty.path().join("large.toml");
    write(&large, &vec![b'#'; 2 << 20]);
    assert!(
        ManifestFile::open(&large)
            .unwrap_err()
            .to_string()
            .contains("which no manifest is")
    );
}

#[test]
fn errors_name_the_file_as_it_was_named() {
    let folder = project();
    let path = folder.path().join(MANIFEST_FILE);
    fs::write(
        &path,
        "name = \"api\"\n[task]\ncomponent = \"a.wasm\"\nmemroy = \"1GiB\"\n",
    )
    .unwrap();
    let said = ManifestFile::open(folder.path())
        .unwrap()
        .check()
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        format!(
            "{}:4:1: unknown key `memroy` in [task]: did you mean `memory`?",
            path.display()
        )
    );
}

#[test]
fn what_is_not_utf_8_is_placed() {
    let folder = project();
    let path = folder.path().join(MANIFEST_FILE);
    fs::write(&path, b"name = \"api\"\n# \xC3\xA9t\xE9\n").unwrap();
    let said = ManifestFile::open(folder.path()).unwrap_err().to_string();
    assert_eq!(
        said,
        format!(
            "{}:2:5: the byte 0xE9 is not UTF-8: save the file as UTF-8",
            path.display()
        )
    );
}

#[test]
fn symlinks_stay_in_the_folder() {
    let folder = project();
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret.txt"), b"no");
    symlink("index.html", folder.path().join("static/home.html")).unwrap();
    assert_eq!(collect(folder.path()).unwrap().mounts[0].files.len(), 3);

    let leak = folder.path().join("static/leak.txt");
    symlink(outside.path().join("secret.txt"), &leak).unwrap();
    assert!(refusal(folder.path()).contains("leak.txt leads out of the manifest's folder, to "));
    fs::remove_file(&leak).unwrap();

    symlink(outside.path(), folder.path().join("static/folder")).unwrap();
    assert!(refusal(folder.path()).contains("folder leads out of the manifest's folder, to "));
    fs::remove_file(folder.path().join("static/folder")).unwrap();

    fs::rename(folder.path().join("static"), outside.path().join("static")).unwrap();
    symlink(outside.path().join("static"), folder.path().join("static")).unwrap();
    assert!(refusal(folder.path()).contains("static leads out of the manifest's folder, to "));
}

#[test]
fn endless_folders_end() {
    let folder = project();
    symlink(".", folder.path().join("static/a")).unwrap();
    assert!(refusal(folder.path()).contains("folders deep"));
    symlink(".", folder.path().join("static/b")).unwrap();
    let refused = refusal(folder.path());
    assert!(
        refused.contains("folders deep") || refused.contains("files and folders"),
        "{refused}"
    );
}

#[test]
fn what_is_missing_empty_or_special_is_named() {
    let folder = project();
    fs::remove_file(folder.path().join("copy.html")).unwrap();
    let manifest = folder.path().join(MANIFEST_FILE);
    let copy = folder.path().join("copy.html");
    assert_eq!(
        refusal(folder.path()),
        format!(
            "{}:6:3: `files` names {}, and there is nothing: correct `source`",
            manifest.display(),
            copy.display()
        )
    );
    fs::create_dir(folder.path().join("copy.html")).unwrap();
    assert!(refusal(folder.path()).contains("copy.html, and it has no files"));
    fs::remove_dir(folder.path().join("copy.html")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("copy.html")).unwrap();
    assert!(refusal(folder.path()).contains("copy.html is neither a file nor a folder"));

    fs::remove_file(folder.path().join("a.wasm")).unwrap();
    let refused = refusal(folder.path());
    assert!(
        refused.contains("wharf.toml:3:1: there is no component at")
            && refused.ends_with("build it first, or correct `component` in [task]"),
        "{refused}"
    );
}

#[test]
fn sizes_are_bounded() {
    let folder = project();
    // Sparse: it has the size and takes no space.
    let grow = |name: &str, size: u64| {
        let path = folder.path().join(name);
        fs::File::create(path).unwrap().set_len(size).unwrap();
    };
    grow("a.wasm", MAX_COMPONENT_SIZE + 1);
    assert!(refusal(folder.path()).contains("has 67108865 bytes, 67108864 (64 MiB) are allowed"));
    grow("a.wasm", 1);
    grow("static/large.bin", MAX_BUNDLE_SIZE);
    assert!(refusal(folder.path()).contains("larger than 268435456 bytes (256 MiB), at "));
    fs::remove_file(folder.path().join("static/large.bin")).unwrap();
    for number in 0..MAX_BUNDLE_FILES {
        fs::File::create(folder.path().join(format!("static/{number}"))).unwrap();
    }
    assert!(refusal(folder.path()).contains("more than 10000 files and folders"));
}
