//! What holds of every head and every body: hyper's parser reads them as they were read here.

use proptest::prelude::*;

use super::*;

/// Bytes of which heads are made, the troublesome ones often.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            "GET", "POST", " ", "/", " HTTP/1.1", " HTTP/1.0", "\r\n", "\r\n", "\r\n", "\n", "\r", ":", ": ", "\t", "a", "*",
            "Host: a", "Content-Length", "Content-Length: 1", "Transfer-Encoding: chunked", "Transfer-Encoding",
            "Content_Length: 5", "chunked", "identity", "\0", "http://a", "?", "#", "5", ",", "é", "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n", "X: y\r\n", "\r\n\r\n",
        ]).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 1..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever is let through, hyper's parser reads, as a whole and as no more than that, and sees the framing that was
    /// found.
    #[test]
    fn what_is_let_through_has_one_reading(tail in pieces(), prefix in prop::bool::ANY) {
        let mut head = if prefix { b"POST /p HTTP/1.1\r\nHost: a\r\n".to_vec() } else { Vec::new() };
        head.extend_from_slice(&tail);
        for mode in [DesyncMode::Monitor, DesyncMode::Defensive, DesyncMode::Strictest] {
            let Inspected::Passed(passed) = in_mode(&head, mode) else { continue };
            if head.starts_with(b"\r") || head.starts_with(b"\n") {
                continue;
            }
            let given = passed.mended.as_deref().unwrap_or(&head[..passed.length]);
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut headers);
            let parsed = request.parse(given);
            prop_assert_eq!(parsed, Ok(httparse::Status::Complete(given.len())), "{}", given.escape_ascii());
            let target = request.path.unwrap();
            prop_assert!(http::Uri::try_from(target).is_ok(), "{}", target);
            let of = |name: &str| -> Vec<&[u8]> {
                request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value).collect()
            };
            let (codings, lengths) = (of("transfer-encoding"), of("content-length"));
            match passed.body {
                Body::Chunked(_) => {
                    prop_assert_eq!(codings.len(), 1);
                    prop_assert!(codings[0].eq_ignore_ascii_case(b"chunked"));
                    prop_assert!(lengths.is_empty());
                }
                Body::Length(length) => {
                    prop_assert!(codings.is_empty());
                    prop_assert!(lengths.len() <= 1);
                    let told = lengths.first().map_or("0", |told| std::str::from_utf8(told).unwrap());
                    prop_assert_eq!(told.parse::<u64>().unwrap(), length);
                }
            }
        }
    }

    /// What the fuzzer looks for, for a moment.
    #[test]
    fn heads_keep_what_is_promised(head in pieces(), cut in any::<u8>()) {
        crate::fuzzing::head_inspection(&[&[cut], &head[..]].concat());
    }

    #[test]
    fn bodies_keep_what_is_promised(body in prop::collection::vec(
        prop::sample::select(b"0015aF;\r\n\r\n\r\nx: ".to_vec()), 0..60), cut in 0u8..60) {
        crate::fuzzing::chunked_body(&[&[cut], &body[..]].concat());
    }
}
