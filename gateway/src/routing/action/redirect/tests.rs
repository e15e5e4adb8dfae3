use super::*;

/// `host=b.test|path=/x`: a 302 with these parts.
fn text(parts: &str) -> RedirectText<'_> {
    let mut text = RedirectText {
        status: 302,
        ..RedirectText::default()
    };
    for part in parts.split('|').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap();
        let field = match name {
            "protocol" => &mut text.protocol,
            "host" => &mut text.host,
            "port" => &mut text.port,
            "path" => &mut text.path,
            "query" => &mut text.query,
            other => panic!("{other}"),
        };
        *field = Some(value);
    }
    text
}

/// `https://host:port/path?query`, as a client asks for it.
fn location(url: &str) -> Location<'_> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, rest) = rest.split_at(rest.find('/').unwrap());
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    Location {
        scheme: match scheme {
            "https" => Scheme::Https,
            _ => Scheme::Http,
        },
        host: host.as_bytes(),
        port: port.parse().ok(),
        path: path.as_bytes(),
        query: query.as_bytes(),
    }
}

fn redirected(parts: &str, from: &str) -> Result<String, Unredirectable> {
    let redirect = Redirect::new(&text(parts)).unwrap();
    let to = redirect.location(&location(from))?;
    Ok(to.to_str().unwrap().to_owned())
}

#[test]
fn placeholders_stand_for_the_requests_own_parts() {
    let from = "http://a.test:8080/x/y?q=1&r=2";
    for (parts, expected) in [
        ("host=b.test", "http://b.test:8080/x/y?q=1&r=2"), // ALB: what is left out stays
        ("host=www.#{host}", "http://www.a.test:8080/x/y?q=1&r=2"),
        (
            "protocol=#{protocol}|host=b.test",
            "http://b.test:8080/x/y?q=1&r=2",
        ),
        ("path=/new/#{path}", "http://a.test:8080/new/x/y?q=1&r=2"), // ALB: without its first `/`
        ("path=/#{host}/#{port}", "http://a.test:8080/a.test/8080?q=1&r=2"),
        ("path=/|query=", "http://a.test:8080/"),
        (
            "path=/|query=u=#{protocol}://#{host}:#{port}/#{path}&#{query}",
            "http://a.test:8080/?u=http://a.test:8080/x/y&q=1&r=2",
        ),
        ("port=9090", "http://a.test:9090/x/y?q=1&r=2"),
        ("protocol=HTTPS", "https://a.test/x/y?q=1&r=2"), // ours: the new protocol's port
        ("protocol=HTTPS|port=443", "https://a.test/x/y?q=1&r=2"),
        ("protocol=https|port=8443", "https://a.test:8443/x/y?q=1&r=2"),
        ("protocol=https|port=#{port}", "https://a.test:8080/x/y?q=1&r=2"),
    ] {
        assert_eq!(redirected(parts, from).unwrap(), expected, "{parts}");
    }
    for (parts, from, expected) in [
        (
            "protocol=https|port=#{port}",
            "http://a.test/",
            "https://a.test:80/",
        ), // ALB: even so
        ("host=b.test", "http://a.test/x", "http://b.test/x"),
        ("host=b.test", "https://a.test/x?", "https://b.test/x"),
        ("host=b.test", "https://a.test:444/x", "https://b.test:444/x"),
        (
            "host=b.test",
            "http://a.test//evil.test",
            "http://b.test//evil.test",
        ),
        ("path=/#{path}/", "http://a.test/x", "http://a.test/x/"),
    ] {
        assert_eq!(redirected(parts, from).unwrap(), expected, "{parts} {from}");
    }
}

#[test]
fn statuses() {
    for (status, valid) in [
        (301, true), // ALB: 301 and 302
        (302, true),
        (303, true),
        (307, true),
        (308, true),
        (300, false),
        (200, false),
    ] {
        let text = RedirectText {
            status,
            ..text("host=b.test")
        };
        assert_eq!(Redirect::new(&text).is_ok(), valid, "{status}");
    }
}

#[test]
fn what_leads_back_is_refused() {
    // ALB: one of protocol, host, port and path must change.
    for parts in [
        "",
        "query=a",
        "protocol=#{protocol}|host=#{host}|port=#{port}|path=/#{path}|query=a=b",
    ] {
        assert_eq!(
            Redirect::new(&text(parts)).unwrap_err(),
            RedirectError::Loop,
            "{parts}"
        );
    }
    for (parts, listener, expected) in [
        ("protocol=https", Scheme::Http, Ok(())),
        ("protocol=https", Scheme::Https, Err(RedirectError::Loop)),
        // The listener's own port, whatever the client takes it to be.
        ("port=8080", Scheme::Http, Err(RedirectError::OwnPort(8080))),
        (
            "protocol=http|port=8080",
            Scheme::Http,
            Err(RedirectError::OwnPort(8080)),
        ),
        (
            "protocol=https|port=8080",
            Scheme::Https,
            Err(RedirectError::OwnPort(8080)),
        ),
        ("protocol=https|port=8080", Scheme::Http, Ok(())),
        ("port=8081", Scheme::Http, Ok(())),
        ("port=8080|path=/x", Scheme::Http, Ok(())),
        ("port=8080|host=b.test", Scheme::Http, Ok(())),
        // ALB: no HTTPS to HTTP
        (
            "protocol=http|port=80",
            Scheme::Https,
            Err(RedirectError::Downgrade),
        ),
        (
            "protocol=http|host=b.test",
            Scheme::Https,
            Err(RedirectError::Downgrade),
        ),
        ("protocol=http|host=b.test", Scheme::Http, Ok(())),
        ("protocol=#{protocol}|host=b.test", Scheme::Https, Ok(())),
    ] {
        let redirect = Redirect::new(&text(parts)).unwrap();
        assert_eq!(
            redirect.check(listener, Some(8080)),
            expected,
            "{parts} {listener}"
        );
    }
    // Nobody knows which port that will be.
    let redirect = Redirect::new(&text("port=8080")).unwrap();
    assert_eq!(redirect.check(Scheme::Http, None), Ok(()));
    // Wherever it is, it is either of both.
    for parts in ["protocol=http", "protocol=HTTP|port=#{port}|query="] {
        assert_eq!(
            Redirect::new(&text(parts)).unwrap_err(),
            RedirectError::OnlyToHttp,
            "{parts}"
        );
    }
}

const MALFORMED: &[(&str, &str)] = &[
    (
        "protocol=ftp",
        "a redirect's protocol is `http`, `https` or `#{protocol}`, not `ftp`",
    ),
    (
        "port=0",
        "a redirect's port is a number from 1 to 65535 or `#{port}`, not `0`",
    ),
    (
        "port=+80",
        "a redirect's port is a number from 1 to 65535 or `#{port}`, not `+80`",
    ),
    (
        "host=",
        "a redirect's host cannot be empty; leave it out to keep the request's",
    ),
    (
        "host=a:80",
        "a redirect's host has no ':'; the port is a part of its own",
    ),
    (
        "host=a/b",
        "a redirect's host has no '/'; the path is a part of its own",
    ),
    (
        "host=#{query}",
        "a redirect's host cannot have `#{query}`: it takes `#{host}` and `#{path}`",
    ),
    (
        "path=x",
        "a redirect's path begins with `/`, like `/#{path}`; `x` does not",
    ),
    (
        "path=/a?b",
        "a redirect's path has no '?'; the query is a part of its own",
    ),
    (
        "path=/a b",
        "a redirect's path has no ' '; write it percent-encoded",
    ),
    ("path=/a#b", "a redirect's path has no '#'"),
    (
        "path=/#{foo}",
        "a redirect's path cannot have `#{foo}`: it takes `#{host}`, `#{port}` and `#{path}`",
    ),
    (
        "path=/#{path",
        "a redirect's path cannot have `#{path`: it is not closed with `}`",
    ),
    (
        "path=/|query=?a",
        "a redirect's query has no '?' before it; it is written without",
    ),
];

#[test]
fn malformed_parts_are_refused_saying_why() {
    for (parts, error) in MALFORMED {
        assert_eq!(
            Redirect::new(&text(parts)).unwrap_err().to_string(),
            *error,
            "{parts}"
        );
    }
}

#[test]
fn parts_are_bounded() {
    let path = |length| format!("path=/{}", "x".repeat(length - 1));
    assert!(Redirect::new(&text(&path(MAX_REDIRECT_PART_BYTES))).is_ok());
    assert_eq!(
        Redirect::new(&text(&path(MAX_REDIRECT_PART_BYTES + 1)))
            .unwrap_err()
            .to_string(),
        "a redirect's path has at most 1024 bytes, this one has 1025"
    );
}

#[test]
fn a_location_is_bounded() {
    let longest = MAX_LOCATION_BYTES - "http://a.test/x/".len();
    let to = |length| {
        redirected(
            "path=/x/#{path}",
            &format!("http://a.test/{}", "p".repeat(length)),
        )
    };
    assert_eq!(to(longest).unwrap().len(), MAX_LOCATION_BYTES); // ALB: 8 K
    assert_eq!(to(longest + 1).unwrap_err(), Unredirectable::TooLong);
}

#[test]
fn a_location_has_a_host() {
    let to = |from| redirected("host=#{path}.test", from);
    assert_eq!(to("http://a.test/b").unwrap(), "http://b.test/b");
    for from in [
        "http://a.test/evil.test/x",
        "http://a.test/u@evil",
        "http://a.test/a:1",
    ] {
        assert_eq!(to(from).unwrap_err(), Unredirectable::Host, "{from}");
    }
    assert_eq!(
        redirected("path=/x", "http:///b").unwrap_err(),
        Unredirectable::Host
    );
}
