//! A plain HTTP/1.1 client: one request on a connection of its own, the answer read to its end.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any timeout of an example.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
}

impl<'a> Call<'a> {
    pub(crate) fn get(host: &'a str, path: &'a str) -> Self {
        Self {
            method: "GET",
            host,
            path,
            body: b"",
        }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Send a request and read all of the answer.
pub(crate) fn send(to: SocketAddr, call: Call<'_>) -> io::Result<Answer> {
    send_with(to, call, &[])
}

/// The same with more headers.
pub(crate) fn send_with(to: SocketAddr, call: Call<'_>, headers: &[(&str, &str)]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let Call {
        method,
        host,
        path,
        body,
    } = call;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let head = format!("{head}content-length: {}\r\n\r\n", body.len());
    let mut sending = stream.try_clone()?;
    std::thread::scope(|scope| {
        // The answer may begin before the request has ended, and both may be larger than the sockets' buffers.
        scope.spawn(move || {
            sending
                .write_all(head.as_bytes())
                .and_then(|()| sending.write_all(body))
        });
        read(BufReader::new(&mut stream))
    })
}

fn read(mut stream: impl io::BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP status line"))?;
    let mut chunked = false;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.trim() == "chunked";
    }
    let mut body = Vec::new();
    if chunked {
        read_chunks(&mut stream, &mut body)?
    } else {
        stream.read_to_end(&mut body).map(drop)?
    }
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn read_chunks(stream: &mut impl io::BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            return Ok(());
        }
        stream.by_ref().take(length).read_to_end(body)?;
        stream.read_line(&mut String::new())?;
    }
}
