//! Which requests a target can be asked at all: ALB's table of protocol versions.

use http::{HeaderMap, Method, Version, header, request::Parts};

use crate::{error::Cause, target::TargetProtocol};

/// What a request's client speaks, as far as targets care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    Http1,
    Http2 { is_post: bool },
    Grpc,
}

impl Spoken {
    pub(super) fn of(head: &Parts) -> Self {
        if head.version < Version::HTTP_2 {
            Self::Http1
        } else if is_grpc(&head.headers) {
            Self::Grpc
        } else {
            Self::Http2 {
                is_post: head.method == Method::POST,
            }
        }
    }

    /// Refuses what a target does not speak (464).
    pub(super) fn check(self, target: TargetProtocol) -> Result<(), Cause> {
        use TargetProtocol::{Any, Grpc, Http1, Http2};
        let mismatch = |text| Err(Cause::ProtocolMismatch(text));
        match (self, target) {
            (_, Any)
            | (Self::Http1 | Self::Http2 { .. }, Http1)
            | (Self::Http2 { .. } | Self::Grpc, Http2)
            | (Self::Http2 { is_post: true } | Self::Grpc, Grpc) => Ok(()),
            (Self::Grpc, Http1) => mismatch("the service does not speak gRPC"),
            (Self::Http1, Http2 | Grpc) => mismatch("the service speaks HTTP/2 only"),
            (Self::Http2 { is_post: false }, Grpc) => {
                mismatch("the service takes gRPC calls only, which are POST")
            }
        }
    }
}

/// The media type `application/grpc`, with or without what the messages are written in.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let grpc = b"application/grpc";
    let Some((start, rest)) = content_type.as_bytes().split_at_checked(grpc.len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(grpc) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn spoken(version: Version, method: Method, content_type: &str) -> Spoken {
        let request = Request::builder()
            .version(version)
            .method(method)
            .header(header::CONTENT_TYPE, content_type)
            .body(())
            .unwrap();
        Spoken::of(&request.into_parts().0)
    }

    /// ALB: the table of a target group's protocol versions, row by row.
    #[test]
    fn the_protocol_table_is_albs() {
        use TargetProtocol::{Any, Grpc, Http1, Http2};
        let html = "text/html";
        for (version, method, content_type, target, fits) in [
            (Version::HTTP_11, Method::GET, html, Http1, true),
            (Version::HTTP_2, Method::GET, html, Http1, true),
            (Version::HTTP_2, Method::POST, "application/grpc", Http1, false),
            (Version::HTTP_11, Method::GET, html, Http2, false),
            (Version::HTTP_2, Method::GET, html, Http2, true),
            (Version::HTTP_2, Method::POST, "application/grpc", Http2, true),
            (Version::HTTP_11, Method::POST, html, Grpc, false),
            (Version::HTTP_2, Method::GET, html, Grpc, false),
            (Version::HTTP_2, Method::POST, html, Grpc, true),
            (
                Version::HTTP_2,
                Method::POST,
                "application/grpc+proto",
                Grpc,
                true,
            ),
            (Version::HTTP_11, Method::POST, "application/grpc", Any, true),
            (Version::HTTP_2, Method::POST, "application/grpc", Any, true),
        ] {
            let spoken = spoken(version, method, content_type);
            assert_eq!(spoken.check(target).is_ok(), fits, "{spoken:?} to {target:?}");
        }
    }

    #[test]
    fn grpc_is_told_by_its_media_type() {
        for (content_type, is_grpc) in [
            ("application/grpc", true),
            ("Application/gRPC", true),
            ("application/grpc+json", true),
            ("application/grpc; x=1", true),
            ("application/grpc-web", false),
            ("application/json", false),
            ("", false),
        ] {
            let spoken = spoken(Version::HTTP_2, Method::POST, content_type);
            assert_eq!(spoken == Spoken::Grpc, is_grpc, "{content_type:?}");
        }
    }
}
