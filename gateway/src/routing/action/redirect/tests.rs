use super::*;

const FOUND: RedirectText<'static> = RedirectText {
    status: 302,
    protocol: None,
    host: None,
    port: None,
    path: None,
    query: None,
};

/// `https://host:port/path?query`, as a client asks for it.
fn location<'r>(url: &'r str) -> Location<'r> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, rest) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    Location {
        scheme: if scheme == "https" {
            Scheme::Https
        } else {
            Scheme::Http
        },
        host: host.as_bytes(),
        port: port.parse().ok(),
        path: path.as_bytes(),
        query: query.as_bytes(),
    }
}

fn redirected(text: RedirectText<'_>, from: &str) -> String {
    let redirect = Redirect::new(&text).unwrap();
    let to = redirect.location(&location(from)).unwrap();
    to.to_str().unwrap().to_owned()
}

#[test]
fn placeholders_stand_for_the_requests_own_parts() {
    let to = |change: fn(&mut RedirectText<'static>), from: &str| {
        let mut text = FOUND;
        change(&mut text);
        redirected(text, from)
    };
    let from = "http://a.test:8080/x/y?q=1&r=2";
    for (change, expected) in [
        // ALB: what is left out stays.
        (
            (|t| t.host = Some("b.test")) as fn(&mut RedirectText<'static>),
            "http://b.test:8080/x/y?q=1&r=2",
        ),
        (
            |t| t.host = Some("www.#{host}"),
            "http://www.a.test:8080/x/y?q=1&r=2",
        ),
        (
            |t| t.path = Some("/new/#{path}"),
            "http://a.test:8080/new/x/y?q=1&r=2",
        ), // ALB: without its first `/`
        (
            |t| t.path = Some("/#{host}/#{port}"),
            "http://a.test:8080/a.test/8080?q=1&r=2",
        ),
        (
            |t| (t.path, t.query) = (Some("/"), Some("")),
            "http://a.test:8080/",
        ),
        (
            |t| {
                (t.path, t.query) = (
                    Some("/"),
                    Some("u=#{protocol}://#{host}:#{port}/#{path}&#{query}"),
                )
            },
            "http://a.test:8080/?u=http://a.test:8080/x/y&q=1&r=2",
        ),
        (|t| t.port = Some("9090"), "http://a.test:9090/x/y?q=1&r=2"),
        (|t| t.protocol = Some("HTTPS"), "https://a.test/x/y?q=1&r=2"), // ours: the new protocol's port
        (
            |t| (t.protocol, t.port) = (Some("HTTPS"), Some("443")),
            "https://a.test/x/y?q=1&r=2",
        ),
        (
            |t| (t.protocol, t.port) = (Some("https"), Some("8443")),
            "https://a.test:8443/x/y?q=1&r=2",
        ),
        (
            |t| (t.protocol, t.port) = (Some("https"), Some("#{port}")),
            "https://a.test:8080/x/y?q=1&r=2",
        ),
        (
            |t| (t.protocol, t.host) = (Some("#{protocol}"), Some("b.test")),
            "http://b.test:8080/x/y?q=1&r=2",
        ),
    ] {
        assert_eq!(to(change, from), expected);
    }
    let https = |from| {
        redirected(
            RedirectText {
                protocol: Some("https"),
                port: Some("#{port}"),
                ..FOUND
            },
            from,
        )
    };
    assert_eq!(
        https("http://a.test/"),
        "https://a.test:80/",
        "ALB: `#{{port}}` is the request's, even so"
    );
    let host = |from| {
        redirected(
            RedirectText {
                host: Some("b.test"),
                ..FOUND
            },
            from,
        )
    };
    assert_eq!(host("http://a.test/x"), "http://b.test/x");
    assert_eq!(host("https://a.test/x?"), "https://b.test/x");
    assert_eq!(host("https://a.test:444/x"), "https://b.test:444/x");
    assert_eq!(host("http://a.test//evil.test"), "http://b.test//evil.test");
}

#[test]
fn statuses() {
    for (status, valid) in [
        (301, true),
        (302, true),
        (303, true),
        (307, true),
        (308, true),
        (300, false),
        (200, false),
    ] {
        let text = RedirectText {
            status,
            host: Some("b.test"),
            ..FOUND
        };
        assert_eq!(Redirect::new(&text).is_ok(), valid, "{status}"); // ALB: 301 and 302
    }
}

#[test]
fn what_makes_no_sense_is_refused_saying_why() {
    let long = "x".repeat(MAX_REDIRECT_PART_BYTES);
    for (text, error) in [
        // ALB: one of protocol, host, port and path must change.
        (
            FOUND,
            "the redirect leads back to the same URL: change its protocol, host, port or path",
        ),
        (
            RedirectText {
                protocol: Some("#{protocol}"),
                host: Some("#{host}"),
                port: Some("#{port}"),
                path: Some("/#{path}"),
                query: Some("a=b"),
                ..FOUND
            },
            "the redirect leads back to the same URL: change its protocol, host, port or path",
        ),
        (
            RedirectText {
                protocol: Some("ftp"),
                ..FOUND
            },
            "a redirect's protocol is `http`, `https` or `#{protocol}`, not `ftp`",
        ),
        (
            RedirectText {
                port: Some("0"),
                ..FOUND
            },
            "a redirect's port is a number from 1 to 65535 or `#{port}`, not `0`",
        ),
        (
            RedirectText {
                port: Some("+80"),
                ..FOUND
            },
            "a redirect's port is a number from 1 to 65535 or `#{port}`, not `+80`",
        ),
        (
            RedirectText {
                host: Some(""),
                ..FOUND
            },
            "a redirect's host cannot be empty; leave it out to keep the request's",
        ),
        (
            RedirectText {
                host: Some("a:80"),
                ..FOUND
            },
            "a redirect's host has no ':'; the port is a part of its own",
        ),
        (
            RedirectText {
                host: Some("a/b"),
                ..FOUND
            },
            "a redirect's host has no '/'; the path is a part of its own",
        ),
        (
            RedirectText {
                host: Some("#{query}.test"),
                ..FOUND
            },
            "a redirect's host cannot have `#{query}`: it takes `#{host}` and `#{path}`",
        ),
        (
            RedirectText {
                path: Some("x"),
                ..FOUND
            },
            "a redirect's path begins with `/`, like `/#{path}`; `x` does not",
        ),
        (
            RedirectText {
                path: Some("/a?b"),
                ..FOUND
            },
            "a redirect's path has no '?'; the query is a part of its own",
        ),
        (
            RedirectText {
                path: Some("/a b"),
                ..FOUND
            },
            "a redirect's path has no ' '; write it percent-encoded",
        ),
        (
            RedirectText {
                path: Some("/a#b"),
                ..FOUND
            },
            "a redirect's path has no '#'",
        ),
        (
            RedirectText {
                path: Some("/#{foo}"),
                ..FOUND
            },
            "a redirect's path cannot have `#{foo}`: it takes `#{host}`, `#{port}` and `#{path}`",
        ),
        (
            RedirectText {
                path: Some("/#{path"),
                ..FOUND
            },
            "a redirect's path cannot have `#{path`: it is not closed with `}`",
        ),
        (
            RedirectText {
                path: Some("/"),
                query: Some("?a"),
                ..FOUND
            },
            "a redirect's query has no '?' before it; it is written without",
        ),
        (
            RedirectText {
                path: Some(&format!("/{long}")),
                ..FOUND
            },
            "a redirect's path has at most 1024 bytes, this one has 1025",
        ),
    ] {
        assert_eq!(Redirect::new(&text).unwrap_err().to_string(), error, "{text:?}");
    }
}

#[test]
fn a_listener_refuses_what_leads_back_or_out_of_https() {
    let to = |protocol| RedirectText {
        protocol: Some(protocol),
        ..FOUND
    };
    let elsewhere = |protocol| RedirectText {
        host: Some("b.test"),
        ..to(protocol)
    };
    for (text, listener, expected) in [
        (to("https"), Scheme::Http, Ok(())),
        (to("https"), Scheme::Https, Err(RedirectError::Loop)),
        (to("http"), Scheme::Http, Err(RedirectError::Loop)),
        (to("http"), Scheme::Https, Err(RedirectError::Downgrade)), // ALB: no HTTPS to HTTP
        (elsewhere("http"), Scheme::Https, Err(RedirectError::Downgrade)),
        (elsewhere("http"), Scheme::Http, Ok(())),
        (elsewhere("#{protocol}"), Scheme::Https, Ok(())),
    ] {
        assert_eq!(
            Redirect::new(&text).unwrap().check(listener),
            expected,
            "{text:?} {listener}"
        );
    }
}

#[test]
fn a_location_is_bounded_and_its_host_is_one() {
    let moved = Redirect::new(&RedirectText {
        path: Some("/x/#{path}"),
        ..FOUND
    })
    .unwrap();
    let mut path = b"/".to_vec();
    path.resize(MAX_LOCATION_BYTES - "http://a.test/x".len(), b'p');
    let at = |path| Location {
        path,
        ..location("http://a.test/")
    };
    assert_eq!(moved.location(&at(&path)).unwrap().len(), MAX_LOCATION_BYTES); // ALB: 8 K
    let longer = [path.as_slice(), b"p"].concat();
    assert_eq!(moved.location(&at(&longer)).unwrap_err(), Unredirectable::TooLong);

    let host = Redirect::new(&RedirectText {
        host: Some("#{path}.test"),
        ..FOUND
    })
    .unwrap();
    let to = |from| host.location(&location(from));
    assert_eq!(to("http://a.test/b").unwrap(), "http://b.test/b");
    for from in [
        "http://a.test/evil.test/x",
        "http://a.test/u@evil",
        "http://a.test/a:1",
    ] {
        assert_eq!(to(from).unwrap_err(), Unredirectable::Host, "{from}");
    }
    let none = Location {
        host: b"",
        ..location("http://a.test/b")
    };
    assert_eq!(moved.location(&none).unwrap_err(), Unredirectable::Host);
}
