//! A plain HTTP/1.1 client: one request on a connection of its own, the answer as it came.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::server::DEADLINE;

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: &'a [u8],
}

impl<'a> Call<'a> {
    pub(crate) fn get(host: &'a str, path: &'a str) -> Self {
        Self {
            method: "GET",
            host,
            path,
            headers: Vec::new(),
            body: b"",
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// A connection that serves one request after the other.
pub(crate) struct Session(BufReader<TcpStream>);

impl Session {
    pub(crate) fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&to, DEADLINE).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        Self(BufReader::new(stream))
    }

    /// The status of the answer, which is read to its end; 0 where there is none.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> u16 {
        self.try_get(host, path).unwrap_or(0)
    }

    fn try_get(&mut self, host: &str, path: &str) -> std::io::Result<u16> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        self.0.get_mut().write_all(head.as_bytes())?;
        let answer = read_head(&mut self.0)?;
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        match length {
            Some(length) => {
                let mut body = vec![0; length];
                self.0.read_exact(&mut body)?;
            }
            None => {
                read_chunks(&mut self.0, &mut Vec::new())?;
                self.0.read_line(&mut String::new())?;
            }
        }
        Ok(answer.status)
    }
}

/// Send a request and read all of the answer; a connection that fails is an answer of status 0, so that a test
/// can wait for a better one.
pub(crate) fn send(to: SocketAddr, call: Call<'_>) -> Answer {
    try_send(to, call).unwrap_or_else(|error| Answer {
        status: 0,
        headers: Vec::new(),
        body: error.to_string(),
    })
}

fn try_send(to: SocketAddr, call: Call<'_>) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&to, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
        call.method, call.path, call.host
    );
    for (name, value) in &call.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !call.body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", call.body.len()));
    }
    head.push_str("\r\n");
    // A server that refuses early may close while we still write; what it said is what counts.
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(call.body));
    read(BufReader::new(stream))
}

fn read(mut stream: BufReader<TcpStream>) -> std::io::Result<Answer> {
    let mut answer = read_head(&mut stream)?;
    let chunked = answer
        .header("transfer-encoding")
        .is_some_and(|value| value == "chunked");
    let mut body = Vec::new();
    if chunked {
        read_chunks(&mut stream, &mut body)?
    } else {
        stream.read_to_end(&mut body).map(drop)?
    }
    answer.body = String::from_utf8_lossy(&body).into_owned();
    Ok(answer)
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        if length == 0 {
            return Ok(());
        }
        stream.take(length).read_to_end(body)?;
        stream.read_line(&mut String::new())?;
    }
}

fn read_head(stream: &mut BufReader<TcpStream>) -> std::io::Result<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    let mut answer = Answer {
        status,
        headers: Vec::new(),
        body: String::new(),
    };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok(answer);
        };
        answer.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}
