//! From what was typed to what a command needs: the data directory, the API's address, the token.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use http::Uri;

use crate::args;
use crate::exit::Usage;

/// The file below the data directory that holds the administrator's token.
pub(crate) const ADMIN_TOKEN_FILE: &str = "admin-token";

/// Which server to talk to, and as whom.
pub(crate) struct Settings {
    pub(crate) api: Uri,
    pub(crate) token: String,
}

impl Settings {
    /// Resolve a client's options; reads the token.
    pub(crate) fn resolve(typed: &args::Client) -> Result<Self> {
        let api = api_address(&typed.api)?;
        let token = match std::env::var("WHARF_TOKEN") {
            Ok(token) if !token.is_empty() => token.trim().to_owned(),
            _ => admin_token(&api, typed.data.as_deref())?,
        };
        Ok(Self { api, token })
    }
}

/// The data directory when nothing says otherwise; the same for server and client.
pub(crate) fn default_data_directory() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map(|base| base.join("wharf"))
        .context(Usage(
            "there is no home directory to keep data in: say where with --data or WHARF_DATA".into(),
        ))
}

fn api_address(text: &str) -> Result<Uri> {
    let wrong = || {
        Usage(format!(
            "`{text}` is no API address: it has to look like http://127.0.0.1:7070"
        ))
    };
    let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "http" | "https"));
    if scheme.is_none() || uri.host().is_none() || !matches!(uri.path(), "" | "/") {
        return Err(wrong().into());
    }
    Ok(uri)
}

/// The token that a server on this machine wrote. It is not sent to another one.
fn admin_token(api: &Uri, data: Option<&Path>) -> Result<String> {
    if !is_loopback(api) {
        let message = format!(
            "no token for {api}: put one into WHARF_TOKEN (`wharf token create` on the server makes one)"
        );
        return Err(Usage(message).into());
    }
    let directory = data.map_or_else(default_data_directory, |typed| Ok(typed.to_owned()))?;
    let file = directory.join(ADMIN_TOKEN_FILE);
    match std::fs::read_to_string(&file) {
        Ok(token) => Ok(token.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Usage(format!(
            "no token: WHARF_TOKEN is not set and {} does not exist; start the server (`wharf serve`), or say \
             where its data directory is (WHARF_DATA or --data)",
            file.display()
        ))
        .into()),
        Err(error) => Err(error).with_context(|| {
            format!("cannot read the token in {}: use the server's user, or put a token into WHARF_TOKEN", file.display())
        }),
    }
}

fn is_loopback(api: &Uri) -> bool {
    let host = api.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
