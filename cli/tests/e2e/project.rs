//! A folder with a manifest and a component, as a developer has it.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Which of the test guests a project's component is.
#[derive(Clone, Copy)]
pub(crate) enum Guest {
    /// Answers requests; its behaviour is chosen by the path.
    Http,
    /// Runs; its behaviour is chosen by its arguments.
    Command,
    /// Answers requests with the SDK.
    Sdk,
    /// Does with its service's data as the query says.
    KeyValue,
}

impl Guest {
    /// The built component.
    pub(crate) fn component(self) -> PathBuf {
        let file = match self {
            Self::Http => "guest_http.wasm",
            Self::Command => "guest-command.wasm",
            Self::Sdk => "guest_sdk.wasm",
            Self::KeyValue => "guest_keyvalue.wasm",
        };
        let built = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../runtime/tests/guests/target/wasm32-wasip2/release");
        let component = built.join(file);
        assert!(
            component.exists(),
            "{} is missing: run `cargo xtask guests`",
            component.display()
        );
        component
    }
}

/// A project in a temporary folder.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// A manifest whose component is `app.wasm`, beside it.
    pub(crate) fn new(guest: Guest, manifest: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::copy(guest.component(), folder.path().join("app.wasm")).expect("copied");
        let project = Self { folder };
        project.write("wharf.toml", manifest);
        project
    }

    /// An HTTP service of this name; `rest` follows in its `[task]` table.
    pub(crate) fn service(name: &str, rest: &str) -> Self {
        Self::new(Guest::Http, &service(name, rest))
    }

    /// A job of this name that runs with these arguments.
    pub(crate) fn job(name: &str, args: &str) -> Self {
        Self::new(
            Guest::Command,
            &format!("name = {name:?}\n[task]\ncomponent = \"app.wasm\"\nargs = {args}\n[job]\n"),
        )
    }

    pub(crate) fn write(&self, file: &str, content: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// With another manifest.
    pub(crate) fn rewritten(self, manifest: &str) -> Self {
        self.write("wharf.toml", manifest);
        self
    }

    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().expect("UTF-8")
    }
}

/// The manifest of an HTTP service; `rest` follows in its `[task]` table.
pub(crate) fn service(name: &str, rest: &str) -> String {
    format!("name = {name:?}\n[task]\ncomponent = \"app.wasm\"\n{rest}\n")
}
