//! An HTTP guest that tries to open a TCP connection to `?to=host:port` and answers what came of it.
//! Apart from `guest-http`, because it imports `wasi:sockets`.

use std::io::Write as _;
use std::net::TcpStream;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Guest;

wasip2::http::proxy::export!(Guest);

impl wasip2::exports::http::incoming_handler::Guest for Guest {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let address = target
            .split_once("to=")
            .map_or("127.0.0.1:80", |(_, address)| address);
        let answer = match TcpStream::connect(address) {
            Ok(_) => format!("connected to {address}"),
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the first call");
        ResponseOutparam::set(out, Ok(response));
        let written = body.write().expect("the first call").write_all(answer.as_bytes());
        if written.is_ok() {
            let _ = OutgoingBody::finish(body, None);
        }
    }
}
