//! Which handler answers, and what the router answers by itself.

use super::{MethodRouter, Router, any, delete, get, on, post, put};
use crate::test::{self, Host};
use crate::{Error, Method, Next, Path, Request, Response, Result, State, StatusCode, Uri};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

fn saying(text: &'static str) -> MethodRouter {
    get(async move || text)
}

fn check(routes: &[&'static str], path: &str, expected: Option<&str>) {
    // The order in which they are added makes no difference.
    let forward: Router = routes
        .iter()
        .fold(Router::new(), |router, path| router.route(path, saying(path)));
    let backward: Router = routes
        .iter()
        .rev()
        .fold(Router::new(), |router, path| router.route(path, saying(path)));
    for router in [forward, backward] {
        let answer = Host::new().call(router, test::get(path));
        let found = (answer.status() == StatusCode::OK).then(|| answer.text());
        assert_eq!(found, expected, "{path} among {routes:?}");
    }
}

#[test]
fn the_more_literal_route_answers() {
    let routes = [
        "/", "/a", "/a/b", "/a/{x}", "/a/{x}/c", "/{y}/b/c", "/{y}/{z}", "/{*rest}", "/a/",
    ];
    let table = [
        ("/", "/"),
        ("/?q", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("/a/b", "/a/b"),
        ("/a/x", "/a/{x}"),
        ("/a/b/c", "/a/{x}/c"),
        ("/b/b/c", "/{y}/b/c"),
        ("/b/b", "/{y}/{z}"),
        ("/b", "/{*rest}"),
        ("/b/b/b", "/{*rest}"),
        ("/a//c", "/{*rest}"),
    ];
    for (path, expected) in table {
        check(&routes, path, Some(expected));
    }
}

#[test]
fn names_stand_for_something() {
    check(&["/{x}"], "/", None);
    check(&["/a/{x}"], "/a/", None);
    check(&["/a/{*x}"], "/a/", None);
    check(&["/a/{*x}"], "/a", None);
    check(&["/a/{x}"], "/a/b/c", None);
    check(&["/a"], "/%61", None);
    check(&["/a"], "/A", None);
    check(&[], "/", None);
}

#[test]
fn methods_have_their_handlers() {
    let app = || {
        Router::new()
            .route("/", get(async || "get").post(async || "post"))
            .route(
                "/",
                put(async || "put")
                    .patch(async || "patch")
                    .delete(async || "delete"),
            )
            .route(
                "/any",
                any(async |method: Method| method.to_string()).post(async || "own"),
            )
            .route(
                "/own",
                get(async || "get").on(Method::HEAD, async || StatusCode::GONE),
            )
            .route("/own", on(Method::OPTIONS, async || "options"))
    };
    let host = Host::new();
    let ask = |method: Method, path| host.call(app(), test::request(method, path));
    for method in ["get", "post", "put", "patch", "delete"] {
        let upper = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        assert_eq!(ask(upper, "/").text(), method);
    }
    assert_eq!(ask(Method::TRACE, "/any").text(), "TRACE");
    assert_eq!(ask(Method::OPTIONS, "/any").text(), "OPTIONS");
    assert_eq!(ask(Method::POST, "/any").text(), "own");
    assert_eq!(ask(Method::HEAD, "/own").status(), StatusCode::GONE);
    assert_eq!(ask(Method::OPTIONS, "/own").text(), "options");
}

#[test]
fn what_no_handler_answers_the_router_does() {
    let app = || {
        Router::new()
            .route("/", get(async || "body"))
            .route("/post", post(async || "").merge_for_test(delete(async || "")))
    };
    let host = Host::new();
    let head = host.call(app(), test::head("/"));
    assert_eq!(
        (head.status(), head.text(), head.header("content-length")),
        (StatusCode::OK, "", Some("4"))
    );
    let options = host.call(app(), test::options("/"));
    assert_eq!(
        (options.status(), options.header("allow")),
        (StatusCode::NO_CONTENT, Some("GET, HEAD"))
    );
    let refused = host.call(app(), test::get("/post"));
    assert_eq!(
        (refused.status().as_u16(), refused.header("allow")),
        (405, Some("POST, DELETE"))
    );
    assert_eq!(
        refused.text(),
        r#"{"error":"GET is not allowed here, but POST, DELETE"}"#
    );
    assert_eq!(host.call(app(), test::head("/post")).status().as_u16(), 405);
    let missing = host.call(app(), test::get("/x"));
    assert_eq!(
        (missing.status().as_u16(), missing.text()),
        (404, r#"{"error":"nothing at /x"}"#)
    );
    let fallback = app().fallback(async |uri: Uri| uri.to_string());
    assert_eq!(host.call(fallback, test::get("/x?y")).text(), "/x?y");
}

impl MethodRouter {
    fn merge_for_test(mut self, other: Self) -> Self {
        self.merge(other).unwrap();
        self
    }
}

#[test]
fn mistakes_in_routes_are_told_at_once() {
    let table: [(&[&str], &str); 9] = [
        (&["a"], "the route `a`: a path begins with `/`"),
        (&["/:id"], "a name is written `{name}`"),
        (&["/*"], "all that is left `{*name}`"),
        (&["/a{id}"], "a name in braces is a whole segment"),
        (&["/{}"], "there is no name in it"),
        (&["/{*a}/b"], "it comes last"),
        (&["/{a}/{a}"], "`a` is there twice"),
        (&["/a", "/a"], "there are two handlers for GET"),
        (&["/{a}/b", "/{c}/b"], "where `c` is called `a`"),
    ];
    for (routes, expected) in table {
        let build = || {
            let add = |router: Router, path: &&str| router.route(path, saying("x"));
            drop(routes.iter().fold(Router::new(), add));
        };
        let panic = catch_unwind(AssertUnwindSafe(build)).unwrap_err();
        let told = panic.downcast_ref::<String>().unwrap();
        assert!(told.contains(expected), "{told}");
    }
}

async fn outer(request: Request, next: Next<'_>) -> Result<Response> {
    let response = next.run(request).await;
    let status = response.status().as_u16();
    response.with_header("x-outer", status)
}

#[test]
fn layers_are_around_everything_the_last_outermost() {
    let inner = async |request: Request, next: Next<'_>| {
        if request.query("stop").is_some() {
            return Err(Error::new(StatusCode::FORBIDDEN, "stopped"));
        }
        Ok(next.run(request).await)
    };
    let app = || Router::new().route("/", saying("in")).layer(inner).layer(outer);
    let host = Host::new();
    let outer_saw = |path| {
        host.call(app(), test::get(path))
            .header("x-outer")
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (outer_saw("/"), outer_saw("/x"), outer_saw("/?stop")),
        ("200".into(), "404".into(), "403".into())
    );
    assert_eq!(
        host.call(app(), test::get("/?stop")).text(),
        r#"{"error":"stopped"}"#
    );
}

#[test]
fn a_layer_gives_handlers_values_and_shares_the_routers() {
    #[derive(Clone)]
    struct User(String);
    let name = async |mut request: Request, next: Next<'_>| {
        let calls: &Rc<Cell<u32>> = request.extensions().get().unwrap();
        calls.set(calls.get() + 1);
        let user = User(request.header("x-user").unwrap_or("nobody").to_owned());
        request.extensions_mut().insert(user);
        next.run(request).await
    };
    let calls = Rc::new(Cell::new(0_u32));
    let app = Router::new()
        .route("/", get(async |State(User(name)): State<User>| name))
        .layer(name)
        .with_state(Rc::clone(&calls));
    let answer = Host::new().call(app, test::get("/").header("x-user", "ada"));
    assert_eq!((answer.text(), calls.get()), ("ada", 1));
}

#[test]
fn a_router_is_a_handler_of_another() {
    let items = Router::new().route("/items/{id}", get(async |Path(id): Path<u8>| id.to_string()));
    let app = Router::new().route("/items/{*rest}", any(items));
    assert_eq!(Host::new().call(app, test::get("/items/7")).text(), "7");
}
