//! From a manifest's `build` to a component: the command is run, and what comes of it is looked at before anything is sent.

mod advice;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use wharf_control::manifest::{ComponentSource, MAX_COMPONENT_SIZE, ManifestFile};
use wharf_runtime::World;

use crate::bundle::bad_config;
use crate::exit::BadConfig;

/// How much of what a command says is kept to find out what went wrong; the rest has been shown.
const KEPT_OUTPUT: usize = 256 << 10;

/// What there is to build.
#[derive(Debug)]
pub(crate) struct Project {
    /// The manifest's directory, which the command runs in.
    pub(crate) base: PathBuf,
    pub(crate) name: String,
    pub(crate) is_job: bool,
    command: String,
    component: PathBuf,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Built {
    /// As the manifest has it.
    pub(crate) component: PathBuf,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) world: World,
}

/// When what the command says is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As it comes.
    AtOnce,
    /// As part of the error, if it fails.
    OnFailure,
}

impl Project {
    /// Reads what a path names: a directory with a manifest, or a manifest.
    ///
    /// # Errors
    /// What is wrong with the manifest; that it has no `build`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = ManifestFile::open(path).map_err(bad_config)?;
        let manifest = file.check().map_err(bad_config)?;
        let Some(command) = manifest.task.build.clone() else {
            let message = format!(
                "{}: [task] has no `build`: the command that makes the component, as `build = \"cargo build --release \
                 --target wasm32-wasip2\"`",
                path.display()
            );
            return Err(BadConfig(message).into());
        };
        let ComponentSource::Path(component) = manifest.task.component else {
            let message = format!(
                "{}: `component` is a digest: there is nothing to build",
                path.display()
            );
            return Err(BadConfig(message).into());
        };
        Ok(Self {
            base: file.base().to_owned(),
            name: manifest.name.to_string(),
            is_job: file.text().job.is_some(),
            command,
            component,
        })
    }

    /// Where the component is to be.
    pub(crate) fn component(&self) -> PathBuf {
        self.base.join(&self.component)
    }

    /// Runs the command, and looks at what it made.
    ///
    /// # Errors
    /// What failed, with what is known to help; that the component isn't there, or can't be run.
    pub(crate) async fn build(&self, show: Show) -> Result<Built> {
        let (status, said) = self.run(show).await?;
        if !status.success() {
            return Err(self.failed(status, &said, show));
        }
        self.look()
    }

    async fn run(&self, show: Show) -> Result<(ExitStatus, String)> {
        let mut command = Command::new("sh");
        command
            .args(["-c", &self.command])
            .current_dir(&self.base)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if io::stderr().is_terminal() {
            // It writes into a pipe that leads there.
            command.env("CARGO_TERM_COLOR", "always").env("FORCE_COLOR", "1");
        }
        let mut child = command.spawn().context("cannot run `sh`, which runs `build`")?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut said = Vec::new();
        let (mut out_said, mut err_said) = (Vec::new(), Vec::new());
        let (out, err, status) = tokio::join!(
            pass_on(out, show, &mut out_said),
            pass_on(err, show, &mut err_said),
            child.wait()
        );
        out.and(err).context("cannot read what `build` says")?;
        said.append(&mut out_said);
        said.append(&mut err_said);
        let status = status.context("cannot wait for `build`")?;
        Ok((status, String::from_utf8_lossy(&said).into_owned()))
    }

    fn failed(&self, status: ExitStatus, said: &str, show: Show) -> anyhow::Error {
        let why = match status.code() {
            Some(code) => format!("exit code {code}"),
            None => "it was killed".to_owned(),
        };
        let mut message = format!("`{}` failed in {}: {why}", self.command, self.base.display());
        if show == Show::OnFailure && !said.trim().is_empty() {
            message.push('\n');
            message.push_str(said.trim_end());
        }
        if let Some(advice) = advice::on(said) {
            message.push_str(&format!("\n  {advice}"));
        }
        anyhow::anyhow!(message)
    }

    fn look(&self) -> Result<Built> {
        let path = self.component();
        let bytes = match std::fs::metadata(&path) {
            Ok(found) if found.len() > MAX_COMPONENT_SIZE => {
                bail!(BadConfig(format!(
                    "{} is larger than {MAX_COMPONENT_SIZE} bytes, the most a component may have",
                    path.display()
                )))
            }
            Ok(_) => std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(self.not_there(&path)),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let world = wharf_runtime::check_component(&bytes)
            .map_err(|refusal| BadConfig(format!("{}: {refusal}", path.display())))?;
        if self.is_job && world == World::Http {
            bail!(BadConfig(format!(
                "{} answers requests, and the manifest has [job]: make it [service], or export `wasi:cli/run`",
                path.display()
            )));
        }
        Ok(Built {
            component: self.component.clone(),
            size: bytes.len() as u64,
            world,
        })
    }

    fn not_there(&self, path: &Path) -> BadConfig {
        let elsewhere = std::env::var("CARGO_TARGET_DIR").ok();
        let hint = match elsewhere.filter(|_| self.command.contains("cargo")) {
            Some(target) => format!(
                "CARGO_TARGET_DIR is set, so cargo built into {target}: unset it, or say so in `component`"
            ),
            None => "`component` in [task] has to name what the command makes".to_owned(),
        };
        BadConfig(format!(
            "`{}` succeeded, and {} is not there\n  {hint}",
            self.command,
            path.display()
        ))
    }
}

/// Shows what comes, and keeps the end of it.
async fn pass_on(from: Option<impl AsyncRead + Unpin>, show: Show, kept: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut from) = from else { return Ok(()) };
    let mut chunk = vec![0; 8 << 10];
    loop {
        let read = from.read(&mut chunk).await?;
        let Some(new) = chunk.get(..read).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        if show == Show::AtOnce {
            // Nobody may be reading any more; the build goes on.
            let _ = io::stderr().write_all(new);
        }
        kept.extend_from_slice(new);
        let surplus = kept.len().saturating_sub(KEPT_OUTPUT);
        kept.drain(..surplus);
    }
}
