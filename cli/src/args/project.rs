//! From an empty directory to something that can be deployed: `new`, `build`, `dev`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What a new project begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A function in Rust
    HttpRust,
    /// A job in Rust
    JobRust,
    /// A function in JavaScript
    HttpJs,
    /// A function in Python
    HttpPython,
}

impl Template {
    /// Its directory among the templates, which is what it is typed as.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::HttpRust => "http-rust",
            Self::JobRust => "job-rust",
            Self::HttpJs => "http-js",
            Self::HttpPython => "http-python",
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf new api                            a function in Rust, in ./api
  wharf new report --template job-rust     a job
  wharf new site --template http-js        a function in JavaScript
  wharf new                                asks

What it needs of Wharf comes along; other packages are from the language's own registry.")]
pub(crate) struct New {
    /// What it is called, and its directory; asked for on a terminal
    pub(crate) name: Option<String>,
    /// What it begins as [default: http-rust; asked for on a terminal if the name is, too]
    #[arg(long, short, value_enum, value_name = "TEMPLATE")]
    pub(crate) template: Option<Template>,
    /// The directory [default: the name]
    #[arg(long, value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf build
  wharf build examples/hello

Runs the command in `build` under [task] of wharf.toml, in its directory, and checks what came of it.")]
pub(crate) struct Build {
    /// A directory with a wharf.toml, or a manifest
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf dev
  wharf dev examples/hello --http 127.0.0.1:3000
  wharf dev --env GREETING=hi

It has a server of its own, with its data in .wharf beside the manifest. Ctrl-C ends both.")]
pub(crate) struct Dev {
    /// A directory with a wharf.toml, or a manifest
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// The address requests are served on [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<SocketAddr>,
    /// The address of the API [default: 127.0.0.1:7070, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) api: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) overrides: super::Overrides,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf completions bash      into ~/.local/share/bash-completion/completions/wharf
  wharf completions zsh       into _wharf in a directory of $fpath
  wharf completions fish      into ~/.config/fish/completions/wharf.fish")]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf package                          hello.tar, of the project here
  wharf package examples/hello --out hello-1.2.tar
  wharf package --out bundle             a directory: an OCI image layout
  wharf deploy hello.tar                 on any server")]
pub(crate) struct Package {
    /// A directory with a wharf.toml, a manifest, or a component (.wasm)
    #[arg(default_value = ".")]
    pub(crate) path: PathBuf,
    /// The file (.tar) or the directory [default: the name and .tar]
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// How answers are printed: `table` for people, `json` for programs
    #[arg(
        long,
        short,
        value_enum,
        default_value_t = super::Output::Table,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub(crate) output: super::Output,
}
