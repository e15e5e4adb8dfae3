//! `wharf secret set|list|delete`. A value comes from standard input or a file, never from an argument, which
//! every user of the machine could read and the shell would remember.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use wharf_control::api::types::{PutSecret, Secret, SecretList};

use crate::api::Api;
use crate::args::{self, Output, SecretAction};
use crate::exit::{BadConfig, Usage};
use crate::output;

/// The longest value taken from standard input or a file; the server has its own, tighter say.
const MAX_VALUE: u64 = 1 << 20;

/// Carry out one of the three.
pub(crate) async fn secret(api: &Api, args: &args::Secret) -> Result<()> {
    match &args.action {
        SecretAction::Set { name, from_file } => {
            set(api, name.as_str(), from_file.as_deref(), args.client.output).await
        }
        SecretAction::List => list(api, args.client.output).await,
        SecretAction::Delete { name } => {
            api.delete(&api.path(&["secrets", name])).await?;
            output::done(args.client.output, name, "deleted")?;
            Ok(())
        }
    }
}

async fn set(api: &Api, name: &str, file: Option<&Path>, format: Output) -> Result<()> {
    let value = match file {
        Some(file) => from_file(file)?,
        None => from_stdin()?,
    };
    let body = PutSecret {
        value_base64: STANDARD.encode(value),
    };
    let secret: Secret = api
        .send(Method::PUT, &api.path(&["secrets", name]), &body)
        .await?;
    output::answer(format, &secret, |secret| {
        format!("{}: version {}", secret.name, secret.version)
    })?;
    Ok(())
}

fn from_file(file: &Path) -> Result<Vec<u8>> {
    let opened = std::fs::File::open(file)
        .map_err(|error| BadConfig(format!("cannot read the secret from {}: {error}", file.display())))?;
    let value = bounded(opened).with_context(|| format!("cannot read the secret from {}", file.display()))?;
    not_empty(value)
}

/// One newline at the end is `echo`'s, not the secret's.
fn from_stdin() -> Result<Vec<u8>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        output::remark("Type the value, then Enter and Ctrl-D:");
    }
    let mut value = bounded(stdin.lock()).context("cannot read the secret from standard input")?;
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    not_empty(value)
}

fn not_empty(value: Vec<u8>) -> Result<Vec<u8>> {
    if value.is_empty() {
        return Err(Usage(
            "the secret's value is empty: give it on standard input or with --from-file".into(),
        )
        .into());
    }
    Ok(value)
}

fn bounded(source: impl io::Read) -> Result<Vec<u8>> {
    let mut value = Vec::new();
    source.take(MAX_VALUE + 1).read_to_end(&mut value)?;
    if value.len() as u64 > MAX_VALUE {
        return Err(Usage("the value is longer than 1 MiB".into()).into());
    }
    Ok(value)
}

async fn list(api: &Api, format: Output) -> Result<()> {
    let list: SecretList = api.get(&api.path(&["secrets"])).await?;
    let nothing = format!(
        "no secrets in namespace `{}`: `wharf secret set NAME` sets one",
        api.namespace()
    );
    output::list(format, &list, &list.secrets, table, &nothing)?;
    Ok(())
}

fn table(secrets: &[Secret]) -> String {
    let rows = secrets.iter().map(|secret| {
        [
            secret.name.clone(),
            secret.version.to_string(),
            format!("{} ago", output::age(secret.updated_at)),
        ]
    });
    output::table(["SECRET", "VERSION", "SET"], rows)
}
