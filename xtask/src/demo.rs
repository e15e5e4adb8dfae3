//! `cargo xtask demo`: from a fresh clone to served components. Everything is the real thing: the release binary,
//! its command line, its sockets; only the weather comes from a small upstream in this process.

mod checks;
mod upstream;

use anyhow::{Context as _, Result, bail};

use crate::server::{Server, build_wharf};
use crate::{guests, step};

/// What is deployed, in this order; `report` is a job and is run instead.
const SERVICES: [&str; 5] = ["hello", "weather", "guestbook", "crunch", "ticker"];

/// What happens when the checks are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// The server stays up until Ctrl-C.
    Stay,
    /// The server is stopped.
    Stop,
}

/// Build, start, deploy, check.
pub(crate) fn run(afterwards: Afterwards) -> Result<()> {
    let toolchain = guests::obtain()?;
    guests::build(toolchain, "examples")?;
    let wharf = build_wharf()?;

    let data = tempfile::Builder::new()
        .prefix("wharf-demo-")
        .tempdir()
        .context("cannot make a temporary directory")?;
    let weather = upstream::start().context("cannot start the local weather service")?;
    println!(
        "\nA weather service, for the example that calls one, listens on http://{}",
        upstream::ADDRESS
    );
    let server = Server::start(&wharf, data.path())?;
    println!(
        "wharf serves on http://{} with its data in {}\n",
        server.http,
        data.path().display()
    );

    server.wharf_with_input(&["secret", "set", checks::SECRET], weather.key())?;
    for service in SERVICES {
        server.wharf(&["deploy", &example(service)])?;
    }
    let failed = checks::run(&server, &weather)?;
    server.wharf(&["ps"])?;
    match (failed, afterwards) {
        (0, Afterwards::Stop) => server.stop(),
        (0, Afterwards::Stay) => stay(server),
        (failed, _) => {
            server.stop()?;
            bail!("{failed} of the checks failed (above)")
        }
    }
}

/// The folder of an example, as a person at the repository's root would type it.
fn example(name: &str) -> String {
    step::root().join("examples").join(name).display().to_string()
}

fn stay(server: Server) -> Result<()> {
    println!("\nIt stays up until Ctrl-C. In another terminal:");
    println!("  curl http://hello.localhost:{}/json", server.http.port());
    println!(
        "  curl 'http://weather.localhost:{}/?city=Paris'",
        server.http.port()
    );
    println!("  open http://guestbook.localhost:{}/", server.http.port());
    println!(
        "  export WHARF_API=http://{} WHARF_DATA={}",
        server.api,
        server.data().display()
    );
    println!("  {} logs ticker -f", server.program().display());
    // Ctrl-C reaches the server too, being of the same process group; this process outlives it to clean up.
    server.wait_for_interrupt()
}
