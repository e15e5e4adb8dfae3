//! A guestbook: a form, a page, and what the service keeps.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use wharf::routing::get;
use wharf::{Error, Form, Html, Query, Redirect, Result, Router, StatusCode, kv};

/// Entries on a page.
const PAGE: u32 = 20;
/// Characters of a name, and of a message.
const MAX_NAME: usize = 50;
const MAX_MESSAGE: usize = 500;

const PREFIX: &str = "entries/";

#[derive(Deserialize, Serialize)]
struct Entry {
    name: String,
    message: String,
}

#[derive(Deserialize)]
struct From {
    after: Option<String>,
}

#[wharf::http]
fn app() -> Router {
    Router::new()
        .route("/", get(page).post(sign))
        .route("/health", get(async || "well"))
}

/// The newest entries, or those after one.
async fn page(Query(from): Query<From>) -> Result<Html<String>> {
    let mut listing = kv::list(PREFIX).limit(PAGE);
    if let Some(after) = from.after {
        listing = listing.after(format!("{PREFIX}{after}"));
    }
    let found = listing.page::<Entry>().await?;
    let mut html = String::from(HEAD);
    for kv::Entry { value, .. } in &found.entries {
        let (name, message) = (escaped(&value.name), escaped(&value.message));
        // Writing to a string never fails.
        let _ = writeln!(html, "<p><b>{name}</b>: {message}</p>");
    }
    if let Some(last) = found.next.as_deref().and_then(|key| key.strip_prefix(PREFIX)) {
        let _ = writeln!(html, "<p><a href=\"/?after={last}\">older</a></p>");
    }
    Ok(Html(html))
}

async fn sign(Form(entry): Form<Entry>) -> Result<Redirect> {
    let (name, message) = (entry.name.trim(), entry.message.trim());
    let refused = match (name.chars().count(), message.chars().count()) {
        (0, _) => Some("who are you?"),
        (_, 0) => Some("what do you say?"),
        (1..=MAX_NAME, 1..=MAX_MESSAGE) => None,
        _ => Some("a name has 50 characters at most, a message 500"),
    };
    if let Some(why) = refused {
        return Err(Error::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    // One number each, however many sign at once; counted down, so that the newest comes first.
    let number = kv::increment("signed", 1).await?;
    let key = format!("{PREFIX}{:019}", i64::MAX - number);
    let (name, message) = (name.to_owned(), message.to_owned());
    kv::set(&key, &Entry { name, message }).await?;
    Ok(Redirect::to("/"))
}

/// What a guest wrote is text, whatever it looks like.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

const HEAD: &str = r#"<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Guestbook</title>
<h1>Guestbook</h1>
<form method="post" action="/">
<input name="name" placeholder="Name" maxlength="50" required>
<input name="message" placeholder="Message" maxlength="500" required>
<button>Sign</button>
</form>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use wharf::test::{self, Host};

    fn sign_as(host: &Host, name: &str, message: &str) -> u16 {
        let form = [("name", name), ("message", message)];
        host.call(app(), test::post("/").form(&form)).status().as_u16()
    }

    #[test]
    fn the_newest_comes_first_and_is_escaped() {
        let host = Host::new();
        assert_eq!(sign_as(&host, "Ada", "first"), 303);
        assert_eq!(sign_as(&host, "<b>Bo</b>", "second & last"), 303);
        let page = host.call(app(), test::get("/"));
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let [bo, ada] = [
            "<b>&lt;b&gt;Bo&lt;/b&gt;</b>: second &amp; last",
            "<b>Ada</b>: first",
        ]
        .map(|entry| page.text().find(entry));
        assert!(bo.is_some() && bo < ada, "{}", page.text());
    }

    #[test]
    fn older_entries_are_on_further_pages() {
        let host = Host::new();
        for n in 1..=25 {
            assert_eq!(sign_as(&host, "Ada", &format!("message {n}")), 303);
        }
        let first = host.call(app(), test::get("/"));
        assert!(first.text().contains("message 25<") && !first.text().contains("message 5<"));
        let link = first
            .text()
            .split("href=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let second = host.call(app(), test::get(link.expect("a link")));
        assert!(second.text().contains("message 5<") && !second.text().contains("href"));
    }

    #[test]
    fn what_is_not_fit_to_print_is_refused() {
        let host = Host::new();
        assert_eq!(sign_as(&host, " ", "x"), 422);
        assert_eq!(sign_as(&host, "Ada", ""), 422);
        assert_eq!(sign_as(&host, "Ada", &"x".repeat(501)), 422);
        assert_eq!(host.kept::<i64>("signed"), None);
        let full = Host::new().failing_kv(kv::ErrorKind::QuotaExceeded);
        assert_eq!(sign_as(&full, "Ada", "hello"), 500);
    }
}
