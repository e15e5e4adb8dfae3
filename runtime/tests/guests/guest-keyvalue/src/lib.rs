//! Does what the query says with its service's data, through `wasi:keyvalue` (`/standard`) or `wharf:keyvalue` (`/own`),
//! and answers a line for each command: `/own?set,a,1;get,a`.
//!
//! | command | in | answer |
//! |---|---|---|
//! | `get,K` | both | the value, or `-` |
//! | `set,K,V`, `fill,K,N` | both | `ok`; a value of N bytes |
//! | `delete,K` | both | `ok`; in `own` whether it was there |
//! | `increment,K,N` | both | the number |
//! | `open,NAME`, `exists,K` | `standard` | `ok`; whether it is there |
//! | `list,CURSOR` | `standard` | how many keys, the first, the cursor |
//! | `get-many,K,…`, `fill-many,N,K,…`, `delete-many,K,…` | `standard` | values; `ok` |
//! | `expire,K,V,MS`, `expire-number,K,N,MS` | `own` | `ok`; the number |
//! | `swap,K,V` | `own` | compare-and-swap at the version that `get` gave last: `ok` or `no` |
//! | `entries,PREFIX,AFTER,LIMIT` | `own` | `K=V` of each, and `next` |
//!
//! Errors are `error` with their kind and text.

mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        world: "wharf:host/key-value",
        generate_all,
    });
}

use bindings::wasi::keyvalue::{atomics, batch, store as standard};
use bindings::wharf::keyvalue::store as own;
use wharf::Request;

#[wharf::http]
async fn handle(request: Request) -> String {
    let uri = request.uri();
    let commands = uri.query().unwrap_or_default().split(';');
    let mut lines = Vec::new();
    if uri.path() == "/standard" {
        let bucket = standard::open("").expect("the only bucket");
        lines.extend(commands.map(|command| {
            let words: Vec<&str> = command.split(',').collect();
            by_standard(&bucket, &words).unwrap_or_else(|error| format!("error {error:?}"))
        }));
    } else {
        let mut version = None;
        lines.extend(commands.map(|command| {
            let words: Vec<&str> = command.split(',').collect();
            by_own(&mut version, &words).unwrap_or_else(|error| format!("error {error:?}"))
        }));
    }
    lines.join("\n")
}

fn text(value: Option<Vec<u8>>) -> String {
    value.map_or("-".to_owned(), |value| match value.len() {
        0..100 => String::from_utf8_lossy(&value).into_owned(),
        len => format!("{len} bytes"),
    })
}

fn ok() -> String {
    "ok".to_owned()
}

fn number<T: std::str::FromStr + Default>(word: &str) -> T {
    word.parse().unwrap_or_default()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn by_standard(bucket: &standard::Bucket, words: &[&str]) -> Result<String, standard::Error> {
    Ok(match words {
        ["open", name] => standard::open(name).map(|_| ok())?,
        ["get", key] => text(bucket.get(key)?),
        ["set", key, value] => bucket.set(key, value.as_bytes()).map(|()| ok())?,
        ["fill", key, len] => bucket.set(key, &vec![b'x'; number(len)]).map(|()| ok())?,
        ["delete", key] => bucket.delete(key).map(|()| ok())?,
        ["exists", key] => bucket.exists(key)?.to_string(),
        ["increment", key, by] => atomics::increment(bucket, key, number(by))?.to_string(),
        ["list", cursor] => {
            let page = bucket.list_keys(cursor.parse().ok())?;
            let first = page.keys.first().map_or("-", String::as_str);
            format!("{} {first} {:?}", page.keys.len(), page.cursor)
        }
        ["get-many", keys @ ..] => {
            let found = batch::get_many(bucket, &strings(keys))?;
            let lines = found.into_iter().map(|found| match found {
                Some((key, value)) => format!("{key}={}", text(Some(value))),
                None => "-".to_owned(),
            });
            lines.collect::<Vec<_>>().join(" ")
        }
        ["fill-many", len, keys @ ..] => {
            let filled = strings(keys)
                .into_iter()
                .map(|key| (key, vec![b'x'; number(len)]));
            batch::set_many(bucket, &filled.collect::<Vec<_>>()).map(|()| ok())?
        }
        ["delete-many", keys @ ..] => batch::delete_many(bucket, &strings(keys)).map(|()| ok())?,
        other => format!("no such command: {other:?}"),
    })
}

fn by_own(version: &mut Option<u64>, words: &[&str]) -> Result<String, own::Error> {
    Ok(match words {
        ["get", key] => {
            let item = own::get(key)?;
            *version = item.as_ref().map(|item| item.version);
            text(item.map(|item| item.value))
        }
        ["set", key, value] => own::set(key, value.as_bytes(), None).map(|_| ok())?,
        ["fill", key, len] => own::set(key, &vec![b'x'; number(len)], None).map(|_| ok())?,
        ["expire", key, value, ms] => own::set(key, value.as_bytes(), Some(number(ms))).map(|_| ok())?,
        ["swap", key, value] => match own::compare_and_swap(key, *version, value.as_bytes(), None)? {
            Some(_) => ok(),
            None => "no".to_owned(),
        },
        ["delete", key] => own::delete(key)?.to_string(),
        ["increment", key, by] => own::increment(key, number(by), None)?.to_string(),
        ["expire-number", key, by, ms] => own::increment(key, number(by), Some(number(ms)))?.to_string(),
        ["entries", prefix, after, limit] => {
            let after = (!after.is_empty()).then_some(*after);
            let page = own::entries(prefix, after, number(limit))?;
            let shown = page
                .entries
                .into_iter()
                .map(|entry| format!("{}={}", entry.key, text(Some(entry.value))));
            let next = page.next.unwrap_or_else(|| "-".to_owned());
            format!("{} next {next}", shown.collect::<Vec<_>>().join(" "))
        }
        other => format!("no such command: {other:?}"),
    })
}
