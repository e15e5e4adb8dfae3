//! Which functions the attributes take, and what they say of the others.

use super::{check_http, check_job};
use proc_macro2::TokenStream as Tokens;
use syn::ItemFn;

type Check = fn(&Tokens, &ItemFn) -> syn::Result<()>;

fn check(check: Check, options: &str, function: &str, expected: Result<(), &str>) {
    let options: Tokens = options.parse().unwrap();
    let function: ItemFn = syn::parse_str(function).unwrap();
    let found = check(&options, &function).map_err(|error| error.to_string());
    match (&found, expected) {
        (Ok(()), Ok(())) => {}
        (Err(found), Err(expected)) if found.contains(expected) => {}
        _ => panic!("expected {expected:?}, found {found:?}"),
    }
}

#[test]
fn handlers() {
    check(
        check_http,
        "",
        "async fn handle(request: Request) -> Result<Response> {}",
        Ok(()),
    );
    check(check_http, "", "async fn handle() {}", Ok(()));
    check(check_http, "", "async fn handle(a: A, b: B) {}", Ok(()));
    check(check_http, "", "fn app() -> Router {}", Ok(()));
    check(
        check_http,
        "",
        "fn handle(request: Request) {}",
        Err("a handler is an `async fn`"),
    );
    check(
        check_http,
        "",
        "async fn handle<T>(a: T) {}",
        Err("cannot be generic"),
    );
    check(
        check_http,
        "path = 1",
        "async fn handle(a: A) {}",
        Err("no options"),
    );
}

#[test]
fn jobs() {
    check(check_job, "", "async fn run() -> Result<()> {}", Ok(()));
    check(
        check_job,
        "",
        "async fn run(args: Vec<String>) -> Result<()> {}",
        Ok(()),
    );
    check(check_job, "", "fn run() -> Result<()> {}", Err("an `async fn`"));
    check(check_job, "", "async fn main() {}", Err("another name"));
    check(check_job, "", "async fn run(a: A, b: B) {}", Err("its arguments"));
}
