//! What the task definition grants: plain values and secrets. Both arrive as environment variables.

use crate::{Error, Result, host};
use std::env::VarError;
use std::fmt;

/// The value of a variable of `env` in `wharf.toml`, or of one Wharf sets (`WHARF_TASK_ID`,
/// `WHARF_SERVICE`, `WHARF_REVISION`, `WHARF_NAMESPACE`). None if it isn't set or isn't UTF-8.
///
/// ```
/// let greeting = wharf::env("GREETING").unwrap_or_else(|| "hello".to_owned());
/// # assert_eq!(greeting, "hello");
/// ```
#[must_use]
pub fn env(name: &str) -> Option<String> {
    host::env_var(name).ok()
}

/// The secret that `secrets` in `wharf.toml` grants under this name.
///
/// # Errors
/// A 500 whose log line names the secret and says how to grant it. The value is never in it.
///
/// ```no_run
/// # fn main() -> wharf::Result<()> {
/// let key = wharf::secret("WEATHER_KEY")?;
/// println!("{key:?}"); // Secret(redacted)
/// # Ok(())
/// # }
/// ```
pub fn secret(name: &str) -> Result<Secret> {
    match host::env_var(name) {
        Ok(value) => Ok(Secret(value)),
        Err(VarError::NotPresent) => Err(Error::internal(format!(
            "no secret `{name}`: grant it in wharf.toml, `secrets = {{ {name} = \"the-secret's-name\" }}` under [task]"
        ))),
        Err(VarError::NotUnicode(_)) => Err(Error::internal(format!("the secret `{name}` is not UTF-8"))),
    }
}

/// A value that does not print: `Debug` shows `Secret(redacted)` and there is no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value. Called where it is used, so that the uses are easy to find.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests;
