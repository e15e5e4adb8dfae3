use super::*;

#[test]
fn a_part_of_a_path_cannot_leave_its_place() {
    assert_eq!(escape("prod/weather"), "prod%2Fweather");
    assert_eq!(escape("sha256:ab_c.d-e"), "sha256:ab_c.d-e");
    assert_eq!(escape("a b?c#d%é"), "a%20b%3Fc%23d%25%C3%A9");
}

#[test]
fn a_refusal_says_where_what_and_what_to_do() {
    let body = br#"{"error":{"code":"X","message":"it is too large","field":"task.cpu","hint":"use less"}}"#;
    let refusal = ApiError::from(Refusal::new(StatusCode::BAD_REQUEST, body));
    assert_eq!(refusal.to_string(), "task.cpu: it is too large");
    assert_eq!(refusal.hint(), Some("use less"));
}

#[test]
fn an_answer_of_something_else_is_told_by_its_status() {
    let refusal = Refusal::new(StatusCode::BAD_GATEWAY, b"<html>");
    assert_eq!(refusal.to_string(), "the API answered 502 Bad Gateway");
}

fn api(address: &str) -> Api {
    let settings = Settings {
        api: address.parse().unwrap(),
        token: "t".into(),
    };
    Api::new(settings, "default").unwrap()
}

/// Takes one connection, says this to whatever comes, and closes.
async fn saying(scheme: &str, words: &'static [u8]) -> Api {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(words).await.unwrap();
    });
    api(&address)
}

#[tokio::test]
async fn what_is_in_the_way_of_the_api_is_told_in_plain_words() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = api(&format!("http://{}", gone.local_addr().unwrap()));
    drop(gone);
    let cases = [
        (refused, Fault::Refused),
        (saying("http", b"").await, Fault::HungUp),
        (
            saying("http", b"\x15\x03\x01\0\x02\x02\x46").await,
            Fault::NotHttp,
        ),
        (
            saying("https", b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
            Fault::NotTls,
        ),
    ];
    for (api, wanted) in cases {
        match api.get::<u32>("/").await {
            Err(ApiError::Unreachable { fault, .. }) => assert_eq!(fault, wanted),
            other => panic!("{other:?} instead of {wanted:?}"),
        }
    }
}

/// A server that answers one request with these pieces, each sent by itself, and then closes.
async fn serving(pieces: &'static [&'static str]) -> Api {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        for piece in pieces {
            let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
            stream.write_all(chunk.as_bytes()).await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    });
    api(&address)
}

#[tokio::test]
async fn lines_are_found_wherever_the_pieces_end() {
    let api = serving(&["1\n2", "0\n", "\n3\n"]).await;
    let mut lines = api.lines::<u32>("/").await.unwrap();
    let mut found = Vec::new();
    while let Some(number) = lines.next().await.unwrap() {
        found.push(number);
    }
    assert_eq!(found, [1, 20, 3]);
}

#[tokio::test]
async fn a_stream_that_ends_within_a_line_is_broken() {
    let mut lines = serving(&["1\n2"]).await.lines::<u32>("/").await.unwrap();
    assert_eq!(lines.next().await.unwrap(), Some(1));
    assert!(matches!(lines.next().await, Err(ApiError::Broken { .. })));
}

#[tokio::test]
async fn what_is_not_the_api_is_said_as_such() {
    let api = serving(&["<html>"]).await;
    assert!(matches!(api.get::<u32>("/").await, Err(ApiError::Garbled { .. })));
}
