//! A server outside that answers or doesn't, as the test says: what a guest depends on.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Answers 200 while it is open; takes requests while it is closed, and answers them when it opens again. Ends with
/// the process.
pub(crate) struct Gate {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    passage: Mutex<Passage>,
}

/// Whether who asks is answered.
#[derive(Default)]
enum Passage {
    #[default]
    Open,
    /// Those who asked meanwhile wait.
    Closed(Vec<TcpStream>),
}

impl Gate {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let state = Arc::new(State::default());
        let asked = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                asked.take(stream);
            }
        });
        Self { port, state }
    }

    pub(crate) fn close(&self) {
        *self.state.passage.lock().expect("no panic") = Passage::Closed(Vec::new());
    }

    pub(crate) fn reopen(&self) {
        let closed = std::mem::take(&mut *self.state.passage.lock().expect("no panic"));
        if let Passage::Closed(held) = closed {
            held.into_iter().for_each(answer);
        }
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

impl State {
    fn take(&self, mut stream: TcpStream) {
        let mut head = [0; 1024];
        // Whatever it asks for; one that went away is none of ours.
        if stream.read(&mut head).is_err() {
            return;
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &mut *self.passage.lock().expect("no panic") {
            Passage::Open => answer(stream),
            Passage::Closed(held) => held.push(stream),
        }
    }
}

/// One that went away while it waited is none of ours.
fn answer(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}
