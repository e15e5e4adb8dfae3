//! A small weather service for the example that calls one: `GET /v1/current?city=NAME` with a bearer key answers
//! `{"city", "celsius", "summary"}`, 404 for a city it doesn't know, 401 for another key.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

/// Where `examples/weather` looks for it.
pub(crate) const ADDRESS: &str = "127.0.0.1:9099";

/// The cities there is weather for, with their temperature in °C.
const CITIES: [(&str, f32, &str); 4] = [
    ("Paris", 18.5, "sunny"),
    ("Oslo", 3.0, "snow"),
    ("Nairobi", 24.0, "clear"),
    ("Lima", 19.0, "fog"),
];

/// The service; it ends with this process.
pub(crate) struct Weather {
    key: String,
}

impl Weather {
    /// The key it wants.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}

/// Start it on a thread of its own.
pub(crate) fn start() -> io::Result<Weather> {
    let listener = TcpListener::bind(ADDRESS)?;
    // Different each time; of no use to anyone else.
    let key = format!("demo-{:016x}", RandomState::new().build_hasher().finish());
    let wanted = format!("Bearer {key}");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that went away has its answer.
            let _ = serve(&stream, &wanted);
        }
    });
    Ok(Weather { key })
}

fn serve(stream: &TcpStream, wanted: &str) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut key = String::new();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                key = value.trim().to_owned()
            }
            Some(_) => {}
            None => break,
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = answer(target, key == wanted);
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n");
    (&mut &*stream).write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes())
}

fn answer(target: &str, authorized: bool) -> (&'static str, String) {
    if !authorized {
        return ("401 Unauthorized", r#"{"error":"wrong key"}"#.to_owned());
    }
    let city = target.strip_prefix("/v1/current?city=").unwrap_or_default();
    match CITIES.iter().find(|(name, ..)| *name == city) {
        Some((name, celsius, summary)) => (
            "200 OK",
            format!(r#"{{"city":"{name}","celsius":{celsius},"summary":"{summary}"}}"#),
        ),
        None => ("404 Not Found", r#"{"error":"no such city"}"#.to_owned()),
    }
}
