//! What can be typed about listeners, target groups and routes.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Client, Scope};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf apply -f edge.toml
  wharf apply -f edge.toml -o json | jq .inForceAfterMs
  envsubst < edge.toml.in | wharf apply -f -

The file has [[listener]], [[target_group]] and [[route]] tables, and no [task]: that would be a service, for `wharf \
deploy`. What it names is made as it says, all of it or none; what it doesn't name stays as it is. Listeners are for the \
administrator's token.")]
pub(crate) struct Apply {
    /// The file, `-` for standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf route list
  wharf route set old priority=10 \"path=['/old/*']\" \"redirect={status=301, path='/new'}\"
  wharf route test --host shop.example.com --path /cart?x=1 --header x-canary:1
  wharf route reorder shop=10 old-shop=20
  wharf route delete shop")]
pub(crate) struct Route {
    #[command(subcommand)]
    pub(crate) action: RouteAction,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteAction {
    /// List the routes, those of services too, in the order in which they are asked
    List,
    /// Say which route a request would meet, and why those before it don't match
    Test(RouteTest),
    /// Give routes that were applied other priorities, all at once
    Reorder {
        /// Each with its priority, 1 to 50000; lower goes first
        #[arg(required = true, value_name = "NAME=PRIORITY", value_parser = rank)]
        routes: Vec<(String, i64)>,
    },
    /// Make a route, or put this in its place
    Set(Set),
    /// Delete a route that was applied
    Delete {
        /// The route
        name: String,
    },
}

/// A request that need not happen.
#[derive(Debug, Args)]
pub(crate) struct RouteTest {
    /// Its host, with a port or without
    #[arg(long)]
    pub(crate) host: String,
    /// Its path as clients encode it; a query may follow
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// Its method
    #[arg(long, default_value = "GET")]
    pub(crate) method: String,
    /// Its query, without the `?`
    #[arg(long)]
    pub(crate) query: Option<String>,
    /// A header line; may be given more than once
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Where it comes from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) source: IpAddr,
    /// The listener it comes to
    #[arg(long, default_value = "http")]
    pub(crate) listener: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf listener list
  wharf listener set inner address=127.0.0.1:8081
  wharf describe listener https
  wharf listener delete https

Many at once, all of them or none, are for `wharf apply`. Listeners are the whole server's, and for the administrator's token.")]
pub(crate) struct Listener {
    #[command(subcommand)]
    pub(crate) action: ObjectAction,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  wharf target-group list
  wharf target-group set legacy \"targets=['http://10.0.0.7:9000']\" health.path=/up
  wharf describe target-group legacy
  wharf target-group delete legacy

Many at once, all of them or none, are for `wharf apply`; a service's own are in its manifest.")]
pub(crate) struct TargetGroup {
    #[command(subcommand)]
    pub(crate) action: ObjectAction,
    #[command(flatten)]
    pub(crate) scope: Scope,
    #[command(flatten)]
    pub(crate) client: Client,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ObjectAction {
    /// List them
    List,
    /// Make one, or put this in its place
    Set(Set),
    /// Delete one that nothing needs
    Delete {
        /// Its name
        name: String,
    },
}

/// One object as a file for `wharf apply` would have it.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its name
    pub(crate) name: String,
    /// What the file would say of it; a value that isn't TOML is a text
    #[arg(value_name = "KEY=VALUE", value_parser = field)]
    pub(crate) fields: Vec<Field>,
}

/// A key, with dots where it is in a table, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) key: String,
    pub(crate) value: toml::Value,
}

fn field(text: &str) -> Result<Field, String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| "it has to be like address=127.0.0.1:8081".to_owned())?;
    let table = toml::from_str::<toml::Table>(&format!("value = {value}"));
    // With a line break in it, it might be more than a value.
    let read = table.ok().filter(|table| table.len() == 1);
    Ok(Field {
        key: key.trim().to_owned(),
        value: read
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned())),
    })
}

fn rank(text: &str) -> Result<(String, i64), String> {
    let split = text.split_once('=');
    let parsed = split.and_then(|(name, priority)| Some((name.to_owned(), priority.parse().ok()?)));
    parsed.ok_or_else(|| "it has to be like shop=10".to_owned())
}
