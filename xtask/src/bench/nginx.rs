//! nginx, the gateway's peer: Debian's package, with configurations of our own in a temporary folder.

use std::env;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// A running nginx. Dropping it stops its processes.
pub(crate) struct Nginx {
    master: Child,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Answers everything with 200 and a few bytes.
    pub(crate) fn answering() -> Result<Self> {
        Self::start("", "location / { return 200 'hello\\n'; }")
    }

    /// Hands everything to `upstream`, over connections that are kept.
    pub(crate) fn proxying(upstream: SocketAddr) -> Result<Self> {
        Self::start(
            &format!("upstream behind {{ server {upstream}; keepalive 64; keepalive_requests 1000000; }}"),
            "location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ''; \
             proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }",
        )
    }

    /// Its master and its workers.
    pub(crate) fn id(&self) -> u32 {
        self.master.id()
    }

    fn start(upstream: &str, location: &str) -> Result<Self> {
        // It doesn't say which port it got, so a free one is found first.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = tempfile::Builder::new().prefix("wharf-bench-nginx-").tempdir()?;
        let here = folder.path().display();
        let text = format!(
            "worker_processes auto; daemon off; pid {here}/pid; error_log {here}/error.log crit;\n\
             events {{ worker_connections 4096; }}\n\
             http {{\n\
             client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;\n\
             uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;\n\
             access_log {here}/access.log combined buffer=64k flush=1s; keepalive_requests 1000000;\n\
             {upstream}\n\
             server {{ listen {address} backlog=1024; {location} }}\n\
             }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text)?;
        let master = Command::new(program()?)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start nginx")?;
        Ok(Self {
            master,
            address,
            _folder: folder,
        })
    }
}

/// Debian keeps it where only root looks.
fn program() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut programs = folders.map(|folder| folder.join("nginx"));
    programs
        .find(|program| program.is_file())
        .context("there is no nginx to compare with: install it (Debian: `apt-get install nginx-light`)")
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed outright, the master would leave its workers behind.
        if let Some(master) = i32::try_from(self.master.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(master, rustix::process::Signal::TERM);
        }
        let _ = self.master.wait();
    }
}
