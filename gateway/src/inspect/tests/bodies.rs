//! Where bodies end, by their length or in chunks.

use super::*;

#[test]
fn bodies_end_where_they_say() {
    for (body, rest) in [
        (&b"5\r\nhello\r\n0\r\n\r\n"[..], &b""[..]),
        (b"0\r\n\r\nGET", b"GET"),
        (
            b"00a;ext=\"v\"\r\n0123456789\r\n0 \r\nX: y\r\nZ:\r\n\r\n\r\n",
            b"\r\n",
        ),
    ] {
        let mut state = Body::CHUNKED;
        let (count, kept) = state.advance(body);
        assert_eq!((&body[count..], kept, state.has_ended()), (rest, Ok(()), true));
        // The same, byte by byte.
        let mut state = Body::CHUNKED;
        let mut at = 0;
        while !state.has_ended() {
            assert_eq!(state.advance(&body[at..=at]), (1, Ok(())));
            at += 1;
        }
        assert_eq!(at, count);
    }
    let mut state = Body::Length(3);
    assert_eq!(state.advance(b"ab"), (2, Ok(())));
    assert_eq!(state.advance(b"cd"), (1, Ok(())));
    assert!(state.has_ended());
}

/// RFC 9112 7.1, and what smugglers make of it.
#[test]
fn malformed_chunks_are_refused_where_they_begin() {
    for (good, bad) in [
        ("", "\r\n"),
        ("", " 5\r\n"),
        ("", "-1\r\n"),
        ("0", "x5\r\n"),
        ("", "g\r\n"),
        ("5", "\nhello\r\n"),
        ("5\r", "hello\r\n"),
        ("5;a", "\nb\r\n"),
        ("5\r\nhello", "X\r\n"),
        ("5\r\nhello\r", "X"),
        ("5\r\nhello", "0\r\n\r\n"),
        ("123456789abcdef", "0\r\n"),
        ("0\r\n", " X: y\r\n"),
        ("0\r\n", ": y\r\n"),
        ("0\r\n", "\n"),
        ("0\r\nX: y", "\n\r\n"),
        ("0\r\nX: y", "\0\r\n"),
    ] {
        let bytes = format!("{good}{bad}");
        let mut state = Body::CHUNKED;
        assert_eq!(
            state.advance(bytes.as_bytes()),
            (good.len(), Err(Malformed)),
            "{bytes:?}"
        );
    }
    let long = format!("5;{}", "x".repeat(5000));
    assert!({ Body::CHUNKED }.advance(long.as_bytes()).1.is_err());
    let long = format!("0\r\n{}", "a: b\r\n".repeat(5000));
    assert!({ Body::CHUNKED }.advance(long.as_bytes()).1.is_err());
}
