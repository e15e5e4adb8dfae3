//! What `serve` was told: typed, else in the `--config` file, else the default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::args::{Serve, ServeOptions};
use crate::exit::BadConfig;
use crate::settings;

pub(crate) const DEFAULT_API: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
pub(crate) const DEFAULT_HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Most tasks wait most of the time.
const DEFAULT_CPU_OVERCOMMIT: f64 = 16.0;
/// Few tasks use their whole envelope.
const DEFAULT_MEMORY_OVERCOMMIT: f64 = 4.0;
/// More than this is a slip of the finger.
const MAX_OVERCOMMIT: f64 = 1000.0;

/// Every option, with a value.
pub(crate) struct Options {
    pub(crate) data: PathBuf,
    pub(crate) api: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) api_without_tls: bool,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) cpu_overcommit: f64,
    pub(crate) memory_overcommit: f64,
}

impl Options {
    /// Read the file, if there is one, and lay what was typed over it.
    pub(crate) fn resolve(args: Serve) -> Result<Self> {
        let typed = args.options;
        let written = args.config.as_deref().map(read).transpose()?.unwrap_or_default();
        let data = typed
            .data
            .or(written.data)
            .map_or_else(settings::default_data_directory, Ok)?;
        let overcommit =
            |name, typed: Option<f64>, written, default| checked(name, typed.or(written).unwrap_or(default));
        Ok(Self {
            data,
            api: typed.api.or(written.api).unwrap_or(DEFAULT_API),
            http: typed.http.or(written.http).unwrap_or(DEFAULT_HTTP),
            api_without_tls: typed.api_without_tls || written.api_without_tls,
            master_key_file: typed.master_key_file.or(written.master_key_file),
            cpu_overcommit: overcommit(
                "cpu-overcommit",
                typed.cpu_overcommit,
                written.cpu_overcommit,
                DEFAULT_CPU_OVERCOMMIT,
            )?,
            memory_overcommit: overcommit(
                "memory-overcommit",
                typed.memory_overcommit,
                written.memory_overcommit,
                DEFAULT_MEMORY_OVERCOMMIT,
            )?,
        })
    }
}

fn checked(name: &str, factor: f64) -> Result<f64> {
    if (0.01..=MAX_OVERCOMMIT).contains(&factor) {
        return Ok(factor);
    }
    Err(BadConfig(format!(
        "{name} is {factor}: it has to be between 0.01 and {MAX_OVERCOMMIT}"
    ))
    .into())
}

fn read(file: &Path) -> Result<ServeOptions> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| BadConfig(format!("{name}: cannot be read: {error}")))?;
    let mut options: ServeOptions = toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        BadConfig(format!("{name}:{line}: {}", error.message().trim_end()))
    })?;
    // A path in a file is relative to the file, wherever the server is started.
    let folder = file.parent().context("a file is in a folder")?;
    for path in [&mut options.data, &mut options.master_key_file]
        .into_iter()
        .flatten()
    {
        *path = folder.join(&*path);
    }
    Ok(options)
}

#[cfg(test)]
mod tests;
